"""The command rollback: all traffic back to an earlier release that is still deployed."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.commands.project import Project, read_facts, validate
from deploy.commands.result import Approve, Result, run_plan, with_status
from deploy.config import selection
from deploy.execution.executor import Emit
from deploy.planning import observe
from deploy.planning import rollback as planning


def rollback(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    every: bool = False,
    to: str = "",
    approve: Approve,
    emit: Emit,
) -> Result:
    """Move all traffic to the previous release, or to release or commit `to`.

    `every`: all endpoints; those without a previous release are skipped with a note.
    """
    selection.require_endpoints(only, every)
    environment, specs = validate(project, name, only)
    with project.locked(environment, "rollback") as cloud:
        specs, facts = read_facts(cloud, specs)
        siblings = observe.observe_siblings(cloud, environment, specs)
        plan = planning.plan(environment, specs, facts, to=to, every=every, siblings=siblings)
        approve(plan, environment.cloud != "local")
        return with_status(cloud, specs, run_plan(project, cloud, plan, "rollback", emit))
