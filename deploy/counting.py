"""A number and its noun, as they are read: one step, two steps. English has no other rule that is needed here."""

from __future__ import annotations


def noun(number: float, one: str, many: str = "") -> str:
    """`check` for one, `checks` for any other number; `many` where an s does not make it."""
    return one if number == 1 else many or f"{one}s"


def count(number: int, one: str, many: str = "") -> str:
    """`1 check`, `2,000 checks`."""
    return f"{number:,} {noun(number, one, many)}"
