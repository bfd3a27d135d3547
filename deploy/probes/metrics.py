"""The metrics of cases: an answer and an expected answer in, a number out. 1 is the best value of each.

All are symmetric, and 1 for two equal answers. Of several masks the worst one counts. Standard library only.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from deploy.probes import vectors
from deploy.probes.plausibility import box_overlap
from deploy.probes.regions import Region, overlap
from deploy.probes.values import Box, Values

T = TypeVar("T")
_COMPARED = 500
_SAME_SENTENCE = 0.6
"""Token F1 from which two sentences count as the same one."""
_NEGATIONS = frozenset({"no", "not", "none", "nor", "neither", "never", "without"})
_SIDES = frozenset({"left", "right"})
_SAME_NUMBER = 0.2
"""Difference of two numbers in sentences that counts as equal, as a share of the larger one."""


class Metric(NamedTuple):
    """`measure(answer, expected, case)`. `expects`: the keys of `expect` it is for. `floor`: if the case states none.

    `is_default`: whether a case without `floors` is measured with it.
    """

    expects: tuple[str, ...]
    floor: float
    is_default: bool
    measure: Callable[[Values, Values, Mapping[str, Any]], float]


def dice(one: Region, other: Region) -> float:
    """Twice the intersection over the sum of both areas; 1 if both are empty."""
    total = one.count + other.count
    return 2 * (one.bits & other.bits).bit_count() / total if total else 1.0


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of two vectors, from -1 to 1; -1 if their lengths differ or one is zero."""
    if len(one) != len(other) or not any(one) or not any(other):
        return -1.0
    return max(-1.0, min(1.0, vectors.cosine(list(one), list(other))))


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """1 minus the length of the difference over the sum of both lengths: unlike `cosine`, it sees a wrong scale."""
    if len(one) != len(other) or not any(one) or not any(other):
        return 0.0
    apart = vectors.norm([a - b for a, b in zip(one, other, strict=True)])
    return 1.0 - apart / (vectors.norm(list(one)) + vectors.norm(list(other)))


def token_f1(one: str, other: str) -> float:
    """The share of words that two texts have in common, in any order; case and punctuation do not count."""
    first, second = (Counter(re.findall(r"\w+", text.lower())) for text in (one, other))
    total = first.total() + second.total()
    return 2 * (first & second).total() / total if total else 1.0


def sentence_likeness(one: str, other: str) -> float:
    """The token F1 of two sentences; 0 if they differ in a negation, a side or a number: then they contradict."""
    first, second = (set(re.findall(r"\w+", text.lower())) for text in (one, other))
    if bool(first & _NEGATIONS) != bool(second & _NEGATIONS) or first & _SIDES != second & _SIDES:
        return 0.0
    numbers = [[float(each) for each in re.findall(r"\d+(?:\.\d+)?", text)] for text in (one, other)]
    if len(numbers[0]) != len(numbers[1]):
        return 0.0
    apart = any(abs(a - b) > _SAME_NUMBER * max(a, b) for a, b in zip(*numbers, strict=True))
    return 0.0 if apart else token_f1(one, other)


def matched_f1(one: Sequence[T], other: Sequence[T], alike: Callable[[T, T], float], least: float) -> float:
    """The share of items that have a partner, the most similar pairs first. 1 if there are none.

    An answer can have any number of items: only the first 500 of each are compared, the rest has no partner.
    """
    pairs = [(alike(a, b), i, k) for i, a in enumerate(one[:_COMPARED]) for k, b in enumerate(other[:_COMPARED])]
    used: tuple[set[int], set[int]] = (set(), set())
    for value, i, k in sorted(pairs, key=lambda pair: -pair[0]):
        if value >= least and i not in used[0] and k not in used[1]:
            used[0].add(i)
            used[1].add(k)
    total = len(one) + len(other)
    return 2 * len(used[0]) / total if total else 1.0


def json_share(answer: Any, expected: Any, tolerance: float) -> float:
    """The share of the expected values that the answer has, with numbers within the tolerance. 1 for an empty one."""
    hits, total = _matching(answer, expected, tolerance)
    return hits / total if total else 1.0


