"""Files and folders that only their owner can read."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.emulator.seed.open_world import open_world
from deploy.emulator.world import private_files


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_that_we_create_is_private(tmp_path: Path) -> None:
    """Only that one: its parents are created as usual, and an existing folder is the user's."""
    assert _mode(private_files.folder(tmp_path / "a" / "b")) == 0o700
    assert _mode(tmp_path / "a") == 0o755
    (tmp_path / "mine").mkdir()
    assert _mode(private_files.folder(tmp_path / "mine")) == 0o755


@pytest.mark.parametrize(
    ("before", "after"), [(None, 0o600), (0o644, 0o600), (0o666, 0o600), (0o444, 0o400), (0o600, 0o600)]
)
def test_a_file_is_created_private_or_tightened(tmp_path: Path, before: int | None, after: int) -> None:
    """The owner's rights and the content stay."""
    path = tmp_path / "file"
    if before is not None:
        path.write_text("content")
        path.chmod(before)
    assert private_files.secure(path) == path
    assert (_mode(path), path.read_text()) == (after, "" if before is None else "content")


def test_a_folder_in_place_of_a_file_keeps_its_mode(tmp_path: Path) -> None:
    """Opening it reports the problem."""
    private_files.secure(tmp_path)
    (tmp_path / "sub").mkdir(mode=0o755)
    private_files.secure(tmp_path / "sub")
    assert _mode(tmp_path / "sub") == 0o755


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    """A reader finds the old content or the new one, never a part."""
    path, seen = tmp_path / "file", set()
    private_files.replace(path, b"a" * 100_000)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for letter in b"bcdefgh":
        private_files.replace(path, bytes([letter]) * 100_000)
    done.set()
    reader.join()
    assert {len(content) for content in seen} == {100_000}
    assert _mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_of_several_processes_is_created_once(tmp_path: Path) -> None:
    """The first content counts."""
    path = tmp_path / "new" / "key"
    assert private_files.read_or_create(path, lambda: b"one") == b"one"
    assert private_files.read_or_create(path, lambda: b"two") == b"one"

    def slow() -> bytes:
        path.with_name("other").write_bytes(b"first")
        return b"second"

    assert private_files.read_or_create(path.with_name("other"), slow) == b"first"
    assert (_mode(path), _mode(path.parent)) == (0o600, 0o700)
    assert len(list(path.parent.iterdir())) == 2


def test_an_older_world_is_tightened_when_it_is_opened(tmp_path: Path) -> None:
    """With the files that SQLite has beside it."""
    path = tmp_path / "world.sqlite"
    names = ("world.sqlite", "world.sqlite-wal", "world.sqlite-shm")
    first = open_world(path)
    for name in names:
        (tmp_path / name).chmod(0o644)
    second = open_world(path)
    assert [_mode(tmp_path / name) for name in names] == [0o600] * 3
    second.close()
    first.close()


def test_securing_a_file_keeps_its_locks(tmp_path: Path) -> None:
    """POSIX drops all locks of a process on a file when it closes any descriptor of it, such as those of SQLite."""
    path = tmp_path / "world.sqlite"
    code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with path.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        private_files.secure(path)
        done = subprocess.run([sys.executable, "-S", "-c", code, path], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in done.stderr
