"""How often to poll operations: often at the start of one, less often later, and less often the more there are.

Our own: it learns the shortest duration of each kind of operation, which no retry library does.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_SOONEST, _LATEST, _SILENCE = 0.5, 2.0, 30.0
_SHARE = 4
"""The interval is a quarter of the elapsed time, so an end is noticed at most 25 % late."""
_RATE = 25 / 4
"""Polls per second of all operations together: less than a third of the reads that Azure Resource Manager adds to the
budget of a subscription per second (25), because others share it and steps read, too."""


class PollInterval:
    """Learns the shortest duration of each kind of operation, and does not poll before it, but after half a minute: one
    that fails early is noticed. All times in seconds.
    """

    def __init__(self) -> None:
        self._quickest: dict[str, float] = {}
        self._lock = threading.Lock()
        self._in_flight = 0
        self._by_collection: Counter[str] = Counter()

    @contextmanager
    def following(self, collection: str = "") -> Iterator[None]:
        """Inside, one more operation is in flight, on a resource of this collection."""
        with self._lock:
            self._in_flight += 1
            self._by_collection[collection] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self._by_collection[collection] -= 1

    def in_flight(self, collection: str) -> int:
        """How many operations are in flight on resources of a collection."""
        return self._by_collection[collection]

    @property
    def longest(self) -> float:
        """The longest wait between two polls of an operation that takes long."""
        return max(_LATEST, self._in_flight / _RATE)

    def pause(self, kind: str, spent: float, retry_after: float | None) -> float:
        """The wait after `spent`. `retry_after` of the service is the minimum."""
        soonest = max(_SOONEST if retry_after is None else retry_after, self._in_flight / _RATE)
        ahead = min(self._quickest.get(kind, 0.0), _SILENCE) - spent
        return max(soonest, min(self.longest, spent / _SHARE), ahead)

    def ended(self, kind: str, spent: float) -> None:
        """Record that an operation of this kind ended after `spent`."""
        self._quickest[kind] = min(spent, self._quickest.get(kind, spent))
