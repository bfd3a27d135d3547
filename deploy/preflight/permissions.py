"""Rights: which actions the steps of a plan need at which scope, and whether what we hold there allows them.

Permissions are blocks of actions with `*` for any text, as Azure lists them for the caller; a role given above counts
below. Deny assignments and conditions are not in that list. Actions are those of the documented access to online
endpoints and of role assignments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from deploy.domain.arm import Json
from deploy.domain.plan import Step, Verb
from deploy.domain.spec import EndpointSpec
from deploy.preflight.verdict import Judgement, Reason
from deploy.text import count

_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_ENDPOINTS = f"{_WORKSPACES}/onlineEndpoints"
_GIVING = "Microsoft.Authorization/roleAssignments"
GIVING = (f"{_GIVING}/write", f"{_GIVING}/delete")
"""Giving a role and taking it back."""
LOGS = f"{_ENDPOINTS}/deployments/getlogs/action"
"""Not needed for any step, and missed when a deployment fails: without it nobody is told why."""
KEYS = f"{_ENDPOINTS}/listkeys/action"
"""Needed for a probe under key authentication, and for a successor that is to have its predecessor's keys: without it
the successor has new ones.
"""
_PROBED = {"aad_token": "score/action", "aml_token": "token/action"}
_STEPS: dict[tuple[str, Verb], Sequence[str]] = {
    ("endpoint", Verb.DELETE): (f"{_ENDPOINTS}/delete",),
    ("deployment", Verb.DELETE): (f"{_ENDPOINTS}/deployments/delete",),
}
_WRITES: dict[str, Sequence[str]] = {
    "endpoint": (f"{_WORKSPACES}/read", f"{_ENDPOINTS}/read", f"{_ENDPOINTS}/write"),
    "traffic": (f"{_WORKSPACES}/read", f"{_ENDPOINTS}/read", f"{_ENDPOINTS}/write"),
    "deployment": (f"{_ENDPOINTS}/read", f"{_ENDPOINTS}/deployments/read", f"{_ENDPOINTS}/deployments/write"),
}
_UPLOADED = {"code_configuration": "codes", "environment": "environments", "model": "models"}
_SECRETS = (f"{_WORKSPACES}/connections/listsecrets/action", f"{_WORKSPACES}/metadata/secrets/read")
_MINUTES = "a new role takes up to 10 minutes to work"
_ML_VERBS = tuple(f"{_WORKSPACES}/*/{verb}" for verb in ("read", "action", "delete", "write"))
_TAKEN = tuple(f"Microsoft.Authorization/*/{verb}" for verb in ("Delete", "Write"))
ROLES: tuple[tuple[str, Mapping[str, Json]], ...] = (
    ("AzureML Data Scientist", {"actions": _ML_VERBS, "notActions": (f"{_WORKSPACES}/delete", f"{_WORKSPACES}/write")}),
    ("Role Based Access Control Administrator", {"actions": (*GIVING, "*/read")}),
    ("Contributor", {"actions": ("*",), "notActions": _TAKEN}),
    ("Owner", {"actions": ("*",)}),
)
"""Built-in roles that help, the least first, with what of them matters here (Azure's public list, 2026-04)."""


def allows(blocks: Iterable[Mapping[str, Json]], action: str) -> bool:
    """Whether any block gives the action and does not take it back."""
    return any(
        _matches(block.get("actions") or (), action) and not _matches(block.get("notActions") or (), action)
        for block in blocks
    )


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(words).fullmatch(action) for words in patterns)


def _pattern(words: str) -> re.Pattern[str]:
    """`a/*/write` is also `a/write`: Azure's own roles take that back where they give the other."""
    anywhere = re.sub(r"/\\\*(?=/)", "(?:/.*)?", re.escape(words))
    return re.compile(anywhere.replace(r"\*", ".*"), re.IGNORECASE | re.DOTALL)


def needs(spec: EndpointSpec, steps: Sequence[Step]) -> dict[str, dict[str, list[str]]]:
    """Scope -> action -> the steps that need it. A scope is a word of pipeline.yml, or an ARM id."""
    found: dict[str, dict[str, list[str]]] = {}
    for step in steps:
        scope, actions = _of(spec, step)
        for action in actions:
            asking = found.setdefault(scope, {}).setdefault(action, [])
            asking += [step.address] if step.address not in asking else []
    return found


