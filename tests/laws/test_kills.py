"""Law 4: the client is killed while it waits for the answer of request n, for every n; a re-run heals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from deploy import emulator
from tests.laws.stage import Stage, end_state
from tests.laws.test_faults import RELEASES, undisturbed
from tests.project import ROOT

HELD = 30.0
"""Seconds that the answer of request n drips; the client does not live to see its end."""
LAST = 40
"""More requests than an apply sends to the Resource Manager: behind the last one nobody is killed."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        cases = [(release, number) for release in RELEASES for number in range(1, LAST + 1)]
        metafunc.parametrize(("release", "number"), cases if full else cases[7::13])


@pytest.fixture(scope="module")
def victims() -> Iterator[subprocess.Popen[str]]:
    """A process whose children apply."""
    command = [sys.executable, "-m", "tests.laws.victim"]
    started = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=started,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def test_killed_at_any_request(stage: Stage, victims: subprocess.Popen[str], release: str, number: int) -> None:
    """Its effect stands, its answer never arrives, and the next apply sees it through without leaving anything over."""
    _, wanted = undisturbed(stage, release)
    stage.begin(release)
    stage.order({"kind": "drip", "seconds": HELD, "number": number})
    assert victims.stdin
    assert victims.stdout
    victims.stdin.write(f"{stage.world.project.root}\n")
    victims.stdin.flush()
    child = int(victims.stdout.readline())
    killed = _kill_at_the_fault(stage, child)
    status = int(victims.stdout.readline())
    stage.order()

    assert os.WTERMSIG(status) == signal.SIGKILL if killed else status == 0
    assert {sum(traffic) for traffic in end_state(stage)["traffic"]} <= {0, 100}
    assert stage.apply().exit == 0
    assert end_state(stage) == wanted
    assert stage.broken == []


def _kill_at_the_fault(stage: Stage, child: int) -> bool:
    """Wait until request n has had its effect, then kill; False when the client was done before."""
    deadline = time.monotonic() + HELD
    while time.monotonic() < deadline:
        if any("drip" in row["note"] for row in emulator.requests(stage.state)):
            os.kill(child, signal.SIGKILL)
            return True
        if _is_over(child):
            return False
        _pause()
    raise AssertionError(f"process {child} neither met the fault nor ended")


def _is_over(child: int) -> bool:
    try:
        os.kill(child, 0)
    except ProcessLookupError:
        return True
    return False


def _pause() -> None:
    time.sleep(0.01)  # another process works meanwhile
