"""The verb that reaps: what is over goes, and who has a lease that ends is told in time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from deploy.cloud import endpoints, orphans, role_assignments
from deploy.cloud.connect import Cloud
from deploy.commands.notify import Show, Told, Warn, notify
from deploy.commands.project import Approve, Done, Project, carry_out, exports, right
from deploy.config import reader, validation
from deploy.domain import idle_slots, leases
from deploy.domain.arm import OWNER_TAG, Json, address
from deploy.domain.plan import Plan, Step
from deploy.errors import Exit, Refused
from deploy.execution.executor import Emit
from deploy.planning import expired_slots, reaping
from deploy.planning.reaping import Inventory, Rules, Selection
from deploy.steps import alias, export, roles


@dataclass(frozen=True)
class Reaped:
    """What was judged, and what became of it. `done` is None when nothing was to be changed: dry, or refused."""

    environment: str
    judged: Selection
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
        """A dry run has nothing to fail at but a guard; a guard stops no idle slot, whose failure says more."""
        refused = Exit.REFUSED if self.judged.findings else Exit.OK
        if self.done is None:
            return refused
        whys = [*(each.why for each in self.judged.spared), *(each.why for each in self.judged.kept)]
        late = any("--max" in why for why in whys)
        own = self.done.report.exit
        if refused:
            return own or refused
        return Exit.STEP_FAILED if own is Exit.OK and (late or self.told.failed or not self.done.report.ok) else own


def reap(
    project: Project,
    name: str,
    rules: Rules,
    *,
    yes: bool,
    approve: Approve,
    emit: Emit,
    show: Show,
    warn: Warn | None = None,
) -> Reaped:
    """Judge a workspace; with `yes` keep and delete what is due, and give the notices that are due.

    A guard that stops the deletion stops no notice.
    """
    file = validation.validate_environment(reader.read_environment(project.root, name))
    with project.alone(file.environment, "reap") if yes else project.connect(file.environment) as cloud:
        there = _inventory(project, cloud, file)
        judged = reaping.select(file.environment, there, rules, cloud.now())
        if judged.candidates:
            heirs = _heirs(project, cloud, file, there, judged.going)
            there = replace(there, autoscale=orphans.autoscale_settings(cloud) or (), heirs=heirs)
        folder = exports(project, cloud)
        plan = reaping.plan(file.environment, there, judged, str(folder))
        freed = _aliases(project, cloud, file, there, _aged(judged, rules))
        pairs = [(step, freed.get(step.endpoint, ()) if step.kind == export.NAME else ()) for step in plan.steps]
        plan = replace(plan, steps=tuple(chain.from_iterable((step, *after) for step, after in pairs)))
        if not yes:
            return Reaped(name, judged, plan, None)
        rest = reaping.plan_idle(file.environment, there, judged, str(folder)) if judged.findings else plan
        if judged.findings and not rest.steps:
            return Reaped(name, judged, plan, None, notify(cloud, file, there.endpoints, show, warn))
        approve(rest, False)
        done = carry_out(project, cloud, rest, "reap", emit)
        if done.report.stopped:
            return Reaped(name, judged, plan, done)
        gone = frozenset[str]() if judged.findings else judged.going
        kept = {n: body for n, body in there.endpoints.items() if n not in gone}
        seen = [outcome.evidence.data for outcome in done.report.outcomes]
        left = Told(failed=tuple(str(data["left"]) for data in seen if "left" in data))
        return Reaped(name, judged, plan, done, left + notify(cloud, file, kept, show, warn))


def _inventory(project: Project, cloud: Cloud, file: validation.EnvironmentFile) -> Inventory:
    """Two lists, whatever their length, and the deployments of each endpoint that may have an idle slot; another list
    only when somebody goes.
    """
    bodies = endpoints.list_endpoints(cloud)
    behind = _behind(project, cloud, file, bodies)
    return Inventory(cloud.workspace_id, bodies, role_assignments.assignments(cloud), (), behind=behind)


def _behind(
    project: Project, cloud: Cloud, file: validation.EnvironmentFile, bodies: Mapping[str, Json]
) -> expired_slots.Behind:
    """The deployments, and for how long the files as they are now keep an idle slot: not known where they name none."""
    some = {n: b for n, b in bodies.items() if reaping.is_ours(file.environment, b) and expired_slots.may_be(b)}
    specs = {spec.owner: spec for spec in right(project, file).values()} if some else {}
    entries = {name: specs.get(str(body["tags"][OWNER_TAG])) for name, body in some.items()}
    keep = {n: idle_slots.keep_of(spec) for n, spec in entries.items() if spec and leases.is_of_line(spec.base, n)}
    return expired_slots.Behind({name: endpoints.read_deployments(cloud, name) for name in some}, keep)


def _heirs(
    project: Project, cloud: Cloud, file: validation.EnvironmentFile, there: Inventory, going: Collection[str]
) -> Mapping[str, Json]:
    """Who stays and asks for a role that goes with somebody."""
    rows = [row for row in there.seen if (mark := role_assignments.marked(row)) and not mark.own]
    left = {name: body for name, body in there.endpoints.items() if name not in going}
    return roles.heirs_of(cloud, list(right(project, file).values()) if rows else [], rows, left)


def _aged(judged: Selection, rules: Rules) -> set[str]:
    """Endpoints that go although their lease does not end: they are not to come back at the next renewal."""
    ending = rules.within or 0.0
    return {
        each.name
        for each in judged.candidates
        if not each.gone and (each.hours_left is None or each.hours_left > ending)
    }


def _aliases(
    project: Project, cloud: Cloud, file: validation.EnvironmentFile, there: Inventory, aged: Collection[str]
) -> Mapping[str, Sequence[Step]]:
    """The end of each alias that names one of these, by that name: `renew` would take it for a missed lease."""
    found: dict[str, list[Step]] = {}
    for spec in right(project, file).values() if aged else ():
        for name in leases.order(spec.base, aged):
            if (there.endpoints[name].get("tags") or {}).get(OWNER_TAG) != spec.owner:
                continue
            facts = alias.observe(cloud, spec.at(name))
            told = facts.get(address("alias", spec.key)) or {}
            if told.get("endpoint") == name:
                found[name] = [replace(step, address=address("alias", name)) for step in alias.clearing(spec, facts)]
    return found
