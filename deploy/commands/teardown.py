"""The command teardown: delete everything that the environment created."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.commands import lock
from deploy.commands.lease_state import deleted_names
from deploy.commands.orphans import read_orphans
from deploy.commands.project import Project, validate
from deploy.commands.result import Approve, Result, run_plan
from deploy.config import selection
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec, Environment
from deploy.execution.executor import Emit
from deploy.leasing import lineage
from deploy.planning import observe, planner
from deploy.steps import alias


def teardown(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    prune: bool = False,
    approve: Approve,
    emit: Emit,
    lock_timeout: float = 0.0,
) -> Result:
    """Delete the endpoints, and first every other endpoint and role assignment with the owner tag of their entries.

    `prune`: also delete the endpoints that no entry of the file names.
    """
    selection.refuse_prune(only, prune=prune)
    environment, specs = validate(project, name, only)
    deleted = {spec.key for spec in specs}
    specs = [replace(spec, siblings=tuple(each for each in spec.siblings if each.key not in deleted)) for spec in specs]
    with project.connect(environment) as cloud:

        def make() -> Plan:
            return _plan(cloud, environment, specs, only, prune=prune)

        run = lock.Run(project, cloud, "teardown", emit, lock_timeout)
        with lock.approved(run, make, approve, ask=environment.cloud != "local") as plan:
            result = run_plan(project, cloud, plan, "teardown", emit)
        lock.remove_unused(cloud)
        return result


def _plan(
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec], only: Sequence[str], *, prune: bool
) -> Plan:
    with cloud.arm.cached_reads():
        bodies = endpoints.list_endpoints(cloud)
        specs = lineage.with_current_names(specs, bodies)
        others = [*lineage.other_names(specs, bodies), *deleted_names(cloud, specs, bodies)]
        found = observe.observe_names(cloud, [*specs, *others])
        existing = {each.name: observe.with_settings_left(cloud, each, found[each.name]) for each in (*specs, *others)}
        orphans = read_orphans(cloud, environment, specs, only, prune=prune)
    plan = planner.plan_teardown(environment, specs, {spec.key: existing[spec.name] for spec in specs})
    plans = [planner.plan_teardown(environment, [each], {each.key: existing[each.name]}) for each in others]
    plans += [plan, planner.plan_prune(environment, orphans)]
    aliases = [step for spec in specs for step in alias.delete_steps(spec, existing[spec.name])]
    notes = [f"{spec.key}: {note}." for spec in specs if (note := alias.why_not_deleted(spec, existing[spec.name]))]
    return replace(
        plan,
        steps=(*aliases, *chain.from_iterable(each.steps for each in plans)),
        stays=tuple(dict.fromkeys(chain.from_iterable(each.stays for each in plans))),
        notes=(*plan.notes, *notes, *orphans.notes()),
    )
