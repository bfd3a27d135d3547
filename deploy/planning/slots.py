"""Slots: which deployment gets a release, and the stages of its traffic. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy import diff
from deploy.documents.rollout import Stage
from deploy.domain import history, idle_slots
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, SLOTS, Facts, Json, address, facts_of, release_of
from deploy.domain.owners import is_unmanaged, owner_tag
from deploy.domain.plan import Desired, Step, Verb
from deploy.domain.put_merge import is_protected
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import positive, served, shares
from deploy.planning import autoscaling


def choose_slot(spec: EndpointSpec, facts: Facts) -> Desired:
    """The slot that gets the release, and the stages of traffic. Deployments that the user named keep their names."""
    now = served(facts, spec.key)
    there = facts_of(facts, "deployment", spec.key)
    live = history.live_in(facts, spec.key)
    if spec.traffic is not None or len(spec.deployments) != 1:
        fixed = {str(d["name"]): _document(spec, d, str(d["name"]), facts) for d in spec.deployments}
        named = Desired(spec, fixed, (spec.traffic if spec.traffic is not None else now,), live)
        return autoscaling.with_counts(named, facts)
    written = spec.deployments[0]
    slot = _slot(spec, {name: _document(spec, written, name, facts) for name in SLOTS}, there, live)
    rollout: tuple[Stage, ...] = ()
    stages: tuple[Mapping[str, int], ...] = ({slot: 100},)
    if live not in (None, slot):
        continues = release_of(there.get(slot)) == release_of(_document(spec, written, slot, facts))
        rollout = _until_pause(spec.pipeline.rollout.steps, now.get(slot, 0) if continues else 0)
        stages = tuple({slot: each.traffic, str(live): 100 - each.traffic} for each in rollout)
    chosen = Desired(spec, {slot: _document(spec, written, slot, facts)}, stages, live, rollout)
    return autoscaling.with_counts(chosen, facts)


def _until_pause(stages: Sequence[Stage], now: int) -> tuple[Stage, ...]:
    """The stages up to the first pause after the stage with `now` percent: a run ends there, and the next goes on."""
    paused = next((n for n, each in enumerate(stages) if each.pause and each.traffic > now), len(stages))
    return tuple(stages[: paused + 1])


def facts_after_drain(desired: Desired, facts: Facts) -> Facts:
    """The facts after traffic left the slot that gets another release: after an unfinished rollout, all traffic goes to
    the live slot. For deployments that the user named: the facts with the desired traffic, if a deployment that is
    recreated needs that.
    """
    spec, now = desired.spec, served(facts, desired.spec.key)
    if spec.traffic is not None or len(spec.deployments) != 1:
        return _with_desired_traffic(desired, facts)
    if not desired.live:
        return facts
    ((slot, document),) = desired.deployments.items()
    held = facts.get(address("deployment", spec.key, slot)) or {}
    stays = (held.get("tags") or {}).get(RELEASE_TAG) == document["tags"].get(RELEASE_TAG)
    if slot == desired.live or slot not in now or stays:
        return facts
    where = address("endpoint", spec.key)
    properties = {**facts[where]["properties"], "traffic": {desired.live: 100}}
    return {**facts, where: {**facts[where], "properties": properties}}


def delete_previous(desired: Desired, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The deletion of the previous release with `rollout.keep_previous: 0`, also after an earlier run was interrupted
    before it. Only a release that the history lists as live is deleted, once the release of the files is live.
    """
    spec, endpoint = desired.spec, facts.get(address("endpoint", desired.spec.key)) or {}
    if idle_slots.keep_of(spec) != 0 or is_protected(endpoint):
        return []
    ((slot, document),) = desired.deployments.items()
    other = next(name for name in SLOTS if name != slot)
    there = facts_of(facts, "deployment", spec.key)
    body = there.get(other)
    if (
        body is None
        or positive(desired.traffic) != {slot: 100}
        or is_protected(body)
        or not _is_over(endpoint, there, document, other, shifts=any(s.kind == "traffic" for s in steps))
    ):
        return []
    where, why = address("deployment", spec.key, other), "rollout.keep_previous is 0: the previous release is deleted"
    return [Step(Verb.DELETE, where, idle_slots.claim(spec.name, body), why, spec.retry)]


