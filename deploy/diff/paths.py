"""Paths of the table in documents and bodies. A map key named `*` is a key, not the star of a row.

Pure functions on JSON values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any

Json = Any
Names = tuple[str, ...]
"""The map keys that match a row's stars."""


class Star(Enum):
    """Any key of a map."""

    ANY = "*"


Part = str | Star
ANY = Star.ANY
_CASELESS = (["tags"], ["properties", "properties"])
"""Maps with case-insensitive names: ARM's tags and properties."""


@cache
def parts(path: str) -> tuple[Part, ...]:
    """The parts of a dotted path of the table."""
    return tuple(ANY if part == "*" else part for part in path.split("."))


def dotted(path: Sequence[Part]) -> str:
    """The path as text."""
    return ".".join(part.value if isinstance(part, Star) else part for part in path)


def stars(path: str) -> int:
    return parts(path).count(ANY)


def fill(path: str, names: Names) -> tuple[Part, ...]:
    """The path with its stars replaced by names; further stars stay."""
    left = list(names)
    return tuple(left.pop(0) if part is ANY and left else part for part in parts(path))


def spread(value: Json, path: Sequence[Part], names: Names = ()) -> Iterator[tuple[Names, Json]]:
    """All values at a path, each with the keys that match its stars. Null counts as absent."""
    if not path:
        if value is not None:
            yield names, value
        return
    first = path[0]
    if isinstance(value, Mapping):
        if isinstance(first, Star):
            for key in value:
                yield from spread(value[key], path[1:], (*names, str(key)))
        else:
            yield from spread(value.get(first), path[1:], names)


def at(value: Json, path: Sequence[Part]) -> Json:
    """The value at a path of a body. For a star, the common value of all keys, otherwise a map: key -> value."""
    for number, name in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        if isinstance(name, Star):
            found = {str(key): at(inner, path[number + 1 :]) for key, inner in value.items()}
            first = next(iter(found.values()), None)
            return first if all(each == first for each in found.values()) else found
        value = _folded(value, name) if name not in value and list(path[:number]) in _CASELESS else value.get(name)
    return value


def _folded(value: Mapping[str, Json], name: str) -> Json:
    return next((existing_value for key, existing_value in value.items() if key.lower() == name.lower()), None)
