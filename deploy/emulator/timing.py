"""How long Azure takes, and what time it is. Durations are data; nobody waits here."""

from __future__ import annotations

import time
from dataclasses import dataclass
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
    probe_pace: float = 1.0


QUICK = Timing(0.1, 0.1, 0.1, 0.2, 0.2, 0.1, 0.05, retry_after_ms=50, probe_pace=0.005)
"""Long enough that every state is seen, short enough that a run is quick."""
REALISTIC = Timing(90.0, 20.0, 60.0, 554.0, 480.0, 120.0, 10.0, retry_after_ms=None)
"""What was measured on Azure: an endpoint 90 s, traffic 20 s, a deployment 9 min 14 s."""
PROFILES = {"quick": QUICK, "realistic": REALISTIC}
