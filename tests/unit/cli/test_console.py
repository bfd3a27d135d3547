"""Output never stops a command: a closed pipe, a full disk, characters that the encoding lacks."""

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
def stdout(out: console.TolerantStream) -> Iterator[io.StringIO]:
    """Redirect stdout to `out`; yields stderr."""
    err = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield err


@pytest.fixture
def gone() -> Iterator[console.TolerantStream]:
    """A pipe with a closed reading end."""
    reading, writing = os.pipe()
    os.close(reading)
    yield console.TolerantStream(writing, "utf-8")
    os.close(writing)


@pytest.fixture
def full() -> Iterator[console.TolerantStream]:
    """A file on a full disk."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield console.TolerantStream(descriptor, "utf-8")
    os.close(descriptor)


def fails() -> None:
    raise UsageError("do it", "it is not there")


def test_a_closed_pipe_changes_no_exit_code(gone: console.TolerantStream) -> None:
    """Also when the error itself is the result."""
    with stdout(gone) as err:
        assert not console.print_result("a result")
        assert runner.exit_code(lambda: console.print_result("a result")) == Exit.OK
        assert runner.exit_code(fails) == Exit.USAGE
        sys.stdout.write("a library's word " * 9999)
        sys.stdout.flush()
    assert isinstance(gone.error, BrokenPipeError)
    assert "a result" not in err.getvalue()
    assert "Traceback" not in err.getvalue()


def test_a_full_disk_fails_a_command_that_only_prints(full: console.TolerantStream) -> None:
    """A command that changed something keeps its exit code."""
    with stdout(full) as err:
        assert runner.exit_code(lambda: console.print_result("a result")) == Exit.USAGE
        assert runner.exit_code(lambda: console.print_result("a result", done=True)) == Exit.OK
    assert err.getvalue().count("No space left on device") == 2


def test_an_error_as_json_on_a_full_disk(full: console.TolerantStream) -> None:
    """The error's exit code, and its message on stderr."""
    typed, sys.argv = sys.argv, ["amldeploy", "plan", "-o", "json"]
    try:
        with stdout(full) as err:
            assert runner.exit_code(fails) == Exit.USAGE
    finally:
        sys.argv = typed
    assert "it is not there" in err.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_an_encoding_lacks_are_escaped(encoding: str, tmp_path: Path) -> None:
    """Every text can be written."""
    with (tmp_path / "out").open("wb") as file, stdout(out := console.TolerantStream(file.fileno(), encoding)):
        assert console.print_result("✓ Hülle 漢")
    assert out.error is None
    told = (tmp_path / "out").read_bytes().decode(encoding)
    assert told == "✓ Hülle 漢\n".encode(encoding, "backslashreplace").decode(encoding)
