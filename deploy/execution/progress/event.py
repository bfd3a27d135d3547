"""What there is to tell, and to whom: one `Event` at a time, from any thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from deploy.domain.plan import Verb
from deploy.errors import sanitize


class Kind(StrEnum):
    """What happened."""

    PLANNED = "planned"
    STARTED = "started"
    WAITING = "waiting"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    RESCUING = "rescuing"
    NOTE = "note"


OVER = frozenset({Kind.DONE, Kind.FAILED})
"""After these a step is not heard of again."""


@dataclass(frozen=True)
class Event:
    """One thing that happened. `attempt` counts from 1; `seconds` is how long the step took, once it is over."""

    kind: Kind
    address: str = ""
    verb: Verb | None = None
    text: str = ""
    attempt: int = 0
    seconds: float = 0.0


class Progress(Protocol):
    """Whoever wants to hear."""

    def __call__(self, event: Event) -> None:
        """Hear of one event. Never raises for the sake of a stream or a file."""
        ...


def one_line(text: str) -> str:
    """Text from far away as one line of safe words."""
    return " ".join(sanitize(text).split())


def span(seconds: float) -> str:
    """`3.2 s`, `12 min 3 s`: time as it passes, short enough for a column."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
