"""Steps become a plan: with leases, with notes that a person should read, and with the facts they stand on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy import leases, refusals
from deploy.digests import digest
from deploy.errors import Finding, Refused
from deploy.masks import HIDDEN, hide, is_secret
from deploy.model import EndpointSpec, Environment, Facts, Json, Plan, Step, address

_PASSING = frozenset({"systemData", "AzureAsyncOperationUri", "provisioningState", "scoringUri", "swaggerUri", "heir"})
"""What Azure changes by itself, what only says where it answers, and what others would get."""
_JUDGED = frozenset({"quota", "model", "place", "permission", "asset"})
"""Rooms whose facts are looked at anew before the first change, so that no plan grows stale by them, and what is read
for the plan's words alone.
"""


def seal(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    steps: Sequence[Step],
    rescue: Sequence[Step],
    facts: Mapping[str, Facts],
    findings: Sequence[Finding] = (),
    notes: tuple[str, ...] = (),
    *,
    fallback: Sequence[Step] = (),
) -> Plan:
    """A plan of these steps, fingerprinted with the facts that it stands on. Raises Refused for any finding."""
    if findings:
        raise Refused(findings)
    world = {
        where: hide(_lasting(body))
        for seen in facts.values()
        for where, body in seen.items()
        if where.split("/")[0] not in _JUDGED
    }
    lent = tuple(lease for spec in specs if (lease := _lease(spec, facts[spec.key])))
    strangers = [note for spec in specs for note in refusals.strangers(spec, facts[spec.key], bool(steps))]
    told = (*notes, *strangers)
    parts = (tuple(steps), tuple(rescue), lent, tuple(facts), digest(world, 16), told, world, tuple(fallback))
    bodies = [facts[spec.key].get(address("endpoint", spec.key)) or {} for spec in specs]
    uris = [str((body.get("properties") or {}).get("scoringUri") or "") for body in bodies]
    return Plan(environment.name, *parts, tuple(filter(None, uris)))


def _lease(spec: EndpointSpec, facts: Facts) -> dict[str, Json] | None:
    body = facts.get(address("endpoint", spec.key)) or {}
    there = leases.of(body) if body else None
    if there:
        return {"endpoint": spec.key, "name": spec.name, "ends": leases.both(there.ends)}
    if body or spec.pipeline.quota.capacity != "shared":
        return None
    return {"endpoint": spec.key, "name": spec.name, "hours": spec.pipeline.quota.duration / 3600}


def _lasting(body: Json) -> Json:
    """A body without what changes by itself, and with digests where it has secrets."""
    if not isinstance(body, Mapping):
        return body
    return {
        key: f"{HIDDEN} {digest(value, 12)}" if is_secret(key) and isinstance(value, str) else _lasting(value)
        for key, value in body.items()
        if key not in _PASSING
    }
