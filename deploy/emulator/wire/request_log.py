"""The request log: one row per request, except control requests."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.emulator.wire.responses import Json
from deploy.emulator.world.store import World

COLUMNS = (
    "number", "time", "method", "path", "status", "milliseconds", "plane", "caller", "operation", "mutating",
    "client_request_id", "user_agent", "target", "note",
)  # fmt: skip
MIRRORED = "MirroredScore"
"""The operation of a row of a mirrored request: the answer of the mirror deployment, which no client gets."""
SCORED = ("Score", MIRRORED)
"""The operations of the rows that metrics count."""


@dataclass(frozen=True)
class Entry:
    """One row. `path` includes the query; `user_agent` is its beginning; `target` is the deployment that scored.

    `status` is the handler's, 0 when the handler did not run; `milliseconds` is the real time it took.
    """

    method: str
    path: str
    status: int
    milliseconds: float
    plane: str
    caller: str
    operation: str
    mutating: bool
    client_request_id: str = ""
    user_agent: str = ""
    target: str = ""
    note: str = ""


def write(world: World, entry: Entry) -> int:
    """Add a row; part of the transaction that answers the request. Returns its number."""
    added = world.db.execute(
        f"INSERT INTO requests ({', '.join(COLUMNS[1:])}) VALUES ({', '.join('?' * (len(COLUMNS) - 1))})",  # noqa: S608 - constant names
        (
            world.now(), entry.method, entry.path, entry.status, round(entry.milliseconds, 3), entry.plane,
            entry.caller, entry.operation, int(entry.mutating), entry.client_request_id,
            entry.user_agent, entry.target, entry.note,
        ),
    )  # fmt: skip
    return int(added.lastrowid or 0)


def add_note(world: World, number: int, note: str) -> None:
    """Add to the note of a row. Must run inside a transaction."""
    sql = "UPDATE requests SET note = CASE note WHEN '' THEN ?1 ELSE note || '; ' || ?1 END WHERE number = ?2"
    world.db.execute(sql, (note, number))


def read(
    world: World, after: int = 0, mutating: bool | None = None, target: str | None = None
) -> list[dict[str, Json]]:
    """The requests after number `after`, oldest first."""
    conditions: dict[str, int | str] = {"number > ?": after}
    if mutating is not None:
        conditions["mutating = ?"] = int(mutating)
    if target is not None:
        conditions["target = ?"] = target.lower()
    where = " AND ".join(conditions)
    sql = f"SELECT {', '.join(COLUMNS)} FROM requests WHERE {where} ORDER BY number"  # noqa: S608 - constant names
    found = [dict(zip(COLUMNS, row, strict=True)) for row in world.db.execute(sql, list(conditions.values()))]
    return [{**row, "mutating": bool(row["mutating"])} for row in found]
