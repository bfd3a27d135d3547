"""Open a world: fill an empty one, and report one that cannot be read, with its cure.

A world that cannot be read can be moved aside and replaced by a new one.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from deploy.emulator.seed import fill_world
from deploy.emulator.world.problems import WorldUnavailable
from deploy.emulator.world.store import SQLITE_SUFFIXES, IncompatibleVersion, World
from deploy.emulator.world.timing import QUICK, Clock, Timing

CURE = "Reset it with `amldeploy emulator reset`, which moves it aside to world.broken"


class UnreadableWorld(WorldUnavailable):
    """The world file is damaged, or has another version."""


def open_world(path: Path, clock: Clock | None = None, timing: Timing = QUICK) -> World:
    """Open a world file; create it when it is missing.

    Raises:
        UnreadableWorld: the file is damaged, incomplete or of another version.
        WorldUnavailable: the file is intact, but cannot be used now.
    """
    try:
        world = World(path, fill_world.fill, clock, timing)
    except sqlite3.OperationalError as error:  # locked, disk full, no permission: the file itself is intact
        cure = f"Check that {path.parent.name}/{path.name} is writable and that its disk has free space"
        raise WorldUnavailable(path, error, cure) from error
    except (sqlite3.DatabaseError, IncompatibleVersion) as error:
        raise UnreadableWorld(path, error, CURE) from error
    return world


def recreate(path: Path) -> Path | None:
    """Reset the world of a file. Returns where an unreadable one was moved to, None otherwise."""
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
    """Move an unreadable world aside, to `world.broken`; replaces an earlier one."""
    aside = path.with_suffix(".broken")
    path.replace(aside)
    for word in SQLITE_SUFFIXES:
        path.with_name(path.name + word).unlink(missing_ok=True)
    return aside
