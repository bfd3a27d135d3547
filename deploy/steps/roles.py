"""Role assignments: created before the first deployment needs them, removed before the endpoint is deleted.

Only assignments with our description, or of the endpoint's system identity, are removed. Azure has one assignment for a
scope, a principal and a role, and its description names one endpoint. So if another entry of the file, whose endpoint
exists, needs the same assignment, it is handed on instead.

If the list of assignments may not be read (403), every desired role is assigned, which changes nothing if it exists.
If the list is not answered for another reason, the plan is refused: a plan without the list would need the permission
to assign roles that exist, would never be empty, and would leave roles that the files no longer contain.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from deploy.cloud import endpoints, response_schemas, role_assignments, role_state
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.documents.pipeline import Role
from deploy.domain.arm import Address, Facts, Json, address
from deploy.domain.owners import owner_tag
from deploy.domain.plan import Desired, Step, Verb, World
from deploy.domain.report import Evidence
from deploy.domain.spec import DEFAULT_RETRY, SHORT_RETRY, EndpointSpec
from deploy.errors import CloudError, Finding, Refused, Transient
from deploy.leasing import lineage
from deploy.preflight import permissions as rights
from deploy.text import count

NAME = "role"
_WHY_REMOVED = {
    "amldeploy": "assigned by amldeploy and no longer in the files",
    "azure": "assigned by Azure to the endpoint's identity",
}
_FORBIDDEN, _UNANSWERED = "forbidden", "unanswered"
UNSEEN = "unseen"
"""In the body of the step that fails for assignments that cannot be read: the principal of the endpoint's identity."""
_UNREADABLE = "role assignments cannot be read, so it is unknown which must be removed"
_READER = "Assign Reader on the resource group to the caller"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`role/<key>/<role>/<scope>`: {id, assigned_by, marked} of desired assignments that exist, and of other managed.

    `marked`: its description names the owner. `transfer`: the step body that describes it as that of another entry.
    `role/<key>`: {id: "", assigned_by: "forbidden"} when they may not be read; {id: "", assigned_by: "unanswered",
    unread: why} when Azure does not answer.
    """
    _, unread = try_read(lambda: role_assignments.assignments(cloud))
    if unread:
        return {address(NAME, spec.key): {"id": "", "assigned_by": _UNANSWERED, "unread": unread}}
    found = role_state.existing_roles(cloud, spec)
    if found is None:
        return {address(NAME, spec.key): {"id": "", "assigned_by": _FORBIDDEN}}
    facts: dict[Address, Mapping[str, Json]] = {}
    shared = [
        one.row
        for one in found
        if one.assigned_by == "amldeploy" and (mark := role_assignments.marked(one.row)) and not mark.own
    ]
    transfers = transfers_of(cloud, spec.siblings, shared, endpoints.list_endpoints(cloud) if shared else {})
    for one in found:
        body = {
            "id": one.row["id"],
            "assigned_by": one.assigned_by,
            "marked": role_assignments.marked(one.row) is not None,
        }
        body |= {"transfer": transfer} if (transfer := transfers.get(str(one.row["id"]))) else {}
        desired = [_address(spec.key, role) for role in one.roles]
        facts |= dict.fromkeys(desired or [_found(spec.key, one.row, facts)], body)
    return facts


def transfers_of(
    cloud: Cloud, others: Sequence[EndpointSpec], rows: Sequence[Json], bodies: lineage.Bodies
) -> dict[str, Json]:
    """Assignment id -> the step body that transfers it to another entry. `bodies`: the endpoints that exist."""
    found: dict[str, Json] = {}
    for other in lineage.with_current_names(others, bodies) if rows else ():
        body = bodies.get(other.name) or {}
        if owner_tag(body) == other.owner:
            desired = _roles_of(cloud, other, body)
            for row in rows:
                if role_state.key_of(row) in desired:
                    found.setdefault(str(row["id"]), _described(row, other))
    return found


def _roles_of(cloud: Cloud, other: EndpointSpec, body: Json) -> Mapping[role_state.RoleKey, Sequence[Role]]:
    """The roles of another entry; empty if one of its roles or scopes is unknown."""
    try:
        return role_state.desired_roles(cloud, other, role_state.identity(body))
    except CloudError as error:
        if error.code not in ("AML324", "AML325"):
            raise
        return {}


def _described(row: Json, other: EndpointSpec) -> dict[str, Json]:
    """The step body that describes an assignment as that of another entry."""
    (_, principal, role), kind = role_state.key_of(row), row["properties"].get("principalType")
    what = {"role": role, "scope": str(row["properties"]["scope"]), "principal": principal, "principal_type": kind}
    return {"id": row["id"], **what, "endpoint": other.name, "owner": other.owner}


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """Assign what is missing, remove what is no longer in the files; for a deletion, also what Azure assigned."""
    _refuse_unread(facts)
    if desired is None:
        seen = [(a, body) for a, body in sorted(facts.items()) if a.kind == NAME]
        if unseen := [a for a, body in seen if body["assigned_by"] == _FORBIDDEN]:
            return [_unseen(unseen[0], facts)]
        # Those with a mark last: if an earlier step fails, the mark still shows what remains.
        seen.sort(key=lambda each: bool(each[1].get("marked")))
        removed = [_remove(a, body) for a, body in seen if body["assigned_by"] in _WHY_REMOVED]
        return after_others(removed, {str(body["id"]) for _, body in seen if body.get("marked")})
    spec = desired.spec
    by_address = {_address(spec.key, role): role for role in spec.pipeline.roles}
    assigned = [_assign(spec, role) for where, role in by_address.items() if where not in facts]
    assigned += [_keep(spec, role) for where, role in by_address.items() if _is_of_entry(facts.get(where))]
    removed = [
        _remove(where, body)
        for where, body in sorted(facts.items())
        if (where.kind, where.endpoint) == (NAME, spec.key)
        and where not in by_address
        and body["assigned_by"] == "amldeploy"
    ]
    return [*assigned, *removed]


def after_others(steps: Sequence[Step], marked: Collection[str]) -> list[Step]:
    """The removals; those of assignments with our mark (ids) are made only after those without it."""
    bare = [str(s.body["id"]) for s in steps if s.verb is Verb.DELETE and s.body["id"] not in marked]
    return [
        replace(s, body={**s.body, "after": bare}) if bare and s.verb is Verb.DELETE and s.body["id"] in marked else s
        for s in steps
    ]


def unreadable(where: Address) -> Finding:
    """The finding for an endpoint that is not deleted, because its role assignments would remain."""
    return Finding(str(where), "AML252", _UNREADABLE, _READER)


def _unseen(where: Address, facts: Facts) -> Step:
    """The step that fails for role assignments that cannot be read; the endpoint is deleted all the same."""
    own = role_assignments.system_identity(facts.get(address("endpoint", where.endpoint)))
    return Step(Verb.DELETE, where, {UNSEEN: own or ""}, _UNREADABLE, SHORT_RETRY)


def _refuse_unread(facts: Facts) -> None:
    for where, body in facts.items():
        if where.kind == NAME and body["assigned_by"] == _UNANSWERED:
            cause = f"role assignments {body['unread']}, so it is unknown which exist and which must be removed"
            raise Refused(
                [Finding(str(where), "AML253", cause, "Try again. If it continues, check Azure's status page")]
            )


def is_in_effect(step: Step, world: World) -> bool:
    """Whether the role assignment exists; for one that is removed or transferred, whether the entry has lost it."""
    body = world.get(step.address)
    if step.verb is Verb.DELETE or "id" in step.body:
        return body is None
    return bool((body or {}).get("assigned_by") == "amldeploy")


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Needed at the scope of the role assignment: a word of pipeline.yml, or an ARM id."""
    if step.verb is Verb.DELETE:
        return str(step.body["id"]).split("/providers/Microsoft.Authorization/")[0], rights.GIVING[1:]
    return str(step.body["scope"]), rights.GIVING[:1]


