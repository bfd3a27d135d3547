"""The verb that renews: the plan of who comes, where callers are sent and who goes, and carrying it out.

The successor gets the live release, as Azure holds it; a new release is for `apply`. What is deleted is exported first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.commands import lease_state, repair, successor
from deploy.commands.notify import Show, Warn, complain, notify
from deploy.commands.project import Approve, Done, Project, carry_out, dated, exports, validate, with_rows
from deploy.config import reader, validation
from deploy.domain.arm import Facts, address
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome
from deploy.domain.spec import EndpointSpec, Environment, Guards
from deploy.errors import Refused
from deploy.execution.executor import Emit
from deploy.leasing import lineage, live_release
from deploy.leasing.lineage import Lineage
from deploy.planning import observe, planner
from deploy.planning.build import target_of
from deploy.preflight import guards

_NEEDS_NO_CORES = ("quota", "model", "limits", "permission", "endpoint", "identity", "role")
"""Rooms whose steps can be taken while the one before still holds the cores."""
_EXPORT = "export"
_MISSED = "reach nobody until this is done: renew again"


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
    jobs: int = 8,
) -> Done:
    """Replace each endpoint whose lease ends within so many hours by its successor. Safe to call at any time."""
    file = validation.validate_environment(reader.read_environment(project.root, name))
    environment, specs = validate(project, name, only)
    specs, short = repair.renewable(specs, within)
    with project.alone(environment, "renew") as cloud:
        with cloud.arm.cached_reads():
            bodies = endpoints.list_endpoints(cloud)
            is_in_effect = lease_state.of(cloud, specs, bodies)
            lineages = [*lineage.lineages(specs, bodies, cloud.now(), within), *repair.missed(is_in_effect)]
            live = successor.live(cloud, lineages, bodies)
            plan, refused = _renewals(cloud, environment, lineages, live, exports(project, cloud), in_place=in_place)
            repairs, unread = repair.aliases(environment, is_in_effect, {each.new.key for each in lineages})
            plan, refused = dated(cloud, _as_one(environment, [plan, repairs])), [*short, *refused, *unread]
        if plan.steps:
            approve(plan, environment.cloud != "local")
        # The next visit asks a full pool again; whoever wants to wait for it here says so.
        fail_fast = {spec.key for spec in specs if "retry" not in spec.pipeline.model_fields_set}
        done = carry_out(project, cloud, plan, "renew", emit, jobs, fail_fast=fail_fast)
        if done.report.stopped:
            return done
        report = replace(done.report, outcomes=(*done.report.outcomes, *refused))
        told = notify(cloud, file, None if plan.steps else bodies, show, warn)
        told += complain(file, repair.unrepaired(environment, is_in_effect, report), show, warn)
        done = replace(done, report=report, notices=told.given, failed=told.failed)
        keys = {each.new.key for each in lineages} | {step.endpoint for step in repairs.steps}
        return with_rows(cloud, [spec for spec in specs if spec.key in keys], done) if keys else done


def _renewals(
    cloud: Cloud,
    environment: Environment,
    lineages: Sequence[Lineage],
    live: Sequence[Lineage],
    folder: Path,
    *,
    in_place: bool,
) -> tuple[Plan, list[Outcome]]:
    """One look at all who come and go, then the steps of each. One that is refused keeps nobody else waiting.

    `turns` are as the files say, `live` with the release that each carries. Exports go to `folder`.
    """
    plans: list[Plan] = []
    refused: list[Outcome] = []
    done: list[Lineage] = []
    scopes_to_change = [each for each in live if not each.protected]
    everyone = [spec for each in scopes_to_change for spec in (each.new, *each.olds)]
    seen, siblings = observe.observe_names(cloud, everyone), observe.observe_siblings(cloud, environment, everyone)
    for files, each in zip(lineages, live, strict=True):
        try:
            successor.must_be_free(each)
            siblings |= {} if in_place else {old.name: seen[old.name] for old in each.olds}
            made = _renewal(environment, files.new, each, seen, folder, in_place=in_place)
            _must_fit(environment, [*done, each], [*plans, made], seen, siblings)
            plans.append(made)
            done.append(each)
        except Refused as error:
            refused.append(repair.refused(each.new.key, error))
    return _as_one(environment, plans), refused


def _must_fit(
    environment: Environment,
    lineages: Sequence[Lineage],
    plans: Sequence[Plan],
    seen: Mapping[str, Facts],
    siblings: Mapping[str, Facts],
) -> None:
    """Refuses what would run more instances than the environment allows, with those that are renewed at the same time.
    Unless it ends first (in place), an endpoint that is replaced runs until its successor serves.
    """
    news = [each.new for each in lineages]
    steps = [step for plan in plans for step in plan.steps]
    if findings := guards.too_many(environment, news, {new.key: seen[new.name] for new in news}, steps, siblings):
        raise Refused(findings)


def _as_one(environment: Environment, plans: Sequence[Plan]) -> Plan:
    return Plan(
        environment.name,
        tuple(step for plan in plans for step in plan.steps),
        tuple(step for plan in plans for step in plan.rescue),
        tuple(lease for plan in plans for lease in plan.leases),
        notes=tuple(note for plan in plans for note in plan.notes),
        fallback=tuple(step for plan in plans for step in plan.fallback),
        target=target_of(environment),
        exposure=tuple(each for plan in plans for each in plan.exposure),
    )


def _renewal(
    environment: Environment,
    files: EndpointSpec,
    each: Lineage,
    seen: Mapping[str, Facts],
    folder: Path,
    *,
    in_place: bool,
) -> Plan:
    """The successor, the alias, and the end of whoever came before; and the same with one on dedicated quota."""
    new, facts = each.new, seen[each.new.name]
    # The deletions of a renewal have a successor, so `protected` is not against them; instances are counted elsewhere.
    unguarded = replace(environment, guards=Guards(), protected=())
    made = planner.plan_release(unguarded if each.served else environment, [new], {new.key: facts})
    other = live_release.differs(files, new) if each.served else ""
    made = replace(made, notes=(*made.notes, *successor.notes(environment, each, seen, other)))
    if each.served:
        made = replace(made, steps=(*successor.cleared(each, facts), *successor.probed(new, made.steps)))
        made = replace(made, fallback=tuple(successor.probed(new, made.fallback)))
    ended = _ends(unguarded, each.olds, seen, facts, folder)
    if in_place and each.olds and each.served != new.name and any(step.kind == "deployment" for step in made.steps):
        successor.must_have_files(environment, each, other)
        return _in_place(each, made, ended)
    steps = _missed(made.steps) if each.is_missed else made.steps
    after = _drained(each, ended)
    return replace(made, steps=(*steps, *after), fallback=(*made.fallback, *after) if made.fallback else ())


def _drained(each: Lineage, ended: Sequence[Step]) -> Sequence[Step]:
    """The same, once callers who still have the old address have had time to look up the new one."""
    drain = each.new.pipeline.lease.drain
    if not ended or not drain or each.served is None:
        return ended
    first = ended[0]
    why = f"{first.why}; {drain:.0f} s after callers were sent to its successor"
    return [replace(first, why=why, retry=replace(first.retry, wait=drain)), *ended[1:]]


def _ends(
    environment: Environment, olds: Sequence[EndpointSpec], seen: Mapping[str, Facts], new: Facts, folder: Path
) -> list[Step]:
    """The export and the end of each, but for the roles that its successor holds with it."""
    shared = {body["id"] for where, body in new.items() if where.startswith("role/") and body["giver"] == "line"}
    ends: list[Step] = []
    for old in olds:
        kept = {"name": old.name, "folder": str(folder)}
        ends.append(Step(Verb.CHECK, address(_EXPORT, old.key, old.name), kept, "kept before it goes"))
        gone = planner.plan_teardown(environment, [old], {old.key: seen[old.name]})
        ends += [step for step in gone.steps if step.body.get("id") not in shared]
    return ends


def _in_place(each: Lineage, made: Plan, ended: Sequence[Step]) -> Plan:
    """The successor's name and roles, which need no cores; then whatever holds the cores goes; then callers are sent
    to the successor. The old endpoint itself goes last: while it is there, a run that is cut off is taken up again.
    """
    ahead = next(number for number, step in enumerate(made.steps) if step.kind not in _NEEDS_NO_CORES)
    kept = [step for step in ended if step.kind == _EXPORT]
    cores = [step for step in ended if step.kind not in (*_NEEDS_NO_CORES, _EXPORT)]
    last = [step for step in ended if step.kind in _NEEDS_NO_CORES]
    steps = (*made.steps[:ahead], *kept, *_missed(cores), *_missed(made.steps[ahead:]), *last)
    whom = each.served or each.new.base
    note = f"{each.new.key}: an outage. {whom} ends first; callers reach nobody until {each.new.name} serves them."
    second = (*_missed(made.fallback), *last) if made.fallback else ()
    return replace(made, steps=steps, fallback=second, notes=(*made.notes, note))


def _missed(steps: Sequence[Step]) -> list[Step]:
    """The same, known to leave callers with nobody when they fail."""
    return [replace(step, body={**step.body, "callers": _MISSED}) for step in steps]
