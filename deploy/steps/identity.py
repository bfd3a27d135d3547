"""The record: one of the role assignments that Azure gave an endpoint's identity says, in its description, whose it is.

When a lease ends Azure deletes the endpoint and leaves these assignments behind, with a principal that nobody knows any
more. The record names it. It is written as soon as there is an endpoint, whatever roles its pipeline gives: those may
never be given, and may be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import endpoints, orphans, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.failures import try_read
from deploy.domain import leases
from deploy.domain.arm import Facts, address
from deploy.domain.plan import Step, Verb, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec, Retry
from deploy.errors import CloudError
from deploy.text import count

NAME = "identity"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`identity/<key>`: {} when an assignment of Azure's says whose it is, or when there is none that could say so."""
    body = endpoints.list_endpoints(cloud).get(spec.name)
    if not leases.borrows(spec.pipeline.quota.capacity, body):
        return {}
    rows, untold = try_read(lambda: role_assignments.assignments(cloud))
    missing = body is None or untold or orphans.unmarked_assignments(body, rows or ())
    return {} if missing else {address(NAME, spec.key): {}}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """One note on shared quota; towards nothing, none."""
    if wanted is None:
        return ()
    spec, where = wanted.spec, address(NAME, wanted.spec.key)
    if not leases.borrows(spec.pipeline.quota.capacity, facts.get(address("endpoint", spec.key))):
        return ()
    kind = (spec.endpoint.get("identity") or {}).get("type", "system_assigned")
    if where in facts or kind != "system_assigned":
        return ()
    body = {"endpoint": spec.name, "owner": spec.owner}
    why = "so that its roles can be found when the lease is over"
    return [Step(Verb.UPDATE, where, body, why, Retry(1, spec.retry.deadline))]


def run(cloud: Cloud, step: Step) -> Evidence:
    """One that may not be written is said and blocks nothing."""
    name, what = str(step.body["endpoint"]), f"{step.verb} {step.address}"
    body = endpoints.read_endpoint(cloud, name)
    own = role_assignments.system_identity(body)
    rows = orphans.unmarked_assignments(body, (role_assignments.held_by(cloud, own) if own else None) or ())
    if not rows:
        return Evidence("there is nothing to record, or it is recorded")
    try:
        role_assignments.describe(cloud, rows[0], orphans.record(cloud, str(step.body["owner"]), name), what=what)
    except CloudError as error:
        if error.status != 403:
            raise
        return Evidence(f"may not be written, so {count(len(rows), 'role assignment')} may stay when the lease is over")
    return Evidence("its identity is recorded")
