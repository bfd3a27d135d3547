"""The output formats of a result (-o). To add a format, add it to the enums of the commands that
offer it, to `_FORMATS`, and if programs read it to `ERROR_FORMATS` and `_MACHINE_READABLE`.

Each command makes a View of its result; the table converts a view to text. No other module knows which formats exist.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.cli import console


class Output(StrEnum):
    """The formats of most results."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class TextOrJson(StrEnum):
    """The formats of a result without Markdown."""

    TEXT = "text"
    JSON = "json"


class StatusOutput(StrEnum):
    """The formats of `status`; `ics` is a calendar of the leases, `html` one page of all environments."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    ICS = "ics"
    HTML = "html"


@dataclass(frozen=True)
class View:
    """A result in each format. A function is called only when its format is requested."""

    text: Callable[[], str]
    document: Callable[[], Any]
    """The JSON value."""
    markdown: Callable[[], str] | None = None
    """None: the text is used."""
    ics: Callable[[], str] | None = None
    html: Callable[[], str] | None = None
    indent: int | None = 2
    """Indentation of the JSON; None writes it in one line."""


_FORMATS: dict[str, Callable[[View], str]] = {
    "text": lambda view: view.text(),
    "json": lambda view: json.dumps(view.document(), indent=view.indent),
    "markdown": lambda view: (view.markdown or view.text)(),
    "ics": lambda view: (view.ics or view.text)(),
    "html": lambda view: (view.html or view.text)(),
}
ERROR_FORMATS = frozenset({"json", "markdown"})
"""Formats in which an error is printed on stdout, too."""
_MACHINE_READABLE = frozenset({"json"})


def is_machine_readable(output_format: str) -> bool:
    """Whether stdout must contain only the document, because a program reads it."""
    return output_format in _MACHINE_READABLE


def render(view: View, output_format: str) -> str:
    """The result as text in this format."""
    return _FORMATS[output_format](view)


def show(view: View, output_format: str, *, done: bool = False) -> None:
    """Print the result on stdout. `done`: see console.print_result."""
    console.print_result(render(view, output_format), done=done)
