"""Shared quota: eligibility, the pool, and the deletion at the end."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from deploy.emulator.quota import vm_sizes
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure, Reply

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/mip"
A100 = "Standard_NC96ads_A100_v4"


def _shared(azure: Azure, hours: float = 168, name: str = "mip", **more: str) -> Reply:
    when = format_datetime(datetime.fromtimestamp(azure.clock.now() + hours * 3600, UTC), usegmt=True)
    return azure.endpoint(
        name, properties={"SharedComputeCapacityEnabled": "true", "TargetAutoDeletionTime": when, **more}
    )


def _used(azure: Azure) -> dict[str, int]:
    rows = azure.send("GET", f"{LOCATION}/usages").json["value"]
    return {row["name"]["value"]: row["currentValue"] for row in rows if "lowPriority" not in row["type"]}


def test_shared_quota_uses_no_family_quota_and_ends_after_168_hours(azure: Azure) -> None:
    """The endpoint is deleted with its deployments by the world's clock; role assignments stay as orphans."""
    made = _shared(azure)
    assert made.status == 201
    principal = azure.get("mip")["identity"]["principalId"]
    azure.finish_operations()
    assert vm_sizes.find(A100) is not None
    assert azure.deployment(instances=5, instanceType=A100).status == 201  # 480 cores; the family has 96
    assert set(_used(azure).values()) == {0}
    azure.clock.advance(167 * 3600 - 3600)
    assert azure.get("mip/deployments/blue")["properties"]["provisioningState"] == "Succeeded"
    azure.clock.advance(3599)
    assert azure.send("GET", ENDPOINT).status == 200
    azure.clock.advance(3602)
    assert azure.send("GET", ENDPOINT).status == 404
    assert azure.send("GET", f"{ENDPOINT}/deployments/blue").status == 404
    assert azure.send("DELETE", ENDPOINT).status == 204
    listed = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{principal}'"
    assert len(azure.send("GET", listed).json["value"]) == 1
    assert _shared(azure).status == 201  # the name is free again


def test_updates_do_not_move_the_deadline(azure: Azure) -> None:
    """Another time is ignored; an existing endpoint cannot switch to shared quota."""
    first = _shared(azure, 24).json["properties"]["properties"]["TargetAutoDeletionTime"]
    azure.finish_operations()
    assert _shared(azure, 100).json["properties"]["properties"]["TargetAutoDeletionTime"] == first
    azure.clock.advance(24 * 3600)
    assert azure.send("GET", ENDPOINT).status == 404
    azure.endpoint()
    azure.finish_operations()
    assert "only when an endpoint is created" in _shared(azure).message
    azure.clock.advance(200 * 3600)
    assert azure.send("GET", ENDPOINT).status == 200


def test_deletion_cancels_the_scheduled_deletion(azure: Azure) -> None:
    """A later endpoint of the same name is not deleted."""
    _shared(azure, 10)
    azure.finish_operations()
    azure.send("DELETE", ENDPOINT)
    azure.finish_operations()
    azure.endpoint()
    azure.clock.advance(20 * 3600)
    assert azure.send("GET", ENDPOINT).status == 200


@pytest.mark.parametrize("when", ["", "2026-05-05T10:00:00Z", "soon", "Mon, 01 Jan 2001 00:00:00 GMT"])
def test_a_deadline_must_be_valid_and_in_the_future(azure: Azure, when: str) -> None:
    """In RFC 1123 format."""
    assert "TargetAutoDeletionTime" in _shared(azure, TargetAutoDeletionTime=when).message
    assert "168 hours" in _shared(azure, 169).message


def test_the_subscription_must_be_eligible(azure: Azure) -> None:
    """Eligibility is a setting."""
    azure.send("PUT", "/emulator/settings", {"shared_quota_eligible": False})
    assert "not eligible" in _shared(azure).message
    assert azure.endpoint(properties={"SharedComputeCapacityEnabled": "false"}).status == 201


def test_only_marked_models_allow_shared_quota(azure: Azure) -> None:
    """By property or by tag; a missing model fails later."""
    mine = f"{WORKSPACE}/models/mine/versions"
    for number, more in (("1", {}), ("2", {"tags": {"sharedComputeCapacityEnabled": ""}}),
                         ("3", {"properties": {"SharedComputeCapacityEnabled": "True"}}),
                         ("4", {"properties": {"SharedComputeCapacityEnabled": "False"}})):  # fmt: skip
        azure.send("PUT", f"{mine}/{number}", {"properties": {"modelUri": "x", **more}})
    _shared(azure)
    azure.finish_operations()
    assert "not marked" in azure.deployment("bad", model=f"{mine}/1").message
    assert "not marked" in azure.deployment("bad", model=f"{mine}/4").message
    assert azure.deployment("tagged", model=f"{mine}/2").status == 201
    assert azure.deployment("marked", model=f"{mine}/3").status == 201
    assert azure.deployment("none", model="azureml://registries/azureml/models/MedImageParse/versions/99").status == 201


def test_an_exhausted_pool_has_azures_message(azure: Azure) -> None:
    """It counts instances of all endpoints of the subscription; scaling down and deletion free them."""
    azure.send("PUT", "/emulator/settings", {"shared_quota_instances": 3})
    for name in ("mip", "mip-2"):
        _shared(azure, name=name)
    azure.finish_operations()
    assert azure.deployment(instances=2).status == 201
    refused = azure.deployment("green", "mip-2", instances=2)
    assert (refused.status, refused.code) == (400, "UserErrorFromQuotaService")
    assert "Simultaneous count exceeded for subscription." in refused.message
    azure.finish_operations()
    assert azure.deployment(instances=1).status == 201
    assert azure.deployment("green", "mip-2", instances=2).status == 201
    azure.finish_operations()
    azure.send("DELETE", f"{WORKSPACE}/onlineEndpoints/mip-2")
    azure.finish_operations()
    assert azure.deployment(instances=3).status == 201


def test_shared_quota_is_per_subscription(azure: Azure) -> None:
    """Family quota of others still counts."""
    azure.serving_endpoint(blue=100)
    _shared(azure, name="borrowed")
    azure.finish_operations()
    azure.deployment("blue", "borrowed", instances=4)
    assert _used(azure)["standardDSv2Family"] == 8
    assert default_world.SUBSCRIPTION in azure.get("borrowed")["id"]
