"""Rollback: all traffic back to the release that was live before. Pure.

The target is read from the history tags of the endpoint (`domain.history`): a release that received all traffic and is
still deployed. A release that failed, or that never received all traffic, is never a target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from deploy import diff
from deploy.domain import history, leases
from deploy.domain.arm import RELEASE_TAG, UNVERIFIED, Address, Facts, Json, address, capacity_of, facts_of, release_of
from deploy.domain.history import Record
from deploy.domain.owners import is_unmanaged
from deploy.domain.plan import Desired, Plan, Step, Verb
from deploy.domain.provenance import commit_of
from deploy.domain.spec import EndpointSpec, Environment
from deploy.domain.traffic_shares import format_traffic, live_slot, served
from deploy.errors import Finding, Refused
from deploy.planning import autoscaling
from deploy.planning.build import build_plan
from deploy.preflight import check_result, cost, guards, headroom, refusals
from deploy.steps import autoscale, checks_of, probe, quota_check, traffic
from deploy.text import count

_HELD_BACK_NOTE = (
    "Your files still describe {release}. plan and apply hold {key} back until they change; use --allow-rolled-back"
)


@dataclass(frozen=True)
class Target:
    """The deployment that is to receive all traffic, its release, and the release that traffic leaves."""

    slot: str
    release: str
    left: str


@dataclass(frozen=True)
class NothingToDo:
    """Nothing to do; `why` is the reason."""

    why: str


def find(spec: EndpointSpec, facts: Facts, to: str = "", stopped: datetime | None = None) -> Target | NothingToDo:
    """Where a rollback moves traffic. `to`: a release or a commit, the first characters are enough. `stopped`: when the
    run began from which the lock was taken over: without `to`, only what that run moved is moved back.

    Raises Refused where no release that was live is left.
    """
    body, there = facts.get(address("endpoint", spec.key)) or {}, facts_of(facts, "deployment", spec.key)
    if not there:
        raise _refused(spec, "AML650", f"endpoint {spec.name} has no deployment")
    share, lived = served(facts, spec.key), history.live(body)
    whole = next((name for name in share if share[name] == 100), None)
    now = (whole, release_of(there.get(whole) or {})) if whole else None
    if to:
        return _named(spec, there, lived, share, to)
    if (stage := history.stage(body)) and now and not stage.percent:  # a rollout that mirrors requests, and no more
        return Target(*now, stage.release)
    if lived and (lived[0].slot, lived[0].release) == now and (why := _why_back_already(body, lived[0])):
        return NothingToDo(why)
    if stopped and lived and (lived[0].slot, lived[0].release) == now and lived[0].at <= stopped:
        on = f"all traffic is still on {lived[0].slot}, release {lived[0].release}"
        return NothingToDo(f"{on}: the run that was stopped had moved none")
    former = next((each for each in lived if (each.slot, each.release) != now), None)
    if former is None:
        raise _refused(spec, "AML650", _why_no_previous(there, share, whole))
    if cause := _why_unfit(spec, there, former):
        raise _refused(spec, "AML650", cause)
    return Target(former.slot, former.release, _release_left(spec, there, share, former.slot))


def _why_back_already(body: Mapping[str, Json], now: Record) -> str:
    """Why traffic is where a rollback would move it: the last change was a rescue or a rollback."""
    on = f"traffic is already back on {now.slot}, release {now.release}"
    if back := history.rolled_back(body):
        by = f" by {back.by}" if back.by else ""
        return f"{on}: it was rolled back from release {back.release}{by} at {leases.local_and_utc(back.at)}"
    if failed := history.failed(body):
        return f"{on}: release {failed.release} failed at {leases.local_and_utc(failed.at)}"
    return ""


def _named(
    spec: EndpointSpec, there: Mapping[str, Json], lived: Sequence[Record], share: Mapping[str, int], to: str
) -> Target | NothingToDo:
    fits = {name: release_of(body) for name, body in there.items() if _is_called(body, to)}
    fits = {name: release for name, release in fits.items() if any(_is_release(each, name, release) for each in lived)}
    if not fits:
        known = [
            f"{each.release} in {each.slot}" for each in lived if release_of(there.get(each.slot) or {}) == each.release
        ]
        held = f"those that were are: {', '.join(known)}" if known else "none was"
        raise _refused(spec, "AML652", f"no deployment holds a release {to} that was live; {held}")
    if len(fits) > 1:
        found = ", ".join(f"{release} in {name}" for name, release in sorted(fits.items()))
        raise _refused(spec, "AML652", f"{to} is the beginning of several: {found}")
    ((slot, release),) = fits.items()
    if share.get(slot) == 100:
        return NothingToDo(f"all traffic is on {slot}, release {release}, already")
    if cause := _why_unfit(spec, there, Record(slot, release, lived[0].at)):
        raise _refused(spec, "AML650", cause)
    return Target(slot, release, _release_left(spec, there, share, slot))


def _is_called(body: Mapping[str, Json], to: str) -> bool:
    return any(text.lower().startswith(to.lower()) for text in (release_of(body), commit_of(body)) if text)


def _is_release(record: Record, slot: str, release: str) -> bool:
    return (record.slot, record.release) == (slot, release)


def _why_no_previous(there: Mapping[str, Json], share: Mapping[str, int], whole: str | None) -> str:
    """Why there is no release to return to."""
    if whole and len(there) == 1:
        return f"{whole} is the only deployment, so there is no previous release"
    others = [
        f"{name} holds {release_of(body) or 'no release'}" for name, body in sorted(there.items()) if name != whole
    ]
    details = "; ".join(f"{words}, which is not recorded as having received all traffic" for words in others)
    return f"traffic is on {format_traffic(share)}, and no release that was live before is left: {details}"


def _why_unfit(spec: EndpointSpec, there: Mapping[str, Json], former: Record) -> str:
    """Why a release that was live cannot receive traffic again; empty if it can."""
    body = there.get(former.slot)
    if body is None:
        return f"release {former.release} was live before, and its deployment {former.slot} is deleted"
    if (held := release_of(body)) != former.release:
        now = f"release {held}" if held else "a deployment without a release tag"
        return f"release {former.release} was live before, and {former.slot} is now {now}"
    if str(body["tags"][RELEASE_TAG]).endswith(UNVERIFIED):
        return f"{former.slot} holds release {former.release}, and its last change was never probed"
    if is_unmanaged(spec.owner, body):
        return f"deployment {former.slot} is not managed by {spec.owner}"
    state = str((body.get("properties") or {}).get("provisioningState") or "unknown")
    return "" if state == "Succeeded" else f"{former.slot} holds release {former.release}, and it is {state}"


def _release_left(spec: EndpointSpec, there: Mapping[str, Json], share: Mapping[str, int], slot: str) -> str:
    """The release that traffic leaves: that of the files if it has traffic, else the one with most."""
    leaving = {name: part for name, part in share.items() if name != slot}
    mine = [name for name in leaving if release_of(there.get(name) or {}) in spec.releases.values()]
    return release_of(there.get(mine[0] if mine else str(live_slot(leaving))) or {}) or "untagged"


def _refused(spec: EndpointSpec, code: str, cause: str) -> Refused:
    cure = "Revert the files to the release that you want, and apply them"
    return Refused([Finding(str(address("traffic", spec.key)), code, cause, cure)])


def plan(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    facts: Mapping[str, Facts],
    *,
    to: str = "",
    every: bool = False,
    siblings: Mapping[str, Facts] | None = None,
    stopped: Mapping[str, datetime | None] | None = None,
) -> Plan:
    """All traffic back to the previous release, which is scaled up to what is live and probed first.

    `every`: an endpoint without a previous release is a note, if another one has one. `siblings`: the deployments of
    the file's other endpoints, for guards.max_instances. `stopped`: endpoint -> when the run began that was stopped for
    this rollback. Raises Refused.
    """
    steps: list[Step] = []
    rescue: list[Step] = []
    findings: list[Finding] = []
    nowhere: list[Finding] = []
    notes: list[str] = []
    for spec in specs:
        seen = facts[spec.key]
        try:
            target = find(spec, seen, to, (stopped or {}).get(spec.name))
        except Refused as refused:
            nowhere += refused.findings
            continue
        if isinstance(target, NothingToDo):
            notes.append(f"{spec.key}: {target.why}. Nothing to do.")
            continue
        own = _steps(spec, seen, target)
        findings += [*refusals.unmanaged_changes(spec, own, seen), *autoscale.unread(spec, seen)]
        checks = sum(step.verb is Verb.CHECK for step in own)
        own[checks:checks] = checks_of(spec, own, seen)
        steps += own
        rescue += autoscaling.rescued(spec, own, _rescue(spec, seen, target), seen)
        notes += autoscaling.unmoved_notes(spec, seen, target.slot)
        if spec.pipeline.probe is None:
            notes.append(
                f"{spec.key}: {target.slot} is not probed before it gets traffic: its pipeline.yml has no probe."
            )
        if target.left in spec.releases.values():
            notes.append(f"{_HELD_BACK_NOTE.format(release=target.left, key=spec.key)} to deploy it again.")
    if nowhere and not (every and (steps or notes)):
        findings += nowhere
    else:
        notes += [f"{Address.parse(each.address).endpoint} is skipped: {each.cause}." for each in nowhere]
    findings += [*check_result.findings(steps), *headroom.limits_exceeded_together(steps)]
    findings += guards.too_many(environment, specs, facts, steps, siblings or {})
    too_expensive, unchecked = cost.refused(environment, specs, facts, steps, siblings or {})
    findings, notes = [*findings, *too_expensive], [*notes, *unchecked]
    return build_plan(environment, specs, steps, rescue, facts, findings, tuple(notes))


def _steps(spec: EndpointSpec, facts: Facts, target: Target) -> list[Step]:
    scale = _scaled(spec, facts, target.slot)
    checks = quota_check.plan(Desired(spec, scale, (), target.slot), facts) if scale else ()
    why = "verified before it gets traffic again"
    probed = [probe.step_for(spec, target.slot, why, release=target.release)] if spec.pipeline.probe else []
    record = {"kind": "rolled_back", **asdict(target)}
    shifts = traffic.plan(Desired(spec, {}, ({target.slot: 100},), target.slot), facts)
    live = live_slot({name: part for name, part in served(facts, spec.key).items() if name != target.slot})
    scaled = autoscale.follow_traffic(Desired(spec, {}, ({target.slot: 100},), live), facts, keep=True)
    moves = [*scaled, *(traffic.recorded(step, record) for step in shifts)]
    return [*checks, *_updates(spec, facts, scale), *probed, *autoscaling.placed(moves)]


def _scaled(spec: EndpointSpec, facts: Facts, slot: str) -> dict[str, Mapping[str, Json]]:
    """Deployment -> {instance_type, instance_count} where it has fewer instances than the one with most traffic."""
    there = facts_of(facts, "deployment", spec.key)
    shares = {name: part for name, part in served(facts, spec.key).items() if name != slot}
    live = there.get(str(live_slot(shares))) or {}
    desired, held = capacity_of(live), capacity_of(there[slot])
    if desired <= held:
        return {}
    return {slot: {"instance_type": there[slot]["properties"].get("instanceType"), "instance_count": desired}}


def _updates(spec: EndpointSpec, facts: Facts, scale: Mapping[str, Mapping[str, Json]]) -> list[Step]:
    steps = []
    for slot, size in scale.items():
        where, after = address("deployment", spec.key, slot), int(size["instance_count"])
        change = diff.Change("instance_count", capacity_of(facts[where]), after, diff.Mutability.UPDATE)
        body = {"endpoint": spec.name, "name": slot, "count": after, "changes": [asdict(change)]}
        why = f"instance_count {change.before} -> {after}, as many as are live ({count(after, 'instance')})"
        steps.append(Step(Verb.UPDATE, where, body, why, spec.retry))
    return steps


def _rescue(spec: EndpointSpec, facts: Facts, target: Target) -> list[Step]:
    """Traffic stays where it is; the target did not fail, so a second rollback tries it again."""
    where, now = address("endpoint", spec.key), served(facts, spec.key)
    if len(now) != 1:  # a rollout that stopped half-way has no whole release to return to
        return []
    body = facts[where]
    moved = {**body, "properties": {**body["properties"], "traffic": {target.slot: 100}}}
    back = Desired(spec, {}, (now,), live_slot(now))
    return list(traffic.plan(back, {**facts, where: moved}))
