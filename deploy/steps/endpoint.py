"""The endpoint: one PUT creates or changes it, one DELETE deletes it with all its deployments. Traffic is another
step type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from deploy import diff
from deploy.clock import Task
from deploy.cloud import endpoints, preconditions, shared_quota
from deploy.cloud.connect import Cloud
from deploy.cloud.operations import VERSION
from deploy.diff import effects
from deploy.domain import history, leases
from deploy.domain.arm import OWNER_TAG, Address, Facts, Json, address, facts_of, is_succeeded
from deploy.domain.owners import is_unmanaged, owner_tag
from deploy.domain.plan import Desired, Difference, Step, Verb, World
from deploy.domain.report import Evidence
from deploy.domain.spec import DEFAULT_RETRY, EndpointSpec, Retry
from deploy.domain.traffic_shares import shares
from deploy.errors import Finding, Refused
from deploy.leasing import lineage
from deploy.preflight import permissions as rights
from deploy.preflight import refusals

NAME = "endpoint"
_HISTORY = tuple(f"tags.{name}" for name in history.TAGS)
_TRAFFIC = (("traffic", "traffic"), ("mirror_traffic", "mirrorTraffic"))


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`endpoint/<key>`: the endpoint's ARM body; `endpoint/<key>/<name>`: another one with the same owner tag."""
    return {
        address(NAME, spec.key, *([] if name == spec.name else [name])): body
        for name, body in endpoints.list_endpoints(cloud).items()
        if name == spec.name or owner_tag(body) == spec.owner
    }


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """Create, change or delete the endpoint. A change that Azure cannot make is refused."""
    if desired is None:
        # Another endpoint of the same owner has its own teardown: its deployments and roles are deleted before it.
        return [_delete(where, body) for where, body in facts.items() if where.kind == NAME and not where.rest]
    spec, where = desired.spec, address(NAME, desired.spec.key)
    others = {name: body for name, body in facts_of(facts, NAME, spec.key).items() if name}
    if former := {name for name, body in others.items() if not lineage.is_in_chain(spec, name, body)}:
        names = ", ".join(sorted(former))
        cure = "Restore the old name, or tear it down under that name first (values and template determine the name)"
        cause = f"the name changed to {spec.name}, and {names} of the same owner still exists"
        raise Refused([Finding(str(where), "AML232", cause, cure)])
    body, retry = facts.get(where), spec.retry
    if body is None:
        quota, why = spec.pipeline.quota, f"there is no endpoint {spec.name} yet"
        document: dict[str, Json] = {"document": _without_mirror(spec.document_for_put({})), "shared": None}
        if quota.capacity == "shared":
            document["shared"] = {"seconds": quota.duration, "api_version": quota.api_version}
            why = f"{why}; on shared quota for {quota.duration / 3600:g} h"
        if before := keys_of(spec, facts):
            may = _may_read_keys(spec, facts)
            document |= {"predecessor": before} if may else {}
            why = f"{why}; with the keys of {before}" if may else f"{why}; clients need its new keys ({rights.KEYS})"
        return [Step(Verb.CREATE, where, document, why, retry)]
    return _change(spec, where, body, retry)


def keys_of(spec: EndpointSpec, facts: Facts) -> str | None:
    """The endpoint that a new one succeeds, under key authentication: clients continue to use its keys."""
    if str(spec.endpoint.get("auth_mode") or "key") != "key":
        return None
    found = facts_of(facts, NAME, spec.key).items()
    others = {name: body for name, body in found if name and lineage.is_in_chain(spec, name, body)}
    keyed = [name for name, body in others.items() if (body.get("properties") or {}).get("authMode") == "Key"]
    serving = [name for name in keyed if shares(others[name])]
    chain = leases.chain(spec.first_name, serving) or leases.chain(spec.first_name, keyed)
    return chain[-1] if chain else None


def _may_read_keys(spec: EndpointSpec, facts: Facts) -> bool:
    """False only if Azure lists no such permission for the caller."""
    blocks = (facts.get(address("permission", spec.key, "workspace")) or {}).get("blocks")
    return blocks is None or rights.allows(blocks, rights.KEYS)


