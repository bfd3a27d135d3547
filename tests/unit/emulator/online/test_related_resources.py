"""Tags, autoscale settings, quota of workspaces, name checks, Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/mip"
GROUP = f"/subscriptions/{default_world.SUBSCRIPTION}/resourceGroups/{default_world.GROUP}"
SCALE = "/providers/Microsoft.Insights/autoscaleSettings"
TAGS = f"{ENDPOINT}/providers/Microsoft.Resources/tags/default"
FAMILY = "standardDSv2Family"


def test_tags_are_read_and_written_at_once(azure: Azure) -> None:
    """PUT replaces; PATCH merges, replaces or deletes by name and value; the endpoint has them."""
    azure.endpoint()
    azure.finish_operations()
    put = azure.send("PUT", TAGS, {"properties": {"tags": {"a": "1", "b": "2"}}})
    assert (put.status, put.json["properties"]["tags"]) == (200, {"a": "1", "b": "2"})
    for operation, tags, left in (
        ("Merge", {"B": "3", "c": "4"}, {"a": "1", "B": "3", "c": "4"}),
        ("Delete", {"a": "1", "c": "other"}, {"B": "3", "c": "4"}),
        ("Replace", {"d": "5"}, {"d": "5"}),
    ):
        azure.send("PATCH", TAGS, {"operation": operation, "properties": {"tags": tags}})
        assert azure.get("mip")["tags"] == azure.send("GET", TAGS).json["properties"]["tags"] == left
    assert azure.get("mip")["properties"]["provisioningState"] == "Succeeded"
    assert azure.send("DELETE", TAGS).status == 200
    assert azure.get("mip")["tags"] == {}


def test_tags_of_deployments_and_limits(azure: Azure) -> None:
    """50 tags, names of 512 and values of 256 characters."""
    azure.serving_endpoint(blue=100)
    tags = TAGS.replace("/providers/Microsoft.Resources", "/deployments/blue/providers/Microsoft.Resources")
    many = {f"t{n}": "x" for n in range(50)}
    assert azure.send("PUT", tags, {"properties": {"tags": many}}).status == 200
    more = {"operation": "Merge", "properties": {"tags": {"t50": "x"}}}
    assert azure.send("PATCH", tags, more).code == "TagsLimitExceeded"
    assert azure.get("mip/deployments/blue")["tags"] == many
    assert azure.send("PUT", tags, {"properties": {"tags": {"a": "x" * 257}}}).code == "InvalidTagNameOrValue"
    assert azure.send("PATCH", tags, {"operation": "Shake"}).status == 400
    assert azure.send("GET", TAGS.replace("mip", "none")).code == "ResourceNotFound"


def _setting(least: int = 1, most: int = 3, default: int = 1) -> dict[str, Any]:
    capacity = {"minimum": str(least), "maximum": str(most), "default": str(default)}
    profile = {"name": "all day", "capacity": capacity, "rules": []}
    return {
        "location": "eastus",
        "properties": {"targetResourceUri": f"{ENDPOINT}/deployments/blue", "profiles": [profile]},
    }


def test_autoscale_settings_outlive_their_deployment(azure: Azure) -> None:
    """201, 200, listed in group and subscription, deleted."""
    one = f"{GROUP}{SCALE}/mip-blue"
    assert azure.send("PUT", one, _setting()).status == 201
    assert azure.send("PUT", one, _setting(most=5)).status == 200
    found = azure.send("GET", one).json
    assert (found["properties"]["enabled"], found["properties"]["name"]) == (True, "mip-blue")
    assert found["properties"]["profiles"][0]["capacity"]["maximum"] == "5"
    azure.serving_endpoint(blue=100)
    azure.send("DELETE", ENDPOINT)
    azure.finish_operations()
    for place in (GROUP, f"/subscriptions/{default_world.SUBSCRIPTION}"):
        assert [item["name"] for item in azure.send("GET", place + SCALE).json["value"]] == ["mip-blue"]
    assert [azure.send("DELETE", one).status, azure.send("DELETE", one).status] == [200, 204]
    assert azure.send("GET", one).code == "ResourceNotFound"


@given(st.integers(-2, 5), st.integers(-2, 5), st.integers(-2, 5))
def test_an_autoscale_capacity_must_be_ordered(least: int, default: int, most: int) -> None:
    """Only 0 <= minimum <= default <= maximum is valid."""
    from deploy.emulator.online import autoscale
    from deploy.emulator.wire.responses import Refusal

    profile = _setting(least, most, default)["properties"]["profiles"][0]
    try:
        autoscale._check_capacity(profile)
        accepted = True
    except Refusal:
        accepted = False
    assert accepted == (0 <= least <= default <= most)


@pytest.mark.parametrize("change", [{"profiles": []}, {"profiles": ["x"]}, {"targetResourceUri": None}])
def test_an_invalid_autoscale_setting_is_refused(azure: Azure, change: dict[str, Any]) -> None:
    """It needs a target and 1 to 20 profiles."""
    body = _setting()
    body["properties"] |= change
    assert azure.send("PUT", f"{GROUP}{SCALE}/x", body).code == "BadRequest"


def test_update_quotas_limits_a_workspace(azure: Azure) -> None:
    """Each row has its status; the limit is enforced; -1 removes it."""

    def update(limit: int, family: str = FAMILY, place: str = WORKSPACE) -> str:
        row = {"id": f"{place}/quotas/{family}", "type": "x", "limit": limit, "unit": "Count"}
        reply = azure.send("POST", f"{LOCATION}/updateQuotas", {"value": [row], "location": "eastus"})
        return str(reply.json["value"][0]["status"])

    assert update(10) == "Success"
    assert update(10, "Standard_NCASv3_T4_Family") == "Success"
    assert update(101) == "InvalidQuotaExceedsSubscriptionLimit"
    assert update(1, "standardXFamily") == "InvalidVMFamilyName"
    assert update(1, place=GROUP) == "Undefined"
    azure.endpoint()
    azure.finish_operations()
    assert azure.deployment().status == 201  # 8 cores
    assert "Current usage/limit: 8/10. Additional needed: 8 " in azure.deployment("green").message
    assert update(7) == "InvalidQuotaBelowClusterMinimum"
    assert update(-1) == "Success"
    assert azure.deployment("green").status == 201
    assert azure.send("POST", f"{LOCATION}/updateQuotas", {"value": "x"}).status == 400


def test_endpoint_name_availability(azure: Azure) -> None:
    """Free, used in the region, or invalid."""
    assert azure.get("mip/checkNameAvailability")["nameAvailable"] is True
    azure.endpoint()
    assert azure.get("mip/checkNameAvailability")["reason"] == "AlreadyExists"
    assert azure.get("1x/checkNameAvailability")["reason"] == "Invalid"
    who = azure.sign_in("x")
    assert azure.send("GET", f"{ENDPOINT}/checkNameAvailability").status == 403
    azure.assign_role(who, builtin_roles.READER, WORKSPACE)
    assert azure.send("GET", f"{ENDPOINT}/checkNameAvailability").status == 200


def test_kubernetes_is_refused(azure: Azure) -> None:
    """For endpoints and deployments, with the missing part in the message."""
    assert "Kubernetes compute 'k8s' was not found" in azure.endpoint(compute=f"{WORKSPACE}/computes/k8s").message
    azure.endpoint()
    azure.finish_operations()
    assert "attached Kubernetes compute" in azure.deployment(endpointComputeType="Kubernetes").message


def test_a_registry_is_readable_on_the_control_plane(azure: Azure) -> None:
    """With permission."""
    path = f"{GROUP}/providers/Microsoft.MachineLearningServices/registries/azureml"
    assert azure.send("GET", path).json["name"] == "azureml"
