"""The one place through which all that a command says leaves: the result on stdout, words beside it on stderr.

Nothing said stops what is done. Who has stopped listening (a closed pipe) is spoken to no more and the exit code stays
that of the work; letters that an encoding lacks are escaped; a full disk is told when the result is shown.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


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
