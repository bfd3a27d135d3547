"""Parsed documents: values, and the location in a file at which each value was written.

The reader, the renderer and the validator exchange these types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from deploy.errors import Place

TEMPLATES = "templates"
"""The folder of templates in a project."""
Trail = tuple[str | int, ...]
"""The path from a document to one of its values: mapping keys and list positions."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its location.

    `value` has builtin types only. `children` are the nodes of a mapping's values or a list's items, `keys` the
    locations of a mapping's keys. `written` is the text of a plain number, boolean or null. `origin` is the location in
    the environment file if an expression produced the value; `place` is then the location of the expression.
    """

    value: Any
    place: Place
    children: Mapping[str | int, Node] = field(default_factory=dict)
    keys: Mapping[str, Place] = field(default_factory=dict)
    written: str | None = None
    origin: Place | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One document. `file` is its path relative to the project; `secrets` are texts that no message may contain."""

    file: str
    root: Node
    secrets: frozenset[str] = frozenset()

    @property
    def value(self) -> Any:
        """The whole document as builtin types."""
        return self.root.value

    def place(self, trail: Trail = ()) -> Place:
        """The location of the value; of the surrounding value if it was computed or is absent."""
        *_, last = self._walk(trail)
        return last.origin or last.place

    def key(self, trail: Trail) -> Place:
        """The location of the value's key."""
        around = self.find(trail[:-1])
        return (around and around.keys.get(str(trail[-1]))) or self.place(trail)

    def via(self, trail: Trail) -> Place | None:
        """The location of the expression in the template, if the value was written in the environment file."""
        return next((node.place for node in self._walk(trail) if node.origin), None)

    def text(self, trail: Trail) -> str:
        """The text of a scalar: as it was written or, if it was computed, as YAML would write it."""
        *_, last = self._walk(trail)
        return as_text(last.value, last.written)

    def find(self, trail: Trail) -> Node | None:
        """The node at the end of the trail, if there is one."""
        nodes = list(self._walk(trail))
        return nodes[-1] if len(nodes) == len(trail) + 1 else None

    def _walk(self, trail: Trail) -> Iterator[Node]:
        node = self.root
        yield node
        for part in trail:
            if part not in node.children:
                return
            node = node.children[part]
            yield node


@dataclass(frozen=True)
class TemplateFiles:
    """The files of one template, by their names in `templates/`. jinja2 renders those with the suffix .j2.

    `folder` is absolute. `read` returns the text of any file in `templates/`, None if there is none, and raises
    SpecError if it cannot be read as text.
    """

    name: str
    folder: Path
    endpoint: str
    deployments: tuple[str, ...]
    pipeline: str | None
    read: Callable[[str], str | None]


@dataclass(frozen=True)
class Rendered:
    """The documents of one endpoint. `folder` is the absolute path of its template."""

    key: str
    folder: Path
    endpoint: Source
    deployments: tuple[Source, ...]
    pipeline: Source | None


def at(value: Any, trail: Trail) -> Any:
    """The value at a trail of a document, or None."""
    for part in trail:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def as_text(value: Any, written: str | None = None) -> str:
    """A scalar as text: as it was written, or `true`, `false`, `null` and the shortest form of a number."""
    if isinstance(value, str):
        return str.__str__(value)
    if written is not None:
        return written
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return int.__repr__(value) if isinstance(value, int) else float.__repr__(value)


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The most similar known word as a question, otherwise `otherwise` or the list of known words."""
    known = sorted(known)
    if near := get_close_matches(word, known, 1):
        return f"Did you mean {near[0]}?"
    return otherwise or (f"Known: {', '.join(known)}." if known else "")
