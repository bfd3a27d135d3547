"""Observation: cloud and specs in, facts out. Reads only. Endpoints are read in parallel, and each URL once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from deploy import steps
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.domain.arm import OWNER_TAG, Address, Facts, Json, address
from deploy.domain.spec import EndpointSpec, Environment
from deploy.parallel import run_parallel
from deploy.steps import STEP_TYPES, StepType, autoscale


def observe(
    cloud: Cloud, specs: Sequence[EndpointSpec], step_types: Sequence[StepType] = STEP_TYPES, *, jobs: int = 8
) -> dict[str, Facts]:
    """Endpoint key -> its facts, as each step type reads them."""
    with cloud.arm.cached_reads():
        return run_parallel({spec.key: partial(_observe, cloud, spec, step_types) for spec in specs}, jobs)


def observe_names(cloud: Cloud, specs: Sequence[EndpointSpec], jobs: int = 8) -> dict[str, Facts]:
    """Endpoint name -> its facts, for entries with several endpoints."""
    with cloud.arm.cached_reads():
        return run_parallel({spec.name: partial(_observe, cloud, spec, STEP_TYPES) for spec in specs}, jobs)


def with_settings_left(cloud: Cloud, spec: EndpointSpec, facts: Facts) -> Facts:
    """Facts for a teardown or a restore: also the autoscale settings that a deleted endpoint left behind."""
    return {**facts, **autoscale.settings(cloud, spec)}


def observe_siblings(
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec], jobs: int = 8
) -> dict[str, Facts]:
    """Endpoint name -> its deployments, of the file's endpoints that are not in `specs`.

    Read only where guards.max_instances or a guard about cost counts them: one list for each such endpoint.
    """
    if not environment.guards.counts_siblings:
        return {}
    mine, keys = {spec.name for spec in specs}, {s.owner: s.key for spec in specs for s in (spec, *spec.siblings)}
    with cloud.arm.cached_reads():
        owners = {
            name: str((body.get("tags") or {}).get(OWNER_TAG)) for name, body in endpoints.list_endpoints(cloud).items()
        }
        others = {name: keys[owner] for name, owner in owners.items() if name not in mine and owner in keys}
        return run_parallel({name: partial(_deployments, cloud, name, key) for name, key in others.items()}, jobs)


def _deployments(cloud: Cloud, name: str, key: str) -> Facts:
    return {address("deployment", key, each): body for each, body in endpoints.read_deployments(cloud, name).items()}


def _observe(cloud: Cloud, spec: EndpointSpec, step_types: Sequence[StepType]) -> Facts:
    facts: dict[Address, Mapping[str, Json]] = {}
    for step_type in step_types:
        facts |= steps.observe(step_type, cloud, spec)
    return facts
