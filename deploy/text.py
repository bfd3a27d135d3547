"""A count with its noun: `1 check`, `2,000 checks`."""

from __future__ import annotations


def noun(number: float, one: str, many: str = "") -> str:
    """`check` for one, `checks` for any other number; `many` is an irregular plural."""
    return one if number == 1 else many or f"{one}s"


def count(number: int, one: str, many: str = "") -> str:
    """`1 check`, `2,000 checks`."""
    return f"{number:,} {noun(number, one, many)}"
