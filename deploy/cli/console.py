"""What a command prints: the result on stdout, messages on stderr, in a form that the stream can show.

Output never stops the work: a closed pipe is written to no more and the exit code stays that of the work; letters that
an encoding lacks are escaped; a full disk is reported when the result is shown.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
import contextlib
from collections.abc import Callable, Iterator

from deploy.cli import github_actions


def page(stream: TextIO | None) -> dict[str, Any]:
    """How wide, colourful and plain text on `stream` may be; NO_COLOR, FORCE_COLOR, TERM and COLUMNS are honoured."""
    if stream is None:  # closed by whoever called us
        return {}
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    colour = not os.environ.get("NO_COLOR") and (terminal or bool(os.environ.get("FORCE_COLOR")))
    width = shutil.get_terminal_size((100, 24)).columns
    return {"width": min(max(width, 60), 200), "colour": colour, "ascii": is_plain(stream)}


def is_plain(stream: TextIO) -> bool:
    """Whether only ASCII is understood: by the encoding, a dumb terminal, or the C locale where it is named."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    return os.environ.get("TERM") == "dumb" or locale in ("C", "POSIX") or "utf" not in (stream.encoding or "").lower()


def is_interactive(stream: TextIO | None) -> bool:
    """Whether somebody watches who can be shown a table that moves."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


class _Open(io.FileIO):
    """A descriptor that takes whatever is written to it, also once it cannot be written to any more."""

    trouble: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.trouble is None:
            try:
                return super().write(data)
            except OSError as error:
                self.trouble = error
        return memoryview(data).nbytes


class Outlet(io.TextIOWrapper):
    """A stream that never raises: it remembers what stopped it, and says nothing from then on."""

    def __init__(self, descriptor: int, encoding: str, *, line_buffering: bool = False) -> None:
        self._open = _Open(descriptor, "w", closefd=False)
        buffer = io.BufferedWriter(self._open)
        super().__init__(buffer, encoding=encoding, errors="backslashreplace", line_buffering=line_buffering)

    @property
    def trouble(self) -> OSError | None:
        """What stopped it; None while it is heard."""
        return self._open.trouble


def begin() -> None:
    """From now on stdout and stderr are outlets, for typer, rich and every library, too."""
    sys.stdout, sys.stderr = _outlet(sys.stdout), _outlet(sys.stderr)


def show(text: str, out: TextIO | None = None, *, done: bool = False) -> bool:
    """The result, on stdout; whether somebody listens. Raises OSError where it cannot be written for another reason.

    `done`: what it tells of is done, and its exit code stands; that it is not shown is said.
    """
    out = out or sys.stdout
    print(text.rstrip("\n"), file=out, flush=True)
    trouble = out.trouble if isinstance(out, Outlet) else None
    if trouble is None or isinstance(trouble, BrokenPipeError):
        return trouble is None
    if not done:
        raise trouble
    say(f"The result is not shown: {trouble}.")
    return False


def say(text: str) -> None:
    """A word beside the result, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 the street door prints


def _outlet(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed by whoever called us; print would take the other stream in its place
        return Path(os.devnull).open("w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    if type(getattr(buffer, "raw", buffer)) is not io.FileIO:  # such as a console of Windows
        return stream
    return Outlet(stream.fileno(), stream.encoding, line_buffering=stream.isatty())


@contextlib.contextmanager
def aloud(form: str) -> Iterator[Callable[[str], None]]:
    """Says lines at once: on stdout, or beside it where JSON is the result. A live table would be drawn over them:
    they wait until it is done.
    """
    stream = (sys.stderr if form == "json" else sys.stdout) or io.StringIO()
    held: list[str] = []
    waits = is_interactive(sys.stderr)

    def emit(line: str) -> None:
        if waits:
            held.append(line)
        else:
            print(line, file=stream, flush=True)

    try:
        yield emit
    finally:
        for line in held:
            print(line, file=stream, flush=True)


@contextlib.contextmanager
def noticing() -> Iterator[Callable[[Any], None] | None]:
    """Where a run on GitHub listens, its notices are kept for the end, when they can be counted."""
    words: list[Any] = []
    try:
        yield words.append if github_actions.is_on() else None
    finally:
        github_actions.noticed(words)