def _change(spec: EndpointSpec, where: Address, body: Mapping[str, Json], retry: Retry) -> Sequence[Step]:
    desired = spec.document_for_put(body)
    found = diff.changes(desired, body, diff.ENDPOINT)
    if findings := _refusals(where, [change for change in found if not change.in_place]):
        raise Refused(findings)
    state = body["properties"].get("provisioningState")
    if not found and (state == "Succeeded" or is_unmanaged(spec.owner, body)):
        return []
    served = {name: body["properties"].get(arm) or {} for name, arm in _TRAFFIC}
    whole = diff.fill_from_existing(desired, body, diff.ENDPOINT)
    expected = {"traffic": [shares(body)]}  # the PUT contains the traffic
    step_body = {"document": {**whole, **served}, "changes": [asdict(c) for c in found], "expects": expected}
    why = ", ".join(c.path for c in found) or f"it is {state}"
    return [Step(Verb.UPDATE, where, step_body, why, retry)]


def _refusals(where: Address, changes: Sequence[diff.Change]) -> list[Finding]:
    """A finding for each field that cannot be changed; all fields of an identity are one."""
    together: dict[tuple[str, diff.Mutability], list[diff.Change]] = {}
    for change in changes:
        thing = "identity" if change.path.startswith("identity.") else change.path
        together.setdefault((thing, change.mutability), []).append(change)
    return [_refusal(where, thing, mutability, found) for (thing, mutability), found in together.items()]


def _refusal(where: Address, thing: str, mutability: diff.Mutability, changes: Sequence[diff.Change]) -> Finding:
    """Why Azure cannot make a change, and what to do."""
    before, after = _words([c.before for c in changes]), _words([c.after for c in changes])
    cause = f"Azure cannot change {thing} of an endpoint that exists: it is {before}, the files set {after}"
    if mutability is diff.Mutability.ADD_ONLY:
        cure = "Revert the change, or use another name: properties can only be added"
        return Finding(str(where), "AML221", cause, cure)
    cure = (
        "Revert the change, tear the endpoint down and apply again, or add another key and name and move clients to it"
    )
    return Finding(str(where), "AML220", cause, cure)


def _words(values: Sequence[Json]) -> str:
    """The values in words: `system_assigned`; `user_assigned with ID`."""
    flat = [value for each in values for value in (each if isinstance(each, list | tuple) else [each])]
    first, *others = [str(value) for value in flat if value not in (None, "")] or ["nothing"]
    return f"{first} with {', '.join(others)}" if others else first


def unexplained(step: Step, body: Json) -> Iterator[str]:
    """ARM paths of the endpoint that are not as the step leaves them."""
    return effects.unexplained_fields(step, body, diff.ENDPOINT)


def explains(step: Step, found: Difference, world: World) -> bool:
    """Whether a difference is what the step writes, or a role that Azure assigns to the identity of a new endpoint."""
    if found.address == step.address:
        if found.path in _HISTORY or found.path.startswith(("properties.traffic", "properties.mirrorTraffic")):
            return False  # only a shift of traffic changes these
        return effects.is_written_by(step, found, world.get(step.address), diff.ENDPOINT)
    new = step.verb is Verb.CREATE and found.before is None and not found.path
    is_role = (found.address.kind, found.address.endpoint) == ("role", step.endpoint)
    return new and is_role and found.after.get("assigned_by") == "azure"


def essence(step: Step) -> Json:
    """What makes two steps the same after an interruption: the document without unmanaged fields."""
    document = step.body.get("document")
    if not isinstance(document, Mapping):
        return dict(step.body)
    return {name: value for name, value in document.items() if name not in ("traffic", "mirror_traffic", "properties")}


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """An endpoint that enforces access to secret stores is created only by a caller who may read them."""
    if step.verb is Verb.DELETE:
        return "workspace", rights.ENDPOINT_DELETE
    properties = (step.body.get("document") or {}).get("properties") or {}
    flag = str(properties.get("enforce_access_to_default_secret_stores", "")).lower()
    secrets = rights.SECRETS if flag == "enabled" and step.verb is Verb.CREATE else ()
    return "workspace", (*rights.ENDPOINT_WRITE, *secrets)


