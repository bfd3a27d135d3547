"""Laws of the data collector: what a PUT of one does, at the second attempt as at the first, and how it is ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import emulator, reader, validator, verbs
from tests.laws.ground import Ground
from tests.laws.stage import Ahead
from tests.outsider import Outsider


@pytest.fixture(params=["in_place"])
def ground(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """An emulator with the files of an endpoint that collects, not applied yet."""
    found = Ground(tmp_path, request.param)
    collector = {"collections": {"request": {"enabled": "True"}}, "sampling_rate": 0.5}
    needed = ("name", "endpoint_name", "instance_type", "instance_count", "model")
    found.endpoint = {"name": "all-here"}
    found.deployment = {**{name: found.deployment[name] for name in needed}, "data_collector": collector}
    found.write("templates/all/pipeline.yml", {"rollout": {"strategy": request.param}, "retry": {"attempts": 1}})
    found.files()
    found.project = verbs.Project(found.project.root, Ahead())
    file = validator.validate_environment(reader.read_environment(found.project.root, "law"))
    with found.project.connect(file.environment):
        found.outsider = Outsider()
        yield found


@pytest.mark.parametrize("what", ["OnlineEndpoints", "OnlineDeployments"])
def test_the_second_attempt_sends_the_same(ground: Ground, what: str) -> None:
    """An operation that failed out of sight is asked for again, with a body that says all that the first did."""
    failed = {"kind": "operation_failed", "operation": f"{what}_CreateOrUpdate"}
    unseen = {"kind": "refuse", "status": 404, "operation": "OperationsStatus_Get"}
    emulator.begin(ground.project.state, faults=[failed, unseen])
    assert ground.apply() == []
    rows = emulator.requests(ground.project.state)
    assert sum("fault" in row["note"] for row in rows) == 2

    held = ground.outsider.get(ground.live)["properties"]["dataCollector"]["collections"]
    assert held["request"]["samplingRate"] == 0.5
    assert ground.plan().steps == ()
