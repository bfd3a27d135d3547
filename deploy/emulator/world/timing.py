"""The durations of operations by profile, and the clock of the world."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A source of real time."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...


class SystemClock:
    """Real time."""

    def now(self) -> float:
        return time.time()


@dataclass(frozen=True)
class ClockState:
    """The world's clock: it was `world` at the real time `real`, and runs `scale` times as fast as real time.

    `skipped` is the time that `clock --advance` and settings to a later time have skipped.
    """

    real: float = 0.0
    world: float = 0.0
    scale: float = 1.0
    skipped: float = 0.0

    def at(self, real: float) -> float:
        """The world's time at a real time, both in seconds since 1970."""
        return self.world + (real - self.real) * self.scale

    def set_to(self, real: float, world: float, scale: float) -> ClockState:
        """The clock set to another time and speed at a real time. A step back does not change `skipped`."""
        return ClockState(real, world, scale, self.skipped + max(0.0, world - self.at(real)))


def parse_time(text: str) -> float:
    """ISO 8601 with a time zone, as seconds since 1970.

    Raises:
        ValueError: it is not ISO 8601, or has no time zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("the time zone is missing")
    return found.timestamp()


@dataclass(frozen=True)
class Timing:
    """Seconds each operation takes, and the polling hint (milliseconds; None sends none, as Azure does).

    `probe_pace` is a factor for the waits between readiness probes of a starting container.
    """

    endpoint_create: float
    endpoint_update: float
    endpoint_delete: float
    deployment_create: float
    deployment_update: float
    deployment_delete: float
    keys: float
    tags: float
    workspace: float
    retry_after_ms: int | None
    throttle: bool = False
    """Whether the Resource Manager counts requests and refuses too many."""
    probe_pace: float = 1.0


INSTANT = Timing(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, retry_after_ms=50, probe_pace=0.005)
"""Done at the next request; only the first answer shows the intermediate state."""
QUICK = Timing(0.1, 0.1, 0.1, 0.2, 0.2, 0.1, 0.05, 0.1, 0.1, retry_after_ms=50, probe_pace=0.005)
"""Long enough to see every state, short enough for a fast run."""
REALISTIC = Timing(90.0, 20.0, 60.0, 554.0, 480.0, 120.0, 10.0, 15.0, 30.0, retry_after_ms=None, throttle=True)
"""As measured on Azure: endpoint 90 s, traffic 20 s, deployment 9 min 14 s, tags 15 s, workspace 30 s at most."""
PROFILES = {"instant": INSTANT, "quick": QUICK, "realistic": REALISTIC}


def timing_for(name: str, throttle: bool | None = None) -> Timing:
    """A profile; `throttle` replaces its default."""
    profile = PROFILES[name]
    return profile if throttle is None else replace(profile, throttle=throttle)
