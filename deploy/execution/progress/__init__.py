"""Tells what is going on while it goes on: a live table, lines, a file of events. Decides nothing, never stops a run.

Writes to the stream it was given when it was opened and never looks one up, since stdout and stderr point elsewhere
while the SDK is at work. `neutral` makes every word from far away safe and hides secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, TextIO

from deploy.execution.progress.event import Event, Kind, Progress
from deploy.execution.progress.lines import EventLines, Lines, put

__all__ = ["Event", "EventLines", "Kind", "Lines", "Progress", "both", "open_progress"]


def both(*progresses: Progress) -> Progress:
    """One that tells all of them, in order."""

    def emit(event: Event) -> None:
        for progress in progresses:
            progress(event)

    return emit


@contextmanager
def open_progress(
    stream: TextIO, *, interactive: bool, plain: bool = False, events: Path | None = None, goes_on: bool = False
) -> Iterator[Progress]:
    """A live table on a terminal, lines elsewhere; and every event as a JSON line in the file `events`, if named.

    `plain`: the table draws with ASCII alone. `goes_on`: the file follows what stands in it, else it begins anew.
    """
    with ExitStack() as step_types:
        file = step_types.enter_context(_kept(events, "a" if goes_on else "w", stream)) if events else None
        if interactive:
            from rich.console import Console

            from deploy.execution.progress.table import LiveTable

            shown: Progress = step_types.enter_context(LiveTable(Console(file=stream), plain=plain))
        else:
            shown = step_types.enter_context(Lines(stream))
        yield both(shown, EventLines(file)) if file else shown


@contextmanager
def _kept(events: Path, mode: Literal["a", "w"], stream: TextIO) -> Iterator[TextIO]:
    """The file of events. That it could not be written whole is said at the end, and stops nobody's deployment."""
    file = events.open(mode, encoding="utf-8")
    try:
        yield file
    finally:
        try:
            file.close()  # which tries once more to write what is left
        except OSError as error:
            put(stream, f"{events} does not hold every event: {error}. See that it can be written.")
