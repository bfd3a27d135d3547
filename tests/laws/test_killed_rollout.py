"""A rollout with a gate under kills, refusals and lost answers at any request: the next run continues, or begins again
with all traffic on the live release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.domain import history
from deploy.domain.plan import Verb
from deploy.domain.traffic_shares import shares
from tests.laws.rollouts import elsewhere, endpoint
from tests.laws.stage import Stage, Victims

SCALE = 600
"""Seconds of the world's clock in a second: a bake of ten minutes takes one."""
ROLLOUT = {
    "probe": {"type": "http", "body": "request.json", "attempts": 1},
    "rollout": {"stages": [10, 60, 100], "bake": "10m", "gate": {"min_requests": 1}},
}
Place = Mapping[str, Any]
"""Which request of a run."""
SHARES = 8
"""The tests that share all requests with `--laws full`; one more has each change."""
SOME: tuple[Place, ...] = ({"number": 40},)
"""Where the default run kills, and where its fault is: after the first stage."""
FAULTS = (
    {"kind": "refuse", "status": 400, "code": "BadRequest"},
    {"kind": "lose"},
    {"kind": "refuse", "status": 503, "code": "ServiceUnavailable", "times": 3},
)
"""With `--laws full` each meets every third request of a share, so that together they meet all."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "places" not in metafunc.fixturenames:
        return
    every: list[Sequence[Place]] = [[{"number": n} for n in range(share + 1, 400, SHARES)] for share in range(SHARES)]
    changes = [{"number": n, "mutating": True} for n in range(1, 20)]
    chosen = [*every, changes] if metafunc.config.getoption("--laws") == "full" else [SOME]
    metafunc.parametrize("places", chosen, ids=[str(number) for number in range(len(chosen))])


@pytest.fixture
def rollout(stage: Stage) -> Iterator[Stage]:
    """A stage whose template has a gate, with release 1 live."""
    path = stage.world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    before = path.read_text()
    path.write_text(yaml.safe_dump(ROLLOUT))
    stage.world.lock = "off"
    yield stage
    path.write_text(before)
    stage.world.lock = "required"


def body(stage: Stage) -> dict[str, Any]:
    return endpoint(stage.state / "world.sqlite")[0]


def from_elsewhere(stage: Stage, folder: Path) -> Path:
    """The folder of the next run."""
    return elsewhere(stage.world.project, folder)


def test_the_next_run_continues(rollout: Stage, victims: Victims, places: Sequence[Place], tmp_path: Path) -> None:
    """From another folder: its plan has only the stages that are left, and it promotes the release."""
    stages = set()
    for place in places:
        rollout.begin("2")
        other = from_elsewhere(rollout, tmp_path / str(place["number"]))
        emulator.clock(rollout.state, scale=SCALE)
        if not victims.kill_one(rollout, place):
            break
        plan = commands.plan(rollout.world.project, "law")
        now = shares(body(rollout)).get("green", 0)
        stages.add(now)
        ahead = [step.body["after"].get("green", 0) for step in plan.steps if step.verb is Verb.SHIFT]
        assert ahead == [share for share in (10, 60, 100) if share > now], place
        assert victims.run_one(other) == 0, place
        assert shares(body(rollout)) == {"green": 100}, place
        assert history.stage(body(rollout)) is None, place
    assert rollout.broken == []
    assert stages >= ({0, 10, 60, 100} if "mutating" in places[0] else {10} if len(places) == 1 else {0, 10, 60})


def test_a_fault_leaves_one_whole_release(
    rollout: Stage, victims: Victims, places: Sequence[Place], tmp_path: Path
) -> None:
    """Law 2 and 3: the run succeeds, or all traffic is on the live release; then the next run succeeds."""
    met = 0
    for number, place in enumerate(places):
        fault = {**FAULTS[number % len(FAULTS)], **place}
        rollout.begin("2")
        other = from_elsewhere(rollout, tmp_path / str(place["number"]))
        emulator.clock(rollout.state, scale=SCALE)
        rollout.order(fault)
        end = victims.run_one(rollout.world.project.root)
        if not any("fault" in row["note"] for row in emulator.requests(rollout.state)):
            break
        met += 1
        rollout.order()
        assert end in (0, 4, 5, 7), fault
        assert shares(body(rollout)) == ({"green": 100} if end == 0 else {"blue": 100}), (fault, end)
        assert victims.run_one(other) == 0, fault
        assert shares(body(rollout)) == {"green": 100}, fault
        assert history.stage(body(rollout)) is None, fault
    assert met
    assert rollout.broken == []
