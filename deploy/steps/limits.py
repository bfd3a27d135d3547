"""Places: is the endpoint's name free, and is there room under the limits of the subscription. Changes nothing.

How much is asked for is judged in `refusals`, when all steps are known; here is looked.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import endpoints, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.failures import try_read
from deploy.domain.arm import Facts, Json, address
from deploy.domain.plan import Step, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight import names

NAME = "limits"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`limits/<key>`: {region, endpoints, assignments, uncounted, free, told, source}; null is what could not be told.

    `free` is asked only for an endpoint that the workspace does not have; `told` and `uncounted` say why not.
    """
    return {address(NAME, spec.key): _look(cloud, spec.name)}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:  # noqa: ARG001 every room answers the same questions
    """Nothing: how much is asked for is seen in the steps of the other rooms."""
    return ()


def run(cloud: Cloud, step: Step) -> Evidence:
    """Counts again, right before the first change."""
    wanted = step.body["asked"]
    return names.judge(wanted, _look(cloud, str(wanted["name"]))).evidence(step.address, {})


def _name(cloud: Cloud, name: str) -> tuple[bool | None, str]:
    answer, why = try_read(lambda: endpoints.check_name(cloud, name))
    return answer or (None, f"checkNameAvailability {why}")


def _look(cloud: Cloud, name: str) -> dict[str, Json]:
    there = endpoints.list_endpoints(cloud)
    count, uncounted = role_assignments.count_assignments(cloud)
    heard = ["endpoints of the workspace", *(["role assignments"] if count is not None else [])]
    free, told = (None, "") if name in there else _name(cloud, name)
    heard += ["checkNameAvailability"] if free is not None else []
    return {
        "region": cloud.workspace()["location"],
        "endpoints": len(there),
        "assignments": count,
        "uncounted": uncounted,
        "free": free,
        "told": told,
        "source": ", ".join(heard),
    }
