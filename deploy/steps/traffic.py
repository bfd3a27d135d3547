"""Traffic: the share of each deployment. A shift is a PUT of the endpoint with other traffic, one per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from deploy import diff
from deploy.clock import Task
from deploy.cloud import endpoints, preconditions
from deploy.cloud.connect import Cloud
from deploy.cloud.whoami import principal_name
from deploy.diff import effects
from deploy.domain import history
from deploy.domain.arm import Address, Facts, Json, address, release_of
from deploy.domain.owners import is_unmanaged
from deploy.domain.plan import Desired, Difference, Step, Verb, World
from deploy.domain.report import Evidence
from deploy.domain.spec import DEFAULT_RETRY, EndpointSpec
from deploy.domain.traffic_shares import format_traffic, positive, served, shares
from deploy.preflight import permissions as rights

NAME = "traffic"
NEEDS_CORES = True
_HISTORY = tuple(f"tags.{name}" for name in history.TAGS)


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """One shift for each stage not yet reached; for a deletion, one that removes all traffic."""
    if desired is None:
        return [
            _remove_traffic(where, body)
            for where, body in facts.items()
            if where.kind == "endpoint" and not where.rest and shares(body)
        ]
    body = facts.get(address("endpoint", desired.spec.key)) or {}
    now, mirrored = shares(body), desired.spec.endpoint.get("mirror_traffic")
    mirror_now = shares(body, "mirrorTraffic")
    mirror_is_desired = (
        positive(mirrored) == mirror_now if mirrored is not None else not _ends(desired, body, mirror_now)
    )
    ahead, left = _ahead(desired, body)
    if not ahead and now == positive(desired.traffic) and mirror_is_desired:
        return []
    ahead = ahead or [Position(now)]
    shifts = [
        _staged(desired, _shift(desired, facts, before, after, left_at), facts, after)
        for before, after, left_at in zip([now, *(p.traffic for p in ahead)], ahead, [left, *ahead], strict=False)
    ]
    last = recorded(shifts[-1], live_after(desired, facts, ahead[-1].traffic) or shifts[-1].body.get("record"))
    return _with_mirroring([*shifts[:-1], last], shares(body, "mirrorTraffic"))


class Position(NamedTuple):
    """The traffic map of a stage, and its rules. `percent`: of the new release; 0 while requests are only mirrored to
    it, -1 where it is no stage of a rollout. `bake` in seconds. `mirror`: deployment -> percent.
    """

    traffic: Mapping[str, int]
    percent: int = -1
    bake: float = 0.0
    pause: bool = False
    mirror: Mapping[str, int] | None = None


def _positions(desired: Desired, now: Mapping[str, int]) -> list[Position]:
    """The stages in their order. Requests are mirrored before the first, to a release that has no traffic yet."""
    written, rollout = [positive(stage) for stage in desired.stages], desired.spec.pipeline.rollout
    if not desired.rollout:
        return [Position(traffic) for traffic in written]
    found = [
        Position(traffic, each.traffic, each.bake or 0.0, each.pause)
        for traffic, each in zip(written, desired.rollout, strict=True)
    ]
    if rollout.mirror_traffic is None or desired.slot in now:
        return found
    return [Position({str(desired.live): 100}, 0, rollout.bake, False, {desired.slot: rollout.mirror_traffic}), *found]


def _ahead(desired: Desired, body: Mapping[str, Json]) -> tuple[list[Position], Position | None]:
    """The stages that are not reached yet, and the current one; None before the first."""
    now, mirrored = shares(body), shares(body, "mirrorTraffic")
    found = _positions(desired, now)
    for number, each in enumerate(found):
        if each.traffic == now and each.mirror in (None, mirrored):
            return found[number + 1 :], each
    return found, None


def _staged(desired: Desired, step: Step, facts: Facts, after: Position) -> Step:
    """The shift with the record of its stage, if it is a stage of a rollout before the last."""
    release = release_in(desired, facts, desired.slot) if after.percent in range(100) else ""
    if not release:
        return step
    record = {"kind": "stage", "slot": desired.slot, "release": release, "percent": after.percent}
    step = recorded(step, {**record, **({"paused": True} if after.pause else {})})
    return replace(step, why=f"{step.why}; the run pauses here, and the next apply continues") if after.pause else step


def live_after(desired: Desired, facts: Facts, after: Mapping[str, int]) -> dict[str, str] | None:
    """The history record of a deployment that receives all traffic: {kind, slot, release}; None for a split."""
    slot = next((name for name, share in after.items() if share == 100), None)
    release = release_in(desired, facts, slot) if slot else ""
    return {"kind": "live", "slot": slot, "release": release} if slot and release else None


def release_in(desired: Desired, facts: Facts, slot: str) -> str:
    """The release that a deployment holds once the plan has run; empty without a tag."""
    return release_of(desired.deployments.get(slot) or facts.get(address("deployment", desired.spec.key, slot)))


def recorded(step: Step, record: Mapping[str, Json] | None) -> Step:
    """The shift with a history record (`deploy.domain.history`) that its PUT writes; None: without one."""
    body = {name: value for name, value in step.body.items() if name != "record"}
    return replace(step, body={**body, **({"record": dict(record)} if record else {})})


def _with_mirroring(shifts: Sequence[Step], now: Mapping[str, int]) -> list[Step]:
    """The steps; one that changes mirrored traffic contains `mirror_before` and `mirror_after`."""
    found = []
    for step in shifts:
        after = positive(step.body["document"].get("mirror_traffic") or {})
        if after != now:
            moves = step.body["before"] != step.body["after"]
            words = [step.why] * moves + [_mirroring(name, now, after) for name in sorted(now.keys() | after.keys())]
            noted = {**step.body, "mirror_before": dict(now), "mirror_after": after}
            step = replace(step, body=noted, why="; ".join(filter(None, words)))  # noqa: PLW2901
        found.append(step)
        now = after
    return found


def _mirroring(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """`mirroring 20 % to shadow starts`; empty without a change."""
    old, new = before.get(name), after.get(name)
    if old == new:
        return ""
    return (
        f"mirroring to {name} {old} % -> {new} %"
        if old and new
        else (f"mirroring {new} % to {name} starts" if new else f"mirroring {old} % to {name} stops")
    )


def is_in_effect(step: Step, world: World) -> bool:
    """Whether the endpoint has the traffic that a shift makes, and the mirrored traffic if it changes that."""
    mirrored = shares(world.get(address("endpoint", step.endpoint)) or {}, "mirrorTraffic")
    is_served = served(world, step.endpoint) == step.body["after"]
    return bool(is_served and mirrored == step.body.get("mirror_after", mirrored))


def explains(step: Step, found: Difference, world: World) -> bool:
    """Whether a difference of the endpoint is what a shift writes: traffic, history tags, its whole document."""
    body = world.get(address("endpoint", step.endpoint))
    if found.address != address("endpoint", step.endpoint) or body is None:
        return False
    if found.path in _HISTORY:
        return True
    if found.path.startswith(("properties.traffic", "properties.mirrorTraffic")):
        mirrored = positive(step.body["document"].get("mirror_traffic") or {})
        return (shares(body), shares(body, "mirrorTraffic")) == (step.body["after"], mirrored)
    return effects.is_written_by(step, found, body, diff.ENDPOINT)


def essence(step: Step) -> Json:
    """What makes two shifts the same after an interruption."""
    return [step.body.get(name) for name in ("after", "before", "mirror_after")]


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """A shift is a PUT of the endpoint."""
    return "workspace", rights.ENDPOINT_WRITE


def is_done(cloud: Cloud, step: Step) -> bool:
    """Whether the endpoint has the traffic of a shift now; True for an endpoint that is deleted."""
    there = endpoints.read_endpoint(cloud, str(step.body["document"]["name"]))
    return there is None or shares(there) == step.body["after"]


def run(cloud: Cloud, step: Step) -> Task[Evidence | None]:
    name = str(step.body["document"]["name"])
    there = endpoints.read_endpoint(cloud, name)
    if not step.body["after"] and there is None:
        return Evidence("it is already deleted")  # a PUT would create it again
    if (only_from := step.body.get("only_from")) and shares(there or {}) not in only_from:
        return Evidence(f"another run has moved the traffic since, so it stays: {format_traffic(shares(there or {}))}")
    preconditions.check(cloud, name, step.body.get("expects"), f"{step.verb} {step.address}", body=there or {})
    document = _with_history(cloud, _as_it_is(step.body["document"], there), there or {}, step.body.get("record"))
    desired = (positive(document["traffic"]), positive(document.get("mirror_traffic") or {}), _history(document))
    yield from endpoints.put_endpoint(
        cloud, document, what=f"{step.verb} {step.address}", timeout_seconds=step.retry.deadline,
        is_desired=lambda there: (shares(there), shares(there, "mirrorTraffic"), _history(there)) == desired,
    )  # fmt: skip
    return None


def _with_history(
    cloud: Cloud, document: Mapping[str, Json], there: Mapping[str, Json], record: Mapping[str, Json] | None
) -> Mapping[str, Json]:
    """The document with the history tags of the record; a shift without one does not change them."""
    if record is None:
        return document
    slot, release, now = record["slot"], record["release"], cloud.now()
    if record["kind"] == "rolled_back":
        tags = history.after_rollback(document, slot, release, record["left"], now, principal_name(cloud))
    elif record["kind"] == "stage":
        paused = bool(record.get("paused"))
        tags = history.after_stage(there, slot, release, int(record["percent"]), now, is_paused=paused)
    else:
        after = history.after_rescue if record["kind"] == "failed" else history.after_live
        tags = after(document, slot, release, now)
    others = {name: value for name, value in (document.get("tags") or {}).items() if name.lower() not in history.TAGS}
    return {**document, "tags": {**others, **tags}}


def _history(body: Mapping[str, Json]) -> dict[str, Json]:
    return {name.lower(): value for name, value in (body.get("tags") or {}).items() if name.lower() in history.TAGS}


def _as_it_is(document: Mapping[str, Json], there: Mapping[str, Json] | None) -> Mapping[str, Json]:
    """The endpoint as it is now with the document's traffic: a lease and unmanaged tags may be newer than the plan."""
    if there is None:
        return document
    moved = {part: document[part] for part in ("name", "traffic", "mirror_traffic") if part in document}
    return {**diff.to_document(there, diff.ENDPOINT), **moved}


