"""A run that is killed at any request of a rollout with a gate: the next one continues at the same stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.domain import history
from deploy.domain.plan import Verb
from deploy.domain.traffic_shares import shares
from tests.laws.rollouts import endpoint
from tests.laws.stage import Stage, Victims

SCALE = 600
"""Seconds of the world's clock in a second: a bake of ten minutes takes one."""
ROLLOUT = {
    "probe": {"type": "http", "body": "request.json", "attempts": 1},
    "rollout": {"stages": [10, 60, 100], "bake": "10m", "gate": {"min_requests": 1}},
}
SOME = (15, 40)
"""The requests at which the default run kills."""


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


def test_the_next_run_continues(rollout: Stage, victims: Victims, request: pytest.FixtureRequest) -> None:
    """Its plan has only the stages that are left, and it promotes the release."""
    numbers = range(1, 10_000) if request.config.getoption("--laws") == "full" else SOME
    stages, killed = set(), 0
    for number in numbers:
        rollout.begin("2")
        emulator.clock(rollout.state, scale=SCALE)
        if not victims.kill_one(rollout, {"number": number}):
            break
        killed += 1
        now = shares(body(rollout)).get("green", 0)
        stages.add(now)
        plan = commands.plan(rollout.world.project, "law")
        ahead = [step.body["after"].get("green", 0) for step in plan.steps if step.verb is Verb.SHIFT]
        assert ahead == [share for share in (10, 60, 100) if share > now], number
        assert victims.run_one(rollout) == 0, number
        assert shares(body(rollout)) == {"green": 100}, number
        assert history.stage(body(rollout)) is None, number
    assert killed
    assert rollout.broken == []
    if len(numbers) > len(SOME):
        assert stages == {0, 10, 60, 100}
