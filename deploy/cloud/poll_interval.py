"""How soon to ask again how an operation stands: soon while it is young, at leisure when it is old. Sends nothing."""

from __future__ import annotations

_SOONEST, _LATEST = 0.5, 5.0
_SHARE = 4
"""A fourth of what has passed is waited once more, so that an end is seen late by a quarter of its time at most."""


class PollInterval:
    """Learns how long each kind of operation takes at least, and does not ask before. Seconds everywhere."""

    def __init__(self) -> None:
        self._quickest: dict[str, float] = {}

    def pause(self, kind: str, spent: float, wish: float | None) -> float:
        """How long to wait after `spent`; `wish` is what the service asked for, and is kept."""
        soonest = _SOONEST if wish is None else wish
        ahead = self._quickest.get(kind, 0.0) - spent
        return max(soonest, min(_LATEST, max(ahead, spent / _SHARE)))

    def ended(self, kind: str, spent: float) -> None:
        """One of this kind was seen to end after `spent`."""
        self._quickest[kind] = min(spent, self._quickest.get(kind, spent))
