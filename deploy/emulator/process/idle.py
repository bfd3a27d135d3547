"""When a server in the background ends by itself: after a time without a request, or when its record is gone.

It removes its record first, and ends only if no request comes within the next period: a command that found the record
a moment before can still use it, and later commands start another server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from deploy.emulator.process import pidfile
from deploy.emulator.process.pidfile import Running

_PERIOD = 5.0
"""Seconds between two looks."""
_GRACE = 60.0
"""Seconds without a request after which a server without a record ends, such as after its folder was deleted."""


def wait(stop_requested: threading.Event, state: Path, served: Running, idle_seconds: Callable[[], float]) -> None:
    """Wait until the server has to end. The record can change meanwhile: see `pidfile.keep`."""
    period = min(_PERIOD, served.stops_after / 4 or _PERIOD)
    while not stop_requested.wait(period):
        if has_to_end(state, served, idle_seconds()):
            return


def has_to_end(state: Path, served: Running, idle: float) -> bool:
    """Whether to end now, after `idle` seconds without a request. Removes the record when it is time to."""
    recorded = pidfile.recorded(state)
    if recorded != served:
        return idle >= min(_GRACE, served.stops_after or _GRACE)
    if recorded.stops_after and idle >= recorded.stops_after:
        pidfile.remove(state, served)
    return False
