"""The lock: in one folder, one run at a time changes an environment. It never says anything about other machines.

The kernel frees it when its holder ends, however that ends: there is no lock to be broken by hand.
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
def held(folder: Path, environment: str, verb: str, clock: Clock) -> Iterator[None]:
    """Hold the environment's lock. Raises Locked, with who holds it and since when, rather than wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{environment}.lock").open("a+", encoding="utf-8") as file:
        if not _taken(file):
            raise _locked(file, environment, verb)
        _write(file, {"verb": verb, "process": os.getpid(), "since": f"{clock.now():%Y-%m-%d %H:%M:%S} UTC"})
        try:
            yield
        finally:
            file.truncate(0)  # which needs no room on a disk


def _taken(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows has none: there the lock keeps nobody out
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: IO[str], holder: dict[str, object]) -> None:
    file.truncate(0)
    file.write(json.dumps(holder))
    file.flush()


def _locked(file: IO[str], environment: str, verb: str) -> Locked:
    file.seek(0)
    try:
        holder = json.loads(file.read() or "{}")
    except ValueError:  # it is being written at this moment
        holder = {}
    who = f"{holder['verb']} (process {holder['process']}) has been" if holder else "another run is"
    since = f" since {holder['since']}" if holder else ""
    cure = f"Wait until it has ended, then {verb} again"
    return Locked(f"{verb} in {environment}", f"{who} at work there{since}", cure, code="AML670")
