"""Laws of the data collector: a retry sends the same body as the first attempt, and a collection can be ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import commands, emulator, reporter
from deploy.config import reader, validation
from deploy.domain.put_merge import AZURE_VARIABLES
from tests.laws.ground import Ground
from tests.laws.stage import Ahead
from tests.outsider import Outsider


@pytest.fixture(params=["in_place", "blue_green"])
def ground(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """An emulator with the files of an endpoint that collects, not applied yet."""
    found = Ground(tmp_path, request.param)
    collector = {"collections": {"request": {"enabled": "True"}}, "sampling_rate": 0.5}
    needed = ("name", "endpoint_name", "instance_type", "instance_count", "model")
    found.endpoint = {"name": "all-here"}
    found.deployment = {**{name: found.deployment[name] for name in needed}, "data_collector": collector}
    found.write("templates/all/pipeline.yml", {"rollout": {"strategy": request.param}, "retry": {"attempts": 1}})
    found.files()
    found.project = commands.Project(found.project.root, Ahead())
    file = validation.validate_environment(reader.read_environment(found.project.root, "law"))
    with found.project.connect(file.environment):
        found.outsider = Outsider()
        yield found


in_place = pytest.mark.parametrize("ground", ["in_place"], indirect=True)


def collections(ground: Ground, slot: str) -> dict[str, Any]:
    return dict(ground.outsider.get(f"all-here/deployments/{slot}")["properties"]["dataCollector"]["collections"])


@in_place
def test_the_second_attempt_sends_the_same(ground: Ground) -> None:
    """An operation that failed later is retried with the same complete body."""
    failed = {"kind": "operation_failed", "operation": "OnlineDeployments_CreateOrUpdate"}
    unseen = {"kind": "refuse", "status": 404, "operation": "OperationsStatus_Get"}
    emulator.begin(ground.project.state, faults=[failed, unseen])
    assert ground.apply() == []
    rows = emulator.requests(ground.project.state)
    assert sum("fault" in row["note"] for row in rows) == 2

    assert collections(ground, "blue")["request"]["samplingRate"] == 0.5
    assert ground.plan().steps == ()


def test_a_collector_removed_from_the_files_ends(ground: Ground) -> None:
    """The release without a collector ends the collection of the deployment that it goes to, in place or in the second
    release after it. The plan shows it; then it is empty.
    """
    assert ground.apply() == []
    del ground.deployment["data_collector"]
    said = []
    for number in ("1", "2"):
        ground.files(deployment={**ground.deployment, "environment_variables": {"N": number}})
        plan = ground.plan()
        said += [c for s in plan.steps for c in s.body.get("changes") or () if c["path"].endswith("request.enabled")]
        assert ground.apply() == []
        assert ground.plan().steps == ()

    assert [(c["path"], c["before"]) for c in said] == [("data_collector.collections.request.enabled", "True")] * len(
        said
    )
    assert {each["dataCollectionMode"] for each in collections(ground, "blue").values()} == {"disabled"}
    if "green" in ground.live or len(said) > 1:
        assert ground.outsider.get("all-here/deployments/green")["properties"]["dataCollector"] is None


@in_place
def test_sampling_rates_that_differ_are_preserved(ground: Ground) -> None:
    """A sampling rate of one collection, which files cannot express, neither blocks an update nor is lost in one."""
    ground.deployment["data_collector"] = {"collections": {n: {"enabled": "True"} for n in ("request", "response")}}
    ground.files()
    assert ground.apply() == []
    body = ground.outsider.get("all-here/deployments/blue")
    for name, rate in (("request", 0.25), ("response", 0.5)):
        body["properties"]["dataCollector"]["collections"][name]["samplingRate"] = rate
    ground.outsider.put("/onlineEndpoints/all-here/deployments/blue", body)
    assert ground.plan().steps == ()
    ground.files(deployment={**ground.deployment, "tags": {"new": "1"}})
    assert ground.apply() == []

    rates = {name: each["samplingRate"] for name, each in collections(ground, "blue").items()}
    assert rates == {"request": 0.25, "response": 0.5}
    assert ground.plan().steps == ()


@in_place
def test_what_only_azure_has_is_removed(ground: Ground) -> None:
    """A variable or a collection that another client added to a map of the files is shown and removed; then the plan is
    empty.
    """
    ground.deployment["environment_variables"] = {"OURS": "1"}
    ground.files()
    assert ground.apply() == []
    body = ground.outsider.get("all-here/deployments/blue")
    body["properties"]["environmentVariables"] |= {"HF_ENDPOINT": "x", "*": "odd", "a.b": "c"}
    body["properties"]["dataCollector"]["collections"]["more"] = {
        "dataCollectionMode": "Enabled",
        "samplingRate": 0.5,
    }
    ground.outsider.put("/onlineEndpoints/all-here/deployments/blue", body)
    (step,) = [step for step in ground.plan().steps if step.changes]

    assert {(c["path"], c["before"], c["after"]) for c in step.body["changes"]} >= {
        ("environment_variables.HF_ENDPOINT", "x", None),
        ("environment_variables.*", "odd", None),
        ("environment_variables.a.b", "c", None),
        ("data_collector.collections.more.enabled", "True", None),
    }
    assert reporter.plan_text(ground.plan()).count("(removed)") == len(step.body["changes"])
    assert ground.apply() == []
    held = ground.outsider.get("all-here/deployments/blue")["properties"]["environmentVariables"]
    assert {name for name in held if name not in AZURE_VARIABLES} == {"OURS"}
    assert collections(ground, "blue").keys() == {"request"}
    assert ground.plan().steps == ()
