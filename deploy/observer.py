"""Looking: cloud and specs in, facts out. Reads only, endpoints side by side, and each thing once however many share
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from deploy.cloud.connect import Cloud
from deploy.lanes import side_by_side
from deploy.model import EndpointSpec, Facts, Json
from deploy.steps import ROOMS, Room


def observe(
    cloud: Cloud, specs: Sequence[EndpointSpec], rooms: Sequence[Room] = ROOMS, *, jobs: int = 8
) -> dict[str, Facts]:
    """Endpoint key -> its facts, as each of `rooms` sees them."""
    with cloud.arm.remembering():
        return side_by_side({spec.key: partial(_look, cloud, spec, rooms) for spec in specs}, jobs)


def observe_names(cloud: Cloud, specs: Sequence[EndpointSpec], jobs: int = 8) -> dict[str, Facts]:
    """Endpoint name -> its facts, for entries that stand for several endpoints at once."""
    with cloud.arm.remembering():
        return side_by_side({spec.name: partial(_look, cloud, spec, ROOMS) for spec in specs}, jobs)


def _look(cloud: Cloud, spec: EndpointSpec, rooms: Sequence[Room]) -> Facts:
    facts: dict[str, Json] = {}
    for room in rooms:
        facts |= room.observe(cloud, spec)
    return facts
