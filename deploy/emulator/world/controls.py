"""The control state of a world: its clock, the registered faults, its world file. Shared by all processes.

Every process has a copy and reads it again only when another connection has written (`PRAGMA data_version`), so that a
world without faults adds almost no time to a request.
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
CREATE TABLE previous_resources (id TEXT PRIMARY KEY, resource TEXT);
CREATE TABLE buckets (name TEXT PRIMARY KEY, tokens REAL NOT NULL, at REAL NOT NULL);
"""
TABLES = ("faults", "previous_resources", "buckets")
"""The tables that a reset empties. The controls stay."""


class Controls:
    """The controls of one world, read over its connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._version = -1
        self.clock_state = ClockState()
        self.has_active_faults = False
        """Whether any fault can still apply."""

    def refresh(self) -> None:
        """Read the state again if it may have changed."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.clock_state = ClockState(**(self.get("clock") or {}))
            self.has_active_faults = bool(self._db.execute("SELECT 1 FROM faults WHERE applied < times").fetchone())
            self._version = version

    def invalidate(self) -> None:
        """Force the next `refresh` to read. Needed after own writes, which do not change `data_version`."""
        self._version = -1

    def get(self, name: str) -> Any:
        """A control's JSON value; None when it is not set."""
        row = self._db.execute("SELECT value FROM controls WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def set(self, name: str, value: Any) -> None:
        """Set a control for every process. Must run inside a transaction."""
        self._db.execute("INSERT OR REPLACE INTO controls VALUES (?, ?)", (name, json.dumps(value)))
        self.invalidate()

    def set_clock(self, clock_state: ClockState) -> None:
        """Set the world's clock."""
        self.set("clock", asdict(clock_state))
        self.clock_state = clock_state

    def reset_clock(self, real: float) -> None:
        """Set the clock to real time, at its current speed."""
        if self.get("clock") is not None:
            self.set_clock(ClockState(real, real, self.clock_state.scale))
        self.invalidate()
