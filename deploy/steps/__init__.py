"""The rooms: one kind of step each. The tuple below is the product on one line, in the order in which things happen.

A room answers three questions and nothing else:

    observe(cloud, spec) -> facts      what is there; reads only
    plan(wanted | None, facts) -> steps    pure; None means towards nothing
    run(cloud, step) -> evidence       one remote call; raises CloudError, or Transient when Azure may agree later

Rooms do not know each other and pass each other nothing: a step that wants a fact asks the cloud. Facts come to `plan`
for one endpoint at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from deploy.cloud.connect import Cloud
from deploy.domain.arm import Facts
from deploy.domain.plan import Step, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.steps import (
    alias,
    autoscale,
    deployment,
    endpoint,
    export,
    identity,
    limits,
    models,
    permission,
    probe,
    quota,
    roles,
    traffic,
)


class StepType(Protocol):
    """What the executor, the planner and the observer know of a room. `NAME` is the first word of its addresses."""

    NAME: str

    def observe(self, cloud: Cloud, spec: EndpointSpec, /) -> Facts: ...

    def plan(self, wanted: Wanted | None, facts: Facts, /) -> Sequence[Step]: ...

    def run(self, cloud: Cloud, step: Step, /) -> Evidence | None: ...


STEP_TYPES: tuple[StepType, ...] = (
    quota,
    models,
    limits,
    permission,
    endpoint,
    identity,
    roles,
    deployment,
    autoscale,
    probe,
    traffic,
    alias,
)

ARRIVING: tuple[StepType, ...] = tuple(step_type for step_type in STEP_TYPES if step_type is not autoscale)
"""What the way to a release stands on; autoscale settings matter on the way to nothing."""

SHOWN: tuple[StepType, ...] = (endpoint, deployment)
"""What people look at."""

ALL_STEP_TYPES: tuple[StepType, ...] = (*STEP_TYPES, export)
"""The rooms above, and the one that only the reaper asks for."""
