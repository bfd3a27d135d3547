"""Assigned policies: read them, and refuse requests that they deny.

Enforced are PUT and PATCH of online endpoints and their deployments. Azure evaluates a PATCH with the resource as it
would be afterwards. A policy in the mode of the Machine Learning service is enforced, too; how Azure answers then is
unknown, here as for the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deploy.emulator.policy.definitions import DEPLOYMENTS, ENDPOINTS, Policy
from deploy.emulator.rbac.rights import within
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, arm_error
from deploy.emulator.world.store import Resource, World

KIND = "policy"
ASSIGNMENT, DEFINITION = "Microsoft.Authorization/policyAssignments", "Microsoft.Authorization/policyDefinitions"
_TYPES = {
    "OnlineEndpoints_CreateOrUpdate": ENDPOINTS, "OnlineEndpoints_Update": ENDPOINTS,
    "OnlineDeployments_CreateOrUpdate": DEPLOYMENTS, "OnlineDeployments_Update": DEPLOYMENTS,
}  # fmt: skip
"""The operations that policies are enforced on -> the type of their resource."""


def assign(world: World, policy: Policy, scope: str) -> None:
    """Assign a policy at a scope."""
    identifier, subscription = f"{scope}/providers/{ASSIGNMENT}/{policy.name}", scope.split("/")[2]
    properties = {
        "displayName": policy.title, "scope": scope, "notScopes": [], "parameters": {}, "enforcementMode": "Default",
        "policyDefinitionId": f"/subscriptions/{subscription}/providers/{DEFINITION}/{policy.name}",
    }  # fmt: skip
    body = {"id": identifier, "name": policy.name, "type": ASSIGNMENT, "properties": properties}
    private = policy.model_dump(by_alias=True)
    world.save(Resource(identifier, KIND, scope, policy.name, "", body, private))


def assigned(world: World, scope: str, *, below: bool = False) -> list[tuple[Resource, Policy]]:
    """The assignments that apply at a scope, inherited ones included; with `below`, also those below it."""
    rows = world.db.execute("SELECT id FROM resources WHERE kind = ? ORDER BY number", (KIND,)).fetchall()
    found = [resource for (identifier,) in rows if (resource := world.get(identifier)) is not None]
    low = scope.lower()
    return [
        (each, Policy.model_validate(each.private))
        for each in found
        if within(low, each.parent) or (below and within(each.parent, low))
    ]


def enforce(operation: str, call: Call) -> None:
    """Refuse a request that an assigned policy denies.

    Raises:
        Refusal: 403 RequestDisallowedByPolicy.
    """
    kind = _TYPES.get(operation)
    if kind is None:
        return
    names = call.route_params
    identifier = (
        f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}/providers"
        f"/Microsoft.MachineLearningServices/workspaces/{names['workspace']}/onlineEndpoints/{names['endpoint']}"
    ) + (f"/deployments/{names['deployment']}" if kind == DEPLOYMENTS else "")
    found = [(each, policy) for each, policy in assigned(call.world, identifier) if policy.effect == "deny"]
    if not found:
        return
    name, existing = identifier.rpartition("/")[2], call.world.get(identifier)
    content = call.object()
    if operation.endswith("_Update"):
        content = _merged(existing.body if existing else {}, content)
    content = {**content, "type": kind, "name": name}
    denied = [(each, policy, cause) for each, policy in found if (cause := policy.violations(content))]
    if denied:
        raise _refusal(name, denied)


def listing(call: Call) -> Answer:
    """GET policy assignments at, above and below a scope. `atScope()` omits those below."""
    scope = "/" + call.route_params["scope"].strip("/")
    below = "atscope()" not in call.query.get("$filter", "").lower()
    return Answer(200, {"value": [each.body for each, _ in assigned(call.world, scope, below=below)]})


def definition(call: Call) -> Answer:
    """GET a policy definition: mode, condition and effect."""
    scope, name = "/" + call.route_params["scope"].strip("/"), call.route_params["name"]
    wanted = f"{scope}/providers/{DEFINITION}/{name}"
    for each, policy in assigned(call.world, scope, below=True):
        identifier = each.properties["policyDefinitionId"]
        if identifier.lower() == wanted.lower():
            return Answer(200, _definition_body(identifier, policy))
    raise arm_error(404, "PolicyDefinitionNotFound", f"The policy definition '{name}' could not be found.")


def _definition_body(identifier: str, policy: Policy) -> dict[str, Json]:
    name, values = policy.condition
    rule: dict[str, Json] = {"field": policy.field, name: values}
    if policy.resource_type is not None:
        rule = {"allOf": [{"field": "type", "equals": policy.resource_type}, rule]}
    properties = {
        "displayName": policy.title, "policyType": "Custom", "mode": policy.mode, "parameters": {},
        "policyRule": {"if": rule, "then": {"effect": policy.effect}},
    }  # fmt: skip
    return {"id": identifier, "name": policy.name, "type": DEFINITION, "properties": properties}


def _merged(old: Json, new: Json) -> Any:
    """A JSON value after a merge patch."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


def _refusal(name: str, denied: list[tuple[Resource, Policy, list[dict[str, Json]]]]) -> Refusal:
    identifiers = [
        {
            "policyAssignment": {"name": policy.title, "id": each.body["id"]},
            "policyDefinition": {"name": policy.title, "id": each.properties["policyDefinitionId"]},
        }
        for each, policy, _ in denied
    ]
    text = json.dumps(identifiers, separators=(",", ":"), ensure_ascii=False)
    message = f"Resource '{name}' was disallowed by policy. Policy identifiers: '{text}'."
    refusal = arm_error(403, "RequestDisallowedByPolicy", message)
    refusal.answer.body["error"] |= {
        "target": name,
        "additionalInfo": [{"type": "PolicyViolation", "info": _violation(*each)} for each in denied],
    }
    return refusal


def _violation(assignment: Resource, policy: Policy, expressions: list[dict[str, Json]]) -> dict[str, Json]:
    return {
        "policyDefinitionDisplayName": policy.title,
        "evaluationDetails": {"evaluatedExpressions": expressions},
        "policyDefinitionId": assignment.properties["policyDefinitionId"],
        "policyDefinitionName": policy.name,
        "policyDefinitionEffect": policy.effect,
        "policyAssignmentId": assignment.body["id"],
        "policyAssignmentName": policy.name,
        "policyAssignmentDisplayName": policy.title,
        "policyAssignmentScope": assignment.properties["scope"],
        "policyAssignmentParameters": {},
    }
