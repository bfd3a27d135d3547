"""Step types: a module for each kind of step, which answers every question about its kind. They run in this order.

Every step type has a NAME, which is the kind of its addresses, and `run(cloud, step) -> evidence`: one remote call,
which raises CloudError, or Transient when a retry may succeed. A `run` that starts a long-running operation is a
generator: it yields its waits (`deploy.clock.Wait`) and returns the evidence. The rest is optional:

    observe(cloud, spec)                     the facts: what exists; reads only; default: none
    plan(desired | None, facts)              the steps; pure; None: delete everything; default: none
    permissions(spec, step)                  scope and actions that the step needs, of a check those without which it
                                             is `unknown`; default: none
    is_in_effect(step, world)                whether the world is as the step leaves it; default: its address exists
                                             and has no `unexplained` field, or is deleted
    explains(step, difference, world)        whether the step made a difference; default: at its address and in effect
    unexplained(step, body)                  fields of a resource that are not as the step leaves them; default: none
    for_rescue(step, written)                the step of a rescue, after these steps were written; default: the same
    is_done(cloud, step)                     whether Azure is as the step leaves it, read now; for the steps of a rescue
    stage(cloud, step)                       how far a step that runs is, in Azure's words; default: unknown
    essence(step)                            what makes two steps the same; default: the body
    fails_alone(step)                        whether a deletion of the endpoint continues after its failure; default: no
    NEEDS_CORES                              its steps wait until the cores of a deployment are free
    PROVISIONS                               `--jobs` limits how many of its steps run at once, except deletions
    grants_access(step)                      whether Azure may refuse access for minutes after it; default: no
    OUTLIVES_ENDPOINT                        its facts do not depend on the endpoint
    VOLATILE_FACTS                           kinds of facts that are read again right before the first change

Step types do not import each other and pass each other nothing: a step that needs a fact reads it. `plan` gets the
facts of one endpoint at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from deploy.clock import Task
from deploy.cloud import role_age
from deploy.cloud.connect import Cloud
from deploy.diff import effects
from deploy.domain.arm import Facts, Json
from deploy.domain.plan import Desired, Difference, Step, Verb, World
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError
from deploy.preflight.check_result import Verdict
from deploy.preflight.permissions import LOCK, Need
from deploy.steps import (
    alias,
    autoscale,
    deployment,
    endpoint,
    export,
    gate,
    identity_record,
    limits_check,
    model_check,
    network_check,
    permission_check,
    policy_check,
    probe,
    quota_check,
    reference_check,
    roles,
    traffic,
    version_check,
)


class StepType(Protocol):
    """What every step type has. `NAME` is the kind of its addresses."""

    NAME: str

    def run(self, cloud: Cloud, step: Step, /) -> Evidence | Task[Evidence | None] | Task[None] | None: ...


STEP_TYPES: tuple[StepType, ...] = (
    quota_check,
    model_check,
    version_check,
    limits_check,
    permission_check,
    policy_check,
    reference_check,
    network_check,
    endpoint,
    identity_record,
    roles,
    deployment,
    autoscale,
    probe,
    gate,
    traffic,
    alias,
)

SHOWN: tuple[StepType, ...] = (endpoint, deployment)
"""Step types whose facts `status` shows."""

DELETED: tuple[StepType, ...] = (endpoint, roles, deployment, autoscale)
"""Step types whose resources a deletion of the endpoint finds without its files."""

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
    method = _answer(step, "grants_access", default=None)
    return bool(method and method(step))


def waits_for_role(cloud: Cloud, step: Step, error: CloudError) -> bool:
    """Whether a refusal of access can end by itself, because a role assignment is not yet effective."""
    named, planned = _endpoint_name(step), step.retry.fresh_role
    return role_age.may_take_effect(cloud, named, error, planned=planned) if named else planned


def endpoint_names(steps: Sequence[Step]) -> list[str]:
    """The names of the endpoints that steps change, each once, sorted."""
    return sorted({name for step in steps if step.changes and (name := _endpoint_name(step))})


def _endpoint_name(step: Step) -> str:
    """The name of the endpoint that a step concerns; empty if its body does not name one."""
    body, document = step.body, step.body.get("document") or {}
    named = body.get("endpoint") or document.get("endpoint_name") or document.get("name")
    if not named and "/onlineEndpoints/" in str(body.get("id")):
        return str(body["id"]).partition("/onlineEndpoints/")[2].partition("/")[0]
    return str(named or (body.get("name") if step.kind == "endpoint" else "") or "")


def fails_alone(step: Step, later: Sequence[Step]) -> bool:
    """Whether the steps after it run although it failed: all of them delete, and what it leaves does not stop them.

    An endpoint is billed until it is deleted, so it is deleted also if a role assignment of it cannot be removed.
    """
    return _fails_alone(step) and all(
        each.verb is Verb.DELETE or traffic.removes_all(each) or _fails_alone(each) for each in later
    )


def _fails_alone(step: Step) -> bool:
    method = _answer(step, "fails_alone", default=None)
    return bool(method and method(step))


def permissions_needed(spec: EndpointSpec, steps: Sequence[Step]) -> list[Need]:
    """What the steps of an endpoint need at which scope, and what its checks need that are `unknown`."""
    found: dict[tuple[str, str, bool], list[str]] = {}
    for step in steps:
        method = _answer(step, "permissions", default=None)
        is_check = step.verb is Verb.CHECK
        if method is None or (is_check and step.body.get("verdict") != Verdict.UNKNOWN):
            continue
        scope, actions = method(spec, step)
        for action in actions:
            asking = found.setdefault((scope, action, not is_check), [])
            asking += [str(step.address)] if str(step.address) not in asking else []
    return [Need(scope, (action,), tuple(by), required) for (scope, action, required), by in found.items()]


def checks_of(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The checks that depend on the steps of all types: names, limits, permissions, policies, references, network."""
    before = limits_check.check(spec, steps, facts)
    after = [step for each in (policy_check, reference_check, network_check) for step in each.check(spec, steps, facts)]
    needs = permissions_needed(spec, [*steps, *before, *after])
    needs += [Need("workspace", LOCK, ("the lock",), is_required=False)] if spec.lock != "off" else []
    return [*before, *permission_check.check(spec, needs, facts), *after]


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
    return getattr(_BY_NAME.get(step.kind), question, default)
