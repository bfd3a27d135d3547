"""Permissions: the actions of Azure that steps and checks need, and whether the caller's permissions allow them.

Permissions are blocks of actions with `*` for any text, as Azure lists them for the caller; a role assigned at a scope
applies below it. Deny assignments and conditions are not in that list. The actions are those that Azure documents for
online endpoints and role assignments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.domain.arm import Json
from deploy.preflight.check_result import CheckResult, Reason
from deploy.text import count


@dataclass(frozen=True)
class Need:
    """A right, and what needs it.

    `scope`: a word of pipeline.yml, or an ARM id. `actions`: any one of them is enough. `by`: the addresses of steps,
    as text. `is_required`: otherwise `by` are checks, which are `unknown` without it, and nothing is refused.
    """

    scope: str
    actions: tuple[str, ...]
    by: tuple[str, ...]
    is_required: bool = True

    @property
    def right(self) -> str:
        return " or ".join(self.actions)

    def is_met(self, blocks: Iterable[Mapping[str, Json]]) -> bool:
        return any(allows(blocks, action) for action in self.actions)


WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
ENDPOINTS = f"{WORKSPACES}/onlineEndpoints"
_GIVING = "Microsoft.Authorization/roleAssignments"
GIVING = (f"{_GIVING}/write", f"{_GIVING}/delete")
"""Assigning a role and removing the assignment."""
LOGS = f"{ENDPOINTS}/deployments/getlogs/action"
"""Not needed for a step. Without it the cause of a failed deployment is unknown."""
KEYS = f"{ENDPOINTS}/listkeys/action"
"""Needed for a probe under key authentication, and for a successor that gets the keys of its predecessor: without it
the successor has new keys.
"""
ENDPOINT_WRITE = (f"{WORKSPACES}/read", f"{ENDPOINTS}/read", f"{ENDPOINTS}/write")
ENDPOINT_DELETE = (f"{ENDPOINTS}/delete",)
DEPLOYMENT_WRITE = (f"{ENDPOINTS}/read", f"{ENDPOINTS}/deployments/read", f"{ENDPOINTS}/deployments/write")
DEPLOYMENT_DELETE = (f"{ENDPOINTS}/deployments/delete",)
_AUTOSCALE = "Microsoft.Insights/AutoscaleSettings"
AUTOSCALE_READ, AUTOSCALE_WRITE, AUTOSCALE_DELETE = (
    (f"{_AUTOSCALE}/Read", *more) for more in ((), (f"{_AUTOSCALE}/Write",), (f"{_AUTOSCALE}/Delete",))
)
"""On the resource group. They are not part of Monitoring Contributor."""
METRICS = "Microsoft.Insights/Metrics/Read"
"""Needed for a gate. Part of every role with `*/read`, such as Monitoring Reader."""
READ_QUOTA = tuple(
    f"Microsoft.MachineLearningServices/locations/{each}/read" for each in ("usages", "quotas", "vmSizes")
)
READ_NAMES = (f"{ENDPOINTS}/checkNameAvailability/read",)
READ_MODELS, READ_ENVIRONMENTS = ((f"{WORKSPACES}/{each}/versions/read",) for each in ("models", "environments"))
READ_POLICIES = (
    "Microsoft.Authorization/policyAssignments/read",
    "Microsoft.Authorization/policyDefinitions/read",
    "Microsoft.PolicyInsights/checkPolicyRestrictions/read",
)
READ_REFERENCES = (
    *READ_ENVIRONMENTS,
    f"{WORKSPACES}/connections/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    f"{_GIVING}/read",
)
"""Needed for checks only. Looked up in the permissions at the workspace, which include those of the scopes above it."""
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
LOCK = (f"{WORKSPACES}/datastores/listsecrets/action", f"{_CONTAINERS}/blobs/write", f"{_CONTAINERS}/lease/action")
"""The rights of which one is enough to lock an endpoint. Roles on the storage account itself are not looked up."""
SECRETS = (f"{WORKSPACES}/connections/listsecrets/action", f"{WORKSPACES}/metadata/secrets/read")
_MINUTES = "a new role assignment takes up to 10 minutes to work"
_ML_VERBS = tuple(f"{WORKSPACES}/*/{verb}" for verb in ("read", "action", "delete", "write"))
_TAKEN = tuple(f"Microsoft.Authorization/*/{verb}" for verb in ("Delete", "Write"))
ROLES: tuple[tuple[str, Mapping[str, Json]], ...] = (
    ("AzureML Data Scientist", {"actions": _ML_VERBS, "notActions": (f"{WORKSPACES}/delete", f"{WORKSPACES}/write")}),
    ("Monitoring Reader", {"actions": ("*/read",)}),
    ("Role Based Access Control Administrator", {"actions": (*GIVING, "*/read")}),
    ("Contributor", {"actions": ("*",), "notActions": _TAKEN}),
    ("Owner", {"actions": ("*",)}),
)
"""Built-in roles that help, the least first, with the part that matters here (Azure's public list, 2026-04)."""


def allows(blocks: Iterable[Mapping[str, Json]], action: str) -> bool:
    """Whether any block contains the action, or data action, and does not exclude it."""
    kinds = (("actions", "notActions"), ("dataActions", "notDataActions"))
    return any(
        _matches(block.get(given) or (), action) and not _matches(block.get(without) or (), action)
        for block in blocks
        for given, without in kinds
    )


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(words).fullmatch(action) for words in patterns)


