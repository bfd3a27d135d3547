"""Datastores: those of a new workspace, and those that clients add."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import WORKSPACE, Azure
from tests.unit.emulator.workspace.test_asset_versions import names

PATH = f"{WORKSPACE}/datastores/mine"
OWN: dict[str, Any] = {
    "datastoreType": "AzureBlob", "accountName": "account", "containerName": "box", "endpoint": "core.windows.net",
    "protocol": "https", "tags": {},
    "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "hush"}},
}  # fmt: skip


def test_a_workspace_has_four_datastores(azure: Azure) -> None:
    """The default one is the newest; its container is named after the workspace's id."""
    listed = azure.send("GET", f"{WORKSPACE}/datastores").json["value"]
    assert [(item["name"], item["properties"]["datastoreType"]) for item in listed] == [
        ("workspaceblobstore", "AzureBlob"), ("workspaceworkingdirectory", "AzureFile"),
        ("workspaceartifactstore", "AzureBlob"), ("workspacefilestore", "AzureFile"),
    ]  # fmt: skip
    guid = azure.send("GET", WORKSPACE).json["properties"]["workspaceId"]
    assert listed[0]["properties"] == {
        "description": None, "tags": None, "properties": None, "isDefault": True,
        "credentials": {"credentialsType": "AccountKey"}, "subscriptionId": default_world.SUBSCRIPTION,
        "resourceGroup": default_world.GROUP, "datastoreType": "AzureBlob",
        "accountName": "127.0.0.1:1234/stmlwlocal", "containerName": f"azureml-blobstore-{guid}",
        "endpoint": "core.windows.net", "protocol": "https",
        "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
    }  # fmt: skip
    found = {
        query: names(azure, f"datastores?{query}")
        for query in ("isDefault=true", "names=workspacefilestore,workspaceblobstore", "orderByAsc=true&count=1")
    }
    assert [len(found) for found in found.values()] == [1, 2, 1]
    assert found["orderByAsc=true&count=1"] == ["workspacefilestore"]


def test_a_datastore_is_created_changed_and_deleted(azure: Azure) -> None:
    """201 with its address and the whole query, 200, 200, 204; its secrets are only in listSecrets."""
    made = azure.send("PUT", f"{PATH}?api-version=2024-04-01&skipValidation=true", {"properties": OWN})
    assert made.status == 201
    assert made.headers["location"] == f"https://127.0.0.1:1234{PATH}?api-version=2024-04-01&skipValidation=true"
    assert made.json["properties"] == {
        "description": None, "tags": {}, "properties": None, "isDefault": False,
        "credentials": {"credentialsType": "AccountKey"}, "subscriptionId": None, "resourceGroup": None,
        "datastoreType": "AzureBlob", "accountName": "account", "containerName": "box",
        "endpoint": "core.windows.net", "protocol": "https", "serviceDataAccessAuthIdentity": "None",
    }  # fmt: skip
    assert azure.send("GET", PATH).json == made.json
    assert azure.send("POST", f"{PATH}/listSecrets").json == {"secretsType": "AccountKey", "key": "hush"}
    again = azure.send("PUT", PATH, {"properties": {**OWN, "description": "new", "isDefault": True}})
    shown = again.json["properties"]
    assert (again.status, shown["description"], shown["isDefault"]) == (200, "new", False)
    assert [azure.send("DELETE", PATH).status for _ in range(2)] == [200, 204]
    missing = azure.send("GET", PATH)
    assert (missing.status, missing.code, missing.message) == (404, "UserError", "Could not find datastore: mine.")
    assert missing.json["error"]["additionalInfo"][-1]["info"]["value"]["code"] == "NotFoundError"


def test_a_datastore_without_credentials_has_no_secrets(azure: Azure) -> None:
    """It is read with the caller's identity."""
    azure.send("PUT", PATH, {"properties": {**OWN, "credentials": {"credentialsType": "None"}}})
    refused = azure.send("POST", f"{PATH}/listSecrets")
    assert (refused.status, refused.message) == (400, "No secrets for credentials of type None.")


def test_the_default_datastore_can_be_written_back(azure: Azure) -> None:
    """With the account that the client read. Its address is not stored: the emulator can have another port later."""
    path = f"{WORKSPACE}/datastores/workspaceblobstore"
    before = azure.send("GET", path).json
    assert azure.send("PUT", path, {"properties": {**before["properties"], "tags": {"a": "b"}}}).status == 200
    assert azure.send("GET", path).json["properties"] == {**before["properties"], "tags": {"a": "b"}}
    stored = azure.world.get(path)
    assert stored is not None
    assert stored.properties["accountName"] == "stmlwlocal"
    assert azure.send("POST", f"{path}/listSecrets").json["secretsType"] == "AccountKey"


@pytest.mark.parametrize(
    "changes", [{"datastoreType": "Disk"}, {"credentials": None}, {"credentials": {"credentialsType": "Password"}}]
)
def test_an_invalid_datastore_is_refused(azure: Azure, changes: dict[str, Any]) -> None:
    """It needs a type and credentials."""
    assert azure.send("PUT", PATH, {"properties": {**OWN, **changes}}).code == "UserError"
