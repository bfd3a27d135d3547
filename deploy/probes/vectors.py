"""Checks a vector in JSON: its length, its numbers, and that not all of them are zero."""

from __future__ import annotations

import math
from typing import Any

from deploy.probes.answers import WrongAnswer, kind, parse_nested_json
from deploy.sanitize import sanitize


def vector(value: Any, key: str, length: int) -> list[float]:
    """The vector in `[[number, ...]]` or `[number, ...]`, also inside a string. WrongAnswer if it is invalid."""
    listed = parse_nested_json(value, key)
    if not isinstance(listed, list):
        raise WrongAnswer(f"expected a list of one vector in '{key}', got {kind(listed)}")
    if listed and all(isinstance(each, list) for each in listed):
        if len(listed) != 1:
            raise WrongAnswer(f"expected one vector in '{key}' for the one row sent, got {len(listed)}")
        listed = listed[0]
    if len(listed) != length:
        raise WrongAnswer(f"expected {length} numbers in '{key}', got {len(listed)}")
    numbers = [_number(each, f"'{key}' at {place}") for place, each in enumerate(listed)]
    if not any(numbers):
        raise WrongAnswer(f"expected a vector with values other than zero in '{key}', got {length} zeros")
    return numbers


def positive(value: Any, key: str) -> float:
    """A number above zero."""
    number = _number(value, f"'{key}'")
    if number <= 0:
        raise WrongAnswer(f"expected a number above zero in '{key}', got {number:g}")
    return number


def norm(numbers: list[float]) -> float:
    """The length of a vector."""
    return math.hypot(*numbers)


def cosine(one: list[float], other: list[float]) -> float:
    """The cosine similarity of two vectors."""
    scale, across = norm(one), norm(other)
    return math.fsum((a / scale) * (b / across) for a, b in zip(one, other, strict=True))


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongAnswer(f"expected a number in {where}, got {kind(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WrongAnswer(f"expected a finite number in {where}, got {sanitize(repr(value)[:40])}")
    return number
