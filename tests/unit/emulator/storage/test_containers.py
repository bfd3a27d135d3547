"""Containers on both planes: rows, metadata, versions, names; one lease."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import Azure

BOX = "/stmlwlocal.blob.core.windows.net/box"
DATA = f"{BOX}?restype=container"
ACCOUNT = default_world.STORAGE_ID
CONTAINERS = f"{ACCOUNT}/blobServices/default/containers"
ARM = f"{CONTAINERS}/box"
A = "00000000-0000-4000-8000-00000000000a"
FINITE = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15", "x-ms-proposed-lease-id": A}


def shown(azure: Azure) -> tuple[Any, ...]:
    """State, status and duration of the lease: the same on both planes."""
    headers, properties = azure.send("HEAD", DATA).headers, azure.send("GET", ARM).json["properties"]
    found = tuple(headers.get(f"x-ms-lease-{name}") for name in ("state", "status", "duration"))
    names = ("leaseState", "leaseStatus", "leaseDuration")
    assert tuple(properties[name].lower() if name in properties else None for name in names) == found
    return found


def test_a_container_is_created_once_on_the_data_plane(azure: Azure) -> None:
    """201, then 409; the Resource Manager shows it with its metadata."""
    assert azure.send("GET", DATA).status == 404
    assert azure.send("PUT", DATA, b"", {"x-ms-meta-a": "1"}).status == 201
    again = azure.send("PUT", DATA)
    assert (again.status, again.headers["x-ms-error-code"]) == (409, "ContainerAlreadyExists")
    found = azure.send("GET", ARM).json
    assert (found["id"], found["type"]) == (ARM, "Microsoft.Storage/storageAccounts/blobServices/containers")
    assert found["properties"]["metadata"] == {"a": "1"}
    assert azure.send("GET", DATA).headers["x-ms-meta-a"] == "1"


def test_the_resource_manager_upserts_changes_lists_and_deletes(azure: Azure) -> None:
    """201, then 200; PATCH replaces the metadata; 200 and 204 for a deletion."""
    assert azure.send("PUT", ARM, {}).status == 201
    assert azure.send("PUT", ARM, {"properties": {"metadata": {"a": "1"}}}).status == 200
    assert azure.send("PUT", ARM, {}).json["properties"]["metadata"] == {"a": "1"}
    assert azure.send("PATCH", ARM, {"properties": {"metadata": {"b": "2"}}}).json["properties"]["metadata"] == {
        "b": "2"
    }
    assert azure.send("HEAD", DATA).headers["x-ms-meta-b"] == "2"
    names = [item["name"] for item in azure.send("GET", CONTAINERS).json["value"]]
    assert names == ["azureml", f"azureml-blobstore-{default_world.WORKSPACE_GUID}", "box"]
    assert [azure.send("DELETE", ARM).status for _ in range(2)] == [200, 204]
    assert (azure.send("GET", ARM).status, azure.send("HEAD", DATA).status) == (404, 404)
    assert azure.send("PATCH", ARM, {}).code == "ContainerNotFound"


@pytest.mark.parametrize(
    "body",
    [{"properties": []}, {"properties": {"metadata": [1]}}, {"properties": {"metadata": {"a": 1}}},
     {"properties": {"publicAccess": "All"}}],
)  # fmt: skip
def test_an_invalid_body_is_refused(azure: Azure, body: Any) -> None:
    """400; nothing is created."""
    assert azure.send("PUT", ARM, body).status == 400
    assert azure.send("GET", ARM).status == 404


@pytest.mark.parametrize("name", ["ab", "Box", "a--b", "-ab", "a_b", "x" * 64])
def test_an_invalid_name_is_refused(azure: Azure, name: str) -> None:
    """On both planes."""
    assert azure.send("PUT", f"{CONTAINERS}/{name}", {}).code == "InvalidResourceName"
    refused = azure.send("PUT", f"/stmlwlocal.blob.core.windows.net/{name}?restype=container")
    assert refused.headers["x-ms-error-code"] == "InvalidResourceName"


def test_a_lease_call_changes_no_version_and_a_metadata_write_does(azure: Azure) -> None:
    """ETag and Last-Modified of a container, on both planes."""
    azure.send("PUT", DATA)
    seen = []
    for method, path, body, headers in (
        ("PUT", f"{DATA}&comp=lease", b"", FINITE), ("PUT", f"{DATA}&comp=metadata", b"", {}),
        ("POST", f"{ARM}/lease", {"action": "Break"}, {}), ("PATCH", ARM, {"properties": {"metadata": {}}}, {}),
    ):  # fmt: skip
        azure.clock.advance(2)
        before = azure.send("HEAD", DATA).headers
        azure.send(method, path, body, headers)
        after = azure.send("HEAD", DATA).headers
        assert after["etag"] == azure.send("GET", ARM).json["etag"]
        seen.append((before["etag"] == after["etag"], before["last-modified"] == after["last-modified"]))
    assert seen == [(True, True), (False, False)] * 2


def test_a_lease_is_one_on_both_planes(azure: Azure) -> None:
    """Acquired with ARM, renewed on the data plane, broken with ARM, released on the data plane."""
    azure.send("PUT", DATA)
    assert shown(azure) == ("available", "unlocked", None)
    acquired = azure.send("POST", f"{ARM}/lease", {"action": "Acquire", "leaseDuration": 60, "proposedLeaseId": A})
    assert (acquired.status, acquired.json) == (200, {"leaseId": A})
    assert shown(azure) == ("leased", "locked", "fixed")
    azure.clock.advance(50)
    renewed = azure.send("PUT", f"{DATA}&comp=lease", b"", {"x-ms-lease-action": "renew", "x-ms-lease-id": A.upper()})
    assert (renewed.status, renewed.headers["x-ms-lease-id"]) == (200, A)
    azure.clock.advance(50)
    broken = azure.send("POST", f"{ARM}/lease", {"action": "Break"})
    assert (broken.status, broken.json) == (200, {"leaseTimeSeconds": "10"})
    assert shown(azure) == ("breaking", "locked", None)
    azure.clock.advance(10)
    assert shown(azure) == ("broken", "unlocked", None)
    assert azure.send("POST", f"{ARM}/lease", {"action": "Release", "leaseId": A}).json == {}
    assert shown(azure) == ("available", "unlocked", None)
    azure.send("PUT", f"{DATA}&comp=lease", b"", {**FINITE, "x-ms-lease-duration": "-1"})
    assert shown(azure) == ("leased", "locked", "infinite")


def test_a_leased_container_is_deleted_only_with_its_id(azure: Azure) -> None:
    """Its metadata can be written without; leases on its blobs do not count."""
    azure.send("PUT", DATA)
    azure.send("PUT", f"{BOX}/blob", b"content")
    azure.send("PUT", f"{BOX}/blob?comp=lease", b"", FINITE)
    azure.send("PUT", f"{DATA}&comp=lease", b"", FINITE)
    assert azure.send("PUT", f"{DATA}&comp=metadata").status == 200
    other = {"x-ms-lease-id": A.replace("a", "b")}
    wrong = azure.send("PUT", f"{DATA}&comp=metadata", b"", other)
    assert (wrong.status, wrong.headers["x-ms-error-code"]) == (412, "LeaseIdMismatchWithContainerOperation")
    refused = azure.send("DELETE", DATA)
    assert (refused.status, refused.headers["x-ms-error-code"]) == (412, "LeaseIdMissing")
    assert b"on the container" in refused.content
    assert azure.send("DELETE", ARM).code == "LeaseIdMissing"
    assert azure.send("DELETE", DATA, b"", other).status == 412
    assert azure.send("DELETE", DATA, b"", {"x-ms-lease-id": A}).status == 202
    azure.send("PUT", DATA)
    assert azure.send("GET", f"{BOX}/blob").status == 404


def test_the_account_shows_the_storage_setting(azure: Azure) -> None:
    """Shared keys, network; the Resource Manager is reachable when the data plane is closed."""
    properties = azure.send("GET", ACCOUNT).json["properties"]
    assert (properties["allowSharedKeyAccess"], properties["publicNetworkAccess"]) == (True, "Enabled")
    azure.send("PUT", "/emulator/settings", {"storage": {"network": "closed", "shared_key": "off"}})
    properties = azure.send("GET", ACCOUNT).json["properties"]
    assert (properties["allowSharedKeyAccess"], properties["networkAcls"]["defaultAction"]) == (False, "Deny")
    assert azure.send("PUT", ARM, {}).status == 201
    lease = {"action": "Acquire", "leaseDuration": -1, "proposedLeaseId": A}
    assert azure.send("POST", f"{ARM}/lease", lease).json == {"leaseId": A}
    assert azure.send("GET", f"{ACCOUNT}2").status == 404
    assert azure.send("GET", f"{ACCOUNT}/blobServices/other/containers").status == 404


@pytest.mark.parametrize(
    ("role", "lease", "read"),
    [
        (builtin_roles.CONTRIBUTOR, 200, 200), (builtin_roles.STORAGE_CONTRIBUTOR, 200, 200),
        (builtin_roles.BLOB_CONTRIBUTOR, 403, 200), (builtin_roles.DATA_SCIENTIST, 403, 403),
        (builtin_roles.READER, 403, 200),
    ],
)  # fmt: skip
def test_an_arm_lease_needs_lease_action(azure: Azure, role: str, lease: int, read: int) -> None:
    """`containers/lease/action`: neither a role for blobs nor AzureML Data Scientist has it."""
    azure.send("PUT", ARM, {})
    azure.assign_role(azure.sign_in("holder"), role, f"/subscriptions/{default_world.SUBSCRIPTION}")
    held = azure.send("POST", f"{ARM}/lease", {"action": "Acquire", "leaseDuration": 15})
    assert (held.status, azure.send("GET", ARM).status) == (lease, read)
    if lease == 403:
        assert "Microsoft.Storage/storageAccounts/blobServices/containers/lease/action" in held.message
