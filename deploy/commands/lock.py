"""The lock of an environment: in one folder only one run at a time changes it. Other machines are not locked out.

The kernel releases the lock when its process ends, so a lock never needs to be removed by hand.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from deploy.clock import Clock
from deploy.errors import Locked


@contextlib.contextmanager
def locked(folder: Path, environment: str, verb: str, clock: Clock) -> Iterator[None]:
    """Hold the environment's lock. Raises Locked at once, with the holder and its start, when another run holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{environment}.lock").open("a+", encoding="utf-8") as file:
        if not _acquire(file):
            raise _refusal(file, environment, verb)
        file.truncate(0)
        holder = {"verb": verb, "process": os.getpid(), "since": f"{clock.now():%Y-%m-%d %H:%M:%S} UTC"}
        file.write(json.dumps(holder))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)  # works on a full disk, too


def _acquire(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows has no flock: there nothing is locked
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(file: IO[str], environment: str, verb: str) -> Locked:
    file.seek(0)
    try:
        holder = json.loads(file.read() or "{}")
    except ValueError:  # the holder is writing it now
        holder = {}
    cause = f"{holder['verb']} (process {holder['process']})" if holder else "another run"
    cause += f" has held the lock since {holder['since']}" if holder else " holds the lock"
    return Locked(f"{verb} in {environment}", cause, f"Wait until it ends, then {verb} again", code="AML670")
