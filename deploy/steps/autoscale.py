"""Autoscale settings: resources of their own that outlive the deployment they scale. Taken away before it; never made.

Whoever made one for a deployment of ours made it for that deployment alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import endpoints, leftovers
from deploy.cloud.connect import Cloud
from deploy.model import EndpointSpec, Facts, Retry, Step, Verb, Wanted, address

NAME = "autoscale"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`autoscale/<key>/<setting>`: {id, target} of each setting that scales a deployment of the endpoint."""
    prefix = f"{endpoints.endpoint_path(cloud, spec.name)}/deployments/".lower()
    return {
        address(NAME, spec.key, str(row["name"])): {"id": row["id"], "target": row["properties"]["targetResourceUri"]}
        for row in leftovers.autoscale_settings(cloud) or ()
        if str((row.get("properties") or {}).get("targetResourceUri") or "").lower().startswith(prefix)
    }


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Towards nothing, each is deleted; otherwise they are left alone."""
    if wanted is not None:
        return ()
    why = "it scales a deployment that goes"
    return [
        Step(Verb.DELETE, where, {"id": body["id"]}, why, Retry(3, 120.0))
        for where, body in sorted(facts.items())
        if where.split("/")[0] == NAME
    ]


def run(cloud: Cloud, step: Step) -> None:
    leftovers.delete_autoscale(cloud, str(step.body["id"]), what=f"{step.verb} {step.address}")
