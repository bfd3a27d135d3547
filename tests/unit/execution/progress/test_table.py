"""The live table: a row a step, cut to the screen while it lives, whole at the end."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from deploy.domain.plan import Verb
from deploy.execution.progress import Event, EventKind, open_progress
from deploy.execution.progress.table import LiveTable, Row, fit

GREEN = "deployment/mip/green"
ROWS = st.lists(st.builds(Row, st.text(max_size=3), st.just(Verb.CREATE), st.sampled_from(EventKind)), max_size=40)


def _console(width=100, height=40, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(file=stream, width=width, height=height, force_terminal=False, color_system=None)


def _seen(table, console):
    with console.capture() as shown:
        console.print(table.render())
    return [line.rstrip() for line in shown.get().splitlines()]


def _told(console, *events, seconds=0.0):
    watch = iter([float(n) for n in range(1000)])
    table = LiveTable(console, monotonic=lambda: seconds or next(watch))
    for event in events:
        table.note(event)
    return table


def test_a_step_goes_through_its_states():
    """Planned, started, retried, done: one row, with the last words and the time it took."""
    console = _console()
    start, again = (
        Event(EventKind.STARTED, GREEN, Verb.CREATE, "it is new"),
        Event(EventKind.RETRYING, GREEN, Verb.CREATE, "busy", 1),
    )
    end = Event(EventKind.DONE, GREEN, Verb.CREATE, "", 2, 75.0)
    assert _seen(_told(console, Event(EventKind.PLANNED, GREEN, Verb.CREATE)), console)[0].startswith(
        f"· create {GREEN}"
    )
    assert "busy" in _seen(_told(console, start, again), console)[0]
    lines = _seen(_told(console, Event(EventKind.PLANNED, GREEN, Verb.CREATE), start, again, end), console)
    assert len(lines) == 1
    assert lines[0].split() == ["✓", "create", GREEN, "1", "min", "15", "s"]


def test_the_same_step_twice_is_two_rows():
    """A second shift of one endpoint's traffic does not overwrite the first, planned or not."""
    console = _console()
    assert len(_seen(_told(console, *[Event(EventKind.PLANNED, "traffic/mip", Verb.SHIFT)] * 2), console)) == 2
    shift = [Event(kind, "traffic/mip", Verb.SHIFT) for kind in (EventKind.STARTED, EventKind.DONE)]
    assert len(_seen(_told(console, *shift, *shift), console)) == 2


def test_remote_words_are_no_markup():
    """Brackets are brackets, control characters are pictures, secrets are hidden."""
    console = _console()
    text = "[bold]x[/bold] \x1b[31m Bearer abcdefghij"
    line = _seen(_told(console, Event(EventKind.FAILED, GREEN, Verb.CREATE, text, 1, 1.0)), console)[0]
    assert "[bold]x[/bold] Bearer (hidden)" in line


def test_a_plain_terminal_gets_plain_signs():
    """Where the encoding is not UTF, no sign needs it."""
    console = _console(encoding="ascii")
    events = [Event(kind, f"endpoint/{kind}", Verb.CREATE) for kind in EventKind if kind is not EventKind.NOTE]
    assert all(line.isascii() for line in _seen(_told(console, *events), console))


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(4, 30))
def test_what_runs_is_on_the_screen(rows, height):
    """No more rows than the screen holds; done ones go first, then planned ones; all are accounted for."""
    earlier, shown, later = fit(rows, height)
    assert len(shown) + bool(earlier) + bool(later) <= max(height, 0)
    running = [row for row in rows if row.kind not in (EventKind.DONE, EventKind.PLANNED)]
    if len(running) <= height - 2:
        assert [row for row in shown if row.kind not in (EventKind.DONE, EventKind.PLANNED)] == running
        assert earlier + len(shown) + later == len(rows)


def test_the_last_state_stays_on_the_screen():
    """On a terminal the whole table is there at the end, on the stream that was given."""
    stream = io.StringIO()
    with open_progress(stream, interactive=True) as emit:
        for n in range(60):
            emit(Event(EventKind.DONE, f"endpoint/e{n}", Verb.CREATE, "", 1, 1.0))
    assert all(f"endpoint/e{n} " in stream.getvalue() for n in range(60))


def test_nothing_happens_without_an_event():
    """A run that stops before its first step leaves the terminal alone: there may be a question on it."""
    stream = io.StringIO()
    with open_progress(stream, interactive=True):
        pass
    assert stream.getvalue() == ""
