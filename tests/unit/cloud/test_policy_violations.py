"""RequestDisallowedByPolicy is explained: policy, assignment, field, value, allowed values, where Azure names them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.cloud.error_translation import from_answer
from deploy.cloud.policy_violations import CODE, explanation

SCOPE = "/subscriptions/0/resourceGroups/rg"
ASSIGNMENT = f"{SCOPE}/providers/Microsoft.Authorization/policyAssignments/a1"


def expression(operator: str, target: Any, value: Any = "uksouth", path: str = "location", result: str = "True") -> Any:
    found = {"result": result, "expression": path, "path": path, "targetValue": target, "operator": operator}
    return {**found, **({} if value is None else {"expressionValue": value})}


def violation(*expressions: Any, title: str = "Allowed locations") -> dict[str, Any]:
    info = {
        "policyDefinitionDisplayName": title, "policyAssignmentId": ASSIGNMENT,
        "evaluationDetails": {"evaluatedExpressions": list(expressions)},
    }  # fmt: skip
    return {"type": "PolicyViolation", "info": info}


def error(*violations: Any, message: str = "Resource 'mip' was disallowed by policy.") -> dict[str, Any]:
    return {"code": CODE, "message": message, "target": "mip", "additionalInfo": list(violations)}


HEAD = f"policy 'Allowed locations' (assignment a1 at {SCOPE}) refuses it"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (expression("NotIn", ["eastus", "westus"]), "location is uksouth, allowed: eastus, westus"),
        (expression("NotEquals", "eastus"), "location is uksouth, allowed: eastus"),
        (expression("In", ["uksouth"]), "location is uksouth, not allowed: uksouth"),
        (expression("Equals", True, True, "properties.a.b"), "a.b is true, not allowed: true"),
        (expression("NotIn", ["7"], None, "tags[cost]"), "tags[cost] is missing, allowed: 7"),
        (expression("Exists", "False", None, "tags[cost]"), "tags[cost] is required"),
        (expression("Exists", "True", "x", "tags[cost]"), "tags[cost] is not allowed"),
        (expression("NotLike", "mlw-*", "x", "name"), "name is x (NotLike mlw-*)"),
        (expression("NotIn", list("abcdefgh")), "location is uksouth, allowed: a, b, c, d, e, and 3 more"),
    ],
)
def test_the_cause_is_explained(expression: Any, words: str) -> None:
    """By operator; the condition on the type is no cause, nor is one that is not true."""
    others = (globals()["expression"]("Equals", "t", "t", "type"), globals()["expression"]("In", [], result="False"))
    assert explanation(error(violation(*others, expression))) == f"{HEAD}: {words}"


def test_without_details_the_policies_of_the_message_are_named() -> None:
    """Azure omits the details for some callers."""
    row = '{"policyAssignment":{"name":"A","id":"%s"},"policyDefinition":{"name":"Allowed locations","id":"/d"}}'
    message = f"Resource 'mip' was disallowed by policy. Policy identifiers: '[{row % ASSIGNMENT}]'."
    assert explanation(error(message=message)) == HEAD
    assert explanation(error(violation())) == HEAD
    assert explanation(error()) == explanation({"code": "Other", "additionalInfo": [violation()]}) == ""


def test_all_policies_are_named_also_in_nested_errors() -> None:
    """Each one once."""
    violations = [violation(title=title) for title in ("one", "two", "one")]
    assert explanation({"code": "Outer", "details": [error(*violations)]}).count("refuses it") == 2


def test_the_error_is_aml306_whatever_the_title_of_the_policy_is() -> None:
    """A title that is another error's text does not change the code; the explanation replaces Azure's text."""
    ours = from_answer("create endpoint/mip", 403, {"error": error(violation(title="Not enough quota available"))}, {})
    assert (ours.code, ours.cause.partition(" (")[0]) == ("AML306", "policy 'Not enough quota available'")
    assert "ask for a change of the policy assignment" in str(ours)


KEYS = "code message details additionalInfo type info policyDefinitionDisplayName policyAssignmentId evaluationDetails"
WORDS = st.sampled_from([CODE, "PolicyViolation", "Policy identifiers: '[{}]'"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=30)
@given(JSON, JSON)
def test_any_error_is_explained_or_not(value: Any, inner: Any) -> None:
    """It never fails."""
    assert isinstance(explanation(value), str)
    assert isinstance(explanation({"code": CODE, "message": value, "additionalInfo": inner}), str)
    assert isinstance(explanation(error({"type": "PolicyViolation", "info": inner})), str)
