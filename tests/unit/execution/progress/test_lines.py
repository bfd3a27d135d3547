"""Lines and events: what is said, when running steps are named again, and that a broken stream stops nobody."""

from __future__ import annotations

import io
import json
import queue
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.domain.plan import Verb
from deploy.execution.progress import Event, EventKind, EventLines, Lines, broadcast, open_progress

GREEN = "deployment/mip/green"
EVENTS = st.builds(
    Event, st.sampled_from(EventKind), st.text(max_size=9), st.none() | st.sampled_from(Verb), st.text(max_size=40)
)


class Watch:
    """A watch that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _lines(watch=None):
    stream = io.StringIO()
    return stream, Lines(stream, monotonic=watch or Watch())


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Event(EventKind.RETRYING, GREEN, Verb.CREATE, "busy", 2), f"create {GREEN}  attempt 2 failed: busy"),
        (Event(EventKind.DONE, GREEN, Verb.PROBE, "2 masks", 1, 8.06), f"probe  {GREEN}  done in 8.1 s: 2 masks"),
        (
            Event(EventKind.FAILED, GREEN, Verb.CREATE, "AML310", 6, 733),
            f"create {GREEN}  failed after 12 min 13 s: AML310",
        ),
        (Event(EventKind.RESCUING, "traffic/mip", Verb.SHIFT), "shift  traffic/mip  rescuing"),
        (Event(EventKind.NOTE, text="two endpoints side by side"), "two endpoints side by side"),
    ],
)
def test_an_event_is_a_line(event, said):
    """Seconds since the start, who, and what happened in words."""
    stream, lines = _lines()
    lines(event)
    assert stream.getvalue() == f"    0.0 s  {said}\n"


@pytest.mark.parametrize("kind", [EventKind.PLANNED, EventKind.STARTED, EventKind.WAITING])
def test_planned_steps_are_not_repeated(kind):
    """The plan was shown already: one line for each of its steps, when it ends."""
    stream, lines = _lines()
    lines(Event(kind, GREEN, Verb.CREATE, "it is new"))
    assert stream.getvalue() == ""


def test_one_line_a_minute_names_the_steps_that_run():
    """All together, the longest first, each with its last words; a bake adds no line of its own."""
    watch = Watch()
    stream, lines = _lines(watch)
    for number in range(5):
        lines(Event(EventKind.STARTED, f"deployment/mip{number}/green", Verb.CREATE, "it is new"))
        watch.now += 1
    lines(Event(EventKind.RETRYING, "deployment/mip1/green", Verb.CREATE, "busy", 1))
    for _ in range(120):
        lines(
            Event(EventKind.WAITING, "deployment/mip0/green", Verb.CREATE, f"the bake ends in {200 - watch.now:.0f} s")
        )
        watch.now += 1
        lines.beat()
    told = stream.getvalue().splitlines()
    assert len(told) == 1 + 2
    first, second = (line.split("; ") for line in told[1:])
    assert first == [
        "   60.0 s  still running: create deployment/mip0/green, 1 min 00 s (the bake ends in 141 s)",
        "create deployment/mip1/green, 59.0 s (attempt 1 failed: busy)",
        "create deployment/mip2/green, 58.0 s",
        "and 2 more",
    ]
    assert second[0] == "  120.0 s  still running: create deployment/mip0/green, 2 min 00 s (the bake ends in 81 s)"


def test_a_step_that_is_over_is_left_alone():
    """Done or failed, a step is not named again."""
    watch = Watch()
    stream, lines = _lines(watch)
    for end in (EventKind.DONE, EventKind.FAILED):
        lines(Event(EventKind.STARTED, GREEN, Verb.CREATE))
        lines(Event(end, GREEN, Verb.CREATE))
    before = stream.getvalue()
    watch.now = 60
    lines.beat()
    assert stream.getvalue() == before


def test_the_thread_beats_until_it_is_told_to_stop():
    """The thread looks at the clock after each wait, and is gone when the room is left."""
    watch, ticks, looked = Watch(), queue.Queue(), queue.Queue()

    def wait(_: float) -> bool:
        looked.put(None)
        return ticks.get(timeout=10)

    stream = io.StringIO()
    before = threading.active_count()
    with Lines(stream, monotonic=watch, wait=wait) as lines:
        looked.get(timeout=10)
        lines(Event(EventKind.STARTED, GREEN, Verb.CREATE))
        watch.now = 60
        ticks.put(False)
        looked.get(timeout=10)
        ticks.put(True)
    assert "   60.0 s" in stream.getvalue()
    assert threading.active_count() == before


def test_leaving_does_not_wait_for_a_beat():
    """With its own clock the thread ends at once."""
    before = threading.active_count()
    with Lines(io.StringIO()):
        pass
    assert threading.active_count() == before


@settings(max_examples=50, deadline=None)
@given(EVENTS)
def test_any_event_is_one_harmless_line(event):
    """Whatever Azure says is one line, without control characters, that commands nobody."""
    stream, lines = _lines()
    lines(event)
    text = stream.getvalue()
    assert text.count("\n") == len(text.splitlines()) <= 1
    assert not any(ord(c) < 32 for c in text.rstrip("\n"))


@settings(max_examples=50, deadline=None)
@given(st.lists(EVENTS, max_size=5))
def test_events_are_json_lines(events):
    """Each event is one JSON object on one line, complete."""
    stream = io.StringIO()
    write = EventLines(stream, monotonic=Watch())
    for event in events:
        write(event)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [row["kind"] for row in told] == [event.kind for event in events]
    assert all(set(row) == {"at", "kind", "address", "verb", "text", "attempt", "seconds", "expected"} for row in told)


def test_no_secret_is_in_an_event():
    """A token in Azure's words reaches neither the screen nor the file."""
    said = Event(EventKind.FAILED, GREEN, Verb.CREATE, "refused Bearer eyJhbGciOiJSUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl")
    stream, lines = _lines()
    broadcast(lines, EventLines(stream))(said)
    assert stream.getvalue().count("(hidden)") == 2
    assert "eyJ" not in stream.getvalue()


