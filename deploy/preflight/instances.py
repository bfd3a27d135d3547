"""The instances that run before, during and after the steps of a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy.diff import autoscale_settings
from deploy.domain.arm import Facts, Json, capacity_of, facts_of
from deploy.domain.cost import Instances, Running
from deploy.domain.plan import Step, Verb
from deploy.domain.traffic_shares import served


def running(facts: Facts, key: str) -> dict[tuple[str, str], Instances]:
    """The deployments of an endpoint's facts, under the endpoint's name, from their ids."""
    live, settings = served(facts, key), facts_of(facts, "autoscale", key)
    found: dict[tuple[str, str], Instances] = {}
    for body in facts_of(facts, "deployment", key).values():
        name, setting = str(body["name"]), settings.get(str(body["name"]), {})
        scaled = autoscale_settings.limits(setting) if "profiles" in setting else None
        size = str((body.get("properties") or {}).get("instanceType") or "")
        found[str(body["id"]).split("/")[-3], name] = Instances(size, capacity_of(body), scaled, name in live)
    return found


def states(now: Running, steps: Sequence[Step]) -> Iterator[Running]:
    """What runs before the first of an endpoint's steps, and after each. What exists counts until a step deletes it,
    what a step creates or scales up counts from then on.
    """
    yield now
    for step in steps:
        now = after(now, step)
        yield now


def after(now: Running, step: Step) -> Running:
    """What runs after a step."""
    body = step.body
    if step.kind == "endpoint" and step.verb is Verb.DELETE:
        return {pair: each for pair, each in now.items() if pair[0] != body.get("name")}
    if step.verb is Verb.SHIFT and "after" in body:
        return _shifted(now, str(body["document"]["name"]), body["after"])
    if step.kind not in ("deployment", "autoscale"):
        return now
    document = body.get("document") or {}
    pair = (str(document.get("endpoint_name") or body.get("endpoint")), str(document.get("name") or body.get("name")))
    held = now.get(pair, Instances("", 0))
    if step.kind == "autoscale":
        return {**now, pair: held._replace(scaled=_limits(step))} if pair in now else now
    if step.verb is Verb.DELETE:
        return {other: each for other, each in now.items() if other != pair}
    if document:
        size, count = str(document["instance_type"]), int(document["instance_count"])
        return {**now, pair: held._replace(size=size, number=count)}
    return {**now, pair: held._replace(number=int(body["count"]))} if "count" in body else now


def _shifted(now: Running, endpoint: str, traffic: Mapping[str, int]) -> Running:
    return {
        (name, slot): each._replace(serves=bool(traffic.get(slot))) if name == endpoint else each
        for (name, slot), each in now.items()
    }


def _limits(step: Step) -> tuple[int, int] | None:
    body: Mapping[str, Json] = step.body
    return autoscale_settings.limits(body) if step.verb is not Verb.DELETE and "profiles" in body else None
