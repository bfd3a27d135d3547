"""Roles: who may do what, given before the first deployment needs it and taken back before the endpoint goes.

Only assignments that carry our description, or that belong to the endpoint's own system identity, are ever taken back.
Azure knows one assignment for a scope, a principal and a role, and its description names one endpoint. So where another
entry of the file, whose endpoint is there, asks for the same, it is handed on instead.

Where the list of assignments may not be read (403), that is so for good: every role that is wanted is given, which
changes nothing where it is there. Where the list is not answered, that passes, and no plan is made meanwhile. A blind
one would ask for the right to give roles that are there and refuse whoever lacks it, would never come to rest, and
would leave with somebody what the files do not give any more. Their limit is another matter, and blocks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploy.cloud import endpoints, role_assignments, role_state
from deploy.cloud.connect import Cloud
from deploy.cloud.failures import try_read
from deploy.documents import Role
from deploy.domain.arm import Facts, Json, address, facts_of
from deploy.domain.owners import owner_tag
from deploy.domain.plan import Step, Verb, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import BRIEF, PATIENT, EndpointSpec
from deploy.errors import CloudError, Finding, Refused, Transient
from deploy.leasing import lineage
from deploy.text import count

NAME = "role"
_GIVEN = {"us": "given by us and no longer wanted", "azure": "given by Azure to the endpoint's own identity"}
_UNSEEN, _UNTOLD = "unseen", "untold"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`role/<key>/<role>/<scope>`: {id, giver, marked} of assignments that are wanted and there, and of others of ours.

    `marked`: its description says whose it is. `heir`: what describes it as that of another entry that wants it, too.
    `role/<key>`: {id: "", giver: "unseen"} when they may not be read; {id: "", giver: "untold", told: why} when Azure
    does not say.
    """
    _, untold = try_read(lambda: role_assignments.assignments(cloud))
    if untold:
        return {address(NAME, spec.key): {"id": "", "giver": _UNTOLD, "told": untold}}
    found = role_state.existing_roles(cloud, spec)
    if found is None:
        return {address(NAME, spec.key): {"id": "", "giver": _UNSEEN}}
    facts: dict[str, Mapping[str, Json]] = {}
    shared = [
        one.row for one in found if one.giver == "us" and (mark := role_assignments.marked(one.row)) and not mark.own
    ]
    heirs = heirs_of(cloud, spec.siblings, shared, endpoints.list_endpoints(cloud) if shared else {})
    for one in found:
        body = {"id": one.row["id"], "giver": one.giver, "marked": role_assignments.marked(one.row) is not None}
        body |= {"heir": heir} if (heir := heirs.get(str(one.row["id"]))) else {}
        wanted = [_address(spec.key, role) for role in one.roles]
        facts |= dict.fromkeys(wanted or [_found(spec.key, one.row, facts)], body)
    return facts


def heirs_of(
    cloud: Cloud, others: Sequence[EndpointSpec], rows: Sequence[Json], bodies: lineage.Bodies
) -> dict[str, Json]:
    """Assignment -> what describes it as that of another entry that asks for the same. `bodies`: who is there."""
    found: dict[str, Json] = {}
    for other in lineage.settle(others, bodies) if rows else ():
        body = bodies.get(other.name) or {}
        if owner_tag(body) == other.owner:
            wanted = _wishes(cloud, other, body)
            for row in rows:
                if role_state.key_of(row) in wanted:
                    found.setdefault(str(row["id"]), _described(row, other))
    return found


def _wishes(cloud: Cloud, other: EndpointSpec, body: Json) -> Mapping[role_state.RoleKey, Sequence[Role]]:
    """Of another entry: a role or a scope of its that nobody knows is its own trouble."""
    try:
        return role_state.desired_roles(cloud, other, role_state.identity(body))
    except CloudError as error:
        if error.code not in ("AML324", "AML325"):
            raise
        return {}


