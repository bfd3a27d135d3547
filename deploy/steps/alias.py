"""The alias: where callers look up which endpoint to ask. Moved after the traffic, in one stroke; never taken away."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from deploy import aliases, leases
from deploy.aliases import Outside, Target
from deploy.cloud import endpoints, leftovers
from deploy.cloud.connect import Cloud
from deploy.digests import digest
from deploy.errors import Transient
from deploy.model import EndpointSpec, Facts, Json, Step, Verb, Wanted, address
from deploy.outcome import Evidence

NAME = "alias"
MOVED_TAG = "amldeploy-alias"
"""Tag on an endpoint: the digest of the alias that was moved to it, for kinds that cannot be read."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`alias/<key>`: {endpoint}: where callers are sent, or null; {lease_ends} if the alias says it."""
    alias = _alias(spec)
    if alias is None:
        return {}
    body = endpoints.list_endpoints(cloud).get(spec.name) or {}
    if (body.get("tags") or {}).get(MOVED_TAG) == digest(alias, 16):
        return {address(NAME, spec.key): {"endpoint": spec.name}}
    there = aliases.read(alias, _outside(cloud))
    told = {"endpoint": there.endpoint, "lease_ends": there.lease_ends} if there else {"endpoint": None}
    return {address(NAME, spec.key): told}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """One move when callers are sent elsewhere; towards nothing, none: where else should they look?"""
    if wanted is None or (alias := _alias(wanted.spec)) is None:
        return ()
    spec, where = wanted.spec, address(NAME, wanted.spec.key)
    told, body = facts.get(where) or {}, facts.get(address("endpoint", spec.key))
    before = told.get("endpoint")
    if before == spec.name and body is not None and told.get("lease_ends", _ends(body)) == _ends(body):
        return ()
    why = f"{aliases.named(alias)} will send callers to {spec.name} instead of {before or 'nobody'}"
    if before == spec.name:
        why = f"{aliases.named(alias)} will say when the lease of {spec.name} ends"
    return [Step(Verb.SHIFT, where, {"alias": alias, "endpoint": spec.name, "before": before}, why, spec.retry)]


def run(cloud: Cloud, step: Step) -> Evidence:
    name, alias = str(step.body["endpoint"]), step.body["alias"]
    body = endpoints.read_endpoint(cloud, name) or {}
    uri = (body.get("properties") or {}).get("scoringUri")
    if not uri:
        raise Transient(f"move the alias to {name}", "it has no scoring URI yet", "Wait until it is provisioned")
    aliases.write(alias, Target(name, str(uri), _ends(body)), _outside(cloud))
    if "command" in alias:
        leftovers.merge_tags(cloud, str(body["id"]), {MOVED_TAG: digest(alias, 16)}, f"mark {name}")
    return Evidence(f"{aliases.named(alias)} sends callers to {name}")


def _ends(body: Mapping[str, Json]) -> str:
    lease = leases.of(body)
    return leases.written(lease.ends) if lease else ""


def _alias(spec: EndpointSpec) -> Mapping[str, Json] | None:
    alias = spec.pipeline.lease.alias
    return alias.model_dump(mode="json", exclude_none=True) if alias else None


def _outside(cloud: Cloud) -> Outside:
    return Outside(cloud.root, os.environ)
