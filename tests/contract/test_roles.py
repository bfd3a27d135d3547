"""Role assignments through the real azure-mgmt-authorization client."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.identity import DefaultAzureCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import RoleAssignmentCreateParameters

from deploy.emulator import Running
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world

DEFINITION = f"/subscriptions/{default_world.SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[AuthorizationManagementClient]:
    with AuthorizationManagementClient(
        DefaultAzureCredential(),
        default_world.SUBSCRIPTION,
        base_url=running.url,
        credential_scopes=[f"{running.url}/.default"],
    ) as found:
        yield found


def _wanted(principal: str, kind: str | None = "ServicePrincipal") -> RoleAssignmentCreateParameters:
    return RoleAssignmentCreateParameters(
        role_definition_id=f"{DEFINITION}/{builtin_roles.BLOB_READER}", principal_id=principal, principal_type=kind
    )


def test_an_assignment_is_created_found_and_deleted(client: AuthorizationManagementClient) -> None:
    """By scope and by principal."""
    name, principal = str(uuid.uuid4()), str(uuid.uuid4())
    made = client.role_assignments.create(default_world.STORAGE_ID, name, _wanted(principal))
    assert (made.scope, made.principal_type) == (default_world.STORAGE_ID, "ServicePrincipal")
    found = client.role_assignments.list_for_scope(default_world.STORAGE_ID, filter=f"principalId eq '{principal}'")
    assert [item.name for item in found] == [name]
    found = client.role_assignments.list_for_subscription(filter=f"principalId eq '{principal}'")
    assert [item.name for item in found] == [name]
    assert client.role_assignments.get_by_id(made.id).principal_id == principal
    with pytest.raises(ResourceExistsError) as caught:
        client.role_assignments.create(default_world.STORAGE_ID, str(uuid.uuid4()), _wanted(principal))
    assert caught.value.error.code == "RoleAssignmentExists"
    assert client.role_assignments.delete(default_world.STORAGE_ID, name).name == name
    assert client.role_assignments.delete(default_world.STORAGE_ID, name) is None


def test_a_stranger_without_a_type_is_not_found(client: AuthorizationManagementClient) -> None:
    """PrincipalNotFound, which a stated type avoids."""
    with pytest.raises(HttpResponseError) as caught:
        client.role_assignments.create(default_world.WORKSPACE_ID, str(uuid.uuid4()), _wanted(str(uuid.uuid4()), None))
    assert caught.value.error.code == "PrincipalNotFound"


def test_a_role_is_found_by_its_name(client: AuthorizationManagementClient) -> None:
    """With its GUID, as a tool resolves it."""
    found = list(client.role_definitions.list(default_world.WORKSPACE_ID, filter="roleName eq 'AcrPull'"))
    assert [item.name for item in found] == [builtin_roles.ACR_PULL]
