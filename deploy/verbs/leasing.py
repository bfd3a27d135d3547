"""Verbs about leases: reap what is over, renew what ends, tell people in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from deploy import leases, notices, observer, planner, reader, reaper, succession, validator
from deploy.cloud import access, endpoints, leftovers
from deploy.cloud.connect import Cloud
from deploy.documents import Notice
from deploy.errors import CloudError, Refused
from deploy.executor import Tell, as_json
from deploy.model import OWNER_TAG, Environment, Facts, Plan, Step, Verb, address
from deploy.outcome import Outcome, State
from deploy.reaper import Inventory, Judgement, Rules
from deploy.succession import Turn
from deploy.verbs.project import Approve, Done, Project, carry_out, rows_of, validate

Show = Callable[[str], None]
Warn = Callable[[notices.Word], None]


@dataclass(frozen=True)
class Reaped:
    """What was judged, and what became of it. `done` is None in a dry run; `failed` are notices that did not arrive."""

    environment: str
    judged: Judgement
    plan: Plan
    done: Done | None
    failed: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Whether everything that was due is gone, and everybody told."""
        late = any("--max" in each.why for each in self.judged.spared)
        return self.done is None or (self.done.report.ok and not late and not self.failed)


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
    """Judge a workspace; with `yes` keep and delete what is due, and give the notices that are due."""
    file = validator.validate_environment(reader.read_environment(project.root, name))
    with project.alone(file.environment, "reap") if yes else project.connect(file.environment) as cloud:
        there = _inventory(cloud)
        judged = reaper.judge(file.environment, there, rules, cloud.now())
        if judged.candidates:
            there = replace(there, autoscale=leftovers.autoscale_settings(cloud) or ())
        folder = project.state / "reaped" / f"{cloud.now():%Y%m%dT%H%M%SZ}"
        plan = reaper.plan(file.environment, there, judged, str(folder))
        if not yes:
            return Reaped(name, judged, plan, None)
        approve(plan, False)
        done = carry_out(project, cloud, plan, "reap", tell)
        if done.report.stopped:
            return Reaped(name, judged, plan, done)
        gone = {each.name for each in judged.candidates}
        kept = {n: body for n, body in there.endpoints.items() if n not in gone}
        return Reaped(name, judged, plan, done, _notify(cloud, file, kept, show, warn))


def renew(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    within: float,
    in_place: bool = False,
    approve: Approve,
    tell: Tell,
    show: Show,
    warn: Warn | None = None,
    jobs: int = 8,
) -> Done:
    """Replace each endpoint whose lease ends within so many hours by its successor. Safe to call at any time."""
    file = validator.validate_environment(reader.read_environment(project.root, name))
    environment, specs = validate(project, name, only)
    with project.alone(environment, "renew") as cloud:
        with cloud.arm.remembering():
            bodies = endpoints.list_endpoints(cloud)
            now = cloud.now()
            turns = [each for spec in specs if (each := succession.turn(spec, bodies, now, within))]
            plan, refused = _renewals(cloud, environment, turns, in_place=in_place)
        if plan.steps:
            approve(plan, True)
        done = carry_out(project, cloud, plan, "renew", tell, jobs)
        if done.report.stopped:
            return done
        failed = _notify(cloud, file, endpoints.list_endpoints(cloud) if plan.steps else bodies, show, warn)
        if failed:
            show("\n".join(failed))
        done = replace(done, report=replace(done.report, outcomes=(*done.report.outcomes, *refused)))
        keys = {each.new.key for each in turns}
        return replace(done, rows=rows_of(cloud, [spec for spec in specs if spec.key in keys])) if turns else done


def _inventory(cloud: Cloud) -> Inventory:
    """Two lists, whatever their length; a third only when somebody goes."""
    return Inventory(cloud.workspace_id, endpoints.list_endpoints(cloud), access.assignments(cloud) or (), ())


def _renewals(
    cloud: Cloud, environment: Environment, turns: Sequence[Turn], *, in_place: bool
) -> tuple[Plan, list[Outcome]]:
    """One look at all who come and go, then the steps of each. One that is refused keeps nobody else waiting."""
    steps: list[Step] = []
    second: list[Step] = []
    refused: list[Outcome] = []
    seen = observer.observe_names(cloud, [spec for each in turns for spec in (each.new, *each.olds)])
    for each in turns:
        try:
            first, instead = _renewal(environment, each, seen, in_place=in_place)
            steps += first
            second += instead
        except Refused as error:
            where = address("endpoint", each.new.key)
            refused.append(Outcome(where, Verb.CHECK, State.FAILED, 0, 0.0, as_json(error)))
    return Plan(environment.name, tuple(steps), fallback=tuple(second)), refused


def _renewal(
    environment: Environment, each: Turn, seen: Mapping[str, Facts], *, in_place: bool
) -> tuple[Sequence[Step], Sequence[Step]]:
    """The successor, the alias, and the end of whoever came before; and the same with one on dedicated quota."""
    made = planner.plan_release(environment, [each.new], {each.new.key: seen[each.new.name]})
    ended: list[Step] = []
    for old in each.olds:
        ended += planner.plan_teardown(environment, [old], {old.key: seen[old.name]}).steps
    if in_place:
        return (*ended, *made.steps), made.fallback
    drain = each.new.pipeline.lease.drain
    if ended and drain:
        first = ended[0]
        why = f"{first.why}; {drain:.0f} s after callers were sent to its successor"
        ended[0] = replace(first, why=why, retry=replace(first.retry, wait=drain))
    return (*made.steps, *ended), (*made.fallback, *(ended if made.fallback else ()))


def _notify(
    cloud: Cloud, file: validator.EnvironmentFile, bodies: succession.Bodies, show: Show, warn: Warn | None
) -> list[str]:
    """Gives each notice that is due, once: the tag is written first. Returns what did not arrive, in words."""
    failed: list[str] = []
    channels = file.notices
    for name, body in bodies.items():
        tags = body.get("tags") or {}
        lease = leases.of(body)
        if not channels or lease is None or str(tags.get(OWNER_TAG) or "").split("/")[0] != file.environment.name:
            continue
        before = str(tags.get(leases.NOTICED_TAG) or "")
        hours = leases.due(lease, before, cloud.now())
        if hours is None:
            continue
        word = notices.Word(file.environment.name, name, lease.ends, hours)
        failed += _tell(cloud, str(body["id"]), before, word, channels, show, warn)
    return failed


def _tell(
    cloud: Cloud,
    resource: str,
    before: str,
    word: notices.Word,
    channels: Sequence[Notice],
    show: Show,
    warn: Warn | None,
) -> list[str]:
    """To every channel; when none of them heard it, it is as if nothing had been said."""
    what = f"note the notice about {word.name}"
    try:
        leftovers.merge_tags(cloud, resource, {leases.NOTICED_TAG: leases.told(before, word.hours)}, what)
    except CloudError as error:
        return [str(error)]
    failed = []
    for channel in channels:
        try:
            notices.send(channel.to, channel.url_from, word, show, warn)
        except CloudError as error:
            failed.append(str(error))
    if failed and len(failed) == len(channels):
        leftovers.merge_tags(cloud, resource, {leases.NOTICED_TAG: before}, what)
    return failed
