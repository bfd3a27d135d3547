"""Operations: how often a change is sent, what is read before it is sent again, and how many requests an
apply needs.
"""

from __future__ import annotations

import collections
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from tests.laws.stage import MOST_SENDS, Stage

BUSY = {
    "kind": "refuse", "status": 409, "code": "Conflict", "times": "always",
    "message": "Cannot create a deployment in endpoint x because it is in Updating provisioning state",
}  # fmt: skip
CHANGES = ("OnlineEndpoints_CreateOrUpdate", "OnlineDeployments_CreateOrUpdate")


def patient(stage: Stage) -> None:
    """A pipeline.yml with many attempts and a long deadline."""
    stage.begin("1")
    path = stage.world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    for entry in body["endpoints"].values():
        entry["values"]["attempts"] = 20
    path.write_text(yaml.safe_dump(body))


@pytest.mark.parametrize("operation", CHANGES)
def test_a_permanent_409_is_sent_four_times(stage: Stage, operation: str) -> None:
    """409 "is in Updating provisioning state", always: four sends, each after a pause."""
    patient(stage)
    stage.order({**BUSY, "operation": operation})
    end = stage.apply()
    assert end.codes == ("AML330",)
    sent = [times for (method, path), times in end.sent.items() if method == "PUT" and "/onlineEndpoints/" in path]
    assert 1 < max(sent) <= MOST_SENDS


@pytest.mark.parametrize("operation", CHANGES)
def test_a_cancelled_operation_is_read_before_it_is_sent_again(stage: Stage, operation: str) -> None:
    """Between the end of an operation and the next send of the same change, the changed resource is read."""
    patient(stage)
    after = stage.last()
    stage.order({"kind": "operation_canceled", "operation": operation})
    assert stage.apply().exit == 0
    rows = [row for row in emulator.requests(stage.state, after=after) if not row["operation"].startswith("Blob_")]
    ended = next(n for n, row in enumerate(rows) if row["operation"] == "OperationsStatus_Get")
    again = next(n for n, row in enumerate(rows) if n > ended and row["method"] == "PUT")
    looked = [row["path"].partition("?")[0] for row in rows[ended + 1 : again] if row["method"] == "GET"]
    assert rows[again]["operation"] == operation
    assert rows[again]["path"].partition("?")[0] in looked


@pytest.mark.parametrize("fault", ["lose", "operation_vanished"])
def test_completed_scaling_is_not_sent_again(stage: Stage, fault: str) -> None:
    """Its answer or operation was lost: Azure returns two instances, as desired."""
    stage.begin("1")
    assert stage.apply().exit == 0
    stage.world.want(release="1", count=2)
    stage.order({"kind": fault, "operation": "OnlineDeployments_Update"})
    end = stage.apply()
    assert (end.exit, end.strikes) == (0, 1)
    assert [times for (method, _), times in end.sent.items() if method == "PATCH"] == [1]


def test_failed_scaling_is_reported_as_failed(stage: Stage) -> None:
    """Its operation failed unseen: two instances are set, and the deployment is Failed."""
    stage.begin("1")
    assert stage.apply().exit == 0
    stage.world.want(release="1", count=2)
    stage.order(
        {"kind": "operation_failed", "operation": "OnlineDeployments_Update"},
        {"kind": "refuse", "status": 404, "operation": "OperationResults_Get"},
    )
    end = stage.apply()
    assert (end.exit, end.strikes) == (0, 2)
    assert [times for (method, _), times in end.sent.items() if method == "PATCH"] == [2]


def test_an_apply_needs_few_requests(stage: Stage) -> None:
    """Shared resources are read once, including the reads of the SDK, and each operation is polled at short
    intervals.
    """
    stage.begin("1")
    path = stage.world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    (entry,) = body["endpoints"].values()
    keys = [f"ep{n}" for n in range(4)]
    path.write_text(yaml.safe_dump({**body, "endpoints": dict.fromkeys(keys, entry)}))
    after = stage.last()
    assert stage.apply().exit == 0
    asked: collections.Counter[Any] = collections.Counter(
        row["operation"] for row in emulator.requests(stage.state, after=after) if row["plane"] == "arm"
    )
    twice = {"Usages_List", "Quotas_List", "Permissions_List", "VirtualMachineSizes_List"}
    assert {name: asked[name] for name in twice if asked[name] > 2} == {}
    assert asked["OnlineEndpoints_List"] <= 4  # before, after, and during the creation
    assert asked["AutoscaleSettings_ListByResourceGroup"] == 0  # these endpoints are new, and have no `scale`
    assert asked["OnlineEndpoints_CheckNameAvailability"] == len(keys)
    assert asked["Workspaces_Get"] <= 1 + len(keys)  # all threads can start at the same time
    assert asked["OnlineEndpoints_Get"] <= 3 * len(keys)  # creation, read before the traffic update, traffic update
    assert asked["OnlineDeployments_Get"] <= 2 * len(keys)
    assert asked["OperationsStatus_Get"] == 0


def test_a_plan_without_changes_reads_no_policy(stage: Stage) -> None:
    """Policies are only asked about for what is created or changed."""
    stage.begin("1")
    assert stage.apply().exit == 0
    after = stage.last()
    assert commands.plan(stage.world.project, "law").steps == ()
    assert not any("Polic" in row["operation"] for row in emulator.requests(stage.state, after=after))
    stage.want("2")
    commands.plan(stage.world.project, "law")
    assert any("Polic" in row["operation"] for row in emulator.requests(stage.state, after=after))