def _described(row: Json, heir: EndpointSpec) -> dict[str, Json]:
    """The step's body that says of an assignment that it is the heir's."""
    (_, principal, role), kind = role_state.key_of(row), row["properties"].get("principalType")
    what = {"role": role, "scope": str(row["properties"]["scope"]), "principal": principal, "principal_type": kind}
    return {"id": row["id"], **what, "endpoint": heir.name, "owner": heir.owner}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Give what is missing, take back what we gave and no longer want; towards nothing, what Azure gave, too."""
    _refuse_blindness(facts)
    if wanted is None:
        seen = [(a, body) for a, body in sorted(facts.items()) if a.split("/")[0] == NAME]
        if unseen := [a for a, body in seen if body["giver"] == _UNSEEN]:
            raise Refused([unreadable(unseen[0])])
        # The marked ones last: whatever fails before, the mark still says what is left.
        seen.sort(key=lambda each: bool(each[1].get("marked")))
        return [_take(a, body) for a, body in seen if body["giver"] in _GIVEN]
    spec = wanted.spec
    there, asked = facts_of(facts, NAME, spec.key), {_address(spec.key, role): role for role in spec.pipeline.roles}
    give = [_give(spec, role) for where, role in asked.items() if where not in facts]
    give += [_keep(spec, role) for where, role in asked.items() if _is_of_entry(facts.get(where))]
    take = [
        _take(where, body)
        for rest, body in sorted(there.items())
        if (where := address(NAME, spec.key, rest)) not in asked and body["giver"] == "us"
    ]
    return [*give, *take]


def unreadable(where: str) -> Finding:
    """Nobody whose roles cannot be seen is deleted: they would stay behind for a principal that is no more."""
    cause = "role assignments may not be read, so it is not known which are to be taken back"
    return Finding(where, "AML252", cause, "Have Reader on the resource group given to the caller")


def _refuse_blindness(facts: Facts) -> None:
    for where, body in facts.items():
        if where.split("/")[0] == NAME and body["giver"] == _UNTOLD:
            cause = f"role assignments {body['told']}; so nobody knows which are given and which are to be taken back"
            raise Refused([Finding(where, "AML253", cause, "Try again; if it lasts, see Azure's status page")])


def run(cloud: Cloud, step: Step) -> Evidence | None:
    what = f"{step.verb} {step.address}"
    if step.verb is Verb.DELETE and "endpoint" in step.body:
        return _take_all(cloud, str(step.body["endpoint"]), what)
    if step.verb is Verb.DELETE:
        role_assignments.unassign(cloud, str(step.body["id"]), what=what)
        return None
    if "adopted" in step.body:
        return _move(cloud, step, what)
    principal, kind = step.body["principal"], step.body["principal_type"]
    own = False
    if principal == "endpoint":
        body = endpoints.read_recent_endpoint(cloud, str(step.body["endpoint"]))
        principal, own = role_state.identity(body), role_assignments.system_identity(body) is not None
        if not principal:
            raise Transient(what, "the endpoint has no identity yet", "Wait until it is provisioned", code="AML326")
    role_assignments.assign(
        cloud,
        scope=role_assignments.scope_id(cloud, str(step.body["scope"]), str(step.body["endpoint"])),
        principal=principal,
        principal_type=kind,
        role=role_assignments.role_id(cloud, str(step.body["role"])),
        mark=role_assignments.mark(cloud, str(step.body["owner"]), str(step.body["endpoint"]), own=own),
        what=what,
    )
    return None


def _move(cloud: Cloud, step: Step, what: str) -> Evidence | None:
    """The description of an assignment names another owner from now on; the rest of it stays."""
    rows = [row for row in role_assignments.assignments(cloud) or () if row["id"] == step.body["id"]]
    mark = role_assignments.marked(rows[0]) if rows else None
    if mark is None or mark.owner != step.body["adopted"]:
        return Evidence("it is gone, or names another owner already")
    text = str(rows[0]["properties"]["description"])
    role_assignments.describe(cloud, rows[0], text.replace(mark.owner, str(step.body["owner"]), 1), what=what)
    return None


def _take_all(cloud: Cloud, endpoint: str, what: str) -> Evidence:
    """Whatever the system identity of an endpoint holds; what may not be taken back is said and blocks nothing."""
    own = role_assignments.system_identity(endpoints.read_endpoint(cloud, endpoint))
    rows = [row for row in role_assignments.assignments(cloud) or () if own and role_assignments.holder(row) == own]
    for number, row in enumerate(rows):
        try:
            role_assignments.unassign(cloud, str(row["id"]), what=what)
        except CloudError as error:
            if error.status != 403:
                raise
            return Evidence(f"may not be taken back, so {count(len(rows) - number, 'role assignment')} will stay")
    return Evidence(count(len(rows), "role assignment"))


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


def _is_of_entry(body: Mapping[str, Json] | None) -> bool:
    """Whether it is held already, for another endpoint of the same entry, with whose end it would go."""
    return body is not None and body["giver"] == "line"


def _keep(spec: EndpointSpec, role: Role) -> Step:
    """The same assignment, described as this endpoint's from now on."""
    return replace(_give(spec, role), verb=Verb.UPDATE, why="it was given for another endpoint of this entry")


def _found(key: str, row: Json, taken: Facts) -> str:
    """The address of an assignment that nobody wants: its role and what it is on, its name too if need be."""
    properties = row["properties"]
    role = role_assignments.role_name(str(properties["roleDefinitionId"])).replace(" ", "-")
    where = address(NAME, key, role, str(properties["scope"]).rsplit("/", 1)[-1])
    return f"{where}/{row['name']}" if where in taken else where


def _take(where: str, body: Mapping[str, Json]) -> Step:
    if heir := body.get("heir"):
        return hand_on(where, heir)
    return Step(Verb.DELETE, where, {"id": body["id"]}, _GIVEN[str(body["giver"])], BRIEF)


def hand_on(where: str, heir: Mapping[str, Json]) -> Step:
    """The same assignment, described as another entry's from now on."""
    return Step(Verb.UPDATE, where, heir, f"{heir['owner']} asks for it, too: it is that one's from now on", PATIENT)


def _address(key: str, role: Role) -> str:
    holder = () if isinstance(role.principal, str) else (role.principal.object_id.lower(),)
    return address(NAME, key, role.role.replace(" ", "-"), role.scope.strip("/").replace("/", ":"), *holder)