def _of(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:
    if step.kind == "role":
        if step.verb is Verb.DELETE:
            return str(step.body["id"]).split("/providers/Microsoft.Authorization/")[0], GIVING[1:]
        return str(step.body["scope"]), GIVING[:1]
    if step.verb is Verb.PROBE:
        return "workspace", (_probed(spec),)
    if step.verb is Verb.CHECK:
        return "workspace", ()
    actions = _STEPS.get((step.kind, step.verb)) or _WRITES.get(step.kind, ())
    return "workspace", (*actions, *_uploads(step), *_flag(step))


def _probed(spec: EndpointSpec) -> str:
    own = _PROBED.get(str(spec.endpoint.get("auth_mode")))
    return f"{_ENDPOINTS}/{own}" if own else KEYS


def _uploads(step: Step) -> Sequence[str]:
    """What lies in files of ours is registered, and uploaded, before the deployment that uses it."""
    document = step.body.get("document") or {}
    kinds = [k for key, k in _UPLOADED.items() if step.kind == "deployment" and isinstance(document.get(key), Mapping)]
    files = [f"{_WORKSPACES}/{kind}/versions/write" for kind in kinds]
    return (*files, *([f"{_WORKSPACES}/datastores/listsecrets/action"] if files else []))


def _flag(step: Step) -> Sequence[str]:
    """An endpoint that enforces access to secret stores may be made only by somebody who may read them."""
    properties = (step.body.get("document") or {}).get("properties") or {}
    flag = str(properties.get("enforce_access_to_default_secret_stores", "")).lower()
    return _SECRETS if flag == "enabled" and step.kind == "endpoint" and step.verb is Verb.CREATE else ()


def judge(wanted: Mapping[str, Mapping[str, Sequence[str]]], answers: Mapping[str, Mapping[str, Json]]) -> Judgement:
    """Whether all is allowed. `answers`: word or ARM id -> {scope: ARM id, blocks: list; null: not told, told: why}."""
    ids = {word: str(answer["scope"]) for word, answer in answers.items()}
    known = {str(a["scope"]).lower(): a["blocks"] for a in answers.values() if a["blocks"] is not None}
    whys = {str(a["scope"]).lower(): f": permissions {a['told']}" for a in answers.values() if a.get("told")}
    reasons, unknown = [], []
    for word, actions in wanted.items():
        scope = ids.get(word, word)
        above = [blocks for at, blocks in known.items() if _within(scope.lower(), at)]
        missing = [action for action in actions if not any(allows(blocks, action) for blocks in above)]
        if missing and scope.lower() in known:
            reasons.append(_lacking(scope, missing, actions))
        elif missing:
            unknown.append(f"whether {', '.join(missing)} is allowed on {scope}{whys.get(scope.lower(), '')}")
    asked = {action for actions in wanted.values() for action in actions}
    words = f"{count(len(asked), 'action')} needed" + ("" if unknown or reasons else ", all allowed")
    source = f"permissions at {', '.join(_short(str(a['scope'])) for a in answers.values() if a['blocks'] is not None)}"
    silent = _without_logs(wanted, answers.get("workspace", {}).get("blocks"))
    return Judgement(words, source if known else "", tuple(reasons), (*unknown, *silent))


def _without_logs(wanted: Mapping[str, Mapping[str, Sequence[str]]], blocks: Json) -> Sequence[str]:
    """What will not be told where a deployment is written and its logs may certainly not be read."""
    writes = any(action.endswith("/deployments/write") for actions in wanted.values() for action in actions)
    if not writes or blocks is None or allows(blocks, LOGS):
        return ()
    return (f"why a deployment fails, should one fail: the caller lacks {LOGS}",)


def _lacking(scope: str, missing: Sequence[str], actions: Mapping[str, Sequence[str]]) -> Reason:
    steps = list(dict.fromkeys(address for action in missing for address in actions[action]))
    cause = f"the caller lacks {', '.join(missing)} on {scope}, needed for {', '.join(steps)}"
    code = "AML251" if all(action in GIVING for action in missing) else "AML250"
    roles = " and ".join(suffice(missing))
    return Reason(code, cause, f"Have {roles} given to the caller on this scope; {_MINUTES}")


def suffice(missing: Sequence[str]) -> list[str]:
    """The least built-in role that allows all of them, or the least for each."""
    for name, block in ROLES:
        if all(allows([block], action) for action in missing):
            return [name]
    return list(dict.fromkeys(name for action in missing for name in suffice([action])))


def settled(answers: Iterable[tuple[str, Sequence[Mapping[str, Json]] | None]], scope: str) -> bool:
    """Whether a scope at or above this one has already answered that roles may be given and taken here."""
    return any(
        blocks is not None and _within(scope.lower(), at.lower()) and all(allows(blocks, action) for action in GIVING)
        for at, blocks in answers
    )


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _short(scope: str) -> str:
    return scope.rsplit("/", 1)[-1]
