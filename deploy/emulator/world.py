"""The world: one SQLite file that holds everything the emulator knows. It stores and settles; it has no rules.

Every request is one transaction, so several processes can share a world and a killed process loses nothing it had
answered. Time is lazy: what was due by now is applied at the start of each transaction, and nothing runs in between.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.emulator.timing import QUICK, Clock, SystemClock, Timing
from deploy.emulator.wire import dump

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE resources (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, parent TEXT NOT NULL,
    name TEXT NOT NULL, location TEXT NOT NULL, body TEXT NOT NULL, private TEXT NOT NULL);
CREATE INDEX resources_of_parent ON resources (parent, kind, number);
CREATE INDEX resources_by_name ON resources (kind, location, name);
CREATE TABLE operations (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, started REAL NOT NULL, due REAL NOT NULL, state TEXT NOT NULL,
    error TEXT, effect TEXT NOT NULL);
CREATE INDEX operations_due ON operations (due) WHERE state = 'Updating';
CREATE INDEX operations_of_target ON operations (target) WHERE state = 'Updating';
CREATE TABLE quotas (
    subscription TEXT, location TEXT, family TEXT, cores INTEGER NOT NULL,
    PRIMARY KEY (subscription, location, family));
CREATE TABLE allocations (
    deployment TEXT PRIMARY KEY, subscription TEXT NOT NULL, location TEXT NOT NULL, family TEXT NOT NULL,
    cores INTEGER NOT NULL);
CREATE INDEX allocations_of_family ON allocations (subscription, location, family);
CREATE TABLE principals (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL);
CREATE INDEX principals_of_owner ON principals (owner);
CREATE TABLE role_definitions (id TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE role_assignments (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scope TEXT NOT NULL, principal TEXT NOT NULL, role TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX role_assignments_of_principal ON role_assignments (principal);
CREATE INDEX role_assignments_of_scope ON role_assignments (scope);
CREATE TABLE blobs (
    path TEXT PRIMARY KEY, content BLOB NOT NULL, metadata TEXT NOT NULL, modified REAL NOT NULL);
CREATE TABLE blocks (path TEXT, block TEXT, content BLOB NOT NULL, PRIMARY KEY (path, block));
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL, plane TEXT NOT NULL, caller TEXT NOT NULL, operation TEXT NOT NULL,
    mutating INTEGER NOT NULL, client_request_id TEXT NOT NULL, target TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX requests_of_target ON requests (target) WHERE target != '';
"""
TABLES = (
    "resources", "operations", "quotas", "allocations", "principals", "role_definitions", "role_assignments",
    "blobs", "blocks", "counters", "requests", "sqlite_sequence",
)  # fmt: skip


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


class World:
    """One connection to the world file; use it from the thread that made it, and `close` it."""

    def __init__(self, path: Path, clock: Clock | None = None, timing: Timing = QUICK) -> None:
        self.path, self.folder = path, path.parent
        self.clock: Clock = clock or SystemClock()
        self.timing = timing
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self._prepare()

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def now(self) -> float:
        """The world's time, in seconds since 1970."""
        return self.clock.now()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; what was due by now has been applied inside."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            self.settle()
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def reset(self) -> None:
        """Empty the world and furnish it anew."""
        from deploy.emulator import seed

        with self.transaction():
            for table in TABLES:
                self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are ours, a few lines above
            seed.furnish(self)

    def get(self, identifier: str) -> Resource | None:
        """A resource by its ARM id, in any case."""
        row = self.db.execute(_SELECT + "id = ?", (identifier.lower(),)).fetchone()
        return _resource(row) if row else None

    def children(self, parent: str, kind: str) -> list[Resource]:
        """The resources below `parent`, oldest first."""
        rows = self.db.execute(_SELECT + "parent = ? AND kind = ? ORDER BY number", (parent.lower(), kind))
        return [_resource(row) for row in rows]

    def named(self, kind: str, location: str, name: str) -> Resource | None:
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

    def count(self, name: str) -> int:
        """The next number of a counter, from 0."""
        row = self.db.execute(
            "INSERT INTO counters VALUES (?, 0) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(row[0])

    def settle(self) -> None:
        """Apply what was due by now. Must run inside a transaction."""
        due = self.db.execute(
            "SELECT id, target, error, effect FROM operations WHERE state = 'Updating' AND due <= ? ORDER BY due",
            (self.now(),),
        ).fetchall()
        for operation, target, error, effect in due:
            self.db.execute(
                "UPDATE operations SET state = ? WHERE id = ?", ("Failed" if error else "Succeeded", operation)
            )
            self._apply(target, json.loads(effect))

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
                from deploy.emulator import seed

                for statement in SCHEMA.split(";"):
                    self.db.execute(statement)
                self.db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                seed.furnish(self)
            elif self._version() != SCHEMA_VERSION:
                raise RuntimeError(
                    "cannot open the world: another version of the emulator wrote it. Delete its folder."
                )
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            self.db.close()
            raise

    def _version(self) -> int:
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])


_SELECT = "SELECT id, kind, parent, name, location, body, private FROM resources WHERE "


def _resource(row: tuple[str, ...]) -> Resource:
    identifier, kind, parent, name, location, body, private = row
    return Resource(identifier, kind, parent, name, location, json.loads(body), json.loads(private))
