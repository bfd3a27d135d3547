"""Autoscale settings: separate resources that outlive the deployment they scale, so they are deleted before it.

A setting that scales a managed deployment is deleted, even if others created it. Only restore creates settings:
those that were exported.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import autoscale_and_tags
from deploy.cloud.connect import Cloud
from deploy.domain.arm import Facts, Json, address
from deploy.domain.plan import Desired, Step, Verb
from deploy.domain.spec import SHORT_RETRY, EndpointSpec, Retry

NAME = "autoscale"
NEEDS_CORES = True


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`autoscale/<key>/<setting>`: {id, target} of each setting that scales a deployment of the endpoint."""
    return {
        address(NAME, spec.key, str(row["name"])): {"id": row["id"], "target": row["properties"]["targetResourceUri"]}
        for row in autoscale_and_tags.scaling(cloud, spec.name)
    }


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """A deletion for each when the endpoint is deleted; otherwise no step."""
    if desired is not None:
        return ()
    why = "it scales a deployment that is deleted"
    return [
        Step(Verb.DELETE, where, {"id": body["id"]}, why, SHORT_RETRY)
        for where, body in sorted(facts.items())
        if where.kind == NAME
    ]


def recreated(key: str, exported: Sequence[Json], facts: Facts, retry: Retry) -> Sequence[Step]:
    """Steps that create the exported settings that no longer exist."""
    steps = [(address(NAME, key, str(row["name"])), row) for row in exported]
    return [Step(Verb.CREATE, at, {"setting": row}, "it was exported", retry) for at, row in steps if at not in facts]


def fails_alone(step: Step) -> bool:
    """A setting without its deployment does nothing and costs nothing."""
    return step.verb is Verb.DELETE


def run(cloud: Cloud, step: Step) -> None:
    if "setting" in step.body:
        autoscale_and_tags.put_autoscale(cloud, step.body["setting"], what=f"{step.verb} {step.address}")
        return
    autoscale_and_tags.delete_autoscale(cloud, str(step.body["id"]), what=f"{step.verb} {step.address}")
