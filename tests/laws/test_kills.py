"""Law 4: the client is killed while it waits for the answer of request n, for every n; a re-run heals.

Otherwise than with `--laws full` it is only killed at requests that change something.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from deploy import emulator
from tests.laws.stage import Stage, end_state
from tests.laws.test_faults import PLANES, RELEASES, places, undisturbed
from tests.project import ROOT

HELD = 30.0
"""Seconds that the answer of request n drips; the client does not live to see its end."""
SOME, ALL = 4, 40
"""Into how many tests the cases are dealt: those that change something, and all of the Resource Manager's."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "share" in metafunc.fixturenames:
        shares = ALL if metafunc.config.getoption("--laws", default="some") == "full" else SOME
        metafunc.parametrize("share", range(shares))


def _cases(stage: Stage, *, full: bool) -> list[tuple[str, dict[str, Any]]]:
    """A release, and which of its requests to die at."""
    ends = {release: undisturbed(stage, release) for release in RELEASES}
    if full:
        arm = PLANES.index("arm")
        return [(r, {"number": n}) for r, (_, _, fitting) in ends.items() for n in range(1, fitting[arm] + 1)]
    changes = {release: end.sent.total() for release, (end, _, _) in ends.items()}
    return [(release, {"mutating": True, "number": number}) for release, number in places(changes)]


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


def test_killed(stage: Stage, victims: subprocess.Popen[str], share: int, request: pytest.FixtureRequest) -> None:
    """Its effect stands, its answer never arrives, and the next apply sees it through without leaving anything over."""
    full = request.config.getoption("--laws", default="some") == "full"
    cases = _cases(stage, full=full)[share :: ALL if full else SOME]
    broken = {str(case): promises for case in cases if (promises := _broken(stage, victims, *case))}

    assert cases
    assert not broken, json.dumps(broken, indent=1)


def _broken(stage: Stage, victims: subprocess.Popen[str], release: str, fits: dict[str, Any]) -> list[str]:
    """The promises that are not kept to who is killed at one request."""
    _, wanted, _ = undisturbed(stage, release)
    stage.begin(release)
    stage.order({"kind": "drip", "seconds": HELD, **fits})
    assert victims.stdin
    assert victims.stdout
    victims.stdin.write(f"{stage.world.project.root}\n")
    victims.stdin.flush()
    child = int(victims.stdout.readline())
    killed = _kill_at_the_fault(stage, child)
    status = int(victims.stdout.readline())
    stage.order()
    left = end_state(stage)["traffic"]
    promises = {
        "it is killed": killed and os.WTERMSIG(status) == signal.SIGKILL,
        "traffic is 0 or 100": {sum(traffic) for traffic in left} <= {0, 100},
        "a re-run heals": stage.apply().exit == 0,
        "and brings what an undisturbed apply brings": end_state(stage) == wanted,
        "traffic was lawful at every event": not stage.broken,
    }
    return [promise for promise, kept in promises.items() if not kept]


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
