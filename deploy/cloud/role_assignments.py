"""Role definitions and role assignments, through azure-mgmt-authorization.

The name of a role assignment is computed from scope, principal and role, so a repeated assignment has no effect.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path
from deploy.cloud.error_translation import translated_errors, try_read
from deploy.cloud.operations import send_once
from deploy.cloud.transport import IMPORT_LOCK, RETRIES
from deploy.domain.arm import Json
from deploy.errors import CloudError

VERSION = "2022-04-01"

BUILT_IN = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "AzureML Data Scientist": "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "AzureML Compute Operator": "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815",
    "AzureML Metrics Writer (preview)": "635dd51f-9968-44d3-b7fb-6d9a6bd613ae",
    "AzureML Registry User": "1823dd4f-9b8c-4ab6-ab4e-7397a3684615",
    "Azure AI Developer": "64702f94-c441-49e6-a78b-ef80e0188fee",
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Key Vault Reader": "21090545-7ca7-4776-b22c-e363652d74d2",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
}
"""Built-in roles (Azure's public list, 2026-04); others are looked up by name."""

_NAMES = uuid.UUID("6f0f3b1e-1c2d-5e8a-9a57-2f6d6c0e41aa")


def role_id(cloud: Cloud, role: str) -> str:
    """The GUID of a role, from its name or GUID."""
    if re.fullmatch(r"[0-9a-fA-F-]{36}", role):
        return role.lower()
    if known := {name.lower(): guid for name, guid in BUILT_IN.items()}.get(role.lower()):
        return known
    path = f"/subscriptions/{cloud.environment.subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
    quoted = role.replace("'", "''")
    what, asked = f"look up role {role}", {"$filter": f"roleName eq '{quoted}'"}
    found = cloud.arm.list(path, VERSION, what, response_schemas.Definition, **asked)
    if not found:
        raise CloudError(what, "there is no role with this name", "Check roles in pipeline.yml", code="AML324")
    return str(found[0]["name"])


def role_name(definition: str) -> str:
    """The name of a built-in role from the id of its definition; the GUID for any other role."""
    guid = definition.rsplit("/", 1)[-1].lower()
    return next((name for name, known in BUILT_IN.items() if known == guid), guid)


def scope_id(cloud: Cloud, scope: str, endpoint: str) -> str:
    """The ARM id of a scope in pipeline.yml, which is a known word or an ARM id."""
    if scope.startswith("/"):
        return scope.rstrip("/")
    if scope == "endpoint":
        return endpoint_path(cloud, endpoint)
    if scope == "workspace":
        return cloud.workspace_id
    if scope == "resource_group":
        return cloud.workspace_id.split("/providers/")[0]
    field = {
        "workspace_storage": "storageAccount",
        "workspace_registry": "containerRegistry",
        "workspace_keyvault": "keyVault",
    }[scope]
    found = (cloud.workspace().get("properties") or {}).get(field)
    if not found:
        raise CloudError(f"find {scope}", f"the workspace has no {field}", "Use a full ARM id as scope", code="AML325")
    return str(found)


def assignments(cloud: Cloud) -> list[Json] | None:
    """All role assignments of the subscription, or of the resource group or the workspace if only those can be read.

    None if reading is forbidden. Raises CloudError if there is no response, because a plan must not assign or remove
    roles without a complete list (`steps.roles`).
    """
    return _assignments(cloud)[0]


def held_by(cloud: Cloud, principal: str, *, groups: bool = False) -> list[Json] | None:
    """The role assignments of one principal, as far as they can be read; None if reading is forbidden. `groups`: also
    those of the groups that it belongs to.
    """
    asked = f"assignedTo('{principal}')" if groups else f"principalId eq '{principal}'"
    return _assignments(cloud, **{"$filter": asked})[0]


def held_in_subscription(cloud: Cloud, principal: str) -> list[Json] | None:
    """All role assignments in the subscription of one principal and of its groups; None if not all can be read."""
    found, whole = _assignments(cloud, **{"$filter": f"assignedTo('{principal}')"})
    return found if whole else None


def count_assignments(cloud: Cloud) -> tuple[int | None, str]:
    """The number of role assignments of the subscription; None and the reason if not all can be read."""
    seen, why = try_read(lambda: _assignments(cloud))
    rows, whole = seen or (None, False)
    return (len(rows), "") if whole and rows is not None else (None, why or "could not all be read: permission denied")


def _assignments(cloud: Cloud, **query: str) -> tuple[list[Json] | None, bool]:
    subscription = f"/subscriptions/{cloud.environment.subscription_id}"
    group = f"{subscription}/resourceGroups/{cloud.environment.resource_group}"
    path, what = "/providers/Microsoft.Authorization/roleAssignments", "list role assignments"
    for scope in (subscription, group, cloud.workspace_id):
        try:
            return cloud.arm.list(
                scope + path, VERSION, what, response_schemas.Assignment, **query
            ), scope is subscription
        except CloudError as error:
            if error.status != 403:
                raise
    return None, False


def permissions(cloud: Cloud, scope: str) -> tuple[list[Json] | None, str]:
    """The blocks of actions that the signed-in principal has at a scope; None and the reason if unknown."""
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    what = f"read the permissions at {scope}"
    return try_read(lambda: cloud.arm.list(path, VERSION, what, response_schemas.Permission))


def assignment_name(scope: str, principal: str, role: str) -> str:
    """The name of the assignment of this role at this scope to this principal: a GUID of version 5."""
    return str(uuid.uuid5(_NAMES, f"{scope}|{principal}|{role}".lower()))


OWN = "its own identity"
"""The end of the description of an assignment to a system identity, which is created and deleted with its endpoint."""
BY_AZURE = ", assigned by Azure"
"""The suffix for an assignment that Azure created and that amldeploy only described."""
_MARK = re.compile(rf"amldeploy (?P<owner>\S+) (?P<endpoint>/subscriptions/\S+?)(?P<own> {OWN}({BY_AZURE})?)?")


@dataclass(frozen=True)
class Mark:
    """The parsed description of a managed role assignment. `endpoint` is an ARM id in lower case."""

    owner: str
    endpoint: str
    own: bool


def mark(cloud: Cloud, owner: str, endpoint: str, *, own: bool = False) -> str:
    """The description of managed role assignments. It outlives the endpoint, so it contains the full ARM id: in one
    subscription another team can use the same owner name.
    """
    where = endpoint_path(cloud, endpoint).lower()
    return f"amldeploy {owner} {where}" + (f" {OWN}" if own else "")


def marked(row: Json) -> Mark | None:
    """The mark in the description of a role assignment; None if amldeploy does not manage it."""
    found = _MARK.fullmatch(str(row["properties"].get("description") or ""))
    return Mark(found["owner"], found["endpoint"], bool(found["own"])) if found else None


def holder(row: Json) -> str:
    """The principal of an assignment, in lower case."""
    return str(row["properties"]["principalId"]).lower()


def system_identity(body: Json | None) -> str | None:
    """The principal of an endpoint's system identity, in lower case; None if there is none."""
    found = ((body or {}).get("identity") or {}).get("principalId")
    return str(found).lower() if found else None


def describe(cloud: Cloud, row: Json, description: str, *, what: str) -> None:
    """Set the description of an existing role assignment, and change nothing else."""
    with translated_errors(what):
        with IMPORT_LOCK:
            from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

        held = row["properties"]
        same = RoleAssignmentCreateParameters(
            role_definition_id=held["roleDefinitionId"],
            principal_id=held["principalId"],
            principal_type=held["principalType"],
            description=description,
        )
        _client(cloud).role_assignments.create(held["scope"], row["name"], same)


def assign(cloud: Cloud, *, scope: str, principal: str, principal_type: str, role: str, mark: str, what: str) -> None:
    """Assign a role, with the description `mark`; success if the assignment exists, under any name."""
    with translated_errors(what):
        with IMPORT_LOCK:
            from azure.core.exceptions import ResourceExistsError
            from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

        subscription = f"/subscriptions/{cloud.environment.subscription_id}"
        wanted = RoleAssignmentCreateParameters(
            role_definition_id=f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            principal_id=principal,
            principal_type=principal_type,
            description=mark,
        )
        name = assignment_name(scope, principal, role)

    def send() -> None:
        with translated_errors(what):
            try:
                _client(cloud).role_assignments.create(scope, name, wanted)
            except ResourceExistsError as error:
                if getattr(error.error, "code", "") != "RoleAssignmentExists":
                    raise

    def is_assigned() -> bool:
        """Whether it exists with our name and this mark. A predecessor's assignment has another mark."""
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        existing = cloud.arm.get(path, VERSION, what, response_schemas.Assignment) or {}
        return (existing.get("properties") or {}).get("description") == mark

    send_once(send, is_assigned)


def unassign(cloud: Cloud, assignment: str, *, what: str) -> None:
    """Remove a role assignment by its ARM id; success if it does not exist. Until then it is in `unconfirmed`."""

    def send() -> None:
        with translated_errors(what):
            _client(cloud).role_assignments.delete_by_id(assignment)

    cloud.unconfirmed.add(assignment)
    send_once(send, lambda: cloud.arm.get(assignment, VERSION, what) is None)
    cloud.unconfirmed.discard(assignment)


def _client(cloud: Cloud) -> Any:
    with IMPORT_LOCK:
        from azure.mgmt.authorization import AuthorizationManagementClient

    return AuthorizationManagementClient(
        cloud.credential,
        cloud.environment.subscription_id,
        api_version=VERSION,
        base_url=cloud.hosts.manager,
        credential_scopes=[cloud.arm.scope],
        transport=cloud.arm.transport,
        **RETRIES,
    )