def _release_to_serve(desired: Desired, facts: Facts, slot: str) -> str:
    """The release that a slot must hold when it gets traffic; the plan does not change an unmanaged deployment."""
    body = facts.get(address("deployment", desired.spec.key, slot))
    return release_of(body) if is_unmanaged(desired.spec.owner, body) else release_in(desired, facts, slot)


def for_rescue(step: Step, written: Sequence[Step]) -> Step:
    """The shift as a step of a rescue: it moves traffic back only from where the shifts among `written` left it, or
    where a gate expected it, and leaves what another run has moved since.
    """
    shifts = [each for each in written if each.kind == NAME]
    left = [dict(traffic) for each in shifts for traffic in (each.body["before"], each.body["after"])]
    left += [dict(each) for step in written for each in (step.body.get("expects") or {}).get("traffic") or ()]
    only_from = [traffic for number, traffic in enumerate(left) if traffic not in left[:number]]
    body = {name: value for name, value in step.body.items() if name != "expects"}
    return replace(step, body={**body, "only_from": only_from})


def _shift(
    desired: Desired, facts: Facts, before: Mapping[str, int], position: Position, left: Position | None
) -> Step:
    """A shift that expects the traffic of the plan, and the release that it was made for in each slot that it names.

    `left`: the stage that it ends. It waits for the bake of that stage, unless a person has decided at its pause.
    """
    spec, body, after = desired.spec, facts.get(address("endpoint", desired.spec.key)) or {}, position.traffic
    slots = {name: [_release_to_serve(desired, facts, name)] for name in positive(after)}
    expects = {"traffic": [dict(before), dict(after)], "slots": slots}
    whole = diff.fill_from_existing(spec.document_for_put(body), body, diff.ENDPOINT)
    mirrored = shares(body, "mirrorTraffic")
    there = {name: share for name, share in mirrored.items() if name not in _ends(desired, body, mirrored)}
    document = {"mirror_traffic": there, **whole, "traffic": dict(after)}
    document |= {"mirror_traffic": dict(position.mirror)} if position.mirror else {}
    # Azure accepts a name in one of the two maps only.
    document["mirror_traffic"] = {n: share for n, share in document["mirror_traffic"].items() if not after.get(n)}
    noted = {"document": document, "before": dict(before), "after": dict(after), "expects": expects}
    if left is not None and left.percent >= 0:
        noted["leaves"] = {"percent": left.percent, "bake": left.bake, "pause": left.pause}
    retry = replace(spec.retry, wait=left.bake if left is not None and not left.pause else 0.0)
    why = f"{format_traffic(before)} -> {format_traffic(after)}"
    return Step(Verb.SHIFT, address(NAME, spec.key), noted, why, retry)


def _ends(desired: Desired, body: Mapping[str, Json], mirrored: Mapping[str, int]) -> set[str]:
    """The deployments to which a rollout mirrors requests: that ends with the first stage, a rescue and a rollback."""
    own = set(desired.deployments) if desired.spec.pipeline.rollout.mirror_traffic is not None else set()
    stage = history.stage(body)
    return (own | ({stage.slot} if stage else set())) & mirrored.keys()


def removes_all(step: Step) -> bool:
    """Whether a step removes all traffic, as before a deletion."""
    return step.kind == NAME and step.verb is Verb.SHIFT and not step.body.get("after")


def _remove_traffic(where: Address, body: Mapping[str, Json]) -> Step:
    """A shift that removes all traffic: Azure refuses to delete a deployment that has traffic."""
    before = shares(body)
    document = {**diff.to_document(body, diff.ENDPOINT), "name": body["name"], "traffic": {}}
    return Step(
        Verb.SHIFT,
        address(NAME, where.endpoint),
        {"document": document, "before": before, "after": {}},
        f"{format_traffic(before)} -> none",
        DEFAULT_RETRY,
    )
