"""How long a plan will take: the chain of steps of each endpoint, and endpoints side by side. Pure.

Figures are the usual ones of Azure, each with its source; the emulator has its own, which its profile sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deploy.domain.plan import Step, Verb

Figures = Mapping[str, float]
"""Seconds by the name of an operation, such as `deployment_create`."""


class Usual(NamedTuple):
    """The usual duration of an operation, and where the figure is from."""

    seconds: float
    source: str


USUAL = {
    "endpoint_create": Usual(90, "Microsoft Learn: create and wait about 1.5 minutes"),
    "endpoint_update": Usual(20, "measured on Azure: a PUT that moves traffic"),
    "endpoint_delete": Usual(60, "measured on Azure"),
    "deployment_create": Usual(554, "measured on Azure; Microsoft Learn: 8 to 14 minutes, longer for large GPU models"),
    "deployment_update": Usual(480, "measured on Azure"),
    "deployment_delete": Usual(120, "measured on Azure"),
    "tags": Usual(15, "measured on Azure: a PATCH of tags"),
    "request": Usual(1, "assumed: one request, such as a role assignment"),
    "check": Usual(0.5, "assumed: reads that endpoints share"),
    "probe": Usual(2, "assumed: one scoring request"),
}
"""Sizes and models have no rows of their own: no figures for them are published."""
AZURE: Figures = {name: usual.seconds for name, usual in USUAL.items()}
_OPERATIONS = {
    ("endpoint", Verb.CREATE): "endpoint_create",
    ("endpoint", Verb.UPDATE): "endpoint_update",
    ("endpoint", Verb.DELETE): "endpoint_delete",
    ("deployment", Verb.CREATE): "deployment_create",
    ("deployment", Verb.UPDATE): "deployment_update",
    ("deployment", Verb.DELETE): "deployment_delete",
    ("traffic", Verb.SHIFT): "endpoint_update",
}


def of_step(step: Step, figures: Figures) -> float:
    """Seconds that a step usually takes, without what it waits for before it begins."""
    if step.verb in (Verb.CHECK, Verb.PROBE):
        return figures[step.verb.value]
    if step.verb is Verb.GATE:
        return float(step.body.get("bake") or 0.0) + figures["check"]
    if "adopted" in step.body and step.kind in ("endpoint", "deployment"):
        return figures["tags"]
    return figures[_OPERATIONS.get((step.kind, step.verb), "request")]


def of_endpoints(steps: Sequence[Step], figures: Figures) -> dict[str, float]:
    """Endpoint key -> seconds of its steps one after the other, bakes and drains included. Endpoints run side by side,
    so the longest is the duration of the plan.
    """
    found: dict[str, float] = {}
    for step in steps:
        found[step.endpoint] = found.get(step.endpoint, 0.0) + step.retry.wait + of_step(step, figures)
    return found