def grants_access(step: Step) -> bool:
    """Azure assigns roles to the system identity of a new endpoint; a user-assigned identity has its roles already."""
    document = step.body.get("document") or {}
    kind = str((document.get("identity") or {}).get("type") or "system_assigned")
    return step.verb is Verb.CREATE and kind == "system_assigned"


def run(cloud: Cloud, step: Step) -> Task[Evidence | None]:
    what = f"{step.verb} {step.address}"
    if step.verb is Verb.DELETE:
        yield from endpoints.delete_endpoint(
            cloud, str(step.body["name"]), what=what, timeout_seconds=step.retry.deadline
        )
        return None
    if "adopted" in step.body:
        yield from _adopt(cloud, step, what)
        return None
    document, loan = step.body["document"], step.body.get("shared")
    there = _created_meanwhile(cloud, str(document["name"]), alone=bool(loan)) if step.verb is Verb.CREATE else None
    refusals.require_not_taken(there, document["tags"].get(OWNER_TAG), what)
    if loan:
        if (lease := _lease_of(there)) is not None:
            return Evidence(f"another run created it; its lease expires {leases.local_and_utc(lease.ends)}")
        seconds, version, former = float(loan["seconds"]), loan["api_version"], step.body.get("predecessor")
        timeout_seconds = step.retry.deadline
        note = yield from shared_quota.create(
            cloud, document, seconds, version, what=what, timeout_seconds=timeout_seconds, keys_of=former
        )
        return Evidence(note)
    preconditions.check(cloud, str(document["name"]), step.body.get("expects"), what)
    if there and is_succeeded(there) and not diff.changes(document, there, diff.ENDPOINT):
        return Evidence("it exists already")  # a PUT without its traffic would remove it
    return (yield from _put(cloud, step, document, what))


def _adopt(cloud: Cloud, step: Step, what: str) -> Task[None]:
    """Our tags; with a record also the history of an endpoint that has none."""
    name, tags = str(step.body["name"]), step.body["adopted"]
    there = endpoints.read_endpoint(cloud, name)
    refusals.require_same_owner(there, step, what)
    if (record := step.body.get("record")) and shares(there or {}) == {record["slot"]: 100}:
        tags = tags | history.after_live(there or {}, record["slot"], record["release"], cloud.now())
    path = endpoints.endpoint_path(cloud, name)
    yield from endpoints.patch(cloud, path, {"tags": tags}, what=what, timeout_seconds=step.retry.deadline)


def _put(cloud: Cloud, step: Step, document: Mapping[str, Json], what: str) -> Task[Evidence | None]:
    """An endpoint on dedicated quota, with the keys of the one that it succeeds if there is one."""
    timeout_seconds, note = step.retry.deadline, ""
    if former := step.body.get("predecessor"):
        made, note = yield from shared_quota.with_keys(
            cloud, document, VERSION, str(former), what=what, timeout_seconds=timeout_seconds
        )
        if made:
            return Evidence(note)
    yield from endpoints.put_endpoint(
        cloud, document, what=what, timeout_seconds=timeout_seconds,
        is_desired=lambda there: not diff.changes(document, there, diff.ENDPOINT),
    )  # fmt: skip
    return Evidence(note) if note else None


def _created_meanwhile(cloud: Cloud, name: str, *, alone: bool) -> Json | None:
    """The endpoint of this name, if it was created after the plan was made. Azure accepts few reads per second, so
    endpoints that are created at once share a recent list; `alone` reads it fresh, as a second PUT changes the lease.
    """
    return endpoints.read_endpoint(cloud, name) if alone else endpoints.list_recent_endpoints(cloud).get(name)


def _lease_of(body: Mapping[str, Json] | None) -> leases.Lease | None:
    """The lease of an endpoint that exists already: a second PUT would request another end."""
    return leases.of(body) if body and is_succeeded(body) else None


def _delete(where: Address, body: Mapping[str, Json]) -> Step:
    return Step(
        Verb.DELETE,
        where,
        {"name": body["name"]},
        f"endpoint {body['name']} and everything behind it are deleted",
        DEFAULT_RETRY,
    )


def _without_mirror(document: Mapping[str, Json]) -> dict[str, Json]:
    """The document without mirror traffic: Azure mirrors only to deployments that exist."""
    return {key: value for key, value in document.items() if key != "mirror_traffic"}
