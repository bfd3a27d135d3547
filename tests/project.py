"""A project folder for a test, with the shipped templates and environments."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


CANARY = "Wq9canary-secret-that-nobody-may-say"
"""A secret among the values of every project here. A test in whose output or reports it turns up has failed."""


def make_project(folder: Path) -> Path:
    """Copy what a user has: templates/ and environments/, with a secret among the values."""
    for name in ("templates", "environments"):
        shutil.copytree(ROOT / name, folder / name)
    for path in (folder / "environments").glob("*.yml"):
        lines = path.read_text(encoding="utf-8").split("\n")
        if lines[1].startswith("#") and not any(line.startswith("values:") for line in lines):
            lines[1] = f"values: {{canary_token: {CANARY}}}"  # in a remark's place, so that no line moves
            path.write_text("\n".join(lines), encoding="utf-8")
    return folder


def canary_in(folder: Path) -> list[str]:
    """Return the files below a project that contain the secret and should not: all except the user's files, exports
    that only their owner can read, and the emulator's world.
    """
    ours = [path for path in (folder / ".amldeploy").rglob("*") if path.is_file() and "reaped" not in path.parts]
    return [str(path) for path in ours if "world" not in path.name and CANARY.encode() in path.read_bytes()]
