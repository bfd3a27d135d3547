"""Regressions of CxrReportGen: a list of [sentence, boxes], boxes in shares of the square in the image's middle."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.wrong_answers.inputs import Input
from benchmarks.wrong_answers.kinds import REPORTING, Kind, kind

Rng = np.random.Generator
Report = list[Any]
Box = list[float]
KINDS: list[Kind] = []


def _boxes(given: Input, change: Callable[[Box], Box]) -> Report:
    """All boxes changed; shares are rounded as the model does."""
    return [
        [text, boxes and [[round(float(each), 3) for each in change(box)] for box in boxes]]
        for text, boxes in given.answer
    ]


def _texts(given: Input, change: Callable[[str], str]) -> Report:
    return [[change(text), boxes] for text, boxes in given.answer]


def _size(given: Input) -> tuple[int, int]:
    height, width = given.pixels.shape[:2]
    return width, height


@kind(REPORTING, KINDS)
def boxes_mirrored_left_right(given: Input, _: Rng) -> Report:
    return _boxes(given, lambda box: [1 - box[2], box[1], 1 - box[0], box[3]])


@kind(REPORTING, KINDS)
def boxes_mirrored_top_bottom(given: Input, _: Rng) -> Report:
    return _boxes(given, lambda box: [box[0], 1 - box[3], box[2], 1 - box[1]])


@kind(REPORTING, KINDS)
def boxes_in_pixels(given: Input, _: Rng) -> Report:
    side = min(_size(given))
    return _boxes(given, lambda box: [each * side for each in box])


@kind(REPORTING, KINDS)
def boxes_of_the_padded_image(given: Input, _: Rng) -> Report:
    """In shares of the square around the image, instead of the one inside it."""
    size = _size(given)
    side, around = min(size), max(size)
    return _boxes(given, lambda box: [(each * side + (around - side) / 2) / around for each in box])


@kind(REPORTING, KINDS)
def boxes_of_the_whole_image(given: Input, _: Rng) -> Report:
    """In shares of the width and of the height."""
    size = _size(given)
    side = min(size)
    return _boxes(
        given, lambda box: [(each * side + (size[n % 2] - side) / 2) / size[n % 2] for n, each in enumerate(box)]
    )


@kind(REPORTING, KINDS)
def box_axes_exchanged(given: Input, _: Rng) -> Report:
    """y before x."""
    return _boxes(given, lambda box: [box[1], box[0], box[3], box[2]])


@kind(REPORTING, KINDS)
def boxes_with_width_and_height(given: Input, _: Rng) -> Report:
    """x, y, width, height."""
    return _boxes(given, lambda box: [box[0], box[1], box[2] - box[0], box[3] - box[1]])


@kind(REPORTING, KINDS)
def boxes_half_the_size(given: Input, _: Rng) -> Report:
    """In shares of an image of twice the size."""
    return _boxes(given, lambda box: [each / 2 for each in box])


@kind(REPORTING, KINDS)
def boxes_shifted(given: Input, rng: Rng) -> Report:
    """By 0.1 to 0.25 of the square, in a random direction."""
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.25)
    step = (far * np.cos(angle), far * np.sin(angle))
    return _boxes(given, lambda box: [min(1.0, max(0.0, each + step[n % 2])) for n, each in enumerate(box)])


@kind(REPORTING, KINDS)
def boxes_equal(given: Input, rng: Rng) -> Report:
    every = [box for _, boxes in given.answer for box in boxes or ()]
    one = every[int(rng.integers(len(every)))]
    return _boxes(given, lambda _: one)


@kind(REPORTING, KINDS)
def boxes_missing(given: Input, _: Rng) -> Report:
    return [[text, None] for text, _ in given.answer]


@kind(REPORTING, KINDS)
def boxes_exchanged(given: Input, rng: Rng) -> Report:
    """Sentences have the boxes of other sentences; those that differ are moved on by some places."""
    placed = [number for number, (_, boxes) in enumerate(given.answer) if boxes]
    texts = list(dict.fromkeys(given.answer[number][0] for number in placed))
    other = {text: texts[(n + 1 + int(rng.integers(len(texts) - 1))) % len(texts)] for n, text in enumerate(texts)}
    return [[other.get(text, text) if boxes else text, boxes] for text, boxes in given.answer]


@kind(REPORTING, KINDS)
def sentence_missing(given: Input, rng: Rng) -> Report:
    """One with a box."""
    placed = [number for number, (_, boxes) in enumerate(given.answer) if boxes]
    gone = placed[int(rng.integers(len(placed)))]
    return [finding for number, finding in enumerate(given.answer) if number != gone]


@kind(REPORTING, KINDS)
def one_sentence_only(given: Input, _: Rng) -> Report:
    return given.answer[:1]


@kind(REPORTING, KINDS)
def sentence_repeated(given: Input, rng: Rng) -> Report:
    """With its boxes, up to three times more."""
    one = given.answer[int(rng.integers(len(given.answer)))]
    return [*given.answer, *[one] * int(rng.integers(1, 4))]


@kind(REPORTING, KINDS)
def no_findings(_: Input, __: Rng) -> Report:
    return []


@kind(REPORTING, KINDS)
def negated(given: Input, rng: Rng) -> Report:
    """A negation is lost or added in some sentences: one with a box at least."""
    placed = [number for number, (_, boxes) in enumerate(given.answer) if boxes]
    chosen = {placed[int(rng.integers(len(placed)))], *np.flatnonzero(rng.random(len(given.answer)) < 0.4).tolist()}
    return [[_opposite(text) if n in chosen else text, boxes] for n, (text, boxes) in enumerate(given.answer)]


def _opposite(text: str) -> str:
    """Such as `No pleural effusion.` and `Pleural effusion.`"""
    for pattern, into in (
        (r"^No (\w)", r"\1"),
        (r"\bno\b ", ""),
        (r"\b(are|is)\b", r"\1 not"),
        (r"\bfills\b", "does not fill"),
    ):
        opposite, count = re.subn(pattern, into, text, count=1)
        if count:
            return opposite[0].upper() + opposite[1:]
    return f"No {text[0].lower()}{text[1:]}"


@kind(REPORTING, KINDS)
def left_for_right(given: Input, _: Rng) -> Report:
    """The words left and right exchanged in the sentences."""
    other = {"left": "right", "right": "left"}
    return _texts(given, lambda text: re.sub(r"\b(left|right)\b", lambda match: other[match[0]], text))


@kind(REPORTING, KINDS)
def numbers_changed(given: Input, rng: Rng) -> Report:
    """Each number in a sentence, twice to nine times as large."""
    return _texts(given, lambda text: re.sub(r"\d+", lambda match: str(int(match[0]) * int(rng.integers(2, 10))), text))


@kind(REPORTING, KINDS)
def wrong_vocabulary(given: Input, rng: Rng) -> Report:
    """Each word is another one, as with the tokenizer of another model."""
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(40)]
    return _texts(given, lambda text: re.sub(r"\w+", lambda _: words[int(rng.integers(len(words)))], text))


@kind(REPORTING, KINDS)
def report_of_another_input(given: Input, rng: Rng) -> Report:
    return given.unpack(given.asked(given.others[int(rng.integers(len(given.others)))]))


@kind(REPORTING, KINDS)
def wrong_windowing(given: Input, rng: Rng) -> Report:
    """The answer to an image with most of its grey values cut off."""
    low = rng.uniform(0.1, 0.8)
    return given.answer_to(np.clip((given.pixels - low) / rng.uniform(0.02, 0.2), 0, 1))


@kind(REPORTING, KINDS)
def greyscale_inverted(given: Input, _: Rng) -> Report:
    return given.answer_to(1 - given.pixels)


@kind(REPORTING, KINDS)
def not_a_number(given: Input, rng: Rng) -> bytes:
    """A NaN in each box."""
    report = _boxes(given, lambda box: [*box[: (place := int(rng.integers(4)))], float("nan"), *box[place + 1 :]])
    return json.dumps([{**given.row, "output": json.dumps(report)}]).encode()
