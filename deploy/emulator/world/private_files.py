"""Files and folders that only their owner can read: a world has keys of endpoints and secrets of deployments."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def folder(path: Path) -> Path:
    """Create a folder with mode 0700 if it is missing. An existing one is the user's, and keeps its mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def secure(path: Path) -> Path:
    """Create an empty file with mode 0600 if it is missing; an existing one loses the rights of group and others.

    An existing file is not opened: closing a world file would drop the locks that SQLite holds on it in this process.
    """
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        tighten(path)
    return path


def tighten(path: Path) -> None:
    """Remove the rights of group and others from a file, if it exists and is ours."""
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)


def read_or_create(path: Path, create: Callable[[], bytes]) -> bytes:
    """The content of a file with mode 0600; `create` returns the content of a missing one. Atomic."""
    if not path.exists():
        with _draft(folder(path.parent), create()) as draft, contextlib.suppress(FileExistsError):
            os.link(draft, path)  # fails when another process was first; its content is used
    return path.read_bytes()


def replace(path: Path, content: bytes) -> None:
    """Write a file with mode 0600 at once: a reader finds the old content or the new one."""
    with _draft(path.parent, content) as draft:
        draft.replace(path)


@contextlib.contextmanager
def _draft(parent: Path, content: bytes) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=parent)  # mkstemp creates it with mode 0600
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
