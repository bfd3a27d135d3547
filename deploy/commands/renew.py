"""The command renew: create successors of endpoints with an ending lease, move the aliases, delete the predecessors.

The successor gets the live release, as it exists in Azure; a new release is deployed by `apply`. What is deleted is
exported first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.commands import lease_state, lock, repair, successor
from deploy.commands.notify import Show, Warn, notify, report_problems
from deploy.commands.project import Project, export_folder, validate, with_times
from deploy.commands.result import Approve, Result, run_plan, with_status
from deploy.config import reader, validation
from deploy.domain.arm import Facts
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome
from deploy.domain.spec import EndpointSpec, Environment, Guards
from deploy.errors import Refused
from deploy.execution.executor import Emit
from deploy.leasing import lineage, live_release
from deploy.leasing.lineage import Renewal
from deploy.planning import observe, planner
from deploy.planning.build import target_of
from deploy.preflight import cost, guards
from deploy.steps import export, needs_cores, roles

_OUTAGE = "reach no endpoint until this step succeeds: renew again"


def renew(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    within: float,
    in_place: bool = False,
    approve: Approve,
    emit: Emit,
    show: Show,
    warn: Warn | None = None,
    jobs: int | None = None,
    lock_timeout: float = 0.0,
) -> Result:
    """Replace each endpoint with a lease that ends within `within` hours by its successor. Safe to run at any time."""
    file = validation.validate_environment(reader.read_environment(project.root, name))
    environment, specs = validate(project, name, only)
    specs, short = repair.renewable(specs, within)
    with project.connect(environment) as cloud:
        now, folder = cache(cloud.now), cache(lambda: export_folder(project, cloud))
        finds: list[_Found] = []

        def make() -> Plan:
            finds.append(_find(cloud, specs, within, now, folder, in_place=in_place))
            return finds[-1].plan

        # A full pool is tried again by the next run, unless the files have a `retry`.
        fail_fast = {spec.key for spec in specs if "retry" not in spec.pipeline.model_fields_set}
        run = lock.Run(project, cloud, "renew", emit, lock_timeout)
        with lock.approved(run, make, _if_needed(approve), ask=environment.cloud != "local") as plan:
            result = run_plan(project, cloud, plan, "renew", emit, jobs, fail_fast=fail_fast)
        if result.report.stopped:
            return result
        found = finds[-1]
        refused = [*short, *found.refused]
        report = replace(result.report, outcomes=(*result.report.outcomes, *refused))
        sent = notify(cloud, file, None if found.plan.steps else found.bodies, show, warn)
        sent += report_problems(file, repair.unrepaired(environment, found.states, report), show, warn)
        result = replace(result, report=report, notices=sent.sent, failure_messages=sent.failed)
        return with_status(cloud, [s for s in specs if s.key in found.keys], result) if found.keys else result


@dataclass(frozen=True)
class _Found:
    """What a renewal found, and the plan for it. `keys`: the entries that it concerns."""

    bodies: lineage.Bodies
    states: Mapping[str, lease_state.LeaseState]
    plan: Plan
    refused: Sequence[Outcome]
    keys: Collection[str]


def _find(
    cloud: Cloud,
    specs: Sequence[EndpointSpec],
    within: float,
    now: Callable[[], datetime],
    folder: Callable[[], Path],
    *,
    in_place: bool,
) -> _Found:
    environment = cloud.environment
    with cloud.arm.cached_reads():
        bodies = endpoints.list_endpoints(cloud)
        states = lease_state.read_lease_states(cloud, specs, bodies)
        due = [*lineage.due_renewals(specs, bodies, now(), within), *repair.missed_renewals(states)]
        live = successor.with_live_releases(cloud, due, bodies)
        plan, refused = _plan(cloud, environment, due, live, folder(), in_place=in_place)
        keys = {each.successor.key for each in due}
        repairs, unreadable = repair.plan_aliases(environment, states, keys)
        plan = with_times(cloud, _merge(environment, [plan, repairs]))
    return _Found(bodies, states, plan, [*refused, *unreadable], keys | {step.endpoint for step in repairs.steps})


def _if_needed(approve: Approve) -> Approve:
    """Asks only if there is something to do: a scheduled renewal mostly has nothing."""
    return lambda plan, ask: approve(plan, ask) if plan.steps else None


def _plan(
    cloud: Cloud,
    environment: Environment,
    due: Sequence[Renewal],
    live: Sequence[Renewal],
    folder: Path,
    *,
    in_place: bool,
) -> tuple[Plan, list[Outcome]]:
    """One plan for all renewals, and a refusal of each renewal that is not possible; the others do not wait for it.

    `due` have the release of the files, `live` the live release. Exports go to `folder`.
    """
    plans: list[Plan] = []
    refused: list[Outcome] = []
    planned: list[Renewal] = []
    specs = [spec for each in live if not each.protected_lease for spec in (each.successor, *each.predecessors)]
    existing, siblings = observe.observe_names(cloud, specs), observe.observe_siblings(cloud, environment, specs)
    for files, each in zip(due, live, strict=True):
        try:
            successor.require_unprotected(each)
            siblings |= {} if in_place else {old.name: existing[old.name] for old in each.predecessors}
            plan = _renewal(environment, files.successor, each, existing, folder, in_place=in_place)
            _require_guards(environment, [*planned, each], [*plans, plan], existing, siblings)
            plans.append(plan)
            planned.append(each)
        except Refused as error:
            refused.append(repair.refusal(each.successor.key, error))
    return _merge(environment, plans), refused


def _require_guards(
    environment: Environment,
    renewals: Sequence[Renewal],
    plans: Sequence[Plan],
    existing: Mapping[str, Facts],
    siblings: Mapping[str, Facts],
) -> None:
    """Raises Refused when all renewals together run more instances, or cost more, than the environment allows.

    Unless the renewal is in place, a predecessor runs until its successor receives traffic.
    """
    new = [each.successor for each in renewals]
    steps = [step for plan in plans for step in plan.steps]
    facts = {spec.key: existing[spec.name] for spec in new}
    too_expensive, _ = cost.refused(environment, new, facts, steps, siblings)
    if findings := [*guards.too_many(environment, new, facts, steps, siblings), *too_expensive]:
        raise Refused(findings)


def _merge(environment: Environment, plans: Sequence[Plan]) -> Plan:
    return Plan(
        environment.name,
        tuple(step for plan in plans for step in plan.steps),
        tuple(step for plan in plans for step in plan.rescue),
        tuple(lease for plan in plans for lease in plan.leases),
        notes=tuple(note for plan in plans for note in plan.notes),
        fallback=tuple(step for plan in plans for step in plan.fallback),
        target=target_of(environment),
        exposure=tuple(each for plan in plans for each in plan.exposure),
        running={key: running for plan in plans for key, running in plan.running.items()},
        prices=next((plan.prices for plan in plans if plan.prices), None),
    )


def _renewal(
    environment: Environment,
    files: EndpointSpec,
    renewal: Renewal,
    existing: Mapping[str, Facts],
    folder: Path,
    *,
    in_place: bool,
) -> Plan:
    """The steps that create the successor, move the alias and delete the predecessors; also for the fallback."""
    new, facts = renewal.successor, existing[renewal.successor.name]
    # `protected` does not refuse deletions with a successor. Instances are counted for all renewals together.
    unguarded = replace(environment, guards=Guards(), protected=())
    plan = planner.plan_release(unguarded if renewal.serving else environment, [new], {new.key: facts})
    other = live_release.undeployed_releases(files, new) if renewal.serving else ""
    running = cost.running((each.key, existing[each.name]) for each in (*renewal.predecessors, new))
    notes = successor.notes(environment, renewal, existing, other)
    plan = replace(plan, notes=(*plan.notes, *notes), running=running)
    if renewal.serving:
        steps = (*successor.delete_stale(renewal, facts), *successor.without_idle_probes(new, plan.steps))
        plan = replace(plan, steps=steps, fallback=tuple(successor.without_idle_probes(new, plan.fallback)))
    deletions = _deletions(unguarded, renewal.predecessors, existing, facts, folder)
    creates = renewal.serving != new.name and any(step.kind == "deployment" for step in plan.steps)
    if in_place and renewal.predecessors and creates:
        successor.require_in_place_allowed(environment, renewal, other)
        return _in_place(renewal, plan, deletions)
    steps = tuple(_with_outage(plan.steps)) if renewal.is_interrupted else plan.steps
    after = _after_drain(renewal, deletions)
    return replace(plan, steps=(*steps, *after), fallback=(*plan.fallback, *after) if plan.fallback else ())


def _after_drain(renewal: Renewal, deletions: Sequence[Step]) -> Sequence[Step]:
    """The deletions after the drain time, in which clients with the old address look up the new one."""
    drain = renewal.successor.pipeline.lease.drain
    if not deletions or not drain or renewal.serving is None:
        return deletions
    first = deletions[0]
    why = f"{first.why}; {drain:.0f} s after the alias names its successor"
    return [replace(first, why=why, retry=replace(first.retry, wait=drain)), *deletions[1:]]


def _deletions(
    environment: Environment,
    predecessors: Sequence[EndpointSpec],
    existing: Mapping[str, Facts],
    new: Facts,
    folder: Path,
) -> list[Step]:
    """The export and the deletion of each predecessor, without the role assignments that its successor shares.

    Raises Refused if role assignments cannot be read: they could not be exported.
    """
    shared = {body["id"] for where, body in new.items() if where.kind == "role" and body["assigned_by"] == "same_entry"}
    steps: list[Step] = []
    for old in predecessors:
        steps.append(export.step_for(old.key, old.name, str(folder), old.name))
        teardown = planner.plan_teardown(environment, [old], {old.key: existing[old.name]})
        if unseen := [step.address for step in teardown.steps if roles.UNSEEN in step.body]:
            raise Refused([roles.unreadable(unseen[0])])
        steps += [step for step in teardown.steps if step.body.get("id") not in shared]
    return steps


def _in_place(renewal: Renewal, plan: Plan, deletions: Sequence[Step]) -> Plan:
    """First the successor's endpoint and roles, which need no cores; then the deletion of what uses cores; then the
    successor's deployments and the alias. The old endpoint is deleted last: while it exists, an interrupted run can
    be continued.
    """
    first = next(number for number, step in enumerate(plan.steps) if needs_cores(step))
    exports = [step for step in deletions if step.verb is Verb.CHECK]
    cores = [step for step in deletions if needs_cores(step)]
    last = [step for step in deletions if step not in exports and not needs_cores(step)]
    steps = (*plan.steps[:first], *exports, *_with_outage(cores), *_with_outage(plan.steps[first:]), *last)
    old, new = renewal.serving or renewal.successor.first_name, renewal.successor
    note = f"{new.key}: an outage. {old} is deleted first; requests fail until {new.name} receives traffic."
    fallback = (*_with_outage(plan.fallback), *last) if plan.fallback else ()
    return replace(plan, steps=steps, fallback=fallback, notes=(*plan.notes, note))


def _with_outage(steps: Sequence[Step]) -> list[Step]:
    """The steps, marked as steps that leave an outage when they fail."""
    return [replace(step, body={**step.body, "traffic": _OUTAGE}) for step in steps]
