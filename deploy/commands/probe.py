"""The command probe: test requests to the live deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.commands.project import Project, read_facts, validate
from deploy.commands.result import Result, run_plan
from deploy.domain.arm import Facts, address
from deploy.domain.plan import Plan, Step
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import live_slot, served
from deploy.errors import CloudError
from deploy.execution.executor import Emit
from deploy.planning.build import target_of
from deploy.steps import SHOWN
from deploy.steps import probe as probe_step


def probe(project: Project, name: str, only: Sequence[str] = (), *, emit: Emit, save: Path | None = None) -> Result:
    """Probe the deployment of each endpoint that receives traffic. `save`: the folder for the probe results."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        specs, facts = read_facts(cloud, specs, SHOWN)
        plan = Plan(environment.name, tuple(_steps(specs, facts)), target=target_of(environment))
        return run_plan(project, cloud, plan, "probe", emit, save=save)


def _steps(specs: Sequence[EndpointSpec], facts: Mapping[str, Facts]) -> list[Step]:
    """A probe of each live deployment. Raises CloudError when an endpoint with a probe has none."""
    live = [(spec, live_slot(served(facts[spec.key], spec.key))) for spec in specs if spec.pipeline.probe]
    if missing := [spec for spec, slot in live if slot is None]:
        causes = [f"{spec.name} {_why_missing(facts[spec.key], spec.key)}" for spec in missing]
        what = f"probe {', '.join(spec.key for spec in missing)}"
        raise CloudError(what, "; ".join(causes), "Apply first", code="AML375")
    return [probe_step.step_for(spec, slot, "requested") for spec, slot in live if slot]


def _why_missing(facts: Facts, key: str) -> str:
    return "has no deployment with traffic" if address("endpoint", key) in facts else "does not exist"
