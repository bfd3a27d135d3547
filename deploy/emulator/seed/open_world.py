"""Opening a world: an empty one is furnished, one that cannot be read is named with its cure.

A world that cannot be read can be set aside; then a new one begins in its place.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from deploy.emulator.seed import apply
from deploy.emulator.world.problems import WorldUnavailable
from deploy.emulator.world.store import IncompatibleVersion, World
from deploy.emulator.world.timing import QUICK, Clock, Timing

CURE = "Begin it anew with `amldeploy emulator reset`, which sets it aside as world.broken"
_SQLITE_SUFFIXES = ("-wal", "-shm")
"""What SQLite keeps beside a file belongs to it."""


class UnreadableWorld(WorldUnavailable):
    """The world file is damaged, or another version's."""


def open_world(path: Path, clock: Clock | None = None, timing: Timing = QUICK) -> World:
    """The world of a file; a new one when there is none.

    Raises:
        BrokenWorld: it is damaged, half-written or another version's; the message names it and the cure.
        Unopened: the file is as it should be and cannot be used now, likewise.
    """
    try:
        world = World(path, apply.fill, clock, timing)
    except sqlite3.OperationalError as error:  # locked, no room, no right: the file itself is as it should be
        cure = f"See that {path.parent.name}/{path.name} can be written, and that there is room on its disk"
        raise WorldUnavailable(path, error, cure) from error
    except (sqlite3.DatabaseError, IncompatibleVersion) as error:
        raise UnreadableWorld(path, error, CURE) from error
    return world


def recreate(path: Path) -> Path | None:
    """Begin the world of a file anew, by its own world file; says where the old one is if it could not be read."""
    aside = None
    try:
        world = open_world(path)
    except UnreadableWorld:
        aside = move_aside(path)
        world = open_world(path)
    try:
        world.reset()
    finally:
        world.close()
    return aside


def move_aside(path: Path) -> Path:
    """Move a world that cannot be read out of the way; a second one replaces the first."""
    aside = path.with_suffix(".broken")
    path.replace(aside)
    for word in _SQLITE_SUFFIXES:
        path.with_name(path.name + word).unlink(missing_ok=True)
    return aside
