"""The filter of a metrics request: `deployment eq 'green' and statusCodeClass eq '4xx' or statusCodeClass eq '5xx'`.

`or` separates conditions on one dimension and is stronger than `and`, as the specification's examples need. Each
dimension in a filter splits the result: one time series for each combination of values. `'*'` is any value; a quote in
a value is doubled. Names and values are compared without regard to case (documented).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_CONDITION = re.compile(r"\s*(\S+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_WORD = re.compile(r"(and|or)(?=\s)", re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """One comparison; name and value in lower case."""

    dimension: str
    equals: bool
    value: str

    def matches(self, value: str) -> bool:
        """Whether a value of the dimension, in lower case, satisfies it."""
        return (self.value in ("*", value)) is self.equals


@dataclass(frozen=True)
class Filter:
    """All groups must match; of a group, which is about one dimension, one condition is enough."""

    groups: tuple[tuple[Condition, ...], ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions in lower case, in the order of the text."""
        return tuple(dict.fromkeys(group[0].dimension for group in self.groups))

    def matches(self, values: Mapping[str, str]) -> bool:
        """Whether the values of all its dimensions, in lower case, satisfy it."""
        return all(any(each.matches(values[each.dimension]) for each in group) for group in self.groups)

    def without(self, dimensions: frozenset[str]) -> Filter:
        """The filter without the conditions on some dimensions."""
        return Filter(tuple(group for group in self.groups if group[0].dimension not in dimensions))


def parse(text: str) -> Filter:
    """The filter in a text; "" has no condition.

    Raises:
        ValueError: it is not a filter, or `or` is between conditions on two dimensions.
    """
    groups: list[list[Condition]] = []
    word, at = "and", 0
    while text.strip():
        found = _CONDITION.match(text, at)
        if found is None:
            raise ValueError(f"Invalid filter, expected NAME eq 'VALUE' or NAME ne 'VALUE': {text[at:].strip()!r}")
        condition = Condition(found[1].lower(), found[2].lower() == "eq", found[3].replace("''", "'").lower())
        if word == "and":
            groups.append([condition])
        elif groups[-1][0].dimension == condition.dimension:
            groups[-1].append(condition)
        else:
            raise ValueError("The logical operator 'or' cannot separate two different dimensions.")
        if found.end() == len(text):
            break
        following = _WORD.match(text, found.end())
        if following is None:
            raise ValueError(f"Invalid filter, expected 'and' or 'or': {text[found.end() :]!r}")
        word, at = following[1].lower(), following.end()
    return Filter(tuple(map(tuple, groups)))
