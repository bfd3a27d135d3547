"""The command probe: test requests to the live deployments, or to a slot, and the comparison of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deploy.commands.project import Project, read_facts, validate
from deploy.commands.result import Result, run_plan
from deploy.domain import history
from deploy.domain.arm import Facts, address, facts_of
from deploy.domain.plan import Plan, Step
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError, UsageError
from deploy.execution.executor import Emit
from deploy.planning.build import target_of
from deploy.steps import SHOWN
from deploy.steps import probe as probe_step


def probe(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    emit: Emit,
    save: Path | None = None,
    slot: str | None = None,
    compare: bool = False,
) -> Result:
    """Probe the deployment of each endpoint that receives traffic, or `slot`. `save`: the folder for the results.

    `compare`: ask the cases of the live deployment, too; without `slot` the other deployment is the one that is probed.
    """
    environment, specs = validate(project, name, only)
    if compare and not any(spec.cases for spec in specs):
        raise UsageError("compare", "no endpoint has cases", "Add `cases` to its probe: docs/cases.md", code="AML681")
    with project.connect(environment) as cloud:
        specs, facts = read_facts(cloud, specs, SHOWN)
        steps = [_with(step, compare, save) for step in _steps(specs, facts, slot, compare=compare)]
        plan = Plan(environment.name, tuple(steps), target=target_of(environment))
        return run_plan(project, cloud, plan, "probe", emit, save=save)


def _with(step: Step, compare: bool, save: Path | None) -> Step:
    """The step, with pictures of all failed cases if they are saved in a folder of the user's choice."""
    more = {"compare": True} if compare else {}
    return replace(step, body={**step.body, **more, **({"pictures": True} if save else {})})


def _steps(specs: Sequence[EndpointSpec], facts: Mapping[str, Facts], slot: str | None, *, compare: bool) -> list[Step]:
    """A probe of each chosen deployment. Raises CloudError when an endpoint with a probe has none."""
    probed = [spec for spec in specs if spec.pipeline.probe]
    if slot or compare:
        return [probe_step.step_for(spec, chosen_slot(spec, facts[spec.key], slot), "requested") for spec in probed]
    live = [(spec, history.live_in(facts[spec.key], spec.key)) for spec in probed]
    if missing := [spec for spec, name in live if name is None]:
        causes = [f"{spec.name} {why_missing(facts[spec.key], spec.key)}" for spec in missing]
        what = f"probe {', '.join(spec.key for spec in missing)}"
        raise CloudError(what, "; ".join(causes), "Apply first", code="AML375")
    return [probe_step.step_for(spec, name, "requested") for spec, name in live if name]


def chosen_slot(spec: EndpointSpec, facts: Facts, slot: str | None) -> str:
    """`slot`, which must exist; without it, the only deployment beside the live one."""
    found = sorted(facts_of(facts, "deployment", spec.key))
    if slot is not None and slot in found:
        return slot
    others = [name for name in found if name != history.live_in(facts, spec.key)]
    if slot is None and len(others) == 1:
        return others[0]
    cause = f"{spec.name} has no deployment {slot}" if slot else f"{spec.name} has {len(others)} deployments to compare"
    raise UsageError(f"probe {spec.key}", cause, f"It has {', '.join(found) or 'none'}; use --slot", code="AML647")


def why_missing(facts: Facts, key: str) -> str:
    """Why an endpoint has no live deployment."""
    return "has no deployment with traffic" if address("endpoint", key) in facts else "does not exist"