def fails_alone(step: Step) -> bool:
    """The removal or transfer of an assignment: the permission to delete an endpoint does not include it."""
    return step.verb is Verb.DELETE or "id" in step.body


def grants_access(step: Step) -> bool:
    """A new role assignment takes minutes to take effect."""
    return step.verb is Verb.CREATE


def essence(step: Step) -> Json:
    """What makes two steps the same after an interruption: not which other removals come first."""
    return {name: value for name, value in step.body.items() if name != "after"}


def run(cloud: Cloud, step: Step) -> Evidence | None:
    what = f"{step.verb} {step.address}"
    if UNSEEN in step.body:
        raise _may_stay(what, str(step.body[UNSEEN]))
    if step.verb is Verb.DELETE and "endpoint" in step.body:
        return _remove_all(cloud, str(step.body["endpoint"]), what)
    if step.verb is Verb.DELETE:
        if _is_of_other_entry(cloud, step, what):
            return Evidence("it stays: another entry manages it now")
        _require_last(cloud, step, what)
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


def _may_stay(what: str, principal: str) -> CloudError:
    """The error for role assignments that cannot be read. Those that Azure made have no mark of ours: once the endpoint
    is deleted, they are found by the object id of its identity only.
    """
    own = f"; those of the endpoint's identity {principal} may stay" if principal else ""
    cure = f"{_READER} and run the command again"
    cure += f". Remove what still has the principal {principal} then" if principal else ""
    return CloudError(what, f"{_UNREADABLE}{own}", cure, code="AML252")


