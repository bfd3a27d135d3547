"""Role assignments, and the orphans of a deleted endpoint."""

from __future__ import annotations

import uuid

import pytest

from deploy.emulator.entra import access_tokens
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import WORKSPACE, Azure, Reply, endpoint_body

ROLE = "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/mip"
SUBSCRIPTION = f"/subscriptions/{default_world.SUBSCRIPTION}"
USER = "00000000-0000-0000-0000-00000000abcd"


def _put(
    azure: Azure, scope: str, name: str = "", role: str = builtin_roles.BLOB_READER, **properties: object
) -> Reply:
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name or uuid.uuid4()}"
    body = {"roleDefinitionId": ROLE + role, "principalId": USER, "principalType": "User", **properties}
    return azure.send("PUT", path, {"properties": {k: v for k, v in body.items() if v is not None}})


def _list(azure: Azure, scope: str, words: str = "") -> list[dict[str, str]]:
    query = f"?$filter={words}" if words else ""
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments{query}"
    return [item["properties"] for item in azure.send("GET", path).json["value"]]


def test_a_system_identity_gets_three_roles_that_become_orphans(azure: Azure) -> None:
    """AcrPull, Storage Blob Data Reader and Metrics Writer, assigned at creation."""
    principal = azure.created_endpoint()["identity"]["principalId"]
    given = {
        (a["scope"], a["roleDefinitionId"][-36:]) for a in _list(azure, SUBSCRIPTION, f"principalId eq '{principal}'")
    }
    expected = {
        (default_world.CONTAINER_REGISTRY_ID, builtin_roles.ACR_PULL),
        (default_world.STORAGE_ID, builtin_roles.BLOB_READER),
        (WORKSPACE, builtin_roles.METRICS_WRITER),
    }  # fmt: skip
    assert given == expected
    azure.finish_operations()
    assert _put(azure, WORKSPACE, principalId=principal, principalType=None).status == 201
    azure.send("DELETE", ENDPOINT)
    azure.finish_operations()
    assert len(_list(azure, SUBSCRIPTION, f"principalId eq '{principal}'")) == 4
    assert (
        _put(azure, WORKSPACE, role=builtin_roles.ACR_PULL, principalId=principal, principalType=None).code
        == "PrincipalNotFound"
    )


def test_a_user_identity_gets_no_role(azure: Azure) -> None:
    """Its principal is the same for every endpoint that uses it."""
    one = f"{SUBSCRIPTION}/resourceGroups/rg-local/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-local"
    who = {"type": "UserAssigned", "userAssignedIdentities": {one: {}}}
    principals = set()
    for path in (f"{ENDPOINT}1", f"{ENDPOINT}2"):
        assert azure.send("PUT", path, {**endpoint_body(), "identity": who}).status == 201
        created = azure.send("GET", path).json
        principals.add(created["identity"]["userAssignedIdentities"][one]["principalId"])
    assert len(principals) == 1
    assert _list(azure, SUBSCRIPTION, f"principalId eq '{principals.pop()}'") == []


def test_an_assignment_is_created_read_and_deleted(azure: Azure) -> None:
    """201, 200 for the same one again, readable, deleted with its body, then 204."""
    name = str(uuid.uuid4())
    created = _put(azure, WORKSPACE, name)
    assert (created.status, created.json["properties"]["createdBy"]) == (201, None)
    assert _put(azure, WORKSPACE, name).status == 200
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/{name}"
    assert azure.send("GET", path).json["properties"]["createdBy"] == access_tokens.SIGNED_IN
    assert azure.send("DELETE", path).json["name"] == name
    assert azure.send("DELETE", path).status == 204
    assert azure.send("GET", path).code == "RoleAssignmentNotFound"


def test_the_same_assignment_under_another_name_is_refused(azure: Azure) -> None:
    """409 RoleAssignmentExists has the existing name."""
    name = _put(azure, WORKSPACE).json["name"]
    again = _put(azure, WORKSPACE)
    assert (again.status, again.code) == (409, "RoleAssignmentExists")
    assert name.replace("-", "") in again.message


def test_a_name_cannot_be_reused_for_another_assignment(azure: Azure) -> None:
    """The principal of a name cannot change."""
    name = _put(azure, WORKSPACE).json["name"]
    reply = _put(azure, WORKSPACE, name, principalId=str(uuid.uuid4()))
    assert (reply.status, reply.code) == (400, "RoleAssignmentUpdateNotPermitted")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"principalType": None}, 400, "PrincipalNotFound"),
        ({"principalId": access_tokens.SIGNED_IN, "principalType": "User"}, 400, "UnmatchedPrincipalType"),
        ({"role": str(uuid.UUID(int=7))}, 404, "RoleDefinitionDoesNotExist"),
        ({"principalId": "me"}, 400, "BadRequestFormat"),
        ({"principalType": "Robot"}, 400, "InvalidPrincipalType"),
        ({"name": "not-a-guid"}, 400, "InvalidRoleAssignmentId"),
        ({"scope": f"{WORKSPACE}/onlineEndpoints/none"}, 404, "ResourceNotFound"),
    ],
)
def test_an_invalid_assignment_is_refused(azure: Azure, change: dict[str, str], status: int, code: str) -> None:
    """With Azure's codes."""
    reply = _put(azure, **{"scope": WORKSPACE, **change})  # type: ignore[arg-type]
    assert (reply.status, reply.code) == (status, code)


def test_a_known_principal_needs_no_type(azure: Azure) -> None:
    """The directory has its type."""
    reply = _put(azure, WORKSPACE, principalId=access_tokens.SIGNED_IN, principalType=None)
    assert reply.json["properties"]["principalType"] == "ServicePrincipal"


def test_lists_include_scopes_above_and_below(azure: Azure) -> None:
    """atScope() omits those below; siblings are never included."""
    azure.endpoint()
    for scope in (WORKSPACE, ENDPOINT, default_world.STORAGE_ID):
        _put(azure, scope)
    mine = f"principalId eq '{USER}'"
    assert {a["scope"] for a in _list(azure, WORKSPACE, mine)} == {WORKSPACE, ENDPOINT}
    assert {a["scope"] for a in _list(azure, SUBSCRIPTION, mine)} == {WORKSPACE, ENDPOINT, default_world.STORAGE_ID}
    above = {a["scope"] for a in _list(azure, WORKSPACE, "atScope()")}
    assert SUBSCRIPTION in above
    assert WORKSPACE in above
    assert ENDPOINT not in above
    assert azure.send("GET", f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments?$filter=x").status == 400


def test_roles_are_found_by_name_and_by_guid(azure: Azure) -> None:
    """With their actions."""
    root = f"{WORKSPACE}/providers/Microsoft.Authorization/roleDefinitions"
    found = azure.send("GET", f"{root}?$filter=roleName eq 'Storage Blob Data Reader'").json["value"]
    assert [item["name"] for item in found] == [builtin_roles.BLOB_READER]
    one = azure.send("GET", f"/providers/Microsoft.Authorization/roleDefinitions/{builtin_roles.ACR_PULL}").json
    assert one["properties"]["permissions"][0]["actions"] == ["Microsoft.ContainerRegistry/registries/pull/read"]
    assert azure.send("GET", f"{root}/{uuid.UUID(int=7)}").code == "RoleDefinitionDoesNotExist"
    assert len(azure.send("GET", root).json["value"]) == len(builtin_roles.ROLES)
