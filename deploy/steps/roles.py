"""Roles: who may do what, given before the first deployment needs it and taken back before the endpoint goes.

Only assignments that carry our description, or that belong to the endpoint's own system identity, are ever taken back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from deploy.cloud import access, endpoints
from deploy.cloud.connect import Cloud
from deploy.documents import Role
from deploy.errors import CloudError, Transient
from deploy.model import EndpointSpec, Facts, Json, Retry, Step, Verb, Wanted, address, of_room

NAME = "role"
_WORDS = ("endpoint", "workspace", "resource_group", "workspace_storage", "workspace_registry", "workspace_keyvault")
_AUTOMATIC = frozenset(
    {
        ("AcrPull", "workspace_registry"),
        ("Storage Blob Data Reader", "workspace_storage"),
        ("AzureML Metrics Writer (preview)", "workspace"),
    }
)
_GIVEN = {"us": "given by us and no longer wanted", "azure": "given by Azure to the endpoint's own identity"}


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`role/<key>/<role>/<scope>`: assignments that are wanted and there, and any others of ours.

    Body: {id, giver}: `us`; `azure` for what the endpoint's own system identity was given with it; else `others`.
    """
    body = endpoints.list_endpoints(cloud).get(spec.name)
    principal, own = _identity(body), _system_identity(body)
    mark = access.mark(cloud, spec.owner, spec.name)
    wanted = {
        (access.scope_id(cloud, r.scope, spec.name).lower(), holder, access.role_id(cloud, r.role)): _address(
            spec.key, r
        )
        for r in spec.pipeline.roles
        if (holder := _principal(r, principal))
    }
    facts: dict[str, Mapping[str, Json]] = {}
    for row in access.assignments(cloud):
        properties = row["properties"]
        triple = (
            str(properties["scope"]).lower(),
            str(properties["principalId"]).lower(),
            str(properties["roleDefinitionId"]).rsplit("/", 1)[-1].lower(),
        )
        ours = properties.get("description") == mark
        giver = "us" if ours else "azure" if own and triple[1] == own else "others"
        if triple in wanted:
            facts[wanted[triple]] = {"id": row["id"], "giver": giver}
        elif giver != "others":
            facts[_found(spec.key, row, facts)] = {"id": row["id"], "giver": giver}
    return facts


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Give what is missing, take back what we gave and no longer want; towards nothing, what Azure gave, too."""
    if wanted is None:
        seen = ((a, body) for a, body in sorted(facts.items()) if a.split("/")[0] == NAME)
        return [_take(a, body) for a, body in seen if body["giver"] in _GIVEN]
    spec = wanted.spec
    there, addresses = of_room(facts, NAME, spec.key), {_address(spec.key, role) for role in spec.pipeline.roles}
    give = [_give(spec, role) for role in spec.pipeline.roles if _address(spec.key, role) not in facts]
    take = [
        _take(where, body)
        for rest, body in sorted(there.items())
        if (where := address(NAME, spec.key, rest)) not in addresses and body["giver"] == "us"
    ]
    return [*give, *take]


def held(cloud: Cloud, body: Mapping[str, Json]) -> list[dict[str, str]]:
    """{role, scope} of what somebody gave to an endpoint's own identity, as pipeline.yml writes it.

    Left out is what Azure gives every such identity by itself.
    """
    own = _system_identity(body)
    rows = [r["properties"] for r in access.assignments(cloud)] if own else []
    words: dict[str, str] = {}
    for word in _WORDS if rows else ():
        with contextlib.suppress(CloudError):
            words[access.scope_id(cloud, word, str(body["name"])).lower()] = word
    found = [
        (access.role_name(str(row["roleDefinitionId"])), words.get(str(row["scope"]).lower(), str(row["scope"])))
        for row in rows
        if str(row["principalId"]).lower() == own
    ]
    return [{"role": role, "scope": scope} for role, scope in found if (role, scope) not in _AUTOMATIC]


def run(cloud: Cloud, step: Step) -> None:
    what = f"{step.verb} {step.address}"
    if step.verb is Verb.DELETE:
        access.unassign(cloud, str(step.body["id"]), what=what)
        return
    principal, kind = step.body["principal"], step.body["principal_type"]
    if principal == "endpoint":
        principal = _identity(endpoints.read_endpoint(cloud, str(step.body["endpoint"])))
        if not principal:
            raise Transient(what, "the endpoint has no identity yet", "Wait until it is provisioned", code="AML326")
    access.assign(
        cloud,
        scope=access.scope_id(cloud, str(step.body["scope"]), str(step.body["endpoint"])),
        principal=principal,
        principal_type=kind,
        role=access.role_id(cloud, str(step.body["role"])),
        mark=access.mark(cloud, str(step.body["owner"]), str(step.body["endpoint"])),
        what=what,
    )


def _give(spec: EndpointSpec, role: Role) -> Step:
    own, holder = isinstance(role.principal, str), role.principal
    body = {
        "role": role.role,
        "scope": role.scope,
        "principal": holder if isinstance(holder, str) else holder.object_id.lower(),
        "principal_type": "ServicePrincipal" if isinstance(holder, str) else holder.type,
        "endpoint": spec.name,
        "owner": spec.owner,
    }
    who = "the endpoint's identity" if own else f"{body['principal_type']} {body['principal']}"
    return Step(Verb.CREATE, _address(spec.key, role), body, f"{who} lacks {role.role} on {role.scope}", spec.retry)


def _found(key: str, row: Json, taken: Facts) -> str:
    """The address of an assignment that nobody wants: its role and what it is on, its name too if need be."""
    properties = row["properties"]
    role = access.role_name(str(properties["roleDefinitionId"])).replace(" ", "-")
    where = address(NAME, key, role, str(properties["scope"]).rsplit("/", 1)[-1])
    return f"{where}/{row['name']}" if where in taken else where


def _take(where: str, body: Mapping[str, Json]) -> Step:
    return Step(Verb.DELETE, where, {"id": body["id"]}, _GIVEN[str(body["giver"])], Retry(3, 120.0))


def _address(key: str, role: Role) -> str:
    holder = () if isinstance(role.principal, str) else (role.principal.object_id.lower(),)
    return address(NAME, key, role.role.replace(" ", "-"), role.scope.strip("/").replace("/", ":"), *holder)


def _principal(role: Role, endpoint: str | None) -> str | None:
    return endpoint if isinstance(role.principal, str) else role.principal.object_id.lower()


def _system_identity(body: Json | None) -> str | None:
    """The principal that came with the endpoint and goes with it."""
    found = ((body or {}).get("identity") or {}).get("principalId")
    return str(found).lower() if found else None


def _identity(body: Json | None) -> str | None:
    """The principal of an endpoint: its system identity, or its one user-assigned identity, which outlives it."""
    if found := _system_identity(body):
        return found
    identity = (body or {}).get("identity") or {}
    for assigned in (identity.get("userAssignedIdentities") or {}).values():
        if found := (assigned or {}).get("principalId"):
            return str(found).lower()
    return None
