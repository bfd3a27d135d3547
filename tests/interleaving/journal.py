"""What each request changed: triggers in the world's file write a row for every change of an endpoint or deployment.

So the oracle sees the world after every request, and no request of the schedule is delayed for it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

State = dict[str, Any]
"""Id (lower case) -> body of every endpoint and deployment."""
_NEXT = "1 + COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'requests'), 0)"
_KINDS = "('endpoint', 'deployment')"
_TABLE = "CREATE TABLE journal (number INTEGER PRIMARY KEY, request INTEGER NOT NULL, id TEXT NOT NULL, body TEXT)"


_MARK = "operation "


@dataclass(frozen=True)
class Moment:
    """The world after request `number`: all endpoints and deployments, and the ids of those that it changed."""

    number: int
    state: State
    changed: frozenset[str]


def install(world: Path) -> None:
    """Add the journal to a world's file, and empty its request log.

    An operation takes effect at the begin of the next request, and is part of the request before it. So the journal
    also has a mark for each operation that ends, with its target.
    """
    sources = (("INSERT", "NEW", "NEW.body"), ("UPDATE", "NEW", "NEW.body"), ("DELETE", "OLD", "NULL"))
    add = "INSERT INTO journal (request, id, body) VALUES"
    with closing(sqlite3.connect(world, timeout=30)) as db, db:
        for name in ("INSERT", "UPDATE", "DELETE", "operation"):
            db.execute(f"DROP TRIGGER IF EXISTS journal_{name}")
        db.execute("DROP TABLE IF EXISTS journal")
        db.execute(_TABLE)
        for event, row, body in sources:
            db.execute(
                f"CREATE TRIGGER journal_{event} AFTER {event} ON resources WHEN {row}.kind IN {_KINDS} BEGIN"
                f" {add} ({_NEXT}, {row}.id, {body}); END"
            )
        db.execute(
            f"CREATE TRIGGER journal_operation AFTER UPDATE ON operations BEGIN"
            f" {add} ({_NEXT}, '{_MARK}' || NEW.target, NULL); END"
        )
        db.execute("DELETE FROM requests")
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'requests'")


def read_state(world: Path) -> State:
    """What exists in a world's file."""
    with closing(sqlite3.connect(world, timeout=30)) as db:
        rows = db.execute(f"SELECT id, body FROM resources WHERE kind IN {_KINDS}").fetchall()  # noqa: S608
    return {path.lower(): json.loads(body) for path, body in rows}


def moments(world: Path, start: State) -> Iterator[Moment]:
    """The world after each request that changed something, oldest first; the first moment is the start."""
    with closing(sqlite3.connect(world, timeout=30)) as db:
        rows = db.execute("SELECT request, id, body FROM journal ORDER BY number").fetchall()
    state, changed, marked = dict(start), set[str](), set[str]()
    number = 0
    for request, path, body in rows:
        if path.startswith(_MARK):
            marked.add(path.removeprefix(_MARK).lower())
            continue
        low = path.lower()
        ended = {target for target in marked if low == target or (body is None and low.startswith(f"{target}/"))}
        if body is not None:
            marked -= ended
        after = request - bool(ended)
        if after != number:
            yield Moment(number, dict(state), frozenset(changed))
            number, changed = after, set()
        before = state.pop(low, None)
        if body is not None:
            state[low] = json.loads(body)
        if state.get(low) != before:
            changed.add(low)
    yield Moment(number, dict(state), frozenset(changed))


def last_request(world: Path) -> int:
    """The number of the last request in the log."""
    with closing(sqlite3.connect(world, timeout=30)) as db:
        return int(db.execute("SELECT COALESCE(MAX(number), 0) FROM requests").fetchone()[0])
