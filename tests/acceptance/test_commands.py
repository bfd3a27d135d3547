"""Commands end on a signal and at a time limit; the last ones do not, so that a teardown is never interrupted."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.acceptance_run import commands
from scripts.acceptance_run.commands import Commands, Stopped

WAITS = """
import os, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: (print('"interrupted"'), sys.exit(130)))
signal.signal(signal.SIGTERM, lambda *_: (print('"terminated"'), sys.exit(143)))
open(sys.argv[2], "w").close()
time.sleep(float(sys.argv[3]))
print('"ended"')
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(5)
open(sys.argv[2], "w").close()
"""


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """The file that a command writes when it handles signals."""
    return tmp_path / "started"


@pytest.fixture
def waits(tmp_path: Path) -> Commands:
    return Commands([sys.executable, "-c", WAITS], tmp_path, tmp_path, {})


@pytest.fixture
def at_start(started: Path) -> Iterator[list[signal.Signals]]:
    """Each signal of the list is sent to this process when the command has started."""
    wanted: list[signal.Signals] = []

    def send() -> None:
        while not started.exists():
            if done.wait(0.01):
                return
        for number in wanted:
            os.kill(os.getpid(), number)

    done = threading.Event()
    thread = threading.Thread(target=send)
    thread.start()
    yield wanted
    done.set()
    thread.join()


@pytest.mark.parametrize(
    ("number", "code", "received"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated")],
)
def test_a_signal_ends_a_command(
    waits: Commands, started: Path, at_start: list[signal.Signals], number: signal.Signals, code: int, received: str
) -> None:
    """It receives the signal and ends by itself; the next one is not started."""
    at_start.append(number)
    with waits.signals():
        with pytest.raises(Stopped, match=number.name) as stopped:
            waits.run("wait", str(started), "60", seconds=60)
        with pytest.raises(Stopped):
            waits.run("wait", str(started.with_name("next")), "0", seconds=60)
    assert stopped.value.code == code
    assert received in (started.parent / "01-wait.json").read_text()
    assert not started.with_name("next").exists()


def test_a_command_that_runs_to_the_end_is_not_interrupted(
    waits: Commands, started: Path, at_start: list[signal.Signals]
) -> None:
    """However often Ctrl-C is pressed."""
    at_start += [signal.SIGINT, signal.SIGTERM, signal.SIGINT]
    with waits.signals():
        ended = waits.run_to_the_end("wait", str(started), "0.3", seconds=60)
    assert (ended.code, ended.document) == (0, "ended")


def test_a_signal_while_a_line_is_printed_does_no_harm(waits: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler prints nothing itself."""

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            os.kill(os.getpid(), signal.SIGINT)
            return super().write(text)

    stream = Stream()
    monkeypatch.setattr(sys, "stderr", stream)
    with waits.signals():
        commands.say("Teardown ...")
    assert stream.getvalue() == "Teardown ...\n"


def test_the_time_limit_ends_a_command(waits: Commands, started: Path) -> None:
    """It receives SIGTERM."""
    with pytest.raises(Stopped, match="time limit") as stopped:
        waits.run("wait", str(started), "60", seconds=0.3)
    assert stopped.value.code == 5


def test_a_stubborn_command_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some time to end by itself."""
    monkeypatch.setattr(commands, "GRACE", 0.2)
    stubborn = Commands([sys.executable, "-c", STUBBORN], tmp_path, tmp_path, {})
    with pytest.raises(Stopped, match="time limit"):
        stubborn.run("x", str(tmp_path / "ended"), seconds=0.3)
    assert stubborn.run_to_the_end("x", str(tmp_path / "ended"), seconds=0.1).code == -signal.SIGKILL
    assert not (tmp_path / "ended").exists()


def test_a_full_disk_and_a_closed_terminal_do_not_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs are lost, and the command runs."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stderr", closed)
        commands.say("not printed " * 10_000)
        ended = Commands([sys.executable, "-c", "pass"], tmp_path, tmp_path / "absent", {}).run_to_the_end(
            "x", seconds=60
        )
        monkeypatch.undo()
    assert (ended.code, ended.document) == (0, None)
