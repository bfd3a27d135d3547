"""Looking: cloud and specs in, facts out. Reads only, and each thing once however many endpoints share it."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud.connect import Cloud
from deploy.model import EndpointSpec, Facts, Json
from deploy.steps import ROOMS


def observe(cloud: Cloud, specs: Sequence[EndpointSpec]) -> dict[str, Facts]:
    """Endpoint key -> its facts, as every room sees them."""
    with cloud.arm.remembering():
        return {spec.key: _look(cloud, spec) for spec in specs}


def _look(cloud: Cloud, spec: EndpointSpec) -> Facts:
    facts: dict[str, Json] = {}
    for room in ROOMS:
        facts |= room.observe(cloud, spec)
    return facts