def _is_of_other_entry(cloud: Cloud, step: Step, what: str) -> bool:
    """Whether an entry that this run created describes the assignment of an orphan as its own."""
    if "owner" not in step.body:
        return False
    row = cloud.arm.get(str(step.body["id"]), role_assignments.VERSION, what, response_schemas.Assignment)
    mark = role_assignments.marked(row) if row else None
    return mark is not None and mark.owner != step.body["owner"]


def _require_last(cloud: Cloud, step: Step, what: str) -> None:
    """The assignment that records an endpoint's identity is removed after the others of that identity: without the
    record they cannot be found once the endpoint is deleted.
    """
    if others := [each for each in step.body.get("after", ()) if each in cloud.unconfirmed]:
        cause = f"it records the owner of {', '.join(others)}, which could not be removed"
        raise CloudError(what, cause, "Remove that first, or run the command again", code="AML383")


def _move(cloud: Cloud, step: Step, what: str) -> Evidence | None:
    """Replace the owner in the description of an assignment."""
    rows = [row for row in role_assignments.assignments(cloud) or () if row["id"] == step.body["id"]]
    mark = role_assignments.marked(rows[0]) if rows else None
    if mark is None or mark.owner != step.body["adopted"]:
        return Evidence("it is gone, or names another owner already")
    text = str(rows[0]["properties"]["description"])
    role_assignments.describe(cloud, rows[0], text.replace(mark.owner, str(step.body["owner"]), 1), what=what)
    return None


def _remove_all(cloud: Cloud, endpoint: str, what: str) -> Evidence:
    """Remove all assignments of an endpoint's system identity; those that cannot be removed are reported."""
    own = role_assignments.system_identity(endpoints.read_endpoint(cloud, endpoint))
    rows = [row for row in role_assignments.assignments(cloud) or () if own and role_assignments.holder(row) == own]
    for number, row in enumerate(rows):
        try:
            role_assignments.unassign(cloud, str(row["id"]), what=what)
        except CloudError as error:
            if error.status != 403:
                raise
            return Evidence(f"cannot be removed, so {count(len(rows) - number, 'role assignment')} will stay")
    return Evidence(count(len(rows), "role assignment"))


def _assign(spec: EndpointSpec, role: Role) -> Step:
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
    """Whether the assignment exists for another endpoint of the same entry."""
    return body is not None and body["assigned_by"] == "same_entry"


def _keep(spec: EndpointSpec, role: Role) -> Step:
    """The step that describes an assignment as this endpoint's."""
    return replace(_assign(spec, role), verb=Verb.UPDATE, why="it was assigned for another endpoint of this entry")


def _found(key: str, row: Json, taken: Facts) -> Address:
    """The address of an assignment that is not desired: role and scope, and its name if that is ambiguous."""
    properties = row["properties"]
    role = role_assignments.role_name(str(properties["roleDefinitionId"])).replace(" ", "-")
    where = address(NAME, key, role, str(properties["scope"]).rsplit("/", 1)[-1])
    return where._replace(rest=(*where.rest, str(row["name"]))) if where in taken else where


def _remove(where: Address, body: Mapping[str, Json]) -> Step:
    if transfer := body.get("transfer"):
        return transfer_step(where, transfer)
    return Step(Verb.DELETE, where, {"id": body["id"]}, _WHY_REMOVED[str(body["assigned_by"])], SHORT_RETRY)


def transfer_step(where: Address, transfer: Mapping[str, Json]) -> Step:
    """The step that describes an assignment as that of another entry."""
    return Step(
        Verb.UPDATE, where, transfer, f"{transfer['owner']} needs it too and manages it from now on", DEFAULT_RETRY
    )


def _address(key: str, role: Role) -> Address:
    holder = () if isinstance(role.principal, str) else (role.principal.object_id.lower(),)
    return address(NAME, key, role.role.replace(" ", "-"), role.scope.strip("/").replace("/", ":"), *holder)
