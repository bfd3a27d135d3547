"""Tags, quota of workspaces, name checks, Kubernetes."""

from __future__ import annotations

from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/mip"
GROUP = f"/subscriptions/{default_world.SUBSCRIPTION}/resourceGroups/{default_world.GROUP}"
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
