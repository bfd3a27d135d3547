"""checkPolicyRestrictions: what the policies at a scope would refuse, before the resource is created.

It does not see policies in the mode of the Machine Learning service. Whether Azure's does is unknown. Azure's OpenAPI
document omits audits unless `includeAuditEffect` is true, but its example contains them; here they are omitted.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from deploy.emulator.policy.assignments import assigned
from deploy.emulator.policy.definitions import DATA_MODE, Policy, is_same_field, tag_of
from deploy.emulator.rbac.rights import within
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.world import parse
from deploy.emulator.world.parse import Strict
from deploy.emulator.world.store import Resource

OLDEST = "2020-07-01"
"""This api-version has no effects and reasons in its answers."""


class _Body(Strict):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)


class Details(_Body):
    """The resource, also in part; `scope` is the id of the parent of a child resource."""

    resource_content: dict[str, Any]
    scope: str | None = None


class PendingField(_Body):
    """A field without a value yet, and the values that it can get."""

    field: str
    values: list[str] | None = None


class Request(_Body):
    """The body of a check."""

    resource_details: Details
    pending_fields: list[PendingField] = Field([])
    include_audit_effect: bool = False


def check(call: Call) -> Answer:
    """POST: the restrictions of each pending field, and the policies that the content as it is violates."""
    scope = _scope(call)
    try:
        request = parse.validate(call.object(), Request)
    except parse.InvalidValue as error:
        raise arm_error(400, "InvalidRequestContent", str(error)) from None
    content, inner = request.resource_details.resource_content, request.resource_details.scope
    if inner and within(inner.lower(), scope.lower()):
        scope = inner
    policies = [
        (each, policy)
        for each, policy in assigned(call.world, scope)
        if policy.mode != DATA_MODE and (policy.effect == "deny" or request.include_audit_effect)
    ]
    restrictions: dict[str, list[Json]] = {}
    evaluations = []
    for each, policy in policies:
        pending = [item for item in request.pending_fields if is_same_field(policy.field, item.field)]
        for item in pending if policy.applies_to(content) else ():
            name = f"tags.{tag}" if (tag := tag_of(policy.field)) else item.field
            if (row := _restriction(policy, name, item.values)) is not None:
                restrictions.setdefault(name, []).append({**row, "policy": _reference(each)})
        if not pending and (expressions := policy.violations(content)):
            evaluations.append(_evaluation(each, policy, expressions))
    answer = {
        "fieldRestrictions": [{"field": name, "restrictions": rows} for name, rows in restrictions.items()],
        "contentEvaluationResult": {"policyEvaluations": evaluations},
    }
    return Answer(200, _without_effects(answer) if call.query["api-version"] <= OLDEST else answer)


def _scope(call: Call) -> str:
    """The scope in the path; 404 when it does not exist."""
    subscription = f"/subscriptions/{call.route_params['subscription']}"
    if "group" in call.route_params:
        return workspaces.require_group(call).id
    workspaces.require_subscription(call, subscription)
    return subscription


def _restriction(policy: Policy, name: str, values: list[str] | None) -> dict[str, Json] | None:
    """What a policy requires of a field, or which of its possible values it denies; None if it accepts all."""
    effect = policy.effect.capitalize()
    row: dict[str, Json] = {"policyEffect": effect, "reason": _reason(policy, name)}
    if policy.exists is False:
        return {"result": "Required", **row}
    if policy.exists or (values is None and policy.not_in is None):
        return {"result": effect, **({"values": policy.denied_values} if policy.denied_values else {}), **row}
    if values is None:
        return {"result": "Required", "values": policy.not_in, **row}
    denied = [value for value in values if policy.is_true_of(value)]
    return {"result": effect, "values": denied, **row} if denied else None


def _reason(policy: Policy, name: str) -> str:
    if policy.exists is not None:
        return f"{name} is not allowed" if policy.exists else f"{name} is required"
    if policy.not_in is not None:
        return f"{name} must be one of the following: {', '.join(policy.not_in)}"
    return f"{name} must not be one of the following: {', '.join(policy.denied_values)}"


def _reference(assignment: Resource) -> dict[str, Json]:
    identifier = assignment.properties["policyDefinitionId"]
    return {"policyDefinitionId": identifier, "policyAssignmentId": assignment.body["id"]}


def _evaluation(assignment: Resource, policy: Policy, expressions: list[Json]) -> dict[str, Json]:
    return {
        "policyInfo": _reference(assignment),
        "evaluationResult": "NonCompliant",
        "evaluationDetails": {"evaluatedExpressions": expressions},
        "effectDetails": {"policyEffect": policy.effect.capitalize()},
    }


def _without_effects(value: Any) -> Any:
    """An answer in the form of the oldest api-version."""
    if isinstance(value, list):
        return [_without_effects(item) for item in value]
    if not isinstance(value, dict):
        return value
    removed = ("policyEffect", "reason", "effectDetails")
    return {key: _without_effects(item) for key, item in value.items() if key not in removed}
