"""The world: one SQLite file with the whole state of the emulator. It stores resources and applies operations.

Every request is one transaction, so that several processes can share a world, and a killed process loses no answered
request. There is no background work: each transaction first applies the operations that are due.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.emulator.world import controls, private_files
from deploy.emulator.world.tables import SCHEMA, SCHEMA_VERSION, TABLES, TRIGGERS
from deploy.emulator.world.timing import QUICK, Clock, SystemClock, Timing


@dataclass
class Resource:
    """One ARM resource: `body` is what clients can read; `private` is internal (keys, operation ids)."""

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


SQLITE_SUFFIXES = ("-wal", "-shm")
"""Of the files of SQLite that belong to a world file."""


class IncompatibleVersion(Exception):
    """The world file has the tables of another version."""


class World:
    """One connection to the world file; use it from the thread that opened it, and `close` it. See `seed.open_world`.

    `fill` creates the content of an empty world, inside a transaction.
    """

    def __init__(
        self, path: Path, fill: Callable[[World], None], clock: Clock | None = None, timing: Timing = QUICK
    ) -> None:
        self.path, self.folder, self._fill = path, path.parent, fill
        self.clock: Clock = clock or SystemClock()
        self.timing = timing
        _make_private(path)
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
        """Close the file."""
        self.db.close()

    def record_timing(self) -> None:
        """Record the durations of this server, so that clients can compute how long an operation takes."""
        with self.transaction():
            self.controls.set("timing", asdict(self.timing))

    def now(self) -> float:
        """The world's time, in seconds since 1970."""
        return self.controls.clock_state.at(self.clock.now())

    def unscaled_now(self) -> float:
        """A time in seconds that passes at real speed, whatever the speed of the world's clock.

        It advances with `clock --advance`, and does not step back with the world's clock. Leases of storage use it,
        because their holders renew them in real time.
        """
        return self.clock.now() + self.controls.clock_state.skipped

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction; due operations are applied first."""
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
        """Empty the world and fill it again, from its world file or from a new one (`written`). Removes all faults.

        Sets the clock to real time and keeps its speed.
        """
        with self.transaction():
            self.controls.reset_clock(self.clock.now())
            for table in TABLES:
                self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - constant names
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
        """The resource of a kind with this name in a region."""
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
        """Delete a resource, everything below it, its cores and its identity. Role assignments stay, as on Azure."""
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
        """Apply the operations that are due. Every transaction begins with it."""
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


def _make_private(path: Path) -> None:
    """Create the file for its owner alone; SQLite gives its other files the same mode. An older world is tightened."""
    private_files.folder(path.parent)
    with contextlib.suppress(OSError):  # SQLite reports what is wrong when it opens the file
        private_files.secure(path)
    for suffix in SQLITE_SUFFIXES:
        private_files.tighten(path.with_name(path.name + suffix))


_SELECT = "SELECT id, kind, parent, name, location, body, private FROM resources WHERE "


def _resource(row: tuple[str, ...]) -> Resource:
    identifier, kind, parent, name, location, body, private = row
    return Resource(identifier, kind, parent, name, location, json.loads(body), json.loads(private))


def dump(value: Any) -> str:
    """Compact JSON, as it is stored and sent; not escaped to ASCII."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
