"""Explains RequestDisallowedByPolicy: the policy, its assignment, the field, its value and the allowed values.

Azure documents the details of a violation as `additionalInfo` of type PolicyViolation. Parts of it can be missing, for
example for a caller without read access to policies; the message still has the identifiers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

CODE = "RequestDisallowedByPolicy"
_IDENTIFIERS = re.compile(r"Policy identifiers: '(\[.*\])'", re.DOTALL)
_ASSIGNMENTS = "/providers/Microsoft.Authorization/policyAssignments/"
_MOST = 5
"""Policies, expressions of a policy, and values of an expression that a message contains."""


def explanation(error: Any) -> str:
    """The explanation of an error object of Azure; "" if it is no violation, or contains no details."""
    parts = [text for violation in _violations(error) if (text := in_words(violation))]
    return "; ".join(dict.fromkeys(parts[:_MOST]))


def _violations(error: Any) -> Iterator[Mapping[str, Any]]:
    """The details of each violated policy; Azure nests errors in `details`."""
    if not isinstance(error, Mapping):
        return
    if error.get("code") == CODE:
        extra = [_mapping(each) for each in _list(error.get("additionalInfo"))]
        found = [_mapping(each.get("info")) for each in extra if each.get("type") == "PolicyViolation"]
        yield from found or _identified(str(error.get("message") or ""))
    for inner in _list(error.get("details")):
        yield from _violations(inner)


def _identified(message: str) -> list[Mapping[str, Any]]:
    """The policies that a message names, in the form of the details."""
    match = _IDENTIFIERS.search(message)
    try:
        rows = [_mapping(each) for each in _list(json.loads(match[1]))] if match else []
    except (ValueError, RecursionError):
        return []
    return [
        {
            "policyDefinitionDisplayName": _mapping(row.get("policyDefinition")).get("name"),
            "policyAssignmentId": _mapping(row.get("policyAssignment")).get("id"),
            "policyAssignmentName": _mapping(row.get("policyAssignment")).get("name"),
        }
        for row in rows
    ]


def in_words(info: Mapping[str, Any]) -> str:
    """A violated policy (the `info` of a PolicyViolation) in words; "" if it has no name."""
    names = [info.get(key) for key in ("policyDefinitionDisplayName", "policyDefinitionName", "policyAssignmentName")]
    title = next((str(name) for name in names if name), "")
    scope, _, name = str(info.get("policyAssignmentId") or "").partition(_ASSIGNMENTS)
    if not title and not name:
        return ""
    assignment = f" (assignment {name} at {scope})" if name else ""
    details = _mapping(info.get("evaluationDetails"))
    expressions = [_mapping(each) for each in _list(details.get("evaluatedExpressions"))]
    true = [each for each in expressions if str(each.get("result", "True")).lower() == "true"]
    causes = [text for each in true if (text := _cause(each))]
    return f"policy '{title or name}'{assignment} refuses it" + (f": {', '.join(causes[:_MOST])}" if causes else "")


def _cause(expression: Mapping[str, Any]) -> str:
    """`location is uksouth, allowed: eastus`; "" for the condition on the type, which is not the cause."""
    field = str(expression.get("path") or expression.get("expression") or "").removeprefix("properties.")
    if not field or field == "type":
        return ""
    value, target = expression.get("expressionValue"), _values(expression.get("targetValue"))
    present = "is missing" if value is None else f"is {_values(value)}"
    operator = str(expression.get("operator") or "").lower()
    match operator:
        case "exists":
            return f"{field} {'is required' if target.lower() == 'false' else 'is not allowed'}"
        case "notin" | "notequals":
            return f"{field} {present}, allowed: {target}"
        case "in" | "equals":
            return f"{field} {present}, not allowed: {target}"
    return f"{field} {present} ({expression.get('operator')} {target})"


def _values(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    more = [f"and {len(values) - _MOST} more"] if len(values) > _MOST else []
    return ", ".join([*(each if isinstance(each, str) else json.dumps(each) for each in values[:_MOST]), *more])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
