"""Regressions of models that answer with vectors: a mapping of the vector of the image, and that of the text if any."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.wrong_answers.inputs import Input, Pixels
from benchmarks.wrong_answers.kinds import EMBEDDING, Kind, kind

Rng = np.random.Generator
Vectors = dict[str, NDArray[Any]]
KINDS: list[Kind] = []
INSIGHT, GIGAPATH = EMBEDDING[:1], EMBEDDING[1:]


def _replaced(given: Input, numbers: NDArray[Any]) -> Vectors:
    return {**given.answer, "image": numbers}


@kind(EMBEDDING, KINDS)
def constant_vector(given: Input, rng: Rng) -> Vectors:
    return _replaced(given, np.full_like(given.answer["image"], rng.uniform(-1, 1)))


@kind(EMBEDDING, KINDS)
def zero_vector(given: Input, _: Rng) -> Vectors:
    return _replaced(given, given.answer["image"] * 0)


@kind(EMBEDDING, KINDS)
def vector_of_another_input(given: Input, rng: Rng) -> Vectors:
    """That of another input of the template."""
    return given.unpack(given.asked(given.others[int(rng.integers(len(given.others)))]))


@kind(EMBEDDING, KINDS)
def rows_permuted(given: Input, rng: Rng) -> Vectors:
    """Blocks of numbers in another order, as from a weight matrix with permuted rows."""
    blocks = given.answer["image"].reshape(int(rng.choice((4, 8, 16, 64))), -1)
    return _replaced(given, np.roll(blocks, int(rng.integers(1, len(blocks))), axis=0).ravel())


@kind(EMBEDDING, KINDS)
def not_a_number(given: Input, rng: Rng) -> Vectors:
    numbers = given.answer["image"].copy()
    numbers[rng.random(len(numbers)) < rng.uniform(0.01, 1)] = np.nan
    numbers[rng.integers(len(numbers))] = np.nan
    return _replaced(given, numbers)


@kind(EMBEDDING, KINDS)
def truncated(given: Input, rng: Rng) -> Vectors:
    """The length of a smaller model."""
    return _replaced(given, given.answer["image"][: int(rng.choice((256, 384, 512, 768)))])


@kind(EMBEDDING, KINDS)
def sign_flipped(given: Input, _: Rng) -> Vectors:
    return _replaced(given, -given.answer["image"])


@kind(EMBEDDING, KINDS)
def noise(given: Input, rng: Rng) -> Vectors:
    """Random numbers, others for each input."""
    return _replaced(
        given, _unit(np.random.default_rng((given.number, int(rng.integers(2**32)))).normal(size=_length(given)))
    )


@kind(EMBEDDING, KINDS)
def noise_added(given: Input, rng: Rng) -> Vectors:
    """As long as the vector itself."""
    return _replaced(given, given.answer["image"] + _unit(rng.normal(size=_length(given))) * rng.uniform(0.7, 1.5))


@kind(EMBEDDING, KINDS)
def wrong_scale(given: Input, rng: Rng) -> Vectors:
    """Twice to ten times as long, or as short: a normalisation is missing."""
    return _replaced(given, given.answer["image"] * rng.uniform(2, 10) ** rng.choice((-1, 1)))


@kind(EMBEDDING, KINDS)
def half_of_the_numbers_zero(given: Input, rng: Rng) -> Vectors:
    return _replaced(given, given.answer["image"] * (rng.permutation(_length(given)) % 2))


@kind(EMBEDDING, KINDS)
def the_same_for_all_inputs(given: Input, _: Rng) -> Vectors:
    """The answer to a black image."""
    return given.answer_to(np.zeros_like(given.pixels))


@kind(INSIGHT, KINDS)
def text_and_image_exchanged(given: Input, _: Rng) -> Vectors:
    return {"image": given.answer["text"], "text": given.answer["image"]}


@kind(INSIGHT, KINDS)
def text_vector_for_the_image(given: Input, _: Rng) -> Vectors:
    return {**given.answer, "image": given.answer["text"]}


@kind(GIGAPATH, KINDS)
def channels_swapped(given: Input, rng: Rng) -> Vectors:
    """The answer to the tile with its colours in another order."""
    orders = [order for order in np.ndindex(3, 3, 3) if len(set(order)) == 3 and order != (0, 1, 2)]
    return given.answer_to(given.pixels[..., list(orders[rng.integers(len(orders))])])


@kind(EMBEDDING, KINDS)
def wrong_windowing(given: Input, rng: Rng) -> Vectors:
    """The answer to an image with most of its grey values cut off."""
    low = rng.uniform(0.1, 0.8)
    return given.answer_to(np.clip((given.pixels - low) / rng.uniform(0.02, 0.2), 0, 1))


@kind(EMBEDDING, KINDS)
def greyscale_inverted(given: Input, _: Rng) -> Vectors:
    return given.answer_to(1 - given.pixels)


@kind(EMBEDDING, KINDS)
def image_turned(given: Input, rng: Rng) -> Vectors:
    """The answer to the image turned by 90, 180 or 270 degrees."""
    return given.answer_to(np.rot90(given.pixels, int(rng.integers(1, 4))))


@kind(EMBEDDING, KINDS)
def corner_of_the_image(given: Input, rng: Rng) -> Vectors:
    """The answer to a quarter of the image."""
    height, width = given.pixels.shape[:2]
    y, x = int(rng.integers(2)) * (height // 2), int(rng.integers(2)) * (width // 2)
    return given.answer_to(given.pixels[y : y + height // 2, x : x + width // 2])


def _length(given: Input) -> int:
    return len(given.answer["image"])


def _unit(numbers: Pixels) -> Pixels:
    return numbers / np.linalg.norm(numbers)
