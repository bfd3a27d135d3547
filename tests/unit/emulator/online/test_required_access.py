"""The permissions that an endpoint's identity needs, and the errors without them."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.emulator.online import required_access
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import WORKSPACE, Azure, Reply, endpoint_body

BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
EP = f"{WORKSPACE}/onlineEndpoints/mip"
USER = {"type": "UserAssigned", "userAssignedIdentities": {default_world.IDENTITY_ID: {}}}
FLAG = {required_access.ENFORCED: "enabled"}


def _owned(azure: Azure) -> str:
    """Create an endpoint with a user-assigned identity; returns its principal."""
    reply = azure.send("PUT", EP, {**endpoint_body(), "identity": USER})
    assert reply.status == 201
    azure.finish_operations()
    found = azure.get("mip")["identity"]["userAssignedIdentities"][default_world.IDENTITY_ID]
    assert found == {key: azure.send("GET", default_world.IDENTITY_ID).json["properties"][key] for key in found}
    return str(found["principalId"])


def _ended(azure: Azure, reply: Reply) -> Any:
    assert reply.status == 201
    azure.finish_operations()
    return azure.send("GET", reply.headers["azure-asyncoperation"].removeprefix("https://127.0.0.1:1234")).json


def test_a_missing_identity_is_refused(azure: Azure) -> None:
    """Nothing is created."""
    who = {
        "type": "UserAssigned",
        "userAssignedIdentities": {default_world.IDENTITY_ID.replace("id-local", "nobody"): {}},
    }
    reply = azure.send("PUT", EP, {**endpoint_body(), "identity": who})
    assert (reply.status, reply.code) == (400, "FailedIdentityOperation")
    assert "nobody' was not found" in reply.message
    assert azure.send("GET", EP).status == 404


def test_a_deployment_needs_both_roles_of_a_user_identity(azure: Azure) -> None:
    """Without one of them it fails with BadArgument."""
    me = _owned(azure)
    for scope, role, words in (
        (default_world.CONTAINER_REGISTRY_ID, builtin_roles.ACR_PULL, "AcrPull"),
        (default_world.STORAGE_ID, builtin_roles.BLOB_READER, "Storage Blob Data Reader"),
    ):
        ended = _ended(azure, azure.deployment())
        assert (ended["status"], ended["error"]["code"]) == ("Failed", "BadArgument")
        assert words in ended["error"]["message"]
        azure.assign_role(me, role, scope)
    assert _ended(azure, azure.deployment())["status"] == "Succeeded"


def test_a_role_that_is_not_in_effect_is_missing(azure: Azure) -> None:
    """The delay of role assignments also applies to endpoint identities."""
    me = _owned(azure)
    azure.send("PUT", "/emulator/settings", {"role_assignment_delay_seconds": 7200})
    azure.assign_role(me, builtin_roles.ACR_PULL, default_world.CONTAINER_REGISTRY_ID)
    azure.assign_role(me, builtin_roles.BLOB_READER, default_world.STORAGE_ID)
    assert _ended(azure, azure.deployment())["error"]["code"] == "BadArgument"
    azure.finish_operations()
    azure.finish_operations()
    assert _ended(azure, azure.deployment())["status"] == "Succeeded"


def test_data_collection_needs_a_write_role(azure: Azure) -> None:
    """Storage Blob Data Reader is not enough."""
    me = _owned(azure)
    azure.assign_role(me, builtin_roles.ACR_PULL, default_world.CONTAINER_REGISTRY_ID)
    azure.assign_role(me, builtin_roles.BLOB_READER, default_world.STORAGE_ID)
    collected = {"dataCollector": {"collections": {"request": {"dataCollectionMode": "Enabled"}}}}
    assert "Contributor" in _ended(azure, azure.deployment(**collected))["error"]["message"]
    azure.assign_role(me, BLOB_CONTRIBUTOR, default_world.STORAGE_ID)
    assert _ended(azure, azure.deployment(**collected))["status"] == "Succeeded"


def test_secret_store_access_assigns_a_fourth_role(azure: Azure) -> None:
    """To a system-assigned identity, with the flag."""
    for name, flags, expected in (("plain", {}, 3), ("flagged", FLAG, 4)):
        principal = azure.created_endpoint(name, properties=flags)["identity"]["principalId"]
        path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{principal}'"
        above = azure.send("GET", path.replace(WORKSPACE, f"/subscriptions/{default_world.SUBSCRIPTION}")).json["value"]
        assert len(above) == expected
        assert (builtin_roles.SECRETS_READER in str(above)) is (expected == 4)


def test_secret_store_access_needs_a_system_identity(azure: Azure) -> None:
    """The error has the property's name."""
    body = {**endpoint_body(properties=FLAG), "identity": USER}
    reply = azure.send("PUT", EP, body)
    assert reply.status == 400
    assert required_access.ENFORCED in reply.message


def test_secret_store_access_needs_the_permission_to_list_secrets(azure: Azure) -> None:
    """For an endpoint with the flag, and for a deployment in one."""
    azure.endpoint("flagged", properties=FLAG)
    azure.finish_operations()
    me = azure.sign_in("deployer")
    azure.assign_role(me, "3afb7f49-54cb-416e-8c09-6dc049efa503", WORKSPACE)
    assert azure.endpoint("plain").status == 201
    for reply in (azure.endpoint("mip", properties=FLAG), azure.deployment("blue", "flagged")):
        assert (reply.status, reply.code) == (403, "Forbidden")
        assert required_access.LISTING in reply.message
    azure.assign_role(me, builtin_roles.SECRETS_READER, WORKSPACE)
    assert azure.endpoint("mip", properties=FLAG).status == 201


@pytest.mark.parametrize(("flags", "made", "words"), [({}, True, "allowed to perform"), (FLAG, False, "no connection")])
def test_an_unresolvable_secret_fails_the_deployment(
    flags: dict[str, str], made: bool, words: str, azure: Azure
) -> None:
    """Without permission, or without the connection."""
    if made:
        properties = {"authType": "ApiKey", "category": "CustomKeys", "target": "x", "credentials": {"key": "hush"}}
        assert azure.send("PUT", f"{WORKSPACE}/connections/llm", {"properties": properties}).status == 200
    azure.endpoint(properties=flags)
    azure.finish_operations()
    variables = {"KEY": "${{azureml://connections/llm/credentials/key}}"}
    error = _ended(azure, azure.deployment(environmentVariables=variables))["error"]
    assert error["code"] == "SecretsInjectionError"
    assert words in error["message"]
