"""Traffic: which deployment callers reach. A PUT of the endpoint as it is, with other callers, one a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploy import diff
from deploy.callers import positive, shares
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.model import (
    PATIENT,
    EndpointSpec,
    Facts,
    Json,
    Step,
    Verb,
    Wanted,
    address,
    in_words,
)
from deploy.outcome import Evidence

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
    return _with_mirroring(shifts, shares(body, "mirrorTraffic"))


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
    document = _as_it_is(step.body["document"], there)
    wanted = (positive(document["traffic"]), positive(document.get("mirror_traffic") or {}))
    endpoints.put_endpoint(
        cloud, document, what=f"{step.verb} {step.address}", patience=step.retry.deadline,
        settled=lambda there: (shares(there), shares(there, "mirrorTraffic")) == wanted,
    )  # fmt: skip
    return None


def _as_it_is(document: Mapping[str, Json], there: Mapping[str, Json] | None) -> Mapping[str, Json]:
    """The endpoint of this moment with the document's callers: a lease and what others wrote may be newer than it."""
    if there is None:
        return document
    moved = {part: document[part] for part in ("name", "traffic", "mirror_traffic") if part in document}
    return {**diff.written(there, diff.ENDPOINT), **moved}


def _ahead(stages: Sequence[Mapping[str, int]], now: Mapping[str, int]) -> list[dict[str, int]]:
    """The stages after the one that callers are at."""
    maps = [positive(stage) for stage in stages]
    return maps[maps.index(dict(now)) + 1 :] if now in maps else maps


def _shift(
    spec: EndpointSpec, body: Mapping[str, Json], before: Mapping[str, int], after: Mapping[str, int], *, wait: float
) -> Step:
    whole = diff.filled(spec.owned(body), body, diff.ENDPOINT)
    document = {"mirror_traffic": shares(body, "mirrorTraffic"), **whole, "traffic": dict(after)}
    # Azure takes no name for both: who gets callers gets no copies any more.
    document["mirror_traffic"] = {n: share for n, share in document["mirror_traffic"].items() if not after.get(n)}
    retry = replace(spec.retry, wait=wait)
    noted = {"document": document, "before": dict(before), "after": dict(after)}
    return Step(Verb.SHIFT, address(NAME, spec.key), noted, f"{in_words(before)} -> {in_words(after)}", retry)


def _stop(where: str, body: Mapping[str, Json]) -> Step:
    """All callers turned away: Azure refuses to delete a deployment that has traffic."""
    before = shares(body)
    document = {**diff.written(body, diff.ENDPOINT), "name": body["name"], "traffic": {}}
    key = where.split("/")[1]
    return Step(
        Verb.SHIFT,
        address(NAME, key),
        {"document": document, "before": before, "after": {}},
        f"{in_words(before)} -> nobody",
        PATIENT,
    )
