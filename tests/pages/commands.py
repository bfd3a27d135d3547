"""The commands on a page: shell blocks, lines of `console` blocks, and `amldeploy ...` in the text; and its files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cli import command

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(amldeploy [^`]+)`")
_PIPE = re.compile(r" (?:\||>>?|;|&&) ")
_FILE = re.compile(r"# ([\w.-]+(?:/[\w.-]+)+)\n")


@dataclass(frozen=True)
class Part:
    """Something to do on a page, in its order. `kind`: block, console, inline or file; `output` only of a console."""

    kind: str
    text: str
    line: int
    output: str = ""
    name: str = ""


def parts(page: Path) -> list[Part]:
    """The parts of a page in their order. A YAML block that starts with `# folder/name` is a file."""
    text = page.read_text(encoding="utf-8")
    found, end = [], 0
    for fence in _FENCE.finditer(text):
        found += _inline(text, end, fence.start())
        found += _fenced(fence[1], fence[2], text.count("\n", 0, fence.start()) + 1)
        end = fence.end()
    return found + _inline(text, end, len(text))


def _inline(text: str, start: int, end: int) -> list[Part]:
    hits = _INLINE.finditer(text, start, end)
    return [Part("inline", " ".join(hit[1].split()), text.count("\n", 0, hit.start()) + 1) for hit in hits]


def _fenced(language: str, body: str, line: int) -> Iterator[Part]:
    if language == "bash":
        yield Part("block", body, line)
    elif language == "console":
        for each in body.split("$ ")[1:]:
            typed, _, printed = each.partition("\n")
            yield Part("console", typed, line, printed)
    elif language in ("yaml", "json") and (head := _FILE.match(body)):
        yield Part("file", body, line, name=head[1])


def is_name(text: str) -> bool:
    """Whether a text in backticks only names a command: it has no options and no arguments."""
    return resolve(shlex.split(text)[1:])[1] == []


def check_options(line: str) -> None:
    """Raises an error if a command line of amldeploy names an unknown command or option, or lacks one."""
    found, rest = resolve(shlex.split(_PIPE.split(line)[0], comments=True)[1:])
    found.make_context(found.name or "", [*rest])


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the rest. KeyError if there is no such command."""
    found = command()
    while words and not words[0].startswith("-") and hasattr(found, "commands"):
        found, words = found.commands[words[0]], words[1:]
    return found, words
