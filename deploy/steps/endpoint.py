"""The endpoint: one PUT makes or changes it, one DELETE ends it with whatever is behind it. Traffic is not this
room's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from deploy import diff
from deploy.cloud import endpoints, shared_quota
from deploy.cloud.connect import Cloud
from deploy.cloud.operations import VERSION
from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG, Facts, Json, address, facts_of
from deploy.domain.owners import is_unmanaged, owner_tag
from deploy.domain.plan import Step, Verb, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import PATIENT, EndpointSpec, Retry
from deploy.domain.traffic_shares import shares
from deploy.errors import Finding, Refused
from deploy.leasing import lineage
from deploy.preflight import permissions, refusals

NAME = "endpoint"
_TRAFFIC = (("traffic", "traffic"), ("mirror_traffic", "mirrorTraffic"))


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`endpoint/<key>`: the endpoint's ARM body; `endpoint/<key>/<name>`: another that carries this owner's tag."""
    return {
        address(NAME, spec.key, *([] if name == spec.name else [name])): body
        for name, body in endpoints.list_endpoints(cloud).items()
        if name == spec.name or owner_tag(body) == spec.owner
    }


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Create, change or delete the endpoint. A change that Azure cannot make is refused."""
    if wanted is None:
        # Another of the same owner has an end of its own: its deployments and roles go before it.
        return [_delete(where, body) for where, body in facts.items() if _is_named(where)]
    spec, where = wanted.spec, address(NAME, wanted.spec.key)
    others = {name: body for name, body in facts_of(facts, NAME, spec.key).items() if name}
    if former := {name for name, body in others.items() if not lineage.is_of_line(spec, name, body)}:
        names = ", ".join(sorted(former))
        cure = "Take the old name back, or tear it down under that name first (values and template decide the name)"
        cause = f"the name changed to {spec.name}, and {names} of the same owner is still there"
        raise Refused([Finding(where, "AML232", cause, cure)])
    body, retry = facts.get(where), spec.retry
    if body is None:
        quota, why = spec.pipeline.quota, f"there is no endpoint {spec.name} yet"
        document: dict[str, Json] = {"document": _without_mirror(spec.owned({})), "shared": None}
        if quota.capacity == "shared":
            document["shared"] = {"seconds": quota.duration, "api_version": quota.api_version}
            why = f"{why}; on shared quota for {quota.duration / 3600:g} h"
        if before := keys_of(spec, facts):
            may = _may_read_keys(spec, facts)
            document |= {"predecessor": before} if may else {}
            why = (
                f"{why}; with the keys of {before}" if may else f"{why}; clients need its new keys ({permissions.KEYS})"
            )
        return [Step(Verb.CREATE, where, document, why, retry)]
    return _change(spec, where, body, retry)


def keys_of(spec: EndpointSpec, facts: Facts) -> str | None:
    """The endpoint that a new one succeeds, under key authentication: clients go on with its keys."""
    if str(spec.endpoint.get("auth_mode") or "key") != "key":
        return None
    found = facts_of(facts, NAME, spec.key).items()
    others = {name: body for name, body in found if name and lineage.is_of_line(spec, name, body)}
    keyed = [name for name, body in others.items() if (body.get("properties") or {}).get("authMode") == "Key"]
    serving = [name for name in keyed if shares(others[name])]
    line = leases.order(spec.base, serving) or leases.order(spec.base, keyed)
    return line[-1] if line else None


def _may_read_keys(spec: EndpointSpec, facts: Facts) -> bool:
    """False only where Azure says that the caller may not."""
    blocks = (facts.get(address("permission", spec.key, "workspace")) or {}).get("blocks")
    return blocks is None or permissions.allows(blocks, permissions.KEYS)


def _change(spec: EndpointSpec, where: str, body: Mapping[str, Json], retry: Retry) -> Sequence[Step]:
    wanted = spec.owned(body)
    found = diff.changes(wanted, body, diff.ENDPOINT)
    if findings := _refusals(where, [change for change in found if not change.in_place]):
        raise Refused(findings)
    state = body["properties"].get("provisioningState")
    if not found and (state == "Succeeded" or is_unmanaged(spec.owner, body)):
        return []
    served = {name: body["properties"].get(arm) or {} for name, arm in _TRAFFIC}
    whole = diff.fill_from_existing(wanted, body, diff.ENDPOINT)
    step_body = {"document": {**whole, **served}, "changes": [asdict(c) for c in found]}
    why = ", ".join(c.path for c in found) or f"it is {state}"
    return [Step(Verb.UPDATE, where, step_body, why, retry)]


def _refusals(where: str, changes: Sequence[diff.Change]) -> list[Finding]:
    """A finding for each thing that cannot be changed: an identity is one, however many of its fields differ."""
    together: dict[tuple[str, diff.Mutability], list[diff.Change]] = {}
    for change in changes:
        thing = "identity" if change.path.startswith("identity.") else change.path
        together.setdefault((thing, change.mutability), []).append(change)
    return [_refusal(where, thing, mutability, found) for (thing, mutability), found in together.items()]


def _refusal(where: str, thing: str, mutability: diff.Mutability, changes: Sequence[diff.Change]) -> Finding:
    """Why a change cannot be made, and the ways out."""
    before, after = _words([c.before for c in changes]), _words([c.after for c in changes])
    cause = f"Azure cannot change {thing} of an endpoint that exists: it is {before}, wanted is {after}"
    if mutability is diff.Mutability.ADD_ONLY:
        cure = "Properties can only be added: take the change back, or write it under another name"
        return Finding(where, "AML221", cause, cure)
    cure = "Take the change back, tear the endpoint down and apply again, or give it another key and name and move over"
    return Finding(where, "AML220", cause, cure)


def _words(values: Sequence[Json]) -> str:
    """What is there, in one breath: `system_assigned`; `user_assigned with ID`."""
    flat = [value for each in values for value in (each if isinstance(each, list | tuple) else [each])]
    first, *others = [str(value) for value in flat if value not in (None, "")] or ["nothing"]
    return f"{first} with {', '.join(others)}" if others else first


def run(cloud: Cloud, step: Step) -> Evidence | None:
    what = f"{step.verb} {step.address}"
    if step.verb is Verb.DELETE:
        endpoints.delete_endpoint(cloud, str(step.body["name"]), what=what, patience=step.retry.deadline)
        return None
    if "adopted" in step.body:
        refusals.changed_owner(endpoints.read_endpoint(cloud, str(step.body["name"])), step, what)
        path = endpoints.endpoint_path(cloud, str(step.body["name"]))
        endpoints.patch(cloud, path, {"tags": step.body["adopted"]}, what=what, patience=step.retry.deadline)
        return None
    document, loan = step.body["document"], step.body.get("shared")
    there = _there(cloud, str(document["name"]), alone=bool(loan)) if step.verb is Verb.CREATE else None
    refusals.appeared(there, document["tags"].get(OWNER_TAG), what)
    if loan:
        if (lease := _lent(there)) is not None:
            return Evidence(f"another run has made it; its lease ends {leases.both(lease.ends)}")
        seconds, version, former = float(loan["seconds"]), loan["api_version"], step.body.get("predecessor")
        patience = step.retry.deadline
        return Evidence(
            shared_quota.create(cloud, document, seconds, version, what=what, patience=patience, keys_of=former)
        )
    if there and _is_whole(there) and not diff.changes(document, there, diff.ENDPOINT):
        return Evidence("it is there already")  # a PUT without its callers would turn them away
    return _put(cloud, step, document, what)


def _put(cloud: Cloud, step: Step, document: Mapping[str, Json], what: str) -> Evidence | None:
    """An endpoint on dedicated quota, with the keys of the one that it succeeds if there is one."""
    patience, said = step.retry.deadline, ""
    if former := step.body.get("predecessor"):
        made, said = shared_quota.with_keys(cloud, document, VERSION, str(former), what=what, patience=patience)
        if made:
            return Evidence(said)
    endpoints.put_endpoint(
        cloud, document, what=what, patience=patience,
        settled=lambda there: not diff.changes(document, there, diff.ENDPOINT),
    )  # fmt: skip
    return Evidence(said) if said else None


def _there(cloud: Cloud, name: str, *, alone: bool) -> Json | None:
    """What has come to be under this name since the plan. Azure takes few reads a second: many that are made at once
    share a list of the last seconds; where a second PUT would ask for another lease, it is looked at by itself.
    """
    return endpoints.read_endpoint(cloud, name) if alone else endpoints.list_recent_endpoints(cloud).get(name)


def _lent(body: Mapping[str, Json] | None) -> leases.Lease | None:
    """The lease of an endpoint that is there all the same: a second PUT would ask Azure for another end of it."""
    return leases.of(body) if body and _is_whole(body) else None


def _is_whole(body: Mapping[str, Json]) -> bool:
    return bool((body.get("properties") or {}).get("provisioningState") == "Succeeded")


def _delete(where: str, body: Mapping[str, Json]) -> Step:
    return Step(Verb.DELETE, where, {"name": body["name"]}, f"endpoint {body['name']} is no longer wanted", PATIENT)


def _is_named(where: str) -> bool:
    """Whether it is the endpoint that was asked about: `endpoint/<key>` and no more."""
    return where.split("/", maxsplit=1)[0] == NAME and where.count("/") == 1


def _without_mirror(document: Mapping[str, Json]) -> dict[str, Json]:
    """Azure mirrors to deployments that exist, so a new endpoint starts without."""
    return {key: value for key, value in document.items() if key != "mirror_traffic"}
