"""Traffic: which deployment callers reach. A PUT of the endpoint as it is, with other callers, one a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploy import diff
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.cloud.whoami import principal_name
from deploy.domain import history
from deploy.domain.arm import Facts, Json, address, release_of
from deploy.domain.plan import Step, Verb, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import PATIENT, EndpointSpec
from deploy.domain.traffic_shares import format_traffic, positive, shares

NAME = "traffic"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:  # noqa: ARG001 every room answers the same three questions
    """Nothing of its own: the traffic map stands in the endpoint's body."""
    return {}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """One shift for each stage not yet reached; towards nothing, one that turns all callers away."""
    if wanted is None:
        return [
            _stop(where, body)
            for where, body in facts.items()
            if where.split("/")[0] == "endpoint" and where.count("/") == 1 and shares(body)
        ]
    body = facts.get(address("endpoint", wanted.spec.key)) or {}
    now = shares(body)
    mirrored = wanted.spec.endpoint.get("mirror_traffic")
    settled = mirrored is None or positive(mirrored) == shares(body, "mirrorTraffic")
    if now == positive(wanted.traffic) and settled:
        return []
    ahead = _ahead(wanted.stages, now) or [now]
    stages = [positive(stage) for stage in wanted.stages]
    shifts = [
        _shift(
            wanted.spec, body, before, after, wait=wanted.spec.pipeline.rollout.bake if number or now in stages else 0.0
        )
        for number, (before, after) in enumerate(zip([now, *ahead], ahead, strict=False))
    ]
    last = recorded(shifts[-1], live_after(wanted, facts, ahead[-1]))
    return _with_mirroring([*shifts[:-1], last], shares(body, "mirrorTraffic"))


def live_after(wanted: Wanted, facts: Facts, after: Mapping[str, int]) -> dict[str, str] | None:
    """The history record of a deployment that receives all traffic: {kind, slot, release}; None for a split."""
    slot = next((name for name, share in after.items() if share == 100), None)
    release = release_in(wanted, facts, slot) if slot else ""
    return {"kind": "live", "slot": slot, "release": release} if slot and release else None


def release_in(wanted: Wanted, facts: Facts, slot: str) -> str:
    """The release that a deployment holds once the plan has run; empty if no tag says it."""
    return release_of(wanted.deployments.get(slot) or facts.get(address("deployment", wanted.spec.key, slot)))


def recorded(step: Step, record: Mapping[str, str] | None) -> Step:
    """The same shift, which writes this history record (`deploy.domain.history`) in its PUT; None writes none."""
    body = {name: value for name, value in step.body.items() if name != "record"}
    return replace(step, body={**body, **({"record": dict(record)} if record else {})})


def _with_mirroring(shifts: Sequence[Step], now: Mapping[str, int]) -> list[Step]:
    """The same steps; one that changes the mirrored traffic says so, and keeps it as `mirror_before` and
    `mirror_after`.
    """
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
    """`mirroring 20 % to shadow starts`; empty where nothing changes."""
    old, new = before.get(name), after.get(name)
    if old == new:
        return ""
    return (
        f"mirroring to {name} {old} % -> {new} %"
        if old and new
        else (f"mirroring {new} % to {name} starts" if new else f"mirroring {old} % to {name} stops")
    )


def run(cloud: Cloud, step: Step) -> Evidence | None:
    there = endpoints.read_endpoint(cloud, str(step.body["document"]["name"]))
    if not step.body["after"] and there is None:
        return Evidence("it is gone already")  # a PUT would bring it back
    document = _with_history(cloud, _as_it_is(step.body["document"], there), step.body.get("record"))
    wanted = (positive(document["traffic"]), positive(document.get("mirror_traffic") or {}), _history(document))
    endpoints.put_endpoint(
        cloud, document, what=f"{step.verb} {step.address}", patience=step.retry.deadline,
        settled=lambda there: (shares(there), shares(there, "mirrorTraffic"), _history(there)) == wanted,
    )  # fmt: skip
    return None


def _with_history(cloud: Cloud, document: Mapping[str, Json], record: Mapping[str, str] | None) -> Mapping[str, Json]:
    """The document with the history tags that the record asks for; a shift without one leaves them as they are."""
    if record is None:
        return document
    slot, release, now = record["slot"], record["release"], cloud.now()
    if record["kind"] == "rolled_back":
        tags = history.after_rollback(document, slot, release, record["left"], now, principal_name(cloud))
    else:
        after = history.after_rescue if record["kind"] == "failed" else history.after_live
        tags = after(document, slot, release, now)
    others = {name: value for name, value in (document.get("tags") or {}).items() if name.lower() not in history.TAGS}
    return {**document, "tags": {**others, **tags}}


def _history(body: Mapping[str, Json]) -> dict[str, Json]:
    return {name.lower(): value for name, value in (body.get("tags") or {}).items() if name.lower() in history.TAGS}


def _as_it_is(document: Mapping[str, Json], there: Mapping[str, Json] | None) -> Mapping[str, Json]:
    """The endpoint of this moment with the document's callers: a lease and what others wrote may be newer than it."""
    if there is None:
        return document
    moved = {part: document[part] for part in ("name", "traffic", "mirror_traffic") if part in document}
    return {**diff.to_document(there, diff.ENDPOINT), **moved}


def _ahead(stages: Sequence[Mapping[str, int]], now: Mapping[str, int]) -> list[dict[str, int]]:
    """The stages after the one that callers are at."""
    maps = [positive(stage) for stage in stages]
    return maps[maps.index(dict(now)) + 1 :] if now in maps else maps


def _shift(
    spec: EndpointSpec, body: Mapping[str, Json], before: Mapping[str, int], after: Mapping[str, int], *, wait: float
) -> Step:
    whole = diff.fill_from_existing(spec.owned(body), body, diff.ENDPOINT)
    document = {"mirror_traffic": shares(body, "mirrorTraffic"), **whole, "traffic": dict(after)}
    # Azure takes no name for both: who gets callers gets no copies any more.
    document["mirror_traffic"] = {n: share for n, share in document["mirror_traffic"].items() if not after.get(n)}
    retry = replace(spec.retry, wait=wait)
    noted = {"document": document, "before": dict(before), "after": dict(after)}
    return Step(
        Verb.SHIFT, address(NAME, spec.key), noted, f"{format_traffic(before)} -> {format_traffic(after)}", retry
    )


def _stop(where: str, body: Mapping[str, Json]) -> Step:
    """All callers turned away: Azure refuses to delete a deployment that has traffic."""
    before = shares(body)
    document = {**diff.to_document(body, diff.ENDPOINT), "name": body["name"], "traffic": {}}
    key = where.split("/")[1]
    return Step(
        Verb.SHIFT,
        address(NAME, key),
        {"document": document, "before": before, "after": {}},
        f"{format_traffic(before)} -> nobody",
        PATIENT,
    )
