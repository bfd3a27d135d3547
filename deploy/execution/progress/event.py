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


_WORTH_SAYING = 30.0
FINAL_EVENTS = frozenset({EventKind.DONE, EventKind.FAILED})
"""The last events of a step."""


@dataclass(frozen=True)
class Event:
    """One thing that happened. `attempt` counts from 1; `seconds` is how long the step took, once it is over, and
    `expected` how long it usually takes, when it starts (0: unknown). These are seconds of a clock that passes `scale`
    times as fast as real time: the clock of an emulator's world.
    """

    kind: EventKind
    address: str = ""
    verb: Verb | None = None
    text: str = ""
    attempt: int = 0
    seconds: float = 0.0
    expected: float = 0.0
    scale: float = 1.0


class Progress(Protocol):
    """A receiver of events."""

    def __call__(self, event: Event) -> None:
        """Receive one event. A stream or a file that cannot be written raises nothing."""
        ...


def one_line(text: str) -> str:
    """Remote text as one safe line."""
    return " ".join(sanitize(text).split())


def elapsed(seconds: float, expected: float) -> str:
    """`4 min 03 s of ~9 min`; without the second part for what usually takes less than half a minute."""
    if expected < _WORTH_SAYING:
        return span(seconds)
    return f"{span(seconds)} of ~{f'{expected:.0f} s' if expected < 100 else f'{expected / 60:.0f} min'}"


def span(seconds: float) -> str:
    """`3.2 s`, `12 min 3 s`: a duration, short enough for a column."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
