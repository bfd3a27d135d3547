"""The command teardown: delete everything that the environment created."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from deploy.cloud import endpoints
from deploy.commands.lease_state import deleted_names
from deploy.commands.project import Project, validate
from deploy.commands.result import Approve, Result, run_plan
from deploy.execution.executor import Emit
from deploy.leasing import lineage
from deploy.planning import observe, planner
from deploy.steps import alias


def teardown(project: Project, name: str, only: Sequence[str] = (), *, approve: Approve, emit: Emit) -> Result:
    """Delete the endpoints, and first every other endpoint and role assignment with the owner tag of their entries."""
    environment, specs = validate(project, name, only)
    deleted = {spec.key for spec in specs}
    specs = [replace(spec, siblings=tuple(each for each in spec.siblings if each.key not in deleted)) for spec in specs]
    with project.locked(environment, "teardown") as cloud:
        with cloud.arm.cached_reads():
            bodies = endpoints.list_endpoints(cloud)
            specs = lineage.with_current_names(specs, bodies)
            others = [*lineage.other_names(specs, bodies), *deleted_names(cloud, specs, bodies)]
            existing = observe.observe_names(cloud, [*specs, *others])
        plan = planner.plan_teardown(environment, specs, {spec.key: existing[spec.name] for spec in specs})
        plans = [planner.plan_teardown(environment, [each], {each.key: existing[each.name]}) for each in others]
        plans.append(plan)
        aliases = [step for spec in specs for step in alias.delete_steps(spec, existing[spec.name])]
        notes = [f"{spec.key}: {note}." for spec in specs if (note := alias.why_not_deleted(spec, existing[spec.name]))]
        plan = replace(
            plan,
            steps=(*aliases, *chain.from_iterable(each.steps for each in plans)),
            stays=tuple(dict.fromkeys(chain.from_iterable(each.stays for each in plans))),
            notes=(*plan.notes, *notes),
        )
        approve(plan, environment.cloud != "local")
        return run_plan(project, cloud, plan, "teardown", emit)
