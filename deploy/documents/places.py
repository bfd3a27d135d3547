"""What was read: values, and the place in a file where each of them was written.

This room holds the nouns that reader, renderer and validator hand to each other. It parses nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from deploy.errors import Place

TEMPLATES = "templates"
"""The folder of templates, below the root of a project."""
Trail = tuple[str | int, ...]
"""The way from a document to one of its values: mapping keys and list positions."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it was written.

    `value` holds builtin types only. `children` are the nodes of a mapping's values or a list's items, `keys` the
    places of a mapping's keys. `written` is the text of a plain number, boolean or null. `origin` is the place in the
    environment file when an expression put the value here; `place` is then the expression's.
    """

    value: Any
    place: Place
    children: Mapping[str | int, Node] = field(default_factory=dict)
    keys: Mapping[str, Place] = field(default_factory=dict)
    written: str | None = None
    origin: Place | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One document. `file` is its path as a person would type it; `secrets` are texts that no message may quote."""

    file: str
    root: Node
    secrets: frozenset[str] = frozenset()

    @property
    def value(self) -> Any:
        """The whole document as builtin types."""
        return self.root.value

    def place(self, trail: Trail = ()) -> Place:
        """Where the value was written; that of what surrounds it when it was computed or is absent."""
        *_, last = self._walk(trail)
        return last.origin or last.place

    def key(self, trail: Trail) -> Place:
        """Where the key of the value was written."""
        around = self.find(trail[:-1])
        return (around and around.keys.get(str(trail[-1]))) or self.place(trail)

    def via(self, trail: Trail) -> Place | None:
        """The place of the expression in the template, when the value was written in the environment file."""
        return next((node.place for node in self._walk(trail) if node.origin), None)

    def text(self, trail: Trail) -> str:
        """The text of a scalar: as it was written or, when it was computed, as YAML would write it."""
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
    """The files of one template, by their names below `templates/`. A name that ends in .j2 is rendered by jinja2.

    `folder` is absolute. `read` gives the text of any file below `templates/`: None when there is none, SpecError when
    it cannot be read as text.
    """

    name: str
    folder: Path
    endpoint: str
    deployments: tuple[str, ...]
    pipeline: str | None
    read: Callable[[str], str | None]


@dataclass(frozen=True)
class Rendered:
    """One endpoint's documents. `folder` is the template's, absolute."""

    key: str
    folder: Path
    endpoint: Source
    deployments: tuple[Source, ...]
    pipeline: Source | None


def at(value: Any, trail: Trail) -> Any:
    """What a document holds at a trail; None where it holds nothing."""
    for part in trail:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def as_text(value: Any, written: str | None = None) -> str:
    """A scalar inside a text: as it was written, or `true`, `false`, `null` and a number's shortest form."""
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
    """The nearest known word as a question; failing that `otherwise`, or what is known."""
    known = sorted(known)
    if near := get_close_matches(word, known, 1):
        return f"Did you mean {near[0]}?"
    return otherwise or (f"Known: {', '.join(known)}." if known else "")
