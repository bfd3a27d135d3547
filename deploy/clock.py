"""Time: the clock that commands, steps and the executor receive, and waits that hold no thread.

Tests pass a clock in which hours pass at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """A source of time that can also sleep."""

    def now(self) -> datetime:
        """The current time, with its zone (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        ...


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ScaledClock:
    """A clock that passes as the clock of an emulator's world does: `read` returns its time in seconds and its speed.

    Waits are shorter by the world's time scale, and end early when its clock is advanced. In a world whose clock is
    stopped, they pass at real speed.
    """

    _FRESH = 0.5
    """Real seconds for which what was read is used; a sleep is cut into pieces of this length."""

    def __init__(self, real: Clock, read: Callable[[], tuple[float, float]]) -> None:
        self._real, self._read = real, read
        self._lock = threading.Lock()
        self._at = real.monotonic()
        self._world, self._scale = read()
        self._passed = 0.0

    @property
    def scale(self) -> float:
        """How fast the world's clock passes: its seconds per real second."""
        return self._scale or 1.0

    def now(self) -> datetime:
        return self._real.now()

    def monotonic(self) -> float:
        with self._lock:
            now = self._real.monotonic()
            passed = (now - self._at) * self.scale
            if now - self._at < self._FRESH:
                return self._passed + passed
            world, self._scale = self._read()
            self._passed += max(passed, world - self._world)
            self._at, self._world = now, world
            return self._passed

    def sleep(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            self._real.sleep(min(self._FRESH, left / self.scale))


@dataclass(frozen=True)
class Wait:
    """What a task yields: it goes on after `seconds`, and holds no thread meanwhile.

    `may_block`: what comes next may take long (an upload, a scoring request), so it must not delay other tasks.
    `reason`: what it waits for; empty for the end of an operation.
    """

    seconds: float
    may_block: bool = False
    reason: str = ""


Task = Generator[Wait, None, T]
"""Work with waits in it: `yield Wait(5)` instead of a sleep, `yield from` to do a part of it."""
