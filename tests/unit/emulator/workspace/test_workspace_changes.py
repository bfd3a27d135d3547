"""Workspaces are created, changed and deleted with long-running operations."""

from __future__ import annotations

from typing import Any

from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import WORKSPACE, Azure, Reply, deployment_body, endpoint_body

NEW = WORKSPACE.replace("mlw-local", "mlw-new")
HOST = "https://127.0.0.1:1234"


def _put(azure: Azure, path: str = NEW, kind: str = "Default", **properties: Any) -> Reply:
    linked = {"storageAccount": default_world.STORAGE_ID, "keyVault": default_world.VAULT_ID}
    body = {"location": "eastus", "kind": kind, "tags": {"a": "1"}, "properties": {**linked, **properties}}
    return azure.send("PUT", path, body)


def _follow(azure: Azure, reply: Reply, header: str = "azure-asyncoperation") -> Reply:
    return azure.send("GET", reply.headers[header].removeprefix(HOST))


def test_a_workspace_is_created(azure: Azure) -> None:
    """202 without a body; the operation ends with the workspace, which has datastores and an identity with a role."""
    reply = _put(azure)
    assert (reply.status, reply.content) == (202, b"")
    assert "x-ms-async-operation-timeout" not in reply.headers
    assert _follow(azure, reply).json == {"status": "InProgress", "percentComplete": 0.0}
    assert (_follow(azure, reply, "location").status, _follow(azure, reply, "location").content) == (202, b"")
    assert azure.send("GET", NEW).json["properties"]["provisioningState"] == "Creating"
    azure.finish_operations()
    assert _follow(azure, reply).json == {"status": "Succeeded", "percentComplete": 100.0}
    found = azure.send("GET", NEW).json
    assert found == _follow(azure, reply, "location").json
    assert found["properties"]["provisioningState"] == "Succeeded"
    stores = azure.send("GET", f"{NEW}/datastores?isDefault=true").json["value"]
    guid = found["properties"]["workspaceId"]
    assert [item["properties"]["containerName"] for item in stores] == [f"azureml-blobstore-{guid}"]
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments"
    held = azure.send("GET", f"{path}?$filter=principalId eq '{found['identity']['principalId']}'").json["value"]
    assert [row["properties"]["roleDefinitionId"][-36:] for row in held] == [builtin_roles.AI_ADMINISTRATOR]
    assert azure.send("PUT", f"{NEW}/onlineEndpoints/inside", endpoint_body()).status == 201
    azure.finish_operations()
    deployed = azure.send("PUT", f"{NEW}/onlineEndpoints/inside/deployments/blue", deployment_body())
    azure.finish_operations()
    assert azure.send("GET", deployed.json["id"]).json["properties"]["provisioningState"] == "Succeeded"


def test_a_workspace_is_changed(azure: Azure) -> None:
    """PUT and PATCH replace all tags and keep what they do not name; what the service writes cannot be set."""
    _put(azure)
    azure.finish_operations()
    before = azure.send("GET", NEW).json
    body = {"location": "East US", "tags": {"b": "2"}, "properties": {"description": "x", "workspaceId": "y"}}
    assert azure.send("PUT", NEW, body).status == 202
    assert azure.send("GET", NEW).json["properties"]["provisioningState"] == "Updating"
    azure.finish_operations()
    after = azure.send("GET", NEW).json
    assert after["properties"] == {**before["properties"], "description": "x"}
    assert (after["tags"], after["identity"]) == ({"b": "2"}, before["identity"])
    assert azure.send("PATCH", NEW, {"tags": {"c": "3"}}).status == 202
    azure.finish_operations()
    assert azure.send("GET", NEW).json["tags"] == {"c": "3"}
    assert azure.send("PATCH", NEW, {"properties": {"friendlyName": "n"}}).status == 202
    assert azure.send("GET", NEW).json["tags"] == {"c": "3"}


def test_what_a_workspace_cannot_be(azure: Azure) -> None:
    """Without a region or a storage account, in another region than before, or in a group that does not exist."""
    assert azure.send("PUT", NEW, {"properties": {}}).code == "LocationRequired"
    assert "needs a 'storageAccount'" in azure.send("PUT", NEW, {"location": "eastus", "properties": {}}).message
    assert "not the id of a resource" in _put(azure, storageAccount="stmlwlocal").message
    reply = azure.send("PUT", WORKSPACE, {"location": "westus", "properties": {}})
    assert (reply.status, reply.code) == (409, "InvalidResourceLocation")
    assert azure.send("PUT", NEW.replace("rg-local", "rg-none"), {"location": "eastus"}).code == "ResourceGroupNotFound"


def test_a_hub_lists_its_projects(azure: Azure) -> None:
    """A project has the linked resources of its hub, and leaves the list when it is deleted."""
    hub, project = NEW.replace("new", "hub"), NEW.replace("new", "project")
    _put(azure, hub, "Hub")
    body = {"location": "eastus", "kind": "Project", "properties": {"hubResourceId": hub}}
    assert azure.send("PUT", project, body).status == 202
    azure.finish_operations()
    found, listed = azure.send("GET", project).json["properties"], azure.send("GET", hub).json["properties"]
    assert found["storageAccount"] == listed["storageAccount"]
    assert (listed["associatedWorkspaces"], listed["enableDataIsolation"]) == ([project], True)
    assert azure.send("DELETE", project).status == 202
    assert azure.send("GET", hub).json["properties"]["associatedWorkspaces"] == []
    azure.finish_operations()
    assert azure.send("GET", project).status == 404
    body["properties"] = {"hubResourceId": WORKSPACE}
    assert "was not found" in azure.send("PUT", project, body).message


def test_a_workspace_is_deleted_with_everything_below(azure: Azure) -> None:
    """202, then 204; also one that names a hub which does not list it."""
    _put(azure, hubResourceId=WORKSPACE)
    azure.finish_operations()
    reply = azure.send("DELETE", NEW)
    assert azure.send("GET", NEW).json["properties"]["provisioningState"] == "Deleting"
    azure.finish_operations()
    assert _follow(azure, reply).json["status"] == "Succeeded"
    assert [azure.send("GET", NEW).status, azure.send("GET", f"{NEW}/datastores").status] == [404, 404]
    assert azure.send("DELETE", NEW).status == 204


def test_a_fault_fails_the_creation_of_a_workspace(azure: Azure) -> None:
    """The status of its operation has the error."""
    fault = {"kind": "operation_failed", "operation": "Workspaces_CreateOrUpdate", "code": "Broken", "message": "No."}
    assert azure.send("POST", "/emulator/faults", fault).status == 201
    reply = _put(azure)
    azure.finish_operations()
    status = _follow(azure, reply).json
    assert (status["status"], status["error"]["code"]) == ("Failed", "Broken")
    assert azure.send("GET", NEW).json["properties"]["provisioningState"] == "Failed"
