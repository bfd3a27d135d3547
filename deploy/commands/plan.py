"""The command plan: the steps of apply, without a change."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.commands import lock
from deploy.commands.orphans import read_orphans
from deploy.commands.project import Project, check_emulator, read_facts_with_siblings, validate, with_times
from deploy.config import selection
from deploy.domain.plan import Plan
from deploy.planning import planner
from deploy.steps import quota_check


def plan(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    regions: Sequence[str] = (),
    *,
    for_another: bool = False,
    allow_rolled_back: bool = False,
    allow_exposure: bool = False,
    prune: bool = False,
) -> Plan:
    """What apply would do. Sends no mutating request.

    `regions`: other regions in which to look for free quota. `for_another`: another identity applies the plan, so
    missing permissions are warnings. `allow_rolled_back`: see planner.draft_release. `allow_exposure`: allow less
    protection in a protected environment. `prune`: also delete the endpoints that no entry of the file names.
    """
    selection.refuse_prune(only, prune=prune)
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        with cloud.arm.cached_reads():
            specs, facts, siblings = read_facts_with_siblings(cloud, environment, specs)
            orphans = read_orphans(cloud, environment, specs, only, prune=prune, heirs=specs)
        others = quota_check.elsewhere(cloud, facts, regions)
        made = planner.plan_release(
            environment,
            specs,
            {key: {**facts[key], **others[key]} for key in facts},
            planner.Choices(
                for_another=for_another, allow_rolled_back=allow_rolled_back, allow_exposure=allow_exposure
            ),
            siblings=siblings,
            orphans=orphans,
        )
        return lock.with_note(environment, with_times(cloud, check_emulator(cloud, made)))
