"""What is held of the roles that an endpoint's pipeline asks for, and what else of ours there is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.cloud import endpoints, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.failures import try_read
from deploy.documents import Role
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
"""Scope, principal, role's GUID, in lower case."""


@dataclass(frozen=True)
class HeldRole:
    """One assignment. `roles` are the wishes that it fulfils, one in each spelling; none for what nobody asks for.

    `giver`: `us`; `line` for us, but for another endpoint of the entry; `azure` for what the system identity of this
    endpoint, or of an earlier one of the same name, was given with it; else `others`.
    """

    row: Json
    giver: str
    roles: Sequence[Role]


def held(cloud: Cloud, spec: EndpointSpec) -> Sequence[HeldRole] | None:
    """Assignments that are wanted and there, and any others of ours; None when they may not be read."""
    rows = role_assignments.assignments(cloud)
    if rows is None:
        return None
    body = endpoints.list_endpoints(cloud).get(spec.name)
    principal = identity(body)
    marks = {role_assignments.mark(cloud, spec.owner, spec.name, own=each) for each in (True, False)}
    own = _own(body, rows, role_assignments.mark(cloud, spec.owner, spec.name))
    wanted = desired_roles(cloud, spec, principal)
    found = []
    for row in rows:
        triple = key_of(row)
        ours = row["properties"].get("description") in marks
        giver = "us" if ours else "azure" if triple[1] in own else "others"
        if (
            triple in wanted
            and giver == "others"
            and (mark := role_assignments.marked(row))
            and mark.owner == spec.owner
        ):
            giver = "line"
        if triple in wanted or giver != "others":
            found.append(HeldRole(row, giver, wanted.get(triple, ())))
    return found


def desired_roles(cloud: Cloud, spec: EndpointSpec, identity: str | None) -> dict[RoleKey, list[Role]]:
    """What the pipeline of an endpoint asks for, by what Azure knows it by. Raises for a role that has no such name,
    also while there is nobody yet to give it to.
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
    """An assignment by what Azure knows it by: two of the same triple cannot be."""
    properties = row["properties"]
    role = str(properties["roleDefinitionId"]).rsplit("/", 1)[-1].lower()
    return str(properties["scope"]).lower(), str(properties["principalId"]).lower(), role


def scopes_to_change(cloud: Cloud, spec: EndpointSpec) -> dict[str, str]:
    """Word of pipeline.yml or ARM id -> ARM id of each scope at which a role may have to be given or taken back.

    All that are wanted when nobody tells which are given.
    """
    told, _ = try_read(lambda: role_assignments.assignments(cloud))
    there = (held(cloud, spec) if told is not None else None) or ()
    lacking = [role for role in spec.pipeline.roles if role not in [each for one in there for each in one.roles]]
    added = {role.scope: role_assignments.scope_id(cloud, role.scope, spec.name) for role in lacking}
    taken = [str(one.row["properties"]["scope"]) for one in there if not one.roles and one.giver == "us"]
    return {**added, **{scope: scope for scope in taken}}


def roles_to_export(cloud: Cloud, body: Mapping[str, Json]) -> list[dict[str, Json]]:
    """{role, scope, principal} of what goes with an endpoint, as pipeline.yml writes it: what its own identity was
    given, what anybody was given on it, and what is marked as ours for it.

    Left out is what Azure gives every such identity by itself.
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
    """A principal as pipeline.yml names it."""
    if str(row["principalId"]).lower() == endpoint:
        return "endpoint"
    return {"object_id": str(row["principalId"]), "type": str(row["principalType"])}


def identity(body: Json | None) -> str | None:
    """The principal of an endpoint: its system identity, or its one user-assigned identity, which outlives it."""
    if found := role_assignments.system_identity(body):
        return found
    block = (body or {}).get("identity") or {}
    for assigned in (block.get("userAssignedIdentities") or {}).values():
        if found := (assigned or {}).get("principalId"):
            return str(found).lower()
    return None


def _principal(role: Role, endpoint: str | None) -> str | None:
    return endpoint if isinstance(role.principal, str) else role.principal.object_id.lower()


def _own(body: Json | None, rows: Sequence[Json], mark: str) -> set[str]:
    """The principals that came with endpoints of this name: of the one that exists, and of each that is gone and that
    our mark still names. An endpoint that was made again has another principal each time.
    """
    now = role_assignments.system_identity(body)
    return {role_assignments.holder(row) for row in rows if _speaks_of_own(row, mark)} | ({now} if now else set())


def _speaks_of_own(row: Json, mark: str) -> bool:
    found = role_assignments.marked(row)
    return found is not None and found.own and str(row["properties"]["description"]).startswith(f"{mark} ")
