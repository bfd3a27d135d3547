"""The alias: a file, variable or command by which clients find the endpoint. It is moved after the traffic.

An alias that cannot be read refuses only the steps that have to move it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from deploy import aliases
from deploy.aliases import Context, Target
from deploy.cloud import autoscale_and_tags, endpoints
from deploy.cloud.connect import Cloud
from deploy.domain import leases
from deploy.domain.arm import Facts, Json, address
from deploy.domain.digests import digest
from deploy.domain.plan import Desired, Difference, Step, Verb, World
from deploy.domain.report import Evidence
from deploy.domain.spec import SHORT_RETRY, EndpointSpec
from deploy.errors import CloudError, Finding, Refused, Transient

NAME = "alias"
OUTLIVES_ENDPOINT = True
NEEDS_CORES = True
MOVED_TAG = "amldeploy-alias"
"""Tag on an endpoint: the digest of the alias that was moved to it, for kinds that cannot be read."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`alias/<key>`: {endpoint}: its target, or null; {lease_ends} if the alias contains it; {unreadable: {code, cause,
    cure}} when it cannot be read.
    """
    alias = _alias(spec)
    if alias is None:
        return {}
    body = endpoints.list_endpoints(cloud).get(spec.name) or {}
    if (body.get("tags") or {}).get(MOVED_TAG) == digest(alias, 16):
        return {address(NAME, spec.key): {"endpoint": spec.name}}
    try:
        there = aliases.read(alias, _context(cloud))
    except CloudError as error:
        unread = {"code": error.code, "cause": error.cause, "cure": error.cure}
        return {address(NAME, spec.key): {"endpoint": None, "unreadable": unread}}
    seen = {"endpoint": there.endpoint, "lease_ends": there.lease_ends} if there else {"endpoint": None}
    return {address(NAME, spec.key): seen}


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """One move when the alias names another endpoint. A deletion needs none: see `delete_steps`."""
    if desired is None or (alias := _alias(desired.spec)) is None:
        return ()
    spec, where = desired.spec, address(NAME, desired.spec.key)
    seen, body = facts.get(where) or {}, facts.get(address("endpoint", spec.key))
    if unread := seen.get("unreadable"):
        raise Refused([Finding(str(where), unread["code"], _unread(alias, unread["cause"]), unread["cure"])])
    before = seen.get("endpoint")
    if before == spec.name and body is not None and seen.get("lease_ends", _ends(body)) == _ends(body):
        return ()
    why = f"{aliases.display_name(alias)}: {before or 'none'} -> {spec.name}"
    if before == spec.name:
        why = f"{aliases.display_name(alias)} gets the new end of the lease of {spec.name}"
    return [Step(Verb.SHIFT, where, {"alias": alias, "endpoint": spec.name, "before": before}, why, spec.retry)]


def problem(spec: EndpointSpec, facts: Facts) -> str:
    """What is wrong with the alias of an endpoint with traffic, in words; empty if it is right, or there is none."""
    try:
        steps = plan(Desired(spec, {}, ({},)), facts)
    except Refused as refused:
        return refused.findings[0].cause
    if not steps:
        return ""
    before, named = steps[0].body["before"], aliases.display_name(steps[0].body["alias"])
    if before == spec.name:
        return f"{named} does not contain the end of the lease"
    return f"{named} names {before}" if before else f"{named} does not name an endpoint"


def delete_steps(spec: EndpointSpec, facts: Facts) -> Sequence[Step]:
    """The deletion of an alias that names an endpoint of this chain, before the endpoint is deleted. Otherwise a
    scheduled renew would see a missed lease. The step reads an alias again that cannot be read now.
    """
    seen, alias = facts.get(address(NAME, spec.key)) or {}, _alias(spec)
    if alias is None or "command" in alias:
        return ()
    if not seen.get("unreadable") and not leases.is_in_chain(spec.first_name, str(seen.get("endpoint") or "")):
        return ()
    body = {"alias": alias, "base": spec.first_name}
    return [
        Step(
            Verb.DELETE,
            address(NAME, spec.key),
            body,
            f"{aliases.display_name(alias)} names an endpoint that is deleted",
            SHORT_RETRY,
        )
    ]


def why_not_deleted(spec: EndpointSpec, facts: Facts) -> str:
    """Why a teardown leaves the alias as it is, in words; empty if it does not."""
    alias, seen = _alias(spec), facts.get(address(NAME, spec.key)) or {}
    if alias and "command" in alias and seen.get("endpoint"):
        return f"{aliases.display_name(alias)} is not run, so its target still names {seen['endpoint']}"
    return unreadable(spec, facts)


def unreadable(spec: EndpointSpec, facts: Facts) -> str:
    """Why the alias cannot be read, in words; empty when it can, or there is none."""
    unread, alias = (facts.get(address(NAME, spec.key)) or {}).get("unreadable"), _alias(spec)
    return _unread(alias, unread["cause"]) if unread and alias else ""


def is_in_effect(step: Step, world: World) -> bool:
    """Whether the alias names the endpoint; for a deletion, whether it is gone."""
    body = world.get(step.address)
    return body is None if step.verb is Verb.DELETE else bool((body or {}).get("endpoint") == step.body["endpoint"])


def explains(step: Step, found: Difference, world: World) -> bool:
    """Whether a difference is the moved alias, or the tag on the endpoint of an alias that cannot be read."""
    tagged = found[:2] == (address("endpoint", step.endpoint), f"tags.{MOVED_TAG}")
    return tagged or (found.address == step.address and is_in_effect(step, world))


def essence(step: Step) -> Json:
    """What makes two moves the same after an interruption."""
    if step.verb is Verb.DELETE:
        return dict(step.body)
    return [step.body.get(name) for name in ("before", "endpoint")]


def fails_alone(step: Step) -> bool:
    """An alias that cannot be deleted does not stop the deletion of what it names."""
    return step.verb is Verb.DELETE


def run(cloud: Cloud, step: Step) -> Evidence:
    alias = step.body["alias"]
    if step.verb is Verb.DELETE:
        return _delete(cloud, step)
    name = str(step.body["endpoint"])
    body = endpoints.read_endpoint(cloud, name) or {}
    uri = (body.get("properties") or {}).get("scoringUri")
    if not uri:
        raise Transient(f"move the alias to {name}", "it has no scoring URI yet", "Wait until it is provisioned")
    aliases.write(alias, Target(name, str(uri), _ends(body)), _context(cloud))
    if "command" in alias:
        autoscale_and_tags.merge_tags(cloud, str(body["id"]), {MOVED_TAG: digest(alias, 16)}, f"mark {name}")
    return Evidence(f"{aliases.display_name(alias)} names {name}")


def _delete(cloud: Cloud, step: Step) -> Evidence:
    alias, base = step.body["alias"], str(step.body["base"])
    named = aliases.display_name(alias)
    try:
        there = aliases.read(alias, _context(cloud))
        if there is not None and not leases.is_in_chain(base, there.endpoint):
            return Evidence(f"{named} names {there.endpoint}, so it is not deleted")
        aliases.clear(alias, _context(cloud))
        return Evidence(f"{named} is deleted")
    except CloudError as error:
        cause = f"{named} could not be deleted: {error.cause.rstrip('.')}. It may still name a deleted endpoint"
        raise CloudError(f"delete {step.address}", cause, "Delete it by hand", code=error.code) from error


def _unread(alias: Mapping[str, Json], cause: str) -> str:
    return f"{aliases.display_name(alias)} cannot be read: {cause}"


def _ends(body: Mapping[str, Json]) -> str:
    lease = leases.of(body)
    return leases.iso_time(lease.ends) if lease else ""


def _alias(spec: EndpointSpec) -> Mapping[str, Json] | None:
    alias = spec.pipeline.lease.alias
    return alias.model_dump(mode="json", exclude_none=True) if alias else None


def _context(cloud: Cloud) -> Context:
    return Context(cloud.root, os.environ)
