"""A run that is told to stop while Azure takes its time: gone within what GitHub grants, and it says where it was."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploy import emulator
from tests.project import ROOT, make_project

GRANTED = 7.5
"""Seconds between a runner's SIGINT and its SIGTERM; after 2.5 more it kills."""
AMLDEPLOY = (sys.executable, "-m", "deploy")
SCHEMA = json.loads((ROOT / "deploy" / "schemas" / "report.json").read_text())


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """A shell that runs the tests in the background has them ignore Ctrl-C; what they start hears it all the same."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose emulator takes as long as Azure."""
    folder = make_project(tmp_path)
    (folder / ".amldeploy").mkdir()
    emulator.launch(folder / ".amldeploy", 0, "realistic")
    yield folder
    emulator.stop(folder / ".amldeploy")


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """A project without an emulator: each command runs one inside."""
    return make_project(tmp_path)


def _variables() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _begin(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [*AMLDEPLOY, "apply", "-e", "local", "-o", "json", *more]
    return subprocess.Popen(
        command, cwd=folder, env=_variables(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _until(process: subprocess.Popen[str], words: str) -> None:
    """Read what it says until it says this."""
    assert process.stderr
    heard: list[str] = []
    for line in process.stderr:
        heard.append(line)
        if re.search(words, line):
            return
    raise AssertionError(f"never said {words!r}: {''.join(heard)}")


def _until_sent(project: Path, operation: str) -> None:
    """Until Azure has accepted it, so that what is left is waiting."""
    deadline = time.monotonic() + 60
    while all(row["operation"] != operation for row in emulator.requests(project / ".amldeploy")):
        assert time.monotonic() < deadline
        os.sched_yield()


def _stop(process: subprocess.Popen[str], *signals: int) -> tuple[dict[str, Any], str]:
    """Send them, and wait no longer than GitHub does."""
    began = time.monotonic()
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=GRANTED)
    assert time.monotonic() - began < GRANTED
    assert "Traceback" not in err, err
    return json.loads(out), err


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ((signal.SIGINT,), 130),
        ((signal.SIGTERM,), 143),
        ((signal.SIGHUP,), 143),
        ((signal.SIGINT, signal.SIGINT, signal.SIGTERM), 130),
    ],
    ids=["SIGINT", "SIGTERM", "SIGHUP", "all of them"],
)
def test_a_cancelled_apply_leaves_a_report(project: Path, signals: tuple[int, ...], code: int) -> None:
    """It was waiting for a deployment: that step is interrupted, the later ones are not reached, nothing failed."""
    process = _begin(project)
    _until(process, r"permission/mip +done")
    _until_sent(project, "OnlineEndpoints_CreateOrUpdate")
    told, err = _stop(process, *signals)
    assert process.returncode == code, err
    jsonschema.validate(told, SCHEMA)
    states = [outcome["state"] for outcome in told["outcomes"]]
    assert states.count("interrupted") == 1
    at = states.index("interrupted")
    assert set(states[:at]) <= {"done"}
    assert set(states[at + 1 :]) == {"not_reached"}
    assert not told["ok"]
    assert "Started operations continue in Azure" in err
    assert "Traffic now: mip: none." in err
    assert "run the same command again: amldeploy apply -e local" in err
    (report,) = (project / ".amldeploy" / "reports").glob("*-apply/report.json")
    assert told.pop("traffic") == {"mip": {}}
    assert json.loads(report.read_text()) == told


def test_an_emulator_inside_is_closed_in_time(embedded: Path) -> None:
    """The command that runs its own emulator leaves no record of it behind."""
    process = _begin(embedded)
    _until(process, r"role/mip\S* +done")
    _stop(process, signal.SIGINT)
    assert process.returncode == 130
    assert emulator.find(embedded / ".amldeploy") is None


def test_the_next_apply_sees_it_through(embedded: Path) -> None:
    """What was begun is taken up, not begun again beside it."""
    process = _begin(embedded)
    _until(process, r"role/mip\S* +done")
    _stop(process, signal.SIGTERM)
    again = _begin(embedded)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert json.loads(out)["ok"]


def test_one_run_at_a_time(project: Path) -> None:
    """Who comes second changes nothing and is told who was first; the lock of a killed run ends after a minute."""
    first = _begin(project)
    _until(first, r"permission/mip +done")
    second = _begin(project)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 8, err
    assert re.search(r"apply\s+by\s+\S+\s+on\s+\S+\s+has\s+held\s+its\s+lock\s+since", err)
    error = json.loads(out)["error"]
    assert (error["kind"], error["code"]) == ("Locked", "AML670")
    first.kill()
    first.communicate()
    subprocess.run([*AMLDEPLOY, "emulator", "clock", "--advance", "61s"], cwd=project, env=_variables(), check=True)
    third = _begin(project)
    _until(third, r"mip\S* +done")
    _stop(third, signal.SIGINT)
    assert third.returncode == 130
