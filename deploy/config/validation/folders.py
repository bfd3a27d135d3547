"""Files and folders of the user's that go to Azure: what in them cannot be read or sent. It only looks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_ENOUGH = 10
"""Problems of one folder that are told; who has more has seen the pattern."""


def unfit(path: Path, written: str) -> Iterator[str]:
    """A cause for whatever cannot be read or sent: links to nothing, pipes, what we have no right to read.

    `written` is how the files name the path.
    """
    told = 0
    for found in (path, *_below(path)):
        cause = _cause(found)
        if cause and told < _ENOUGH:
            told += 1
            yield f"{(Path(written) / found.relative_to(path)).as_posix()} {cause}"


def _below(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path):
        for name in sorted((*folders, *files)):
            yield Path(folder) / name


def _cause(path: Path) -> str:
    try:
        kind = path.stat().st_mode
    except OSError as error:
        return "is a link to nothing." if path.is_symlink() else f"cannot be read: {error.strerror}."
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return "is neither a file nor a folder."
    return "" if os.access(path, os.R_OK) else "cannot be read: Permission denied."
