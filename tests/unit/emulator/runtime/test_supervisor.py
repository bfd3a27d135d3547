"""Unpacking writes only inside its folder."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deploy.emulator.runtime import supervisor


def _unpack(folder: Path, names: list[str]) -> dict[str, Path]:
    world = folder / "world.sqlite"
    database = sqlite3.connect(world)
    database.execute("CREATE TABLE blobs (path TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE parts (path TEXT, start INTEGER, content BLOB)")
    database.executemany("INSERT INTO blobs VALUES (?)", [(f"held/code/{name}",) for name in names])
    for start, content in ((2, b"xt"), (0, b"te")):
        database.executemany("INSERT INTO parts VALUES (?, ?, ?)", [(f"held/code/{n}", start, content) for n in names])
    database.commit()
    database.close()
    place = folder / "place" / "code"
    supervisor.unpack({"world": str(world), "files": [["code", "held/code", "held/code", str(place)]]}, folder)
    return {str(path.relative_to(place)): path for path in place.rglob("*") if path.is_file()}


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    """Under their names, and only those below the root."""
    assert set(_unpack(tmp_path, ["score.py", "sub/x.py"])) == {"score.py", "sub/x.py"}
    assert "code: 2 files" in (tmp_path / "storage.log").read_text()


@pytest.mark.parametrize("name", ["../out", "sub/../../out", "..", "a/..", "nul\0"])
def test_a_name_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written outside."""
    with pytest.raises(supervisor.ServerFailed, match="points outside"):
        _unpack(tmp_path, [name])
    assert not list(tmp_path.rglob("out"))


@given(some.lists(some.text("./a~ \\", min_size=1, max_size=12), min_size=1, max_size=3, unique=True))
def test_no_name_writes_outside_its_folder(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """For any names."""
    folder = tmp_path_factory.mktemp("unpack")
    with contextlib.suppress(supervisor.ServerFailed, OSError):
        _unpack(folder, names)
    outside = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}
    assert outside <= {"world.sqlite", "storage.log", "place"}
    assert not [path for path in (folder / "place").iterdir() if path.name != "code"]
