"""Where a project is: the nearest folder with `environments/`, from a folder upwards."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENTS = "environments"


def find(start: Path = Path()) -> Path | None:
    """`start`, or the nearest folder above it that contains `environments/`; None if there is none.

    The search ends at the root of a git repository or of the file system. A folder above is a relative path such as
    `../..`, so that every path below it can be used where the user is.
    """
    folder, real = start, start.resolve()
    while not (real / ENVIRONMENTS).is_dir():
        if os.path.lexists(real / ".git") or real == real.parent:  # .git is a file in a worktree
            return None
        folder, real = folder / os.pardir, real.parent
    return folder
