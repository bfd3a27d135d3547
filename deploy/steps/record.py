"""The record: one of the role assignments that Azure gave an endpoint's identity says, in its description, whose it is.

When a lease ends Azure deletes the endpoint and leaves these assignments behind, with a principal that nobody knows any
more. The record names it. An endpoint whose own pipeline gives its identity a role needs none: that one says the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy import leases
from deploy.cloud import access, endpoints
from deploy.cloud.connect import Cloud
from deploy.errors import CloudError
from deploy.model import EndpointSpec, Facts, Retry, Step, Verb, Wanted, address
from deploy.outcome import Evidence

NAME = "record"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`record/<key>`: {} when an assignment of the endpoint's own identity says whose it is."""
    if spec.pipeline.quota.capacity != "shared":
        return {}
    body = endpoints.list_endpoints(cloud).get(spec.name)
    holder = access.system_identity(body)
    rows = (access.assignments(cloud) or ()) if holder else ()
    known = any(access.holder(row) == holder and access.marked(row) for row in rows)
    return {address(NAME, spec.key): {}} if known else {}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """One note on shared quota, when no role of the pipeline says the same; towards nothing, none."""
    if wanted is None:
        return ()
    spec, where = wanted.spec, address(NAME, wanted.spec.key)
    if not leases.borrows(spec.pipeline.quota.capacity, facts.get(address("endpoint", spec.key))):
        return ()
    kind = (spec.endpoint.get("identity") or {}).get("type", "system_assigned")
    if where in facts or kind != "system_assigned" or any(r.principal == "endpoint" for r in spec.pipeline.roles):
        return ()
    body = {"endpoint": spec.name, "owner": spec.owner}
    why = "so that its roles can be found when the lease is over"
    return [Step(Verb.UPDATE, where, body, why, Retry(1, spec.retry.deadline))]


def run(cloud: Cloud, step: Step) -> Evidence:
    """One that may not be written is said and blocks nothing."""
    name, what = str(step.body["endpoint"]), f"{step.verb} {step.address}"
    holder = access.system_identity(endpoints.read_endpoint(cloud, name))
    rows = [row for row in access.assignments(cloud) or () if holder and access.holder(row) == holder]
    if not rows:
        return Evidence("its identity holds no roles: there is nothing to record")
    try:
        access.describe(
            cloud,
            min(rows, key=lambda row: str(row["id"])),
            access.record(cloud, str(step.body["owner"]), name),
            what=what,
        )
    except CloudError as error:
        if error.status != 403:
            raise
        return Evidence(f"may not be written, so {len(rows)} role assignments will stay when the lease is over")
    return Evidence("its identity is recorded")
