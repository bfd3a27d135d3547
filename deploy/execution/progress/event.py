"""Events of a run, and the protocol of what receives them, from any thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from deploy.domain.plan import Verb
from deploy.sanitize import sanitize


class EventKind(StrEnum):
    """What happened."""

    PLANNED = "planned"
    STARTED = "started"
    WAITING = "waiting"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    RESCUING = "rescuing"
    NOTE = "note"


FINAL_EVENTS = frozenset({EventKind.DONE, EventKind.FAILED})
"""The last events of a step."""


@dataclass(frozen=True)
class Event:
    """One thing that happened. `attempt` counts from 1; `seconds` is how long the step took, once it is over."""

    kind: EventKind
    address: str = ""
    verb: Verb | None = None
    text: str = ""
    attempt: int = 0
    seconds: float = 0.0


class Progress(Protocol):
    """A receiver of events."""

    def __call__(self, event: Event) -> None:
        """Receive one event. A stream or a file that cannot be written raises nothing."""
        ...


def one_line(text: str) -> str:
    """Remote text as one safe line."""
    return " ".join(sanitize(text).split())


def span(seconds: float) -> str:
    """`3.2 s`, `12 min 3 s`: a duration, short enough for a column."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
