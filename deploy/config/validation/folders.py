"""Finds files and folders of a template that cannot be read or uploaded to Azure."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_MOST = 10
"""Maximum number of reported problems per folder."""


def unfit(path: Path, written: str) -> Iterator[str]:
    """A cause for each entry that cannot be read or uploaded: broken links, pipes, missing permissions.

    `written` is the path as the files name it.
    """
    reported = 0
    for found in (path, *_below(path)):
        cause = _cause(found)
        if cause and reported < _MOST:
            reported += 1
            yield f"{(Path(written) / found.relative_to(path)).as_posix()} {cause}"


def _below(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path):
        for name in sorted((*folders, *files)):
            yield Path(folder) / name


def _cause(path: Path) -> str:
    try:
        kind = path.stat().st_mode
    except OSError as error:
        return "is a broken link." if path.is_symlink() else f"cannot be read: {error.strerror}."
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return "is not a file or a folder."
    return "" if os.access(path, os.R_OK) else "cannot be read: Permission denied."
