"""Step types: a module for each kind of step, which answers every question about its kind. They run in this order.

Every step type has a NAME, which is the kind of its addresses, and `run(cloud, step) -> evidence`: one remote call,
which raises CloudError, or Transient when a retry may succeed. The rest is optional:

    observe(cloud, spec)                     the facts: what exists; reads only; default: none
    plan(desired | None, facts)              the steps; pure; None: delete everything; default: none
    permissions(spec, step)                  scope and actions that the step needs; default: none
    is_in_effect(step, world)                whether the world is as the step leaves it; default: its address exists
                                             and has no `unexplained` field, or is deleted
    explains(step, difference, world)        whether the step made a difference; default: at its address and in effect
    unexplained(step, body)                  fields of a resource that are not as the step leaves them; default: none
    essence(step)                            what makes two steps the same; default: the body
    NEEDS_CORES                              its steps wait until the cores of a deployment are free
    GRANTS_ACCESS                            after it creates something, Azure may refuse access for minutes
    OUTLIVES_ENDPOINT                        its facts do not depend on the endpoint
    VOLATILE_FACTS                           kinds of facts that are read again right before the first change

Step types do not import each other and pass each other nothing: a step that needs a fact reads it. `plan` gets the
facts of one endpoint at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from deploy.cloud.connect import Cloud
from deploy.diff import effects
from deploy.domain.arm import Facts, Json
from deploy.domain.plan import Desired, Difference, Step, Verb, World
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight.permissions import Needs
from deploy.steps import (
    alias,
    autoscale,
    deployment,
    endpoint,
    export,
    identity_record,
    limits_check,
    model_check,
    permission_check,
    probe,
    quota_check,
    roles,
    traffic,
)


class StepType(Protocol):
    """What every step type has. `NAME` is the kind of its addresses."""

    NAME: str

    def run(self, cloud: Cloud, step: Step, /) -> Evidence | None: ...


STEP_TYPES: tuple[StepType, ...] = (
    quota_check,
    model_check,
    limits_check,
    permission_check,
    endpoint,
    identity_record,
    roles,
    deployment,
    autoscale,
    probe,
    traffic,
    alias,
)

SHOWN: tuple[StepType, ...] = (endpoint, deployment)
"""Step types whose facts `status` shows."""

ALL_STEP_TYPES: tuple[StepType, ...] = (*STEP_TYPES, export)
"""The step types above, and the one that only reap and renew use."""

VOLATILE_FACTS = frozenset(kind for each in ALL_STEP_TYPES for kind in getattr(each, "VOLATILE_FACTS", ()))
OUTLIVE_ENDPOINT = frozenset(each.NAME for each in ALL_STEP_TYPES if getattr(each, "OUTLIVES_ENDPOINT", False))


def observe(step_type: StepType, cloud: Cloud, spec: EndpointSpec) -> Facts:
    """The facts that a step type reads."""
    method = getattr(step_type, "observe", None)
    return method(cloud, spec) if method else {}


def plan(step_type: StepType, desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """The steps of a step type. Raises Refused."""
    method = getattr(step_type, "plan", None)
    return method(desired, facts) if method else ()


def needs_cores(step: Step) -> bool:
    """Whether a step waits until the cores of a deployment are free."""
    return bool(_answer(step, "NEEDS_CORES", default=False))


def grants_access(step: Step) -> bool:
    """Whether a step creates a role assignment or an identity, so that later steps may be refused for minutes."""
    return bool(step.verb is Verb.CREATE and _answer(step, "GRANTS_ACCESS", default=False))


def permissions_needed(spec: EndpointSpec, steps: Sequence[Step]) -> Needs:
    """The actions that the steps of an endpoint need, at which scope. Checks need none."""
    found: dict[str, dict[str, list[str]]] = {}
    for step in steps:
        method = _answer(step, "permissions", default=None)
        if method is None or step.verb is Verb.CHECK:
            continue
        scope, actions = method(spec, step)
        for action in actions:
            asking = found.setdefault(scope, {}).setdefault(action, [])
            asking += [str(step.address)] if str(step.address) not in asking else []
    return found


def checks_of(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The checks that depend on the steps of all types: names and limits, and permissions."""
    needs = permissions_needed(spec, steps)
    return [*limits_check.check(spec, steps, facts), *permission_check.check(spec, needs, facts)]


def is_in_effect(step: Step, world: World) -> bool:
    """Whether the world is as a step leaves it."""
    if method := _answer(step, "is_in_effect", default=None):
        return bool(method(step, world))
    if step.verb is Verb.DELETE:
        return step.address not in world
    return step.address in world and not list(unexplained(step, world[step.address]))


def explains(step: Step, found: Difference, world: World) -> bool:
    """Whether a difference is what a step, or the service by itself, made of it."""
    if effects.is_server_property(found.path):
        return True
    if method := _answer(step, "explains", default=None):
        return bool(method(step, found, world))
    return found.address == step.address and is_in_effect(step, world)


def unexplained(step: Step, body: Json) -> Iterator[str]:
    """ARM paths of a resource that are not as a step leaves them."""
    method = _answer(step, "unexplained", default=None)
    return iter(method(step, body)) if method else iter(())


def essence(step: Step) -> Json:
    """What makes two steps at one address the same after an interruption."""
    method = _answer(step, "essence", default=None)
    return method(step) if method else dict(step.body)


_BY_NAME = {each.NAME: each for each in ALL_STEP_TYPES}


def _answer(step: Step, question: str, *, default: Any) -> Any:
    return getattr(_BY_NAME[step.kind], question, default)
