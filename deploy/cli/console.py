"""Printing: the result on stdout, messages on stderr, in a form that the stream supports.

Output never stops a command: after a closed pipe nothing more is written and the exit code does not change, characters
that an encoding lacks are escaped, and a full disk is reported when the result is printed.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from deploy.cli import github_actions

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def layout(stream: TextIO | None) -> dict[str, Any]:
    """`width`, `colour` and `ascii` for text on a stream, from the stream, NO_COLOR, FORCE_COLOR, TERM and COLUMNS."""
    if stream is None:  # the parent process closed it
        return {}
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    colour = not os.environ.get("NO_COLOR") and (terminal or bool(os.environ.get("FORCE_COLOR")))
    width = shutil.get_terminal_size((100, 24)).columns
    return {"width": min(max(width, 60), 200), "colour": colour, "ascii": is_ascii_only(stream)}


def is_ascii_only(stream: TextIO) -> bool:
    """Whether the encoding, a dumb terminal or the C locale restricts the stream to ASCII."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    return os.environ.get("TERM") == "dumb" or locale in ("C", "POSIX") or "utf" not in (stream.encoding or "").lower()


def is_interactive(stream: TextIO | None) -> bool:
    """Whether a table on the stream can be redrawn."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


class _TolerantFile(io.FileIO):
    """A descriptor that accepts every write; after an error it discards them."""

    error: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


class TolerantStream(io.TextIOWrapper):
    """A text stream that never raises on write; `error` is what stopped it."""

    def __init__(self, descriptor: int, encoding: str, *, line_buffering: bool = False) -> None:
        self._file = _TolerantFile(descriptor, "w", closefd=False)
        buffer = io.BufferedWriter(self._file)
        super().__init__(buffer, encoding=encoding, errors="backslashreplace", line_buffering=line_buffering)

    @property
    def error(self) -> OSError | None:
        return self._file.error


def install() -> None:
    """Make stdout and stderr tolerant, for typer, rich and every library, too."""
    sys.stdout, sys.stderr = _tolerant(sys.stdout), _tolerant(sys.stderr)


def print_result(text: str, out: TextIO | None = None, *, done: bool = False) -> bool:
    """Print the result on stdout. Returns whether the reader still reads; raises OSError for any other write error.

    `done`: the command has already changed something, so a write error is only reported.
    """
    out = out or sys.stdout
    print(text.rstrip("\n"), file=out, flush=True)
    error = out.error if isinstance(out, TolerantStream) else None
    if error is None or isinstance(error, BrokenPipeError):
        return error is None
    if not done:
        raise error
    print_message(f"The result cannot be printed: {error}.")
    return False


def print_message(text: str) -> None:
    """Print a message on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 the CLI prints


def _tolerant(stream: TextIO | None) -> TextIO:
    if stream is None:  # the parent process closed it; print would use the other stream
        return Path(os.devnull).open("w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    if type(getattr(buffer, "raw", buffer)) is not io.FileIO:  # such as a console of Windows
        return stream
    return TolerantStream(stream.fileno(), stream.encoding, line_buffering=stream.isatty())


@contextlib.contextmanager
def line_printer(*, on_stderr: bool) -> Iterator[Callable[[str], None]]:
    """A function that prints a line at once on stdout or stderr.

    While a live table is drawn on stderr, lines wait until it is finished.
    """
    stream = (sys.stderr if on_stderr else sys.stdout) or io.StringIO()
    waiting: list[str] = []
    wait = is_interactive(sys.stderr)

    def emit(line: str) -> None:
        if wait:
            waiting.append(line)
        else:
            print(line, file=stream, flush=True)

    try:
        yield emit
    finally:
        for line in waiting:
            print(line, file=stream, flush=True)


@contextlib.contextmanager
def collected_notices() -> Iterator[Callable[[Any], None] | None]:
    """In a job on GitHub: a function that collects notices, which are reported together at the end. Else None."""
    notices: list[Any] = []
    try:
        yield notices.append if github_actions.is_on() else None
    finally:
        github_actions.report_notices(notices)
