"""The planner: specs and facts in, a plan out. Pure: no clock, no network, no file.

It puts the steps of all step types into one order and plans the rescue. It refuses what the guards of an environment
forbid, and every change of a resource without our tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from deploy.domain import history, traffic_shares
from deploy.domain.arm import RELEASE_TAG, UNVERIFIED, Facts, Json, address, release_of
from deploy.domain.plan import Desired, Plan, Step, Verb, by_endpoint
from deploy.domain.spec import EndpointSpec, Environment
from deploy.domain.traffic_shares import live_slot
from deploy.errors import Finding, Refused
from deploy.planning import autoscaling, fallback, slots
from deploy.planning.build import build_plan
from deploy.planning.orphans import Orphans, explained_findings, explained_steps
from deploy.planning.slots import choose_slot
from deploy.preflight import asset_versions, check_result, cost, exposure, guards, headroom, limits, refusals
from deploy.steps import (
    STEP_TYPES,
    StepType,
    checks_of,
    deployment,
    endpoint,
    gate,
    grants_access,
    plan,
    probe,
    traffic,
)


@dataclass(frozen=True)
class Choices:
    """What the user chose for a release.

    `cleanup`: the rescue also deletes the deployments that the plan creates; otherwise they stay for inspection.
    `allow_rolled_back`: a release that was rolled back may be deployed again. `allow_exposure`: a protected environment
    may become more exposed. `for_another`: another identity applies the plan, so missing permissions are notes.
    `restored`: the releases were live before, so it is no problem that they have no probe.
    """

    cleanup: bool = False
    allow_rolled_back: bool = False
    allow_exposure: bool = False
    for_another: bool = False
    restored: bool = False


@dataclass(frozen=True)
class Draft:
    """Steps that may still be refused: some of the checks among them may have failed."""

    steps: Sequence[Step]
    rescue: Sequence[Step]
    fallback: Sequence[Step]
    findings: Sequence[Finding]
    """Every reason to refuse the plan, those of failed checks included."""
    notes: tuple[str, ...] = ()
    held: tuple[Mapping[str, Json], ...] = ()
    """See Plan.held."""
    exposure: Sequence[Mapping[str, Json]] = ()


def draft_release(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    facts: Mapping[str, Facts],
    choices: Choices = Choices(),
    *,
    siblings: Mapping[str, Facts] | None = None,
) -> Draft:
    """The steps from what exists to what the files describe, and every reason to refuse them.

    The steps of one endpoint come in this order:

    1. checks: quota, models, names and limits, permissions
    2. a shift of traffic away from a deployment that is recreated or gets another release
    3. the endpoint, the record of its identity, role assignments
    4. deployments, then a probe of each that is new, changed or gets more traffic
    5. the shifts of traffic, one for each stage, each further one after its bake, if any, and another probe; then the
       alias. Before the last shift the autoscale setting of the new slot, after it the deletion of the old slot's
    6. the release tag without its mark, for a live deployment that was changed in place and has been probed
    7. the deletion of the previous release, with `rollout.keep_previous: 0`

    `facts`: endpoint key -> facts. `siblings`: the deployments of the file's other endpoints, for guards.max_instances.
    """
    steps: list[Step] = []
    rescue: list[Step] = []
    fallback_steps: list[Step] = []
    asked = () if choices.allow_rolled_back else specs
    held_back = {spec.key: refusals.held_back_entry(spec, facts[spec.key]) for spec in asked}
    findings: list[Finding] = []
    exposed: list[Mapping[str, Json]] = []
    for spec in specs:
        if held_back.get(spec.key):
            continue
        desired = choose_slot(spec, facts[spec.key])
        seen = slots.facts_after_drain(desired, facts[spec.key])
        own = _plan_step_types(_mark_unverified(desired, seen), seen, STEP_TYPES, findings)
        unproven = [step for step in own if step.verb is Verb.PROBE and step.why == probe.UNVERIFIED_WHY]
        own += [_mark_verified(desired, step, seen) for step in unproven]
        own += slots.delete_previous(desired, own, seen)
        findings += refusals.unmanaged_changes(spec, own, seen)
        exposed += exposure.changes(desired, own, facts[spec.key])
        check_count = sum(step.verb is Verb.CHECK for step in own)
        own[check_count:check_count] = _drain_slot(desired, facts[spec.key], seen)
        own[check_count:check_count] = checks_of(spec, own, seen)
        steps += _mark_after_new_role(autoscaling.placed(_with_bakes(desired, own)))
        rescue += autoscaling.rescued(spec, own, _rescue(desired, own, seen, always=choices.cleanup), seen)
        rescue += _cleanup(desired, own, facts[spec.key]) if choices.cleanup else ()
        if address("endpoint", spec.key) not in seen or not refusals.protected(environment, [spec]):
            fallback_steps += _fallback(spec, own, seen)  # which deletes the endpoint that exists
    findings += [*check_result.findings(steps), *headroom.limits_exceeded_together(steps)]
    beyond, warnings = limits.too_many(steps, facts, environment)
    findings += [*beyond, *asset_versions.conflicts(steps)]
    findings += exposure.refused(environment, exposed, allowed=choices.allow_exposure)
    findings += guards.too_many(environment, specs, facts, steps, siblings or {})
    too_expensive, unchecked = cost.refused(environment, specs, facts, steps, siblings or {})
    own_of, moved = by_endpoint(steps), () if choices.restored else specs
    unprobed = [spec for spec in moved if guards.moves_unprobed(spec, own_of.get(spec.key, ()), facts[spec.key])]
    refused, untested = guards.without_probe(environment, unprobed)
    notes = [refusals.forward_note(spec, own_of.get(spec.key, ()), facts[spec.key]) for spec in specs]
    notes += [note for spec in specs for note in fallback.notes(spec, fallback_steps, facts[spec.key])]
    notes += [*headroom.raisable_limits_exceeded(steps, environment.name), *warnings, *unchecked]
    found, held = [*findings, *too_expensive, *refused], tuple(each for each in held_back.values() if each)
    return Draft(steps, rescue, fallback_steps, found, tuple(filter(None, (*notes, *untested))), held, exposed)


def plan_release(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    facts: Mapping[str, Facts],
    choices: Choices = Choices(),
    *,
    siblings: Mapping[str, Facts] | None = None,
    orphans: Orphans = Orphans(),
) -> Plan:
    """The steps from what exists to what the files describe, as `draft_release` orders them, and the deletion of
    `orphans`.

    Raises Refused with every reason at once.
    """
    draft = draft_release(environment, specs, facts, choices, siblings=siblings)
    excused = refusals.of_caller(draft.findings) if choices.for_another else []
    elsewhere = refusals.of_machine(draft.findings) if choices.for_another else []
    findings = [finding for finding in draft.findings if finding not in (*excused, *elsewhere)]
    notes = (*draft.notes, *(f"The identity that applies this needs more permissions: {f.cause}." for f in excused))
    notes += tuple(f"The machine that applies this must reach {f.address}: {f.cause}." for f in elsewhere)
    pruned, refused = _try_prune(environment, orphans)
    steps, every = [*draft.steps, *pruned.steps], {**facts, **orphans.facts}
    notes, findings = (*notes, *orphans.notes()), [*findings, *refused]
    made = build_plan(environment, specs, steps, draft.rescue, every, findings, notes, fallback=draft.fallback)
    return replace(
        made,
        endpoints=tuple(facts),
        orphans=orphans.as_json(),
        stays=pruned.stays,
        held=draft.held,
        allow_rolled_back=choices.allow_rolled_back,
        exposure=tuple(draft.exposure),
        allow_exposure=choices.allow_exposure,
    )


def plan_teardown(environment: Environment, specs: Sequence[EndpointSpec], facts: Mapping[str, Facts]) -> Plan:
    """The steps that delete everything: the same step types in reverse order."""
    steps: list[Step] = []
    findings = refusals.protected(environment, specs)
    for spec in specs:
        own = _plan_step_types(None, facts[spec.key], STEP_TYPES[::-1], findings)
        findings += refusals.unmanaged_changes(spec, own, facts[spec.key])
        steps += own
    stays = dict.fromkeys(asset for spec in specs for asset in slots.assets(spec, facts[spec.key]))
    return replace(build_plan(environment, specs, steps, [], facts, findings), stays=tuple(stays))


def plan_prune(environment: Environment, orphans: Orphans) -> Plan:
    """The steps that delete the orphans that `--prune` selects."""
    if not orphans.specs:
        return Plan(environment.name, ())
    try:
        plan = plan_teardown(environment, orphans.specs, orphans.facts)
    except Refused as refused:
        raise Refused(explained_findings(orphans, refused.findings)) from None
    return replace(plan, steps=tuple(explained_steps(orphans, plan.steps)))


def _try_prune(environment: Environment, orphans: Orphans) -> tuple[Plan, Sequence[Finding]]:
    try:
        return plan_prune(environment, orphans), ()
    except Refused as refused:
        return Plan(environment.name, ()), refused.findings


def _drain_slot(desired: Desired, facts: Facts, facts_after_drain: Facts) -> list[Step]:
    """The shift of traffic from `facts` to `facts_after_drain`."""
    if facts_after_drain is facts:
        return []
    stage = traffic_shares.served(facts_after_drain, desired.spec.key)
    shifts = traffic.plan(replace(desired, stages=(stage,), rollout=()), facts)
    slots_are_ours = desired.spec.traffic is None and len(desired.deployments) == 1
    then = "the other slot gets another release" if slots_are_ours else "the deployment without traffic is recreated"
    return [replace(step, why=f"{step.why}; {then}") for step in shifts]


def _mark_unverified(desired: Desired, facts: Facts) -> Desired:
    """Deployments with traffic that change in place get a marked release tag until their probe succeeds."""
    if desired.spec.pipeline.probe is None:
        return desired
    marked, called = dict(desired.deployments), traffic_shares.served(facts, desired.spec.key)
    for name, document in desired.deployments.items():
        body = facts.get(address("deployment", desired.spec.key, name)) or {}
        release, held = document["tags"].get(RELEASE_TAG), (body.get("tags") or {}).get(RELEASE_TAG)
        if body and release and name in called and release != held:
            marked[name] = {**document, "tags": {**document["tags"], RELEASE_TAG: release + UNVERIFIED}}
    return replace(desired, deployments=marked)


def _mark_verified(desired: Desired, step: Step, facts: Facts) -> Step:
    """The same PUT with the release tag without its mark."""
    name = str(step.body["deployment"])
    where = address("deployment", desired.spec.key, name)
    document = deployment.merged_document(desired.deployments[name], facts.get(where) or {})
    return Step(
        Verb.UPDATE, where, deployment.body_of(desired.spec, document), "its probe succeeded", desired.spec.retry
    )


def _plan_step_types(
    desired: Desired | None, facts: Facts, step_types: Iterable[StepType], findings: list[Finding]
) -> list[Step]:
    steps: list[Step] = []
    for step_type in step_types:
        try:
            steps += plan(step_type, desired, facts)
        except Refused as refused:
            findings += refused.findings
    return steps


def _with_bakes(desired: Desired, steps: Sequence[Step]) -> list[Step]:
    """The steps, with the gate of the stage that a shift ends, if the files have one, and then a probe of the new slot
    before each further stage, whatever the bake. Before the first stage there is a probe already.
    """
    has_probe, has_gate = desired.spec.pipeline.probe is not None, desired.spec.pipeline.rollout.gate is not None
    baked: list[Step] = []
    is_probed = True
    for step in steps:
        is_shift = step.kind == traffic.NAME and bool(desired.traffic)
        left, wait = (step.body.get("leaves") if is_shift else None), step.retry.wait
        gates = [gate.step_for(desired, left["percent"], left["bake"])] if left and has_gate else []
        probed = is_shift and has_probe and (wait or gates or not is_probed)
        if probed:
            why, release = "checked before the next traffic step", release_of(desired.deployments.get(desired.slot))
            after = 0.0 if gates else wait
            gates.append(probe.step_for(desired.spec, desired.slot, why, wait=after, release=release))
        moved = replace(step, retry=replace(step.retry, wait=0.0)) if gates else step
        baked += [*gates, moved]
        if step.kind in (traffic.NAME, probe.NAME):
            is_probed = step.kind == probe.NAME
    return _mark_exposed(baked)


def _mark_exposed(steps: Sequence[Step]) -> list[Step]:
    """The steps, with `exposed` in those that judge a release that has traffic or mirrored requests before the plan
    begins, as in a rollout that continues: if one fails, the rescue takes it away, although no step gave it.
    """
    first = next((step for step in steps if step.kind == traffic.NAME), None)
    if first is None or not first.body.get("leaves"):
        return list(steps)
    judging = (Verb.PROBE, Verb.GATE)
    return [replace(s, body={**s.body, "exposed": True}) if s.verb in judging else s for s in steps]


def _mark_after_new_role(steps: Sequence[Step]) -> list[Step]:
    """The steps, with `fresh_role` after a new role or identity: Azure may refuse access for some minutes."""
    marked, fresh = [], False
    for step in steps:
        marked.append(replace(step, retry=replace(step.retry, fresh_role=True)) if fresh else step)
        fresh = fresh or grants_access(step)
    return marked


def _cleanup(desired: Desired, steps: Sequence[Step], facts: Facts) -> Sequence[Step]:
    """Deletions of deployments that this plan creates where none existed, or only a failed one."""
    own = {step.address: step for step in steps if step.kind == "deployment" and step.verb is not Verb.CHECK}
    served = traffic_shares.served(facts, desired.spec.key)
    return [
        Step(Verb.DELETE, where, _unused(desired, name), _CLEANUP_REASON, step.retry)
        for where, step in own.items()
        if (name := where.name) in desired.deployments and not served.get(name)
        if slots.is_missing_or_failed(facts.get(where))
    ]


def _unused(desired: Desired, name: str) -> dict[str, Json]:
    """The body of the deletion of a deployment that this plan creates, unless another run has used the slot since."""
    expected = {"slots": {name: [release_of(desired.deployments[name]), None]}, "idle": name}
    return {"endpoint": desired.spec.name, "name": name, "expects": expected}


_CLEANUP_REASON = "created for a release that failed"


def _rescue(desired: Desired, steps: Sequence[Step], facts: Facts, *, always: bool) -> Sequence[Step]:
    """Traffic back to where it is now, if the steps move it; `always`: also if there is none now. The same PUT records
    the release that failed.
    """
    where, key = address("endpoint", desired.spec.key), desired.spec.key
    body, now = facts.get(where) or {}, traffic_shares.served(facts, key)
    if not (desired.live or always) or not any(step.verb is Verb.SHIFT for step in steps):
        return ()
    moved = {**body, "properties": {**(body.get("properties") or {}), "traffic": desired.traffic}}
    after = replace(desired, stages=(_traffic_after_rescue(desired, now, facts),), rollout=())
    back = traffic.plan(after, {**facts, where: moved})
    return [traffic.recorded(step, _failed_release(desired, now, facts)) for step in back]


def _traffic_after_rescue(desired: Desired, now: Mapping[str, int], facts: Facts) -> Mapping[str, int]:
    """The traffic after a rescue: as it is now; in a rollout that stopped half-way, all on the last release that had
    all of it. A split that the user wrote stays.
    """
    spec, last = desired.spec, next(iter(history.live(facts.get(address("endpoint", desired.spec.key)) or {})), None)
    if spec.traffic is not None or len(now) < 2 or last is None or last.slot in desired.deployments:
        return now
    same = traffic.release_in(desired, facts, last.slot) == last.release
    return {last.slot: 100} if same and now.get(last.slot) else now


def _failed_release(desired: Desired, now: Mapping[str, int], facts: Facts) -> dict[str, str] | None:
    """The history record of a rescue: the deployment that was to receive most of the additional traffic. The one that
    was live before did not fail.
    """
    lived = history.live(facts.get(address("endpoint", desired.spec.key)) or {})
    was = lived[0].slot if lived else desired.live
    slot = live_slot({name: n for name, n in desired.traffic.items() if n > now.get(name, 0) and name != was})
    release = traffic.release_in(desired, facts, slot) if slot else ""
    return {"kind": "failed", "slot": str(slot), "release": release} if release else None


def _fallback(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> Sequence[Step]:
    """The steps that create the endpoint on dedicated quota, for a shared pool that stays full."""
    if not fallback.may_be(spec, steps, facts):
        return ()
    dedicated_spec, seen = fallback.dedicated(spec), fallback.without_endpoint(facts)
    desired = choose_slot(dedicated_spec, seen)
    created = fallback.with_keys(_plan_step_types(desired, seen, STEP_TYPES, []), endpoint.keys_of(spec, facts))
    return fallback.in_order(spec, _mark_after_new_role(autoscaling.placed(_with_bakes(desired, created))))
