"""The command adopt: manage existing endpoints with amldeploy, by changing only tags and descriptions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from deploy.cloud import endpoints, role_assignments
from deploy.commands import lock
from deploy.commands.project import Project, validate
from deploy.commands.result import Approve, Result, run_plan
from deploy.domain.owners import former_key, owner_tag
from deploy.domain.plan import Plan
from deploy.execution.executor import Emit
from deploy.leasing import lineage
from deploy.planning import observe
from deploy.planning.adopt import plan_adoption


def adopt(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    owners: Collection[str] = (),
    approve: Approve,
    emit: Emit,
    lock_timeout: float = 0.0,
) -> Result:
    """Write our tags on endpoints without an owner tag, with one of `owners`, or with that of an entry which is no
    longer in the file. Nothing else is changed.
    """
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:

        def make() -> Plan:
            with cloud.arm.cached_reads():
                bodies = endpoints.list_endpoints(cloud)
                former = {tag for body in bodies.values() if former_key(environment, tag := owner_tag(body))}
                adopted = [each for spec in specs for each in lineage.adoptable(spec, bodies, {*owners, *former})]
                existing, rows = observe.observe_names(cloud, adopted), role_assignments.assignments(cloud)
            return plan_adoption(environment, adopted, existing, rows, owners)

        run = lock.Run(project, cloud, "adopt", emit, lock_timeout)
        with lock.approved(run, make, approve, ask=environment.cloud != "local") as plan:
            return run_plan(project, cloud, plan, "adopt", emit)