def _is_over(
    endpoint: Mapping[str, Json], there: Mapping[str, Json], document: Mapping[str, Json], other: str, *, shifts: bool
) -> bool:
    """Whether `other` has the previous release after the steps, which move its traffic (`shifts`) or do not."""
    if shifts and other in shares(endpoint):
        return idle_slots.was_live(endpoint, there[other])
    found = idle_slots.of(endpoint, there)
    return found is not None and not found.failed and found.live == document["tags"].get(RELEASE_TAG)


def _with_desired_traffic(desired: Desired, facts: Facts) -> Facts:
    """The facts with the traffic of the files, if that leaves the deployments that are recreated without traffic and
    uses only deployments that do not change; else the facts as they are.
    """
    spec, where = desired.spec, address("endpoint", desired.spec.key)
    there, body = facts_of(facts, "deployment", spec.key), facts.get(where) or {}
    now, mirror_now = shares(body), shares(body, "mirrorTraffic")
    mirror = spec.endpoint.get("mirror_traffic")
    mirror = mirror_now if mirror is None else positive(mirror)
    after = {*positive(desired.traffic), *mirror}
    recreated = {n for n, d in desired.deployments.items() if n in there and _must_be_recreated(d, there[n])}
    if (
        not recreated & {*now, *mirror_now}
        or recreated & after
        or not all(_stays(desired, there, name) for name in after)
    ):
        return facts
    properties = {**body["properties"], "traffic": positive(desired.traffic), "mirrorTraffic": mirror}
    return {**facts, where: {**body, "properties": properties}}


def _stays(desired: Desired, there: Mapping[str, Json], name: str) -> bool:
    """Whether a deployment exists, is healthy, and is as in its file."""
    if name not in there or name not in desired.deployments:
        return False
    healthy = there[name]["properties"].get("provisioningState") == "Succeeded"
    return healthy and not diff.changes(desired.deployments[name], there[name], diff.DEPLOYMENT)


def _slot(
    spec: EndpointSpec, documents: Mapping[str, Mapping[str, Json]], there: Mapping[str, Json], live: str | None
) -> str:
    """The slot that has the release; else the live slot if it may change in place; else the one that is not live."""
    ordered = sorted(documents, key=lambda name: name != live)
    keeps = [n for n in ordered if n in there and not _must_be_recreated(documents[n], there[n])]
    for name in keeps:
        if (there[name].get("tags") or {}).get(RELEASE_TAG) == documents[name]["tags"].get(RELEASE_TAG):
            return name
    if spec.pipeline.rollout.strategy == "in_place" and live in keeps:
        return str(live)
    return next(name for name in documents if name != live)


def _must_be_recreated(document: Mapping[str, Json], body: Mapping[str, Json]) -> bool:
    found = diff.changes(document, body, diff.DEPLOYMENT)
    return not all(change.in_place for change in found)


def _document(spec: EndpointSpec, written: Mapping[str, Json], name: str, facts: Facts) -> dict[str, Json]:
    """The document of one slot, with our tags unless an unmanaged deployment has the name. For a deployment of another
    entry it has the release tag only: without a difference there is nothing to change.
    """
    body = facts.get(address("deployment", spec.key, name))
    tags = {OWNER_TAG: spec.owner, RELEASE_TAG: spec.releases[str(written["name"])]}
    if is_unmanaged(spec.owner, body):
        tags = {RELEASE_TAG: tags[RELEASE_TAG]} if owner_tag(body) else {}
    return {
        **written,
        "name": name,
        "endpoint_name": spec.name,
        "tags": {**(written.get("tags") or {}), **tags},
    }


def is_missing_or_failed(body: Mapping[str, Json] | None) -> bool:
    """Whether a deployment does not exist, or its last change failed."""
    properties = (body or {}).get("properties")
    return not body or (isinstance(properties, Mapping) and properties.get("provisioningState") == "Failed")


def assets(spec: EndpointSpec, facts: Facts) -> Iterator[str]:
    """ARM ids of the workspace's models, environments and code that an endpoint's deployments use; Azure keeps them
    when the deployments are deleted. Assets of a registry are not listed.
    """
    for _, body in sorted(facts_of(facts, "deployment", spec.key).items()):
        properties = body.get("properties") or {}
        code = (properties.get("codeConfiguration") or {}).get("codeId")
        ids = [str(each or "") for each in (properties.get("model"), properties.get("environmentId"), code)]
        yield from (each for each in ids if "/workspaces/" in each.lower() and "/versions/" in each.lower())
