"""What rules a world beside its resources: its clock, the faults ordered, the file it began from. Shared by processes.

Every process keeps a copy and asks SQLite only whether somebody else has written since (`PRAGMA data_version`), so a
world without faults costs a request next to nothing.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from deploy.emulator.world.timing import ClockState

SCHEMA = """
CREATE TABLE controls (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE faults (
    number INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, times INTEGER NOT NULL, since INTEGER NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0, applied INTEGER NOT NULL DEFAULT 0);
CREATE TABLE earlier (id TEXT PRIMARY KEY, resource TEXT);
CREATE TABLE buckets (name TEXT PRIMARY KEY, tokens REAL NOT NULL, at REAL NOT NULL);
"""
TABLES = ("faults", "earlier", "buckets")
"""What a reset empties. The controls stay."""


class Controls:
    """The controls of one world, read over its connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._version = -1
        self.clock_state = ClockState()
        self.has_active_faults = False
        """Whether any fault waits to be applied."""

    def refresh(self) -> None:
        """Read anew what another process, or we ourselves, may have written."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.clock_state = ClockState(**(self.get("clock") or {}))
            self.has_active_faults = bool(self._db.execute("SELECT 1 FROM faults WHERE applied < times").fetchone())
            self._version = version

    def invalidate(self) -> None:
        """Our own writes do not change the version; whoever writes says so here."""
        self._version = -1

    def get(self, name: str) -> Any:
        """A control's JSON value; None when it was never set."""
        row = self._db.execute("SELECT value FROM controls WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def set(self, name: str, value: Any) -> None:
        """Set a control for every process. Must run inside a transaction."""
        self._db.execute("INSERT OR REPLACE INTO controls VALUES (?, ?)", (name, json.dumps(value)))
        self.invalidate()

    def set_clock(self, clock_state: ClockState) -> None:
        """Let the world's clock go by this dial."""
        self.set("clock", asdict(clock_state))
        self.clock_state = clock_state

    def reset_clock(self, real: float) -> None:
        """Back to the time on the wall, at the speed it had; whatever else we know is read anew."""
        if self.get("clock") is not None:
            self.set_clock(ClockState(real, real, self.clock_state.scale))
        self.invalidate()
