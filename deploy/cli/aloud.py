"""Words that people must hear whatever comes after them, such as notices: past the hush in which a verb runs."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

from deploy.cli import actions, terminal


@contextlib.contextmanager
def aloud(form: str) -> Iterator[Callable[[str], None]]:
    """Says lines at once: on stdout, or beside it where JSON is the result. A live table would be drawn over them:
    they wait until it is done.
    """
    stream = (sys.stderr if form == "json" else sys.stdout) or io.StringIO()
    held: list[str] = []
    waits = terminal.is_interactive(sys.stderr)

    def tell(line: str) -> None:
        if waits:
            held.append(line)
        else:
            print(line, file=stream, flush=True)

    try:
        yield tell
    finally:
        for line in held:
            print(line, file=stream, flush=True)


@contextlib.contextmanager
def noticing() -> Iterator[Callable[[Any], None] | None]:
    """Where a run on GitHub listens, its notices are kept for the end, when they can be counted."""
    words: list[Any] = []
    try:
        yield words.append if actions.is_on() else None
    finally:
        actions.noticed(words)
