"""Progress as plain lines, for logs and pipes; and as JSON lines, for machines."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TextIO

from deploy.domain.plan import Verb
from deploy.execution.progress.event import FINAL_EVENTS, Event, EventKind, elapsed, one_line, span
from deploy.sanitize import sanitize

SUMMARY_SECONDS = 60.0
"""Seconds between two lines about the steps that are still running."""
_BEAT_SECONDS = 1.0
_SILENT = frozenset({EventKind.PLANNED, EventKind.STARTED, EventKind.WAITING})
"""Events of steps that have no line of their own: the plan was printed before."""
_MAX_NAMED = 3
"""Steps that such a line names."""


@dataclass(frozen=True)
class _Running:
    event: Event
    since: float
    started: Event
    """Its first event, with its usual duration."""


class Lines:
    """One line for each step that ends or fails an attempt, and one a minute about all steps that still run. A context
    manager with a thread.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """`wait(seconds)` pauses between two beats; if it returns True, the thread ends."""
        self._stream, self._monotonic, self._started = stream, monotonic, monotonic()
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._wait = wait or self._stopped.wait
        self._running: dict[tuple[str, Verb | None], _Running] = {}
        self._summarized = self._started
        self._thread = threading.Thread(target=self._count, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(timeout=2 * _BEAT_SECONDS)

    def __call__(self, event: Event) -> None:
        now, step = self._monotonic(), (event.address, event.verb)
        with self._lock:
            before = self._running.pop(step, None)
            if not self._running and before is None:
                self._summarized = now
            if event.address and event.kind not in FINAL_EVENTS and (before or event.kind is EventKind.STARTED):
                self._running[step] = _Running(
                    event, before.since if before else now, before.started if before else event
                )
            if event.kind not in _SILENT or not event.address:
                self._write(now, event, _words(event))

    def beat(self) -> None:
        """Once a minute, write a line about the steps that run, the longest first, with what they wait for."""
        now = self._monotonic()
        with self._lock:
            if not self._running or now - self._summarized < SUMMARY_SECONDS:
                return
            self._summarized = now
            steps = sorted(self._running.values(), key=lambda running: running.since)
            words = [_still_running(running, now) for running in steps[:_MAX_NAMED]]
            more = [f"and {len(steps) - _MAX_NAMED} more"] if len(steps) > _MAX_NAMED else []
            self._write(now, Event(EventKind.NOTE), f"still running: {'; '.join([*words, *more])}")

    def _count(self) -> None:
        while not self._wait(_BEAT_SECONDS):
            self.beat()

    def _write(self, now: float, event: Event, words: str) -> None:
        step = f"{event.verb or '':<6} {one_line(event.address)}".strip()
        put(self._stream, "  ".join(part for part in (f"{now - self._started:7.1f} s", step, words) if part))


def _still_running(running: _Running, now: float) -> str:
    """`create deployment/mip/green, 4 min 03 s (attempt 1 failed: busy)`."""
    event = running.event
    last = one_line(event.text) if event.kind is EventKind.WAITING else _words(event)
    passed = elapsed((now - running.since) * running.started.scale, running.started.expected)
    words = f"{event.verb or ''} {one_line(event.address)}, {passed}".strip()
    return words if event.kind is EventKind.STARTED or not last else f"{words} ({last})"


class EventLines:
    """JSON lines {at, kind, address, verb, text, attempt, seconds, expected}, flushed one by one; all in seconds."""

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._monotonic, self._started = stream, monotonic, monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            body = {
                "at": round(self._monotonic() - self._started, 3),
                "kind": event.kind.value,
                "address": sanitize(event.address),
                "verb": event.verb.value if event.verb else None,
                "text": sanitize(event.text),
                "attempt": event.attempt,
                "seconds": round(event.seconds, 3),
                "expected": round(event.expected, 1),
            }
            put(self._stream, json.dumps(body))


def put(stream: TextIO, line: str) -> None:
    """Write and flush one line. A stream that is closed or broken, or cannot encode a letter, raises nothing."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except (OSError, ValueError):
        return


def _words(event: Event) -> str:
    words = {
        EventKind.DONE: f"done in {span(event.seconds)}",
        EventKind.FAILED: f"failed after {span(event.seconds)}",
        EventKind.RETRYING: f"attempt {event.attempt} failed",
        EventKind.NOTE: "",
    }.get(event.kind, event.kind.value)
    return ": ".join(part for part in (words, one_line(event.text)) if part)
