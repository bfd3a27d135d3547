"""A project folder of its own for a test, with the shipped templates and environments in it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def make_project(folder: Path) -> Path:
    """A copy of what a user has: templates/ and environments/."""
    for name in ("templates", "environments"):
        shutil.copytree(ROOT / name, folder / name)
    return folder
