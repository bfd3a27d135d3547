"""Progress as a live table on a terminal: one row per step, with its last event. The last state stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from deploy.domain.plan import Verb
from deploy.execution.progress.event import FINAL_EVENTS, Event, EventKind, elapsed, one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleRenderable
    from rich.live import Live
    from rich.table import Table

_SPINNER, _PLAIN_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_FRAMES_A_SECOND = 8
_SIGNS = {
    EventKind.PLANNED: ("·", ".", "dim"),
    EventKind.DONE: ("✓", "*", "green"),
    EventKind.FAILED: ("✗", "!", "bold red"),
}
_BUSY_STYLES = {EventKind.RETRYING: "yellow", EventKind.RESCUING: "yellow"}


@dataclass(frozen=True)
class Row:
    """One step as the table shows it; `since` is None until it starts, `seconds` how long it took once it is over."""

    address: str
    verb: Verb | None
    kind: EventKind
    words: str = ""
    since: float | None = None
    seconds: float = 0.0
    expected: float = 0.0
    scale: float = 1.0


class LiveTable:
    """Draws itself eight times a second from the first event on. A context manager."""

    def __init__(
        self, console: Console, *, plain: bool = False, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._console, self._monotonic = console, monotonic
        self._plain = plain or console.options.ascii_only
        self._lock = threading.RLock()
        self._rows: list[Row] = []
        self._note, self._over = "", False
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._over = True
            self._live.stop()

    def __call__(self, event: Event) -> None:
        self.note(event)
        self._start()

    def note(self, event: Event) -> None:
        """Store the event without drawing."""
        with self._lock:
            if event.address:
                self._put(event)
            else:
                self._note = one_line(event.text)

    def render(self) -> ConsoleRenderable:
        """The table as it is now; cut to the height of the screen until it is over."""
        with self._lock:
            rows, note = list(self._rows), self._note
        earlier, shown, later = (0, rows, 0) if self._over else fit(rows, max(self._console.size.height - 3, 4))
        table = _grid()
        if earlier:
            table.add_row("", "", f"{earlier} done", style="dim")
        for row in shown:
            self._add(table, row)
        if later:
            table.add_row("", "", f"{later} to go", style="dim")
        if note:
            table.add_row("", "", "", "", _text(note), style="dim")
        return table

    def _start(self) -> None:
        from rich.live import Live

        with self._lock:
            if self._live is not None:
                return
            self._live = Live(
                console=self._console,
                get_renderable=self.render,
                refresh_per_second=_FRAMES_A_SECOND,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="visible",
            )
        self._live.start()

    def _put(self, event: Event) -> None:
        """The event becomes the state of the step's row: the one that is not over yet, or a new one."""
        now = self._monotonic()
        for n, row in enumerate(self._rows if event.kind is not EventKind.PLANNED else ()):
            if (row.address, row.verb) == (event.address, event.verb) and row.kind not in FINAL_EVENTS:
                self._rows[n] = _after(row, event, now)
                return
        self._rows.append(_after(Row(event.address, event.verb, EventKind.PLANNED), event, now))

    def _add(self, table: Table, row: Row) -> None:
        plain, now = self._plain, self._monotonic()
        frames = _PLAIN_SPINNER if plain else _SPINNER
        spin = frames[int(now * _FRAMES_A_SECOND) % len(frames)]
        sign, plain_sign, style = _SIGNS.get(row.kind, (spin, spin, _BUSY_STYLES.get(row.kind, "cyan")))
        running = (now - row.since) * row.scale if row.since is not None else None
        passed = row.seconds if row.kind in FINAL_EVENTS else running
        table.add_row(
            _text(plain_sign if plain else sign, style),
            _text(str(row.verb or ""), style),
            _text(row.address),
            _text("" if passed is None else elapsed(passed, row.expected), "dim"),
            _text(row.words, "red" if row.kind is EventKind.FAILED else _BUSY_STYLES.get(row.kind, "dim")),
        )


def fit(rows: list[Row], height: int) -> tuple[int, list[Row], int]:
    """(how many done rows are left out, the rows to show, how many planned rows are left out) for a screen's height."""
    excess = len(rows) - height
    if excess <= 0:
        return 0, rows, 0
    done = [n for n, row in enumerate(rows) if row.kind is EventKind.DONE][: excess + 2]
    left = [row for n, row in enumerate(rows) if n not in done]
    planned = [n for n, row in enumerate(left) if row.kind is EventKind.PLANNED]
    cut = planned[len(planned) - min(len(planned), max(0, len(left) + 2 - height)) :]
    return len(done), [row for n, row in enumerate(left) if n not in cut][: height - 2], len(cut)


def _after(row: Row, event: Event, now: float) -> Row:
    since = row.since if row.since is not None or event.kind is EventKind.PLANNED else now
    words = one_line(event.text) or ("" if event.kind in FINAL_EVENTS else row.words)
    expected = 0.0 if event.kind in FINAL_EVENTS else event.expected or row.expected
    scale = event.scale if event.kind is EventKind.STARTED else row.scale
    return replace(
        row, kind=event.kind, words=words, since=since, seconds=event.seconds, expected=expected, scale=scale
    )


def _grid() -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=6)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, justify="right", min_width=6)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.expand = True
    return table


def _text(words: str, style: str = "") -> ConsoleRenderable:
    from rich.text import Text

    return Text(words, style=style)
