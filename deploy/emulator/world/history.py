"""The state of resources before their last write, for the fault `stale` and for failed deletions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.emulator.world.store import World

_COLUMNS = "number, id, kind, parent, name, location, body, private"
_ROW = "json_array(number, id, kind, parent, name, location, body, private)"


def save_previous(world: World, path: str, *, below: bool) -> None:
    """Before a write: save the resource at `path` (or its absence); with `below`, also everything below it."""
    low = path.lower()
    row = world.db.execute(f"SELECT {_ROW} FROM resources WHERE id = ?", (low,)).fetchone()  # noqa: S608 - constant names
    world.db.execute("INSERT OR REPLACE INTO previous_resources VALUES (?, ?)", (low, row and row[0]))
    if below:
        world.db.execute(
            f"INSERT OR REPLACE INTO previous_resources SELECT id, {_ROW} FROM resources WHERE id > ? AND id < ?",  # noqa: S608
            (low + "/", low + "0"),
        )


def has_previous(world: World, path: str) -> bool:
    """Whether a request has ever written at or below `path`."""
    return (
        world.db.execute(
            "SELECT 1 FROM previous_resources WHERE id = ? OR (id > ? AND id < ?)", _range(path)
        ).fetchone()
        is not None
    )


@contextmanager
def previous_state(world: World, path: str) -> Iterator[None]:
    """Inside the block, everything at and below `path` has its state before the last write."""
    with _rolled_back(world):
        restore(world, path)
        yield


@contextmanager
def hidden(world: World, path: str) -> Iterator[None]:
    """Inside the block, there is no resource at `path`."""
    with _rolled_back(world):
        world.db.execute("DELETE FROM resources WHERE id = ?", (path.lower(),))
        yield


def restore(world: World, path: str) -> None:
    """Restore everything at and below `path` to its state before the last write."""
    where = "id = ? OR (id > ? AND id < ?)"
    world.db.execute(
        f"DELETE FROM resources WHERE id IN (SELECT id FROM previous_resources WHERE {where})",  # noqa: S608
        _range(path),
    )
    values = ", ".join(f"json_extract(resource, '$[{place}]')" for place in range(8))
    world.db.execute(
        f"INSERT OR REPLACE INTO resources ({_COLUMNS}) SELECT {values} FROM previous_resources"  # noqa: S608
        f" WHERE resource IS NOT NULL AND ({where})",
        _range(path),
    )


@contextmanager
def _rolled_back(world: World) -> Iterator[None]:
    world.db.execute("SAVEPOINT look")
    try:
        yield
    finally:
        world.db.execute("ROLLBACK TO look")
        world.db.execute("RELEASE look")


def _range(path: str) -> tuple[str, str, str]:
    low = path.lower()
    return low, low + "/", low + "0"
