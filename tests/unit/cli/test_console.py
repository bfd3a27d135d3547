"""What a command says leaves whole, or stops nothing: a reader who has gone, a full disk, letters that are lacking."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cli import console, runner
from deploy.errors import Exit, UsageError


@contextlib.contextmanager
def stdout(out: console.Outlet) -> Iterator[io.StringIO]:
    """A command's stdout; what it says beside."""
    siblings = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(siblings):
        yield siblings


@pytest.fixture
def gone() -> Iterator[console.Outlet]:
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield console.Outlet(writing, "utf-8")
    os.close(writing)


@pytest.fixture
def full() -> Iterator[console.Outlet]:
    """A file on a full disk."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield console.Outlet(descriptor, "utf-8")
    os.close(descriptor)


def fails() -> None:
    raise UsageError("do it", "it is not there")


def test_who_has_gone_is_told_nothing_and_changes_no_exit_code(gone: console.Outlet) -> None:
    """Not even where the failure itself is the result."""
    with stdout(gone) as siblings:
        assert not console.show("a result")
        assert runner.leave(lambda: console.show("a result")) == Exit.OK
        assert runner.leave(fails) == Exit.USAGE
        sys.stdout.write("a library's word " * 9999)
        sys.stdout.flush()
    assert isinstance(gone.trouble, BrokenPipeError)
    assert "a result" not in siblings.getvalue()
    assert "Traceback" not in siblings.getvalue()


def test_a_full_disk_is_told_and_is_a_failure_of_what_only_shows(full: console.Outlet) -> None:
    """What is done keeps its exit code."""
    with stdout(full) as siblings:
        assert runner.leave(lambda: console.show("a result")) == Exit.USAGE
        assert runner.leave(lambda: console.show("a result", done=True)) == Exit.OK
    assert siblings.getvalue().count("No space left on device") == 2


def test_an_error_as_json_meets_a_full_disk(full: console.Outlet) -> None:
    """The error's exit code, and its words on stderr."""
    typed, sys.argv = sys.argv, ["amldeploy", "plan", "-o", "json"]
    try:
        with stdout(full) as siblings:
            assert runner.leave(fails) == Exit.USAGE
    finally:
        sys.argv = typed
    assert "it is not there" in siblings.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_letters_that_an_encoding_lacks_are_escaped(encoding: str, tmp_path: Path) -> None:
    """Whatever is said can be written."""
    with (tmp_path / "out").open("wb") as file, stdout(out := console.Outlet(file.fileno(), encoding)):
        assert console.show("✓ Hülle 漢")
    assert out.trouble is None
    told = (tmp_path / "out").read_bytes().decode(encoding)
    assert told == "✓ Hülle 漢\n".encode(encoding, "backslashreplace").decode(encoding)
