"""The world: one SQLite file that holds everything the emulator knows. It stores and settles; it has no rules.

Every request is one transaction, so several processes can share a world and a killed process loses nothing it had
answered. Time is lazy: what was due by now is applied at the start of each transaction, and nothing runs in between.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.emulator.world import controls
from deploy.emulator.world.tables import SCHEMA, SCHEMA_VERSION, TABLES, TRIGGERS
from deploy.emulator.world.timing import QUICK, Clock, SystemClock, Timing


@dataclass
class Resource:
    """One ARM resource: `body` is what the caller may read, `private` what only we know (keys, history)."""

    id: str
    kind: str
    parent: str
    name: str
    location: str
    body: dict[str, Any]
    private: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        """The `properties` of the body."""
        found: dict[str, Any] = self.body["properties"]
        return found

    @property
    def state(self) -> str:
        """`provisioningState`, or "" for resources without one."""
        return str(self.properties.get("provisioningState", ""))


class IncompatibleVersion(Exception):
    """A world file with other tables than ours."""


class World:
    """One connection to the world file; use it from the thread that made it, and `close` it. See `opening`.

    `furnish` fills an empty world, inside a transaction.
    """

    def __init__(
        self, path: Path, fill: Callable[[World], None], clock: Clock | None = None, timing: Timing = QUICK
    ) -> None:
        self.path, self.folder, self._fill = path, path.parent, fill
        self.clock: Clock = clock or SystemClock()
        self.timing = timing
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.controls = controls.Controls(self.db)
            self._prepare()
            self.controls.refresh()
        except BaseException:
            self.db.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def now(self) -> float:
        """The world's time, in seconds since 1970."""
        return self.controls.clock_state.at(self.clock.now())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; what was due by now has been applied inside."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            self.controls.refresh()
            self.apply_due()
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            self.controls.invalidate()
            raise
        self.db.execute("COMMIT")

    def reset(self, written: dict[str, Any] | None = None) -> None:
        """Empty the world and furnish it anew, by its file or from now on by this one; faults are gone.

        The clock shows the wall's time and keeps its speed.
        """
        with self.transaction():
            self.controls.reset_clock(self.clock.now())
            for table in TABLES:
                self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are ours, a few lines above
            if written is not None:
                self.controls.set("world", written)
            self._fill(self)

    def get(self, identifier: str) -> Resource | None:
        """A resource by its ARM id, in any case."""
        row = self.db.execute(_SELECT + "id = ?", (identifier.lower(),)).fetchone()
        return _resource(row) if row else None

    def children(self, parent: str, kind: str) -> list[Resource]:
        """The resources below `parent`, oldest first."""
        rows = self.db.execute(_SELECT + "parent = ? AND kind = ? ORDER BY number", (parent.lower(), kind))
        return [_resource(row) for row in rows]

    def find_by_name(self, kind: str, location: str, name: str) -> Resource | None:
        """Who in a region bears this name."""
        row = self.db.execute(
            _SELECT + "kind = ? AND location = ? AND name = ?",
            (kind, location, name.lower()),
        ).fetchone()
        return _resource(row) if row else None

    def save(self, resource: Resource) -> None:
        """Add a resource, or replace the one with its id."""
        self.db.execute(
            "INSERT INTO resources (id, kind, parent, name, location, body, private) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, private = excluded.private",
            (
                resource.id.lower(), resource.kind, resource.parent.lower(), resource.name.lower(), resource.location,
                dump(resource.body), dump(resource.private),
            ),
        )  # fmt: skip

    def remove(self, identifier: str) -> None:
        """Take away a resource, everything below it, its cores and its identity. Role assignments stay, as on Azure."""
        low = identifier.lower()
        below = (low, low + "/", low + "0")  # '0' follows '/', so the range is every id that begins with "<low>/"
        self.db.execute("DELETE FROM resources WHERE id = ? OR (id > ? AND id < ?)", below)
        self.db.execute("DELETE FROM allocations WHERE deployment = ? OR (deployment > ? AND deployment < ?)", below)
        self.db.execute("DELETE FROM principals WHERE owner = ?", (low,))
        self.db.execute(
            "UPDATE operations SET state = 'Canceled'"
            " WHERE state = 'Updating' AND (target = ? OR (target > ? AND target < ?))",
            below,
        )

    def next_number(self, name: str) -> int:
        """The next number of a counter, from 0."""
        row = self.db.execute(
            "INSERT INTO counters VALUES (?, 0) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(row[0])

    def apply_due(self) -> None:
        """Apply what is due by now. Every transaction begins with it."""
        due = self.db.execute(
            "SELECT id, target, error, effect FROM operations WHERE state = 'Updating' AND due <= ? ORDER BY due",
            (self.now(),),
        ).fetchall()
        for operation, target, error, text in due:
            effect = json.loads(text)
            outcome = effect.get("outcome") or ("Failed" if error else "Succeeded")
            self.db.execute("UPDATE operations SET state = ? WHERE id = ?", (outcome, operation))
            self._apply(target, effect)

    def _apply(self, target: str, effect: Mapping[str, Any]) -> None:
        if effect.get("remove"):
            self.remove(target)
            return
        resource = self.get(target)
        if resource is not None:
            resource.properties.update(effect.get("properties", {}))
            resource.private.update(effect.get("private", {}))
            self.save(resource)

    def _prepare(self) -> None:
        if self._version() == SCHEMA_VERSION:
            return
        self.db.execute("BEGIN IMMEDIATE")
        try:
            if self._version() == 0:
                for statement in (*SCHEMA.split(";"), *TRIGGERS):
                    self.db.execute(statement)
                self.db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                self._fill(self)
            elif self._version() != SCHEMA_VERSION:
                raise IncompatibleVersion("another version of the emulator wrote it")
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def _version(self) -> int:
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])


_SELECT = "SELECT id, kind, parent, name, location, body, private FROM resources WHERE "


def _resource(row: tuple[str, ...]) -> Resource:
    identifier, kind, parent, name, location, body, private = row
    return Resource(identifier, kind, parent, name, location, json.loads(body), json.loads(private))


def dump(value: Any) -> str:
    """JSON as it is stored and sent: short, text as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
