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
FieldPath = tuple[str | int, ...]
"""The path from a document to one of its values: mapping keys and list positions."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its location.

    `value` has builtin types only. `children` are the nodes of a mapping's values or a list's items, `keys` the
    locations of a mapping's keys. `source_text` is that of a plain number, boolean or null. `origin` is the location in
    the environment file if an expression produced the value; `place` is then the location of the expression.
    """

    value: Any
    place: Place
    children: Mapping[str | int, Node] = field(default_factory=dict)
    keys: Mapping[str, Place] = field(default_factory=dict)
    source_text: str | None = None
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

    def place(self, field_path: FieldPath = ()) -> Place:
        """The location of the value; of the surrounding value if it was computed or is absent."""
        *_, last = self._walk(field_path)
        return last.origin or last.place

    def key(self, field_path: FieldPath) -> Place:
        """The location of the value's key."""
        around = self.find(field_path[:-1])
        return (around and around.keys.get(str(field_path[-1]))) or self.place(field_path)

    def template_place(self, field_path: FieldPath) -> Place | None:
        """The location of the expression in the template, if the value was written in the environment file."""
        return next((node.place for node in self._walk(field_path) if node.origin), None)

    def text(self, field_path: FieldPath) -> str:
        """The text of a scalar: as it was written or, if it was computed, as YAML would write it."""
        *_, last = self._walk(field_path)
        return as_text(last.value, last.source_text)

    def find(self, field_path: FieldPath) -> Node | None:
        """The node at the end of the path, if there is one."""
        nodes = list(self._walk(field_path))
        return nodes[-1] if len(nodes) == len(field_path) + 1 else None

    def _walk(self, field_path: FieldPath) -> Iterator[Node]:
        node = self.root
        yield node
        for part in field_path:
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


def at(value: Any, field_path: FieldPath) -> Any:
    """The value at a path of a document, or None."""
    for part in field_path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def as_text(value: Any, source_text: str | None = None) -> str:
    """A scalar as text: its source text, or `true`, `false`, `null` and the shortest form of a number."""
    if isinstance(value, str):
        return str.__str__(value)
    if source_text is not None:
        return source_text
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
