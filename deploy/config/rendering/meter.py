"""Bounds the memory and the time of one rendering, whatever its expressions are.

Every operation of a template that can make something large is measured before it runs (`check`), and its result is
counted after it (`made`). An operation whose result would be too large does not run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from jinja2 import Undefined, pass_environment

from deploy.config.rendering.value_locations import Placed

STEPS = 250_000
"""Loop rounds, calls, values and items of one rendering."""
SECONDS = 5.0
TEXT = 2**20
"""Characters of one value, and of the output."""
ALL_TEXT = 2**24
"""Characters of all values together: at most 64 MiB."""
DEPTH, BITS = 64, 1024
"""Nesting of a value; bits of a number."""
SLOW = 2**16
"""Characters that the slow filters take: their time grows with the square of the text."""
_SLOW_FILTERS = frozenset({"striptags", "urlize", "wordwrap", "pprint", "xmlattr"})
_STRUCTURES = frozenset(
    {"abs", "attr", "batch", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last",
     "length", "list", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr", "slice",
     "sort", "unique"}
)  # fmt: skip
"""Filters that do not write their operands as text; the nested parts of an operand do not count."""
_SIZED = (str, bytes, list, tuple, dict)
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(\*|\d+)?(?:\.(\*|\d+))?")


class Meter:
    """The work of one rendering so far. Every method raises OverflowError above a limit."""

    def __init__(self) -> None:
        self._steps, self._text = 0, 0
        self._end = time.monotonic() + SECONDS

    def spend(self, steps: int) -> None:
        """Count steps, and look at the time."""
        self._steps += steps
        if self._steps > STEPS:
            raise OverflowError("the template has too many loop rounds or values")
        if time.monotonic() > self._end:
            raise OverflowError(f"the template takes longer than {SECONDS:g} s")

    def made(self, value: Any) -> Any:
        """Count a new value, and return it. Nested values were counted when they were made."""
        if isinstance(value, str | bytes):
            self.add_text(len(value))
        elif isinstance(value, int):
            _limit_bits(value.bit_length())
        elif isinstance(value, list | tuple | dict) and not isinstance(value, Placed):
            self.spend(1 + len(value))
            self.add_text(sum(len(item) for item in value if isinstance(item, str)))
        return value

    def add_text(self, characters: int) -> None:
        """Count the characters of a value."""
        _limit_text(characters)
        self._text += characters
        if self._text > ALL_TEXT:
            raise OverflowError("the values of the template are too large")

    def size(self, value: Any, depth: int = 0) -> int:
        """The approximate number of characters of a value as text; each nested value is a step."""
        self.spend(1)
        if depth > DEPTH:
            raise OverflowError(f"a value is nested deeper than {DEPTH} levels")
        if isinstance(value, str | bytes):
            return len(value)
        if isinstance(value, int):
            _limit_bits(value.bit_length())
        if isinstance(value, dict):
            return sum(self.size(part, depth + 1) for pair in value.items() for part in pair)
        if isinstance(value, list | tuple):
            return sum(self.size(item, depth + 1) for item in value)
        return 16

    def settled(self, value: Any) -> Any:
        """A list for an iterator, so that it can be measured."""
        if isinstance(value, (*_SIZED, Undefined)) or not hasattr(value, "__iter__"):
            return value
        items = []
        for item in value:
            self.spend(1)
            items.append(item)
        return items

    def check(self, name: str, given: tuple[Any, ...], options: Mapping[str, Any] | None = None) -> None:
        """Check a filter, a method or an operator before it runs; `given[0]` is the operand."""
        operands = (*given, *(options or {}).values())
        self.spend(1 + (len(given[0]) // 64 if given and isinstance(given[0], _SIZED) else 0))
        sizes = [] if name in _STRUCTURES else [self.size(operand) for operand in operands]
        for size in sizes:
            _limit_text(size)
        if name in _SLOW_FILTERS and sum(sizes) > SLOW:
            raise OverflowError(f"the text is too long for the filter {name}")
        if limit := _RESULTS.get(name):
            _limit_text(limit(operands))

    def check_field(self, value: Any, format_spec: str) -> None:
        """Check one field of `str.format` before it is written: its value, its width and its precision."""
        self.spend(1)
        _limit_text(self.size(value))
        _limit_text(sum(map(_width_of, re.findall(r"\d+", format_spec))))


def _limit_text(characters: int) -> None:
    if characters > TEXT:
        raise OverflowError("the result is too large")


def _limit_bits(bits: int) -> None:
    if bits > BITS:
        raise OverflowError(f"a number has more than {BITS} bits")


def _numbers(operands: tuple[Any, ...]) -> list[int]:
    return [abs(n) for n in operands[1:] if isinstance(n, int)]


def _width(operands: tuple[Any, ...]) -> int:
    return max(_numbers(operands), default=0)


def _factor(operands: tuple[Any, ...]) -> int:
    """A number that multiplies work or items, such as a precision: 1,000 is the highest."""
    return _width(operands) * (TEXT // 1000)


def _indented(operands: tuple[Any, ...]) -> int:
    lines = str(operands[0]).count("\n") + 1
    return lines * max([_width(operands), *(len(o) for o in operands[1:] if isinstance(o, str))])


def _expanded(operands: tuple[Any, ...]) -> int:
    return str(operands[0]).count("\t") * _width(operands)


def _replaced(operands: tuple[Any, ...]) -> int:
    text, old, new = (str(part) for part in operands[:3]) if len(operands) > 2 else ("", "", "")
    return text.count(old) * len(new) + len(text)


def _joined(operands: tuple[Any, ...]) -> int:
    """Of the filter (items, separator) and of the method (separator, items)."""
    items = next((len(o) for o in operands if isinstance(o, list | tuple | dict)), 0)
    return items * max((len(o) for o in operands if isinstance(o, str)), default=0)


def _translated(operands: tuple[Any, ...]) -> int:
    table = operands[1] if len(operands) > 1 and isinstance(operands[1], dict) else {}
    return len(operands[0]) * max((len(text) for text in table.values() if isinstance(text, str)), default=1)


def _percent(operands: tuple[Any, ...]) -> int:
    """The widths and precisions of a format with `%`; `*` takes them from the operands."""
    if not isinstance(operands[0], str):
        return 0
    inner = operands[1] if len(operands) > 1 and isinstance(operands[1], tuple | list) else operands[1:]
    asked = [part for found in _PERCENT.finditer(operands[0]) for part in found.groups() if part]
    stars = sum(abs(n) for n in inner if isinstance(n, int)) if "*" in asked else 0
    return stars + sum(_width_of(part) for part in asked if part != "*")


def _width_of(digits: str) -> int:
    """A width in a format; one with more digits than any allowed width is above every limit."""
    return int(digits) if len(digits) < 8 else TEXT + 1


def _product(operands: tuple[Any, ...]) -> int:
    left, right = operands
    if isinstance(left, int) and isinstance(right, int):
        _limit_bits(left.bit_length() + right.bit_length() - 1)
        return 0
    many, times = (left, right) if isinstance(right, int) else (right, left)
    return len(many) * times if isinstance(many, str | bytes | list | tuple) and isinstance(times, int) else 0


def _power(operands: tuple[Any, ...]) -> int:
    left, right = operands
    if isinstance(left, int) and isinstance(right, int):
        _limit_bits(left.bit_length() * abs(right))
    return 0


_RESULTS: Mapping[str, Callable[[tuple[Any, ...]], int]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill", "to_bytes"), _width),
    **dict.fromkeys(("round", "batch", "slice", "tojson"), _factor),
    "indent": _indented, "expandtabs": _expanded, "replace": _replaced, "join": _joined, "translate": _translated,
    "format": _percent, "%": _percent, "*": _product, "**": _power,
}  # fmt: skip
"""The size of the result of operations that can make more than they are given, in characters or items."""


def measured(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is checked before it runs, and whose result is counted."""
    passes = hasattr(function, "jinja_pass_arg")

    @wraps(function)
    def run(first: Any, *given: Any, **options: Any) -> Any:
        meter: Meter = getattr(first, "environment", first).meter
        if name not in _STRUCTURES:
            given = tuple(map(meter.settled, given))
        meter.check(name, given, options)
        return meter.made(function(first, *given, **options) if passes else function(*given, **options))

    return run if passes else pass_environment(run)
