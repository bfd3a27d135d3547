"""How long Azure takes, and what time it is. Durations are data; nobody waits here."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the world's time."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...


class SystemClock:
    """The clock on the wall."""

    def now(self) -> float:
        return time.time()


@dataclass(frozen=True)
class ClockState:
    """The world's time against the wall's: `world` was shown when the wall showed `wall`, and goes `scale` as fast."""

    real: float = 0.0
    world: float = 0.0
    scale: float = 1.0

    def at(self, real: float) -> float:
        """The world's time (seconds since 1970) when the wall shows `wall`."""
        return self.world + (real - self.real) * self.scale


def parse_time(text: str) -> float:
    """ISO 8601 with its zone, as seconds since 1970.

    Raises:
        ValueError: it is something else, or has no zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("the zone is missing")
    return found.timestamp()


@dataclass(frozen=True)
class Timing:
    """Seconds each operation takes, and the polling hint (milliseconds; None sends none, as Azure does).

    `probe_pace` shortens the waits between a container's probes while it starts.
    """

    endpoint_create: float
    endpoint_update: float
    endpoint_delete: float
    deployment_create: float
    deployment_update: float
    deployment_delete: float
    keys: float
    retry_after_ms: int | None
    throttle: bool = False
    """Whether the Resource Manager counts requests and refuses too many."""
    probe_pace: float = 1.0


INSTANT = Timing(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, retry_after_ms=50, probe_pace=0.005)
"""Done at the first look; states in between are seen in the first answer only."""
QUICK = Timing(0.1, 0.1, 0.1, 0.2, 0.2, 0.1, 0.05, retry_after_ms=50, probe_pace=0.005)
"""Long enough that every state is seen, short enough that a run is quick."""
REALISTIC = Timing(90.0, 20.0, 60.0, 554.0, 480.0, 120.0, 10.0, retry_after_ms=None, throttle=True)
"""What was measured on Azure: an endpoint 90 s, traffic 20 s, a deployment 9 min 14 s."""
PROFILES = {"instant": INSTANT, "quick": QUICK, "realistic": REALISTIC}


def timing_for(name: str, throttle: bool | None = None) -> Timing:
    """A profile, with its own way of throttling or the one that is said."""
    profile = PROFILES[name]
    return profile if throttle is None else replace(profile, throttle=throttle)