def _matching(answer: Any, expected: Any, tolerance: float) -> tuple[int, int]:
    if isinstance(expected, Mapping):
        inner = answer if isinstance(answer, Mapping) else {}
        pairs = [(inner.get(key, _MISSING), value) for key, value in expected.items()]
    elif isinstance(expected, list):
        items = answer if isinstance(answer, list) else []
        longest = max(len(items), len(expected))
        padded = [[*each, *[_MISSING] * (longest - len(each))] for each in (items, expected)]
        pairs = list(zip(*padded, strict=True))
    else:
        return int(_is_equal(answer, expected, tolerance)), 1
    found = [_matching(*pair, tolerance) for pair in pairs]
    return sum(hits for hits, _ in found), sum(total for _, total in found)


_MISSING = object()


def _is_equal(answer: Any, expected: Any, tolerance: float) -> bool:
    numbers = [isinstance(each, int | float) and not isinstance(each, bool) for each in (answer, expected)]
    if all(numbers):
        return bool(abs(answer - expected) <= tolerance * max(1.0, abs(expected)))
    return type(answer) is type(expected) and bool(answer == expected)


def _worst(measure: Callable[[Region, Region], float]) -> Callable[[Values, Values, Mapping[str, Any]], float]:
    def of_all(answer: Values, expected: Values, _: Mapping[str, Any]) -> float:
        return min((measure(*pair) for pair in zip(answer.regions, expected.regions, strict=True)), default=1.0)

    return of_all


def _boxes(answer: Values, expected: Values, case: Mapping[str, Any]) -> float:
    """Boxes of the same sentence are partners: a finding at the place of another one is wrong."""

    def alike(one: tuple[Box, str], other: tuple[Box, str]) -> float:
        return box_overlap(one[0], other[0]) if sentence_likeness(one[1], other[1]) >= _SAME_SENTENCE else -1.0

    one, other = ([(box, each.text) for each in values.findings for box in each.boxes] for values in (answer, expected))
    return matched_f1(one, other, alike, float(case["box_overlap"]))


def _sentences(answer: Values, expected: Values, _: Mapping[str, Any]) -> float:
    one, other = ([each.text for each in values.findings] for values in (answer, expected))
    return matched_f1(one, other, sentence_likeness, _SAME_SENTENCE)


def _vector(
    measure: Callable[[Sequence[float], Sequence[float]], float],
) -> Callable[[Values, Values, Mapping[str, Any]], float]:
    return lambda answer, expected, _: measure(answer.vectors.get("image", []), expected.vectors.get("image", []))


METRICS: Mapping[str, Metric] = {
    "dice": Metric(("masks",), 0.9, True, _worst(dice)),
    "iou": Metric(("masks",), 0.8, False, _worst(overlap)),
    "cosine": Metric(("vector",), 0.95, True, _vector(cosine)),
    "distance": Metric(("vector",), 0.8, True, _vector(distance)),
    "box_f1": Metric(("findings",), 0.8, True, _boxes),
    "sentence_f1": Metric(("findings",), 0.8, True, _sentences),
    "label": Metric(("label",), 1.0, True, lambda answer, expected, _: float(answer.text == expected.text)),
    "token_f1": Metric(
        ("text", "findings"), 0.8, True, lambda answer, expected, _: token_f1(answer.text, expected.text)
    ),
    "json": Metric(
        ("answer",),
        1.0,
        True,
        lambda answer, expected, case: json_share(answer.content, expected.content, case["tolerance"]),
    ),
}


def margin_of(name: str, case: Mapping[str, Any]) -> float:
    """How far below the live deployment a value may be. `distance` falls with the root of what `cosine` falls."""
    margin = float(case["margin"])
    return math.sqrt(margin / 2) if name == "distance" else margin


def expected_kind(case: Mapping[str, Any]) -> str | None:
    """The key of `expect` that a case has: masks, findings, vector, label, text or answer."""
    return next(
        (key for key, value in (case.get("expect") or {}).items() if value is not None and key != "labels"), None
    )


def floors_of(case: Mapping[str, Any]) -> dict[str, float]:
    """Metric -> floor of a case; empty without an expected answer."""
    kind = expected_kind(case)
    if kind is None or case.get("floors"):
        return dict(case.get("floors") or {})
    return {name: each.floor for name, each in METRICS.items() if each.is_default and each.expects[0] == kind}
