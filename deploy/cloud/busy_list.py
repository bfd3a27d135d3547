"""One list of a collection instead of a read for each of its resources that is being changed.

Azure lists the provisioning state of every endpoint of a workspace. While many endpoints are created at once, a list
every few seconds shows which of them are still busy; only the others are read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from deploy.domain.arm import Json

FEWEST = 5
"""Operations in one collection from which on it is listed."""
_FRESH = 2.0
"""Seconds for which a list is used."""
_PAGE = 20
"""Resources on one page of a list, at least: a list of a large collection is several requests."""
FINISHED = frozenset({"succeeded", "failed", "canceled"})
"""States, in lower case, in which no operation is in progress."""


class BusyList:
    """Which resources of each collection are busy. Thread-safe: one thread lists, the others wait for it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._seen: dict[str, tuple[float, frozenset[str], int]] = {}

    def is_busy(self, path: str, in_flight: int, read: Callable[[str], Sequence[Json]]) -> bool:
        """Whether the resource was busy a moment ago; False if that is unknown, or a list is not worthwhile.

        `in_flight`: operations in its collection; `read` lists the collection at a path.
        """
        collection, _, name = path.rpartition("/")
        if in_flight < FEWEST:
            return False
        with self._lock:
            at, busy, size = self._seen.get(collection, (float("-inf"), frozenset[str](), 0))
            if self._monotonic() - at > _FRESH:
                if size > _PAGE * min(in_flight, 2 * FEWEST):
                    return False
                rows = read(collection)
                busy = frozenset(str(row["name"]).lower() for row in rows if is_changing(row))
                self._seen[collection] = (self._monotonic(), busy, len(rows))
            return name.lower() in busy


def is_changing(body: Json | None) -> bool:
    """Whether an operation on a resource is in progress."""
    state = str(((body or {}).get("properties") or {}).get("provisioningState") or "Succeeded")
    return state.lower() not in FINISHED