def _pattern(words: str) -> re.Pattern[str]:
    """`a/*/write` also matches `a/write`: built-in roles of Azure rely on it."""
    anywhere = re.sub(r"/\\\*(?=/)", "(?:/.*)?", re.escape(words))
    return re.compile(anywhere.replace(r"\*", ".*"), re.IGNORECASE | re.DOTALL)


def check(needs: Sequence[Need], answers: Mapping[str, Mapping[str, Json]]) -> CheckResult:
    """Whether all that is required is allowed, and which checks lack a right.

    `answers`: word or ARM id -> {scope: ARM id, blocks: list or null, unread: why null}.
    """
    ids = {word: str(answer["scope"]) for word, answer in answers.items()}
    known = {str(a["scope"]).lower(): a["blocks"] for a in answers.values() if a["blocks"] is not None}
    whys = {str(a["scope"]).lower(): f": permissions {a['unread']}" for a in answers.values() if a.get("unread")}
    reasons, unknown, incomplete = [], [], []
    for scope, desired in _by_scope(needs, ids).items():
        above = [block for at, blocks in known.items() if _within(scope.lower(), at) for block in blocks]
        missing = [need for need in desired if not need.is_met(above)]
        required, optional = ([need for need in missing if need.is_required is each] for each in (True, False))
        if scope.lower() not in known:
            why = whys.get(scope.lower(), "")
            unknown += [f"whether {_rights(required)} is allowed on {scope}{why}"] if required else []
            continue
        reasons += [_lacking(scope, required)] if required else []
        incomplete += [_incomplete(scope, optional)] if optional else []
    asked = {need.right for need in needs if need.is_required}
    words = f"{count(len(asked), 'action')} needed" + ("" if unknown or reasons else ", all allowed")
    source = f"permissions at {', '.join(_short(str(a['scope'])) for a in answers.values() if a['blocks'] is not None)}"
    workspace = answers.get("workspace", {})
    silent = (*_without_logs(needs, workspace.get("blocks")), *_without_settings(needs, workspace))
    return CheckResult("; ".join((words, *incomplete)), source if known else "", tuple(reasons), (*unknown, *silent))


def _by_scope(needs: Sequence[Need], ids: Mapping[str, str]) -> dict[str, list[Need]]:
    found: dict[str, list[Need]] = {}
    for need in needs:
        found.setdefault(ids.get(need.scope, need.scope), []).append(need)
    return found


def _rights(needs: Iterable[Need]) -> str:
    return ", ".join(dict.fromkeys(need.right for need in needs))


def _steps(needs: Iterable[Need]) -> list[str]:
    return list(dict.fromkeys(step for need in needs for step in need.by))


def _incomplete(scope: str, missing: Sequence[Need]) -> str:
    checks = _steps(missing)
    verb = "are" if len(checks) > 1 else "is"
    return f"the caller lacks {_rights(missing)} on {_short(scope)}, so {' and '.join(checks)} {verb} unknown"


def _without_settings(needs: Sequence[Need], workspace: Mapping[str, Json]) -> Sequence[str]:
    """What is unknown where the autoscale settings were not readable and a deployment or its traffic changes."""
    changes = _writes(needs, "onlineEndpoints") or _writes(needs, "deployments")
    if workspace.get("settings", True) or not changes:
        return ()
    return (f"whether autoscale sets the number of instances: the caller lacks {AUTOSCALE_READ[0]}",)


def _writes(needs: Sequence[Need], kind: str) -> bool:
    return any(action.endswith(f"/{kind}/write") for need in needs for action in need.actions)


def _without_logs(needs: Sequence[Need], blocks: Json) -> Sequence[str]:
    """The unknown cause of a later failure, if a deployment is written and its logs cannot be read."""
    if not _writes(needs, "deployments") or blocks is None or allows(blocks, LOGS):
        return ()
    return (f"why a deployment fails, if one fails: the caller lacks {LOGS}",)


def _lacking(scope: str, missing: Sequence[Need]) -> Reason:
    first = [need.actions[0] for need in missing]
    cause = f"the caller lacks {_rights(missing)} on {scope}, needed for {', '.join(_steps(missing))}"
    code = "AML251" if all(action in GIVING for action in first) else "AML250"
    return Reason(code, cause, f"Assign {' and '.join(suffice(first))} to the caller on this scope; {_MINUTES}")


def suffice(missing: Sequence[str]) -> list[str]:
    """The smallest built-in role that allows all of them, or the smallest for each."""
    for name, block in ROLES:
        if all(allows([block], action) for action in missing):
            return [name]
    return list(dict.fromkeys(name for action in missing for name in suffice([action])))


def is_decided(answers: Iterable[tuple[str, Sequence[Mapping[str, Json]] | None]], scope: str) -> bool:
    """Whether an answer for this scope or one above already allows assigning and removing roles here."""
    return any(
        blocks is not None and _within(scope.lower(), at.lower()) and all(allows(blocks, action) for action in GIVING)
        for at, blocks in answers
    )


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _short(scope: str) -> str:
    return scope.rsplit("/", 1)[-1]
