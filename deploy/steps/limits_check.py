"""The check of names and limits: is the endpoint's name free, and do the limits of the subscription allow the plan.

`check` needs the steps of all step types, so the planner calls it last. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import endpoints, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain.arm import Facts, Json, address
from deploy.domain.plan import Step
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight import limits
from deploy.preflight import permissions as rights

NAME = "limits"
VOLATILE_FACTS = (NAME,)


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`limits/<key>`: {region, endpoints, assignments, uncounted, free, unread, source}; null: unknown.

    `free` is read only if the workspace has no such endpoint; `unread` and `uncounted`: why a value is unknown.
    """
    return {address(NAME, spec.key): _read(cloud, spec.name)}


def check(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The check of what all steps of an endpoint create; none where they create nothing."""
    where = address(NAME, spec.key)
    created, seen = limits.planned_creations(spec, steps, facts), facts.get(where)
    if created is None or seen is None:
        return []
    body = {"created": created, "limits": [limit.body() for limit in limits.limits(created, seen)]}
    return [limits.check(created, seen).step(where, body)]


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Without this it is unknown."""
    return "workspace", rights.READ_NAMES


def run(cloud: Cloud, step: Step) -> Evidence:
    """Counts again, right before the first change."""
    desired = step.body["created"]
    return limits.check(desired, _read(cloud, str(desired["name"]))).evidence(step.address, {})


def _name(cloud: Cloud, name: str) -> tuple[bool | None, str]:
    answer, why = try_read(lambda: endpoints.check_name(cloud, name))
    return answer or (None, f"checkNameAvailability {why}")


def _read(cloud: Cloud, name: str) -> dict[str, Json]:
    there = endpoints.list_endpoints(cloud)
    count, uncounted = role_assignments.count_assignments(cloud)
    sources = ["endpoints of the workspace", *(["role assignments"] if count is not None else [])]
    free, reason = (None, "") if name in there else _name(cloud, name)
    sources += ["checkNameAvailability"] if free is not None else []
    return {
        "region": cloud.workspace()["location"],
        "endpoints": len(there),
        "assignments": count,
        "uncounted": uncounted,
        "free": free,
        "unread": reason,
        "source": ", ".join(sources),
    }
