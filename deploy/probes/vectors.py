"""Judging a vector that came as JSON: its length, its numbers, and that it says something."""

from __future__ import annotations

import math
from typing import Any

from deploy.probes.answers import WrongAnswer, kind, packed
from deploy.text import sanitize


def vector(value: Any, key: str, length: int) -> list[float]:
    """The one vector in `[[number, ...]]`, or in the same bare or inside a string. WrongAnswer when it is not one."""
    listed = packed(value, key)
    if not isinstance(listed, list):
        raise WrongAnswer(f"expected a list of one vector in '{key}', {kind(listed)} came")
    if listed and all(isinstance(each, list) for each in listed):
        if len(listed) != 1:
            raise WrongAnswer(f"expected one vector in '{key}' for the one row sent, {len(listed)} came")
        listed = listed[0]
    if len(listed) != length:
        raise WrongAnswer(f"expected {length} numbers in '{key}', {len(listed)} came")
    numbers = [_number(each, f"'{key}' at {place}") for place, each in enumerate(listed)]
    if not any(numbers):
        raise WrongAnswer(f"expected a vector that points somewhere in '{key}', {length} zeros came")
    return numbers


def positive(value: Any, key: str) -> float:
    """A number above zero."""
    number = _number(value, f"'{key}'")
    if number <= 0:
        raise WrongAnswer(f"expected a number above zero in '{key}', {number:g} came")
    return number


def norm(numbers: list[float]) -> float:
    """How long a vector is."""
    return math.hypot(*numbers)


def cosine(one: list[float], other: list[float]) -> float:
    """How far two vectors point the same way: 1 the same, 0 across, -1 against."""
    scale, across = norm(one), norm(other)
    return math.fsum((a / scale) * (b / across) for a, b in zip(one, other, strict=True))


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongAnswer(f"expected a number in {where}, {kind(value)} came")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WrongAnswer(f"expected a finite number in {where}, {sanitize(repr(value)[:40])} came")
    return number
