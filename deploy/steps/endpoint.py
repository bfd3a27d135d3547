"""The endpoint: one PUT makes or changes it, one DELETE ends it with whatever is behind it. Traffic is not this
room's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from deploy import diff
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.errors import Finding, Refused
from deploy.model import (
    OWNER_TAG,
    PATIENT,
    EndpointSpec,
    Facts,
    Json,
    Retry,
    Step,
    Verb,
    Wanted,
    address,
    of_room,
)

NAME = "endpoint"
_TRAFFIC = (("traffic", "traffic"), ("mirror_traffic", "mirrorTraffic"))


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`endpoint/<key>`: the endpoint's ARM body; `endpoint/<key>/<name>`: another that carries this owner's tag."""
    return {
        address(NAME, spec.key, *([] if name == spec.name else [name])): body
        for name, body in endpoints.list_endpoints(cloud).items()
        if name == spec.name or (body.get("tags") or {}).get(OWNER_TAG) == spec.owner
    }


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Create, change or delete the endpoint. A change that Azure cannot make is refused."""
    if wanted is None:
        return [_delete(where, body) for where, body in sorted(facts.items()) if where.split("/")[0] == NAME]
    spec, where = wanted.spec, address(NAME, wanted.spec.key)
    if former := of_room(facts, NAME, spec.key).keys() - {""}:
        names = ", ".join(sorted(former))
        cure = "Take the old name back, or tear it down under that name first (values and template decide the name)"
        cause = f"the name changed to {spec.name}, and {names} of the same owner is still there"
        raise Refused([Finding(where, "AML232", cause, cure)])
    body, retry = facts.get(where), spec.retry
    if body is None:
        shared = spec.pipeline.quota.capacity == "shared"
        why = f"there is no endpoint {spec.name} yet"
        document = {"document": _without_mirror(spec.owned({})), "shared": shared}
        return [Step(Verb.CREATE, where, document, f"{why}; on shared quota for 168 h" if shared else why, retry)]
    return _change(spec, where, body, retry)


def _change(spec: EndpointSpec, where: str, body: Mapping[str, Json], retry: Retry) -> Sequence[Step]:
    wanted = spec.owned(body)
    found = diff.changes(wanted, body, diff.ENDPOINT)
    if fixed := [c for c in found if c.mutability is not diff.Mutability.UPDATE and c.before is not None]:
        paths = ", ".join(c.path for c in fixed)
        cure = "Take the change back, or tear the endpoint down and apply again"
        raise Refused([Finding(where, "AML220", f"Azure cannot change {paths} of an endpoint that exists", cure)])
    state = body["properties"].get("provisioningState")
    if not found and state == "Succeeded":
        return []
    served = {name: body["properties"].get(arm) or {} for name, arm in _TRAFFIC}
    step_body = {"document": {**wanted, **served}, "changes": [asdict(c) for c in found]}
    why = ", ".join(c.path for c in found) or f"it is {state}"
    return [Step(Verb.UPDATE, where, step_body, why, retry)]


def run(cloud: Cloud, step: Step) -> None:
    what = f"{step.verb} {step.address}"
    if step.verb is Verb.DELETE:
        endpoints.delete_endpoint(cloud, str(step.body["name"]), what=what, patience=step.retry.deadline)
        return
    document = dict(step.body["document"])
    if step.body.get("shared"):
        document["properties"] = {**(document.get("properties") or {}), **endpoints.lease_properties(cloud)}
    endpoints.put_endpoint(
        cloud, document, what=what, patience=step.retry.deadline,
        settled=lambda there: not diff.changes(document, there, diff.ENDPOINT),
    )  # fmt: skip


def _delete(where: str, body: Mapping[str, Json]) -> Step:
    return Step(Verb.DELETE, where, {"name": body["name"]}, f"endpoint {body['name']} is no longer wanted", PATIENT)


def _without_mirror(document: Mapping[str, Json]) -> dict[str, Json]:
    """Azure mirrors to deployments that exist, so a new endpoint starts without."""
    return {key: value for key, value in document.items() if key != "mirror_traffic"}