def test_a_terminal_without_unicode_gets_ascii():
    """Letters that a stream cannot write are escaped instead of failing."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii", write_through=True) as stream:
        Lines(stream, monotonic=Watch())(Event(EventKind.NOTE, text="5 × naïve"))
        assert raw.getvalue() == b"    0.0 s  5 \\xd7 na\\xefve\n"


def test_a_broken_stream_stops_no_run():
    """A closed terminal is no reason to leave a deployment half done."""
    stream = io.StringIO()
    stream.close()
    broadcast(Lines(stream, monotonic=Watch()), EventLines(stream))(Event(EventKind.NOTE, text="on we go"))


def test_threads_do_not_mix_their_lines():
    """Endpoints side by side: every line is whole."""
    stream, lines = _lines()
    words = "word " * 50
    workers = [
        threading.Thread(target=lambda n=n: [lines(Event(EventKind.NOTE, text=f"{n} {words}")) for _ in range(50)])
        for n in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    told = stream.getvalue().splitlines()
    assert len(told) == 400
    assert all(line.endswith(words.strip()) for line in told)


def test_without_a_terminal_there_are_lines_and_the_file(tmp_path):
    """`open_progress` writes to the very stream it was given, and to the file of events, which only its owner reads."""
    stream = io.StringIO()
    with open_progress(stream, interactive=False, events=tmp_path / "events.jsonl") as emit:
        emit(Event(EventKind.DONE, GREEN, Verb.CREATE, "well", 1, 2.0))
    assert "done in 2.0 s: well" in stream.getvalue()
    assert json.loads((tmp_path / "events.jsonl").read_text())["address"] == GREEN
    assert (tmp_path / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_file_goes_on_for_the_next_of_several(tmp_path):
    """Each run begins it anew; what belongs to the same run follows what is there."""
    file, counted = tmp_path / "events.jsonl", []
    for append_events in (False, True, False):
        with open_progress(io.StringIO(), interactive=False, events=file, append_events=append_events) as emit:
            emit(Event(EventKind.DONE, GREEN, Verb.CREATE))
        counted.append(len(file.read_text().splitlines()))
    assert counted == [1, 2, 1]


def test_a_file_of_events_on_a_full_disk_is_reported_and_stops_no_run() -> None:
    """At the end, in words."""
    stream = io.StringIO()
    with open_progress(stream, interactive=False, events=Path("/dev/full")) as emit:
        emit(Event(EventKind.STARTED, GREEN, Verb.CREATE))
    assert "/dev/full does not contain every event: [Errno 28] No space left on device." in stream.getvalue()
