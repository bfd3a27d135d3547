"""Autoscale in a plan: the instance counts that it owns, and the place of its steps among the others. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploy.diff import autoscale_settings
from deploy.domain.arm import Facts, Json, address, capacity_of, facts_of, release_of
from deploy.domain.owners import is_unmanaged
from deploy.domain.plan import Desired, Step, Verb
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import live_slot, served
from deploy.steps import autoscale


def with_counts(desired: Desired, facts: Facts) -> Desired:
    """The documents with the instance counts that autoscale leaves: a count within its limits stays, and a new slot has
    at least as many instances as the live one.
    """
    documents = {name: _with_count(desired, facts, name, document) for name, document in desired.deployments.items()}
    return replace(desired, deployments=documents)


def _with_count(desired: Desired, facts: Facts, name: str, document: Mapping[str, Json]) -> Mapping[str, Json]:
    spec, live = desired.spec, str(desired.live)
    there = facts_of(facts, "deployment", spec.key)
    scaled = (name, live) if desired.chooses_slots else (name,)
    limits = _limits(spec, facts_of(facts, autoscale.NAME, spec.key), scaled)
    if limits is None:
        return document
    (least, most), held = limits, there.get(name)
    counts = [max(least, min(int(document["instance_count"]), most))]
    stays = name == live or not desired.chooses_slots or release_of(held) == release_of(document)
    if held and stays and least <= capacity_of(held) <= most:
        counts = [capacity_of(held)]
    if desired.chooses_slots and name != live:
        counts.append(min(capacity_of(there.get(live)), most))
    return {**document, "instance_count": max(counts)}


def _limits(spec: EndpointSpec, settings: autoscale.Settings, names: Sequence[str]) -> tuple[int, int] | None:
    """The limits from the files; else those of the first setting of these deployments that stays."""
    scale = spec.pipeline.scale
    if scale and scale.min is not None:
        return autoscale_settings.limits({"enabled": True, "profiles": autoscale_settings.profiles_of(scale)})
    kept = [body for name in names if (body := settings.get(name)) and (scale or is_unmanaged(spec.owner, body))]
    return next((found for body in kept if (found := autoscale_settings.limits(body))), None)


def placed(steps: Sequence[Step]) -> list[Step]:
    """The steps with new settings right before the last shift of traffic, and deletions of settings right after it."""
    own = [step for step in steps if step.kind == autoscale.NAME]
    shifts = [number for number, step in enumerate(steps) if step.verb is Verb.SHIFT]
    if not own or not shifts:
        return list(steps)
    written, deleted = ([s for s in own if (s.verb is Verb.DELETE) is gone] for gone in (False, True))
    before, last, after = steps[: shifts[-1]], steps[shifts[-1]], steps[shifts[-1] + 1 :]
    return [*_others(before), *written, last, *deleted, *_others(after)]


def _others(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.kind != autoscale.NAME]


def rescued(spec: EndpointSpec, steps: Sequence[Step], back: Sequence[Step], facts: Facts) -> list[Step]:
    """The steps of a rescue that move traffic back, with those that restore the settings: what was there is written
    before traffic returns, what is new is deleted afterwards. None where no traffic moves back.
    """
    own = [step for step in steps if step.kind == autoscale.NAME] if back else []
    like = next((step.address.name for step in own if step.verb is not Verb.DELETE), "")
    undone = [autoscale.undone(spec, step, facts, like) for step in own]
    return [
        *(step for step in undone if step.verb is not Verb.DELETE),
        *back,
        *(step for step in undone if step.verb is Verb.DELETE),
    ]


def unmoved_notes(spec: EndpointSpec, facts: Facts, target: str) -> list[str]:
    """Notes of a rollback: settings that stay on a deployment that loses its traffic, as others manage them."""
    left = str(live_slot({name: n for name, n in served(facts, spec.key).items() if name != target}))
    body = facts.get(address(autoscale.NAME, spec.key, left))
    if body is None or not is_unmanaged(spec.owner, body) or (spec.pipeline.scale and spec.pipeline.scale.adopt):
        return []
    stays = f"autoscale setting {body['name']} is not managed by amldeploy and stays on {left}"
    return [f"{spec.key}: {stays}; it does not scale {target}."]
