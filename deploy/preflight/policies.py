"""What Azure Policy would refuse of the resources that a plan creates or changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.domain.arm import Json
from deploy.preflight.check_result import CheckResult, Reason
from deploy.text import count

_CURE = "Change the setting that the policy names, or ask for an exemption or a change of the policy assignment"


def check(rows: Sequence[Mapping[str, Json]]) -> CheckResult:
    """Whether a policy denies one of the resources.

    A row is {what, name, left_out, assigned, denials, unread}: a resource in words, its name, the ARM paths that were
    not asked about, and what `cloud.policies` read; `denials` is null if `unread` is why. A denial of a value that was
    not asked about is unknown.
    """
    reasons, unknown = [], []
    for row in rows:
        for denial in row["denials"] or ():
            if denial["names"] is not None and row["name"] not in denial["names"]:
                continue
            words = f"{row['what']}: {denial['words']}"
            if missing := _unasked(denial["fields"], row["left_out"]):
                unknown.append(f"whether a policy refuses {words}; {', '.join(missing)} is not known before the change")
            else:
                reasons.append(Reason("AML247", words, _CURE))
    for why in dict.fromkeys(row["unread"] for row in rows if row["unread"]):
        subjects = " and ".join(str(row["what"]) for row in rows if row["unread"] == why)
        unknown.append(f"whether a policy refuses {subjects}: {why}")
    assigned = {str(each["id"]): each for row in rows for each in row["assigned"]}
    unknown += [
        f"whether policy '{each['title']}' refuses it: {each['unread'] or 'Azure Machine Learning evaluates it itself'}"
        for each in assigned.values()
        if each["mode"] != ""
    ]
    asked = any(row["denials"] is not None for row in rows)
    words = f"{count(len(assigned), 'policy assignment')} of the workspace" if assigned else ""
    source = "policyAssignments" if assigned else ""
    source += ", checkPolicyRestrictions" if asked and assigned else ""
    return CheckResult(words, source, tuple(dict.fromkeys(reasons)), tuple(dict.fromkeys(unknown)))


def _unasked(fields: Sequence[str], left_out: Sequence[str]) -> list[str]:
    """The fields of a denial that were left out: paths such as `properties.model`, or aliases that end with it."""
    return [path for path in left_out if any(_is_at(field, path) for field in fields)]


def _is_at(field: str, path: str) -> bool:
    field, tail = field.lower(), path.lower().removeprefix("properties.")
    return field.startswith(path.lower()) or f"/{tail}" in field
