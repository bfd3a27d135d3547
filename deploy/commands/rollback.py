"""The command rollback: all traffic back to an earlier release that is still deployed."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import endpoints
from deploy.commands import lock
from deploy.commands.project import Project, read_facts, validate
from deploy.commands.result import Approve, Result, run_plan, with_status
from deploy.config import selection
from deploy.domain import leases
from deploy.domain.plan import Plan
from deploy.execution.executor import Emit
from deploy.leasing import lineage
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
    lock_timeout: float = 0.0,
    force_unlock: Sequence[str] = (),
) -> Result:
    """Move all traffic to the previous release, or to release or commit `to`.

    `every`: all endpoints; those without a previous release are skipped with a note. `force_unlock`: the ids of
    locks to take over from the runs that hold them, which stop at their next change.
    """
    selection.require_endpoints(only, every)
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        current = list(specs)

        def make() -> Plan:
            current[:], facts = read_facts(cloud, specs)
            siblings = observe.observe_siblings(cloud, environment, current)
            stopped = {name: leases.parse_time(each.since) for name, each in lock.stopped_runs(cloud).items()}
            return planning.plan(environment, current, facts, to=to, every=every, siblings=siblings, stopped=stopped)

        run = lock.Run(project, cloud, "rollback", emit, lock_timeout, force_unlock)
        names = lineage.with_current_names(specs, endpoints.list_endpoints(cloud)) if force_unlock else ()
        approved = lock.approved(
            run, make, approve, ask=environment.cloud != "local", names=[spec.name for spec in names]
        )
        with approved as plan:
            result = run_plan(project, cloud, plan, "rollback", emit)
        return with_status(cloud, current, result)
