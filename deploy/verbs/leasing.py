"""The verb that reaps: what is over goes, and who has a lease that ends is told in time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from deploy import reader, reaper, validator
from deploy.cloud import access, endpoints, leftovers
from deploy.cloud.connect import Cloud
from deploy.errors import Exit, Refused
from deploy.executor import Tell
from deploy.model import Json, Plan
from deploy.reaper import Inventory, Judgement, Rules
from deploy.steps import roles
from deploy.verbs.project import Approve, Done, Project, carry_out, exports, right
from deploy.verbs.telling import Show, Told, Warn, notify


@dataclass(frozen=True)
class Reaped:
    """What was judged, and what became of it. `done` is None when nothing was to be changed: dry, or refused."""

    environment: str
    judged: Judgement
    plan: Plan
    done: Done | None
    told: Told = field(default_factory=Told)

    @property
    def refused(self) -> Refused | None:
        """What a guard has against it."""
        return Refused(self.judged.findings, "reap") if self.judged.findings else None

    @property
    def ok(self) -> bool:
        """Whether everything that was due is gone, and everybody told."""
        return self.exit is Exit.OK

    @property
    def exit(self) -> Exit:
        """A dry run has nothing to fail at but a guard."""
        if self.judged.findings:
            return Exit.REFUSED
        if self.done is None:
            return Exit.OK
        late = any("--max" in each.why for each in self.judged.spared)
        own = self.done.report.exit
        return Exit.STEP_FAILED if own is Exit.OK and (late or self.told.failed or not self.done.report.ok) else own


def reap(
    project: Project,
    name: str,
    rules: Rules,
    *,
    yes: bool,
    approve: Approve,
    tell: Tell,
    show: Show,
    warn: Warn | None = None,
) -> Reaped:
    """Judge a workspace; with `yes` keep and delete what is due, and give the notices that are due.

    A guard that stops the deletion stops no notice.
    """
    file = validator.validate_environment(reader.read_environment(project.root, name))
    with project.alone(file.environment, "reap") if yes else project.connect(file.environment) as cloud:
        there = _inventory(cloud)
        judged = reaper.judge(file.environment, there, rules, cloud.now())
        if judged.candidates:
            heirs = _heirs(project, cloud, file, there, {each.name for each in judged.candidates})
            there = replace(there, autoscale=leftovers.autoscale_settings(cloud) or (), heirs=heirs)
        plan = reaper.plan(file.environment, there, judged, str(exports(project, cloud)))
        if not yes:
            return Reaped(name, judged, plan, None)
        if judged.findings:
            return Reaped(name, judged, plan, None, notify(cloud, file, there.endpoints, show, warn))
        approve(plan, False)
        done = carry_out(project, cloud, plan, "reap", tell)
        if done.report.stopped:
            return Reaped(name, judged, plan, done)
        gone = {each.name for each in judged.candidates}
        kept = {n: body for n, body in there.endpoints.items() if n not in gone}
        return Reaped(name, judged, plan, done, notify(cloud, file, kept, show, warn))


def _inventory(cloud: Cloud) -> Inventory:
    """Two lists, whatever their length; a third only when somebody goes."""
    return Inventory(cloud.workspace_id, endpoints.list_endpoints(cloud), access.assignments(cloud), ())


def _heirs(
    project: Project, cloud: Cloud, file: validator.EnvironmentFile, there: Inventory, going: Collection[str]
) -> Mapping[str, Json]:
    """Who stays and asks for a role that goes with somebody."""
    rows = [row for row in there.seen if (mark := access.marked(row)) and not mark.own]
    left = {name: body for name, body in there.endpoints.items() if name not in going}
    return roles.heirs_of(cloud, list(right(project, file).values()) if rows else [], rows, left)
