"""Law 4: the client is killed while it waits for the answer of request n, for every n; a re-run heals.

Without `--laws full` it is killed only at requests that change something. Kills at lease calls: test_interleavings.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy import commands, emulator
from tests.laws.stage import Stage, Victims, end_state
from tests.laws.test_faults import PLANES, RELEASES, places, undisturbed
from tests.order import share_emulator

SOME, ALL = 4, 40
"""The number of tests that share the cases: for mutating requests, and for all requests to Azure Resource Manager."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "share" in metafunc.fixturenames:
        shares = ALL if metafunc.config.getoption("--laws", default="some") == "full" else SOME
        metafunc.parametrize("share", range(shares))


def _cases(stage: Stage, *, full: bool) -> list[tuple[str, dict[str, Any]]]:
    """A release, and the number of the request at which the client is killed."""
    ends = {release: undisturbed(stage, release) for release in RELEASES}
    if full:
        lasts = {release: fitting[PLANES.index("arm")] for release, (_, _, fitting) in ends.items()}
        return [(release, {"plane": "arm", "number": n}) for release in RELEASES for n in range(1, lasts[release] + 1)]
    changes = {release: _changes(end.sent) for release, (end, _, _) in ends.items()}
    return [(release, {"plane": "arm", "mutating": True, "number": number}) for release, number in places(changes)]


def _changes(sent: Mapping[tuple[str, str], int]) -> int:
    """How many changes were sent to the Resource Manager; others went to storage."""
    return sum(times for (_, path), times in sent.items() if ".blob." not in path)


def test_killed(stage: Stage, victims: Victims, share: int, request: pytest.FixtureRequest) -> None:
    """The request has taken effect without an answer; the next apply completes it and leaves nothing over."""
    full = request.config.getoption("--laws", default="some") == "full"
    cases = _cases(stage, full=full)[share :: ALL if full else SOME]
    broken = {str(case): promises for case in cases if (promises := _broken(stage, victims, *case))}

    assert cases
    assert not broken, json.dumps(broken, indent=1)


def _broken(stage: Stage, victims: Victims, release: str, fits: dict[str, Any]) -> list[str]:
    """The promises that are broken for a client that was killed at one request."""
    _, wanted, _ = undisturbed(stage, release)
    stage.begin(release)
    killed = victims.kill_one(stage, fits)
    left = end_state(stage)["traffic"]
    promises = {
        "it is killed": killed,
        "traffic is 0 or 100": {sum(traffic) for traffic in left} <= {0, 100},
        "a re-run heals": stage.apply().exit == 0,
        "and brings what an undisturbed apply brings": end_state(stage) == wanted,
        "traffic was lawful at every event": not stage.broken,
    }
    return [promise for promise, kept in promises.items() if not kept]


def test_a_killed_rollback_is_finished_from_another_folder(stage: Stage, victims: Victims, tmp_path: Path) -> None:
    """Law 4: the client is killed at the change of a rollback; a clone on another machine finishes it."""
    stage.begin("2")
    assert stage.apply().exit == 0
    assert end_state(stage)["live"] == ["2"]
    assert victims.kill_one(stage, {"plane": "arm", "mutating": True}, at_work="rollback")
    clone = shutil.copytree(stage.world.project.root, tmp_path / "clone", ignore=lambda *_: [".amldeploy"])
    running = emulator.find(stage.state)
    assert running
    share_emulator(running, clone / ".amldeploy")
    done = commands.rollback(
        replace(stage.world.project, root=clone), "law", every=True, approve=lambda *_: None, emit=stage.watch
    )

    assert done.report.ok
    assert end_state(stage)["live"] == ["1"]
    assert not stage.broken
