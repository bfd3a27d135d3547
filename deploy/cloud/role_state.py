"""The existing role assignments of an endpoint, compared with the roles in its pipeline file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.cloud import endpoints, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.documents.pipeline import Role
from deploy.domain.arm import Json
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError

_WORDS = ("endpoint", "workspace", "resource_group", "workspace_storage", "workspace_registry", "workspace_keyvault")
_AUTOMATIC = frozenset(
    {
        ("AcrPull", "workspace_registry"),
        ("Storage Blob Data Reader", "workspace_storage"),
        ("AzureML Metrics Writer (preview)", "workspace"),
    }
)


RoleKey = tuple[str, str, str]
"""Scope, principal and GUID of the role, in lower case."""


@dataclass(frozen=True)
class HeldRole:
    """One role assignment. `roles`: the roles of the pipeline file that it fulfils, one per spelling; may be empty.

    `assigned_by`: `amldeploy`; `same_entry` if amldeploy assigned it for another endpoint of the entry; `azure` for
    assignments to the system identity of this endpoint, or of a deleted one with the same name; otherwise `others`.
    """

    row: Json
    assigned_by: str
    roles: Sequence[Role]


def existing_roles(cloud: Cloud, spec: EndpointSpec) -> Sequence[HeldRole] | None:
    """Existing assignments that are desired, and any others that we manage; None if reading is forbidden."""
    rows = role_assignments.assignments(cloud)
    if rows is None:
        return None
    body = endpoints.list_endpoints(cloud).get(spec.name)
    principal = identity(body)
    marks = {role_assignments.mark(cloud, spec.owner, spec.name, own=each) for each in (True, False)}
    own = _system_principals(body, rows, role_assignments.mark(cloud, spec.owner, spec.name))
    desired = desired_roles(cloud, spec, principal)
    found = []
    for row in rows:
        key = key_of(row)
        ours = row["properties"].get("description") in marks
        assigned_by = "amldeploy" if ours else "azure" if key[1] in own else "others"
        if (
            key in desired
            and assigned_by == "others"
            and (mark := role_assignments.marked(row))
            and mark.owner == spec.owner
        ):
            assigned_by = "same_entry"
        if key in desired or assigned_by != "others":
            found.append(HeldRole(row, assigned_by, desired.get(key, ())))
    return found


def desired_roles(cloud: Cloud, spec: EndpointSpec, identity: str | None) -> dict[RoleKey, list[Role]]:
    """The roles in the pipeline file of an endpoint, by key. Raises CloudError for an unknown role, also before the
    endpoint has a principal.
    """
    found: dict[RoleKey, list[Role]] = {}
    for role in spec.pipeline.roles:
        holder = _principal(role, identity)
        try:
            guid = role_assignments.role_id(cloud, role.role)
        except CloudError as error:
            if holder or error.code == "AML324":
                raise
            continue
        if holder:
            found.setdefault(
                (role_assignments.scope_id(cloud, role.scope, spec.name).lower(), holder, guid), []
            ).append(role)
    return found


def key_of(row: Json) -> RoleKey:
    """The key of a role assignment; Azure does not allow two with the same key."""
    properties = row["properties"]
    role = str(properties["roleDefinitionId"]).rsplit("/", 1)[-1].lower()
    return str(properties["scope"]).lower(), str(properties["principalId"]).lower(), role


def scopes_to_change(cloud: Cloud, spec: EndpointSpec) -> dict[str, str]:
    """Word of pipeline.yml or ARM id -> ARM id of each scope at which a role may have to be assigned or removed.

    All scopes of the pipeline file if the existing assignments are unknown.
    """
    readable, _ = try_read(lambda: role_assignments.assignments(cloud))
    there = (existing_roles(cloud, spec) if readable is not None else None) or ()
    lacking = [role for role in spec.pipeline.roles if role not in [each for one in there for each in one.roles]]
    added = {role.scope: role_assignments.scope_id(cloud, role.scope, spec.name) for role in lacking}
    removed = [str(one.row["properties"]["scope"]) for one in there if not one.roles and one.assigned_by == "amldeploy"]
    return {**added, **{scope: scope for scope in removed}}


def roles_to_export(cloud: Cloud, body: Mapping[str, Json]) -> list[dict[str, Json]]:
    """{role, scope, principal}, as in pipeline.yml, of the roles of an endpoint: those of its system identity, those
    with the endpoint as scope, and those with our mark for it.

    Without the roles that Azure assigns to each system identity.
    """
    own, here = role_assignments.system_identity(body), endpoints.endpoint_path(cloud, body["name"]).lower()

    def ours(row: Json) -> bool:
        mark = role_assignments.marked(row)
        return mark is not None and mark.endpoint == here

    rows = [
        row["properties"]
        for row in role_assignments.assignments(cloud) or ()
        if role_assignments.holder(row) == own or str(row["properties"]["scope"]).lower() == here or ours(row)
    ]
    words: dict[str, str] = {}
    for word in _WORDS if rows else ():
        with contextlib.suppress(CloudError):
            words[role_assignments.scope_id(cloud, word, str(body["name"])).lower()] = word
    found = [
        {
            "role": role_assignments.role_name(str(row["roleDefinitionId"])),
            "scope": words.get(str(row["scope"]).lower(), str(row["scope"])),
            "principal": _written(row, identity(body)),
        }
        for row in rows
    ]
    return [one for one in found if one["principal"] != "endpoint" or (one["role"], one["scope"]) not in _AUTOMATIC]


def _written(row: Json, endpoint: str | None) -> Json:
    """A principal in the form of pipeline.yml."""
    if str(row["principalId"]).lower() == endpoint:
        return "endpoint"
    return {"object_id": str(row["principalId"]), "type": str(row["principalType"])}


def identity(body: Json | None) -> str | None:
    """The principal of an endpoint: of its system identity, or of its user-assigned identity, which outlives it."""
    if found := role_assignments.system_identity(body):
        return found
    block = (body or {}).get("identity") or {}
    for assigned in (block.get("userAssignedIdentities") or {}).values():
        if found := (assigned or {}).get("principalId"):
            return str(found).lower()
    return None


def _principal(role: Role, endpoint: str | None) -> str | None:
    return endpoint if isinstance(role.principal, str) else role.principal.object_id.lower()


def _system_principals(body: Json | None, rows: Sequence[Json], mark: str) -> set[str]:
    """The principals of system identities of endpoints with this name: the existing one, and deleted ones in our marks.
    A recreated endpoint has a new principal.
    """
    now = role_assignments.system_identity(body)
    return {role_assignments.holder(row) for row in rows if _marks_system_identity(row, mark)} | (
        {now} if now else set()
    )


def _marks_system_identity(row: Json, mark: str) -> bool:
    found = role_assignments.marked(row)
    return found is not None and found.own and str(row["properties"]["description"]).startswith(f"{mark} ")
