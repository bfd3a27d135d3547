"""Whether an answer can be right, without an expected answer: it is not degenerate, and is in the ranges of its sample.

The ranges come from `probe.plausible` of pipeline.yml and are for the sample. For an input of the user's own only what
no input can have as its answer is wrong: an empty mask can be right then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from deploy.documents.plausible import MaskRange, Plausible
from deploy.probes.answers import WrongAnswer, excerpt
from deploy.probes.regions import Region, overlap
from deploy.probes.values import Box, Finding, Values
from deploy.probes.vectors import cosine, norm

_OUTLINE_OF_VOLUMES = 10.0
"""The surface of noise grows more slowly than the edge of noise in an image."""
_SAME_VECTOR, _FLAT = 0.9999, 1e-4
"""Cosine of vectors that count as equal; deviation of a vector, in shares of its mean, that counts as constant."""
_SHOWN = 3


def check(values: Values, plausible: Mapping[str, Any] | str | None) -> None:
    """Raises WrongAnswer with what is not plausible. `plausible`: of the probe; None for an input of the user's own."""
    if plausible == "unchecked":
        return
    rules = Plausible.model_validate(plausible) if isinstance(plausible, Mapping) else None
    found = [*_vectors(values.vectors), *_sentences(values.findings)]
    if rules:
        found += [*_masks(values.regions, rules), *_sides(values.regions, rules), *_boxes(values.findings, rules)]
    if found:
        more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
        raise WrongAnswer(f"implausible answer: {'; '.join(found[:_SHOWN])}{more}")


def distinct(named: Sequence[tuple[str, str, Values]]) -> Iterator[tuple[str, str]]:
    """(name, name) of answers that are equal although their inputs differ: the answer of another input.

    `named`: the name, a digest of the input, and the answer. Sentences of two inputs can be equal and right.
    """
    for (one, sent, first), (other, also, second) in combinations(named, 2):
        if sent != also and _is_same(first, second):
            yield one, other


def _is_same(first: Values, second: Values) -> bool:
    if first.vectors and second.vectors:
        one, other = (next(iter(each.vectors.values())) for each in (first, second))
        return len(one) == len(other) and one == other
    filled = [[region.pixels for region in each.regions if region.count] for each in (first, second)]
    if any(filled):
        return filled[0] == filled[1]
    boxes = [[box for finding in each.findings for box in finding.boxes] for each in (first, second)]
    return bool(boxes[0]) and boxes[0] == boxes[1] and first.text == second.text


def _masks(regions: Sequence[Region], rules: Plausible) -> Iterator[str]:
    for region in regions:
        problem = _mask(region, rules)
        if problem:
            yield problem
    for one, other in combinations((region for region in regions if region.count), 2):
        if one.prompt != other.prompt and (shared := overlap(one, other)) > rules.alike:
            yield (
                f"expected different masks for '{one.prompt}' and '{other.prompt}', their overlap is {shared:.1%}, "
                f"and at most {rules.alike:.0%} is plausible"
            )


def _mask(region: Region, rules: Plausible) -> str | None:
    wide = rules.masks.get(region.prompt) or MaskRange()
    low, high = wide.area
    if region.area in (0, 1):
        state = "empty" if region.area == 0 else "full"
        return None if rules.empty else f"the mask of '{region.prompt}' is {state}"
    if not low <= region.area <= high:
        return f"expected an area of {low:.2%} to {high:.2%} for '{region.prompt}', got {region.area:.2%}"
    most = min(wide.outline, _OUTLINE_OF_VOLUMES) if len(region.shape) == 3 else wide.outline
    if region.outline > most:
        return (
            f"the mask of '{region.prompt}' is ragged: its outline is {region.outline:.1f}, at most {most:g} expected"
        )
    fewest, most_parts = wide.components
    if not fewest <= region.components <= most_parts:
        return f"expected {fewest} to {most_parts} components for '{region.prompt}', got {region.components}"
    return None


def _sides(regions: Sequence[Region], rules: Plausible) -> Iterator[str]:
    if rules.sides == "unchecked":
        return
    found = {region.prompt.lower(): region for region in regions if region.count}
    for prompt, left in found.items():
        right = found.get(re.sub(r"\bleft\b", "right", prompt))
        if right is None or right is left:
            continue
        gain = _position(left, rules.sides) - _position(right, rules.sides)
        if gain <= 0:
            meant = "patient's left" if rules.sides == "radiological" else "image's left"
            yield f"expected '{left.prompt}' further to the {meant} than '{right.prompt}', got the opposite"


def _position(region: Region, sides: str) -> float:
    """How far to the left a mask is. In an image the patient's left is on the right, which `Region.left` states."""
    return region.towards_left if sides == "radiological" else 1 - region.centre(0)


def _vectors(vectors: Mapping[str, list[float]]) -> Iterator[str]:
    for name, numbers in vectors.items():
        mean = sum(numbers) / len(numbers)
        deviation = norm([number - mean for number in numbers]) / len(numbers) ** 0.5
        if len(numbers) > 1 and deviation <= abs(mean) * _FLAT:
            yield f"expected different numbers in the {name} vector, all {len(numbers)} are about {mean:.4g}"
    for (one, first), (other, second) in combinations(vectors.items(), 2):
        if len(first) == len(second) and cosine(first, second) > _SAME_VECTOR:
            yield f"expected different vectors for {one} and {other}, they are equal"


def _sentences(findings: Sequence[Finding]) -> Iterator[str]:
    seen: set[tuple[str, tuple[Box, ...]]] = set()
    for finding in findings:
        key = (" ".join(re.findall(r"\w+", finding.text.lower())), finding.boxes)
        if key in seen:
            yield f"the sentence {excerpt(finding.text, 60)} is repeated with the same boxes"
        seen.add(key)


def _boxes(findings: Sequence[Finding], rules: Plausible) -> Iterator[str]:
    boxes = [box for finding in findings for box in finding.boxes]
    first = boxes[0] if boxes else (0.0, 0.0, 0.0, 0.0)
    if len(boxes) > 1 and all(box_overlap(first, other) > rules.alike for other in boxes[1:]):
        yield f"expected different boxes, all {len(boxes)} are the same"


def box_overlap(one: Box, other: Box) -> float:
    """The intersection of two boxes over their union (IoU)."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    both = width * height
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both
    return both / union if union > 0 else 1.0
