"""Progress of a run: a live table, lines, a file of events. It never stops a run.

It writes to the stream that it was opened with, since stdout and stderr are redirected while the SDK runs. Remote text
is made safe before it is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, TextIO

from deploy.execution.progress.event import Event, EventKind, Progress
from deploy.execution.progress.lines import EventLines, Lines, put

__all__ = ["Event", "EventKind", "EventLines", "Lines", "Progress", "broadcast", "open_progress"]


def broadcast(*progresses: Progress) -> Progress:
    """A progress that passes each event to all of them, in order."""

    def emit(event: Event) -> None:
        for progress in progresses:
            progress(event)

    return emit


@contextmanager
def open_progress(
    stream: TextIO, *, interactive: bool, plain: bool = False, events: Path | None = None, append_events: bool = False
) -> Iterator[Progress]:
    """A live table on a terminal, lines elsewhere; and every event as a JSON line in the file `events`, if named.

    `plain`: the table draws with ASCII alone. `append_events`: events are appended to the file, else it is overwritten.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_events_file(events, "a" if append_events else "w", stream)) if events else None
        if interactive:
            from rich.console import Console

            from deploy.execution.progress.table import LiveTable

            shown: Progress = stack.enter_context(LiveTable(Console(file=stream), plain=plain))
        else:
            shown = stack.enter_context(Lines(stream))
        yield broadcast(shown, EventLines(file)) if file else shown


@contextmanager
def _events_file(events: Path, mode: Literal["a", "w"], stream: TextIO) -> Iterator[TextIO]:
    """The file of events, new ones with mode 0600. If it cannot be written completely, a line at the end reports it."""
    file = open(events, mode, encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600))  # noqa: SIM115
    try:
        yield file
    finally:
        try:
            file.close()  # which tries to write the rest once more
        except OSError as error:
            put(stream, f"{events} does not contain every event: {error}. Check that the file is writable.")
