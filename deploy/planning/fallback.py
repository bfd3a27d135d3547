"""The fallback: an endpoint is created on dedicated quota if the shared pool stays full. Pure.

Azure cannot move an endpoint between the two, so the one on shared quota is deleted first. That is done only if it has
no traffic yet. Dedicated quota is checked before the deletion; too little of it does not refuse the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from deploy.domain import leases
from deploy.domain.arm import Facts, Json, address, facts_of, is_succeeded
from deploy.domain.owners import entry, owner_tag
from deploy.domain.plan import Step, Verb
from deploy.domain.spec import SHORT_RETRY, EndpointSpec
from deploy.domain.traffic_shares import shares
from deploy.preflight import check_result
from deploy.steps import OUTLIVE_ENDPOINT

_WHY = "the shared pool stayed full, and Azure cannot move an endpoint to dedicated quota"


def may_be(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> bool:
    """Whether the files set a fallback, the steps use the shared pool, and what would be deleted has no traffic."""
    quota, body = spec.pipeline.quota, facts.get(address("endpoint", spec.key))
    if quota.fallback is None or quota.capacity != "shared" or not any(step.kind == "deployment" for step in steps):
        return False
    if body is None:
        return True
    return (
        owner_tag(body) == spec.owner
        and leases.of(body) is not None
        and not shares(body)
        and not _has_usable_deployment(spec, facts)
    )


def _has_usable_deployment(spec: EndpointSpec, facts: Facts) -> bool:
    """Whether a deployment is healthy or unmanaged."""
    return any(
        is_succeeded(body) or owner_tag(body) != spec.owner for body in facts_of(facts, "deployment", spec.key).values()
    )


def dedicated(spec: EndpointSpec) -> EndpointSpec:
    """The spec with dedicated quota."""
    quota = spec.pipeline.quota.model_copy(update={"capacity": "dedicated"})
    return replace(spec, pipeline=spec.pipeline.model_copy(update={"quota": quota}))


def without_endpoint(facts: Facts) -> Facts:
    """The facts after the deletion of the endpoint on shared quota."""
    return {where: body for where, body in facts.items() if where.kind in OUTLIVE_ENDPOINT}


def with_keys(steps: Sequence[Step], former: str | None) -> list[Step]:
    """The steps; the endpoint that they create gets the keys of the one that it succeeds."""
    return [
        replace(step, body={**step.body, "predecessor": former})
        if former and step.kind == "endpoint" and step.verb is Verb.CREATE
        else step
        for step in steps
    ]


def in_order(spec: EndpointSpec, steps: Sequence[Step]) -> list[Step]:
    """The check of quota, the deletion of the endpoint on shared quota with its roles, then the other steps."""
    checks = [step for step in steps if step.verb is Verb.CHECK]
    made = [step for step in steps if step.verb is not Verb.CHECK]
    role, where = address("role", spec.key, spec.name), address("endpoint", spec.key)
    taken = Step(
        Verb.DELETE,
        role,
        {"endpoint": spec.name},
        "the role assignments of its identity are deleted with it",
        SHORT_RETRY,
    )
    return [*checks, taken, Step(Verb.DELETE, where, {"name": spec.name}, _WHY, spec.retry), *made]


def notes(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> Iterator[str]:
    """Notes: dedicated quota is not enough now, or the endpoint is on the other quota than the files name."""
    own = [step for step in steps if step.endpoint == spec.key]
    for finding in check_result.findings(own):
        yield f"{spec.key}: if the shared pool stays full, dedicated quota is not enough now: {finding.cause}."
    yield from _other_quota(spec, facts.get(address("endpoint", spec.key)))


def _other_quota(spec: EndpointSpec, body: Mapping[str, Json] | None) -> Iterator[str]:
    """A note if the endpoint is on the other quota than the files name: Azure cannot move it."""
    lease, shared = leases.of(body) if body else None, spec.pipeline.quota.capacity == "shared"
    if body and shared and lease is None:
        again = "to try the shared pool again, tear it down and apply"
        yield f"{spec.key}: endpoint {spec.name} is on dedicated quota, not on shared; {again}."
    if lease and not shared:
        now = f"amldeploy lease renew -e {entry(spec)} --within 168h"
        yield (
            f"{spec.key}: endpoint {spec.name} is on shared quota and the files set dedicated; it stays there until"
            f" {leases.local_and_utc(lease.ends)}, and renew creates its successor on dedicated quota."
            f" To do that now: {now}."
        )
