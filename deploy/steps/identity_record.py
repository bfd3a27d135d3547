"""The record of an endpoint's identity: the description of one of its role assignments names its owner.

When a lease expires, Azure deletes the endpoint and leaves these role assignments, whose principal no longer exists.
The record shows whose they were. It is written as soon as the endpoint exists, because the roles of its pipeline.yml
may not be assigned yet, or may be removed.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import autoscale_and_tags, endpoints, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain import leases
from deploy.domain.arm import Facts, address
from deploy.domain.plan import Desired, Difference, Step, Verb, World
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec, Retry
from deploy.errors import CloudError
from deploy.text import count

NAME = "identity"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`identity/<key>`: {} if the record exists, or if there is no role assignment that could contain it."""
    body = endpoints.list_endpoints(cloud).get(spec.name)
    if not leases.is_on_shared_quota(spec.pipeline.quota.capacity, body):
        return {}
    rows, unread = try_read(lambda: role_assignments.assignments(cloud))
    missing = body is None or unread or autoscale_and_tags.unmarked_assignments(body, rows or ())
    return {} if missing else {address(NAME, spec.key): {}}


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """One step on shared quota; none for a deletion."""
    if desired is None:
        return ()
    spec, where = desired.spec, address(NAME, desired.spec.key)
    if not leases.is_on_shared_quota(spec.pipeline.quota.capacity, facts.get(address("endpoint", spec.key))):
        return ()
    kind = (spec.endpoint.get("identity") or {}).get("type", "system_assigned")
    if where in facts or kind != "system_assigned":
        return ()
    return [step_for(spec.key, spec.name, spec.owner, Retry(1, spec.retry.deadline))]


def step_for(key: str, endpoint: str, owner: str, retry: Retry) -> Step:
    """The step that records an endpoint's identity."""
    body, why = {"endpoint": endpoint, "owner": owner}, "so that its roles can be found after the lease expires"
    return Step(Verb.UPDATE, address(NAME, key), body, why, retry)


def explains(step: Step, found: Difference, world: World) -> bool:
    """Whether a difference is the record, or the description of a role assignment that contains it."""
    is_role = (found.address.kind, found.address.endpoint) == ("role", step.endpoint)
    described = is_role and found.path == "marked" and found.after is True
    return described or (found.address == step.address and step.address in world)


def run(cloud: Cloud, step: Step) -> Evidence:
    """A record that the caller cannot write is reported, and does not fail the step."""
    name, what = str(step.body["endpoint"]), f"{step.verb} {step.address}"
    body = endpoints.read_endpoint(cloud, name)
    own = role_assignments.system_identity(body)
    rows = autoscale_and_tags.unmarked_assignments(body, (role_assignments.held_by(cloud, own) if own else None) or ())
    if not rows:
        return Evidence("there is nothing to record, or it is recorded")
    try:
        words = autoscale_and_tags.azure_assignment_description(cloud, str(step.body["owner"]), name)
        role_assignments.describe(cloud, rows[0], words, what=what)
    except CloudError as error:
        if error.status != 403:
            raise
        return Evidence(f"cannot be written, so {count(len(rows), 'role assignment')} may stay after the lease expires")
    return Evidence("its identity is recorded")
