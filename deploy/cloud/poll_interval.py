"""How often to poll an operation: often at its start, less often later.

Our own: it learns the shortest duration of each kind of operation, which no retry library does.
"""

from __future__ import annotations

_SOONEST, _LATEST = 0.5, 5.0
_SHARE = 4
"""The interval is a quarter of the elapsed time, so an end is noticed at most 25 % late."""


class PollInterval:
    """Learns the shortest duration of each kind of operation, and does not poll before it. All times in seconds."""

    def __init__(self) -> None:
        self._quickest: dict[str, float] = {}

    def pause(self, kind: str, spent: float, retry_after: float | None) -> float:
        """The wait after `spent`. `retry_after` of the service is the minimum."""
        soonest = _SOONEST if retry_after is None else retry_after
        ahead = self._quickest.get(kind, 0.0) - spent
        return max(soonest, min(_LATEST, max(ahead, spent / _SHARE)))

    def ended(self, kind: str, spent: float) -> None:
        """Record that an operation of this kind ended after `spent`."""
        self._quickest[kind] = min(spent, self._quickest.get(kind, spent))
