"""Whether what the files refer to exists, and whether an identity has the roles that a deployment needs. Pure.

Azure assigns the roles of a system-assigned identity; a user-assigned one needs them before: AcrPull on the workspace's
registry, and Storage Blob Data Reader on its storage (Contributor with a data collector).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from deploy.domain.arm import Json
from deploy.preflight.check_result import CheckResult, Reason
from deploy.text import count

_CONNECTION = re.compile(r"\$\{\{\s*azureml://connections/([^/}\s]+)[^}]*\}\}", re.IGNORECASE)
_CURATED = "azureml:azureml-"
"""The start of references to environments of Azure, which the workspace may not list."""
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORDS = {"environment": "environment", "connection": "connection", "identity": "user-assigned identity"}
_MISSING = {
    "environment": ("AML211", "Check the name, which is case-sensitive, and the version"),
    "connection": ("AML212", "Create the connection in the workspace, or fix the reference in environment_variables"),
    "identity": ("AML213", "Create the identity, or fix its resource_id in the endpoint file"),
}
_PULL = ("AcrPull", frozenset({"AcrPull", "AcrPush", "Contributor", "Owner"}))
_WRITE = ("Storage Blob Data Contributor", frozenset({"Storage Blob Data Contributor", "Storage Blob Data Owner"}))
_READ = ("Storage Blob Data Reader", _WRITE[1] | {"Storage Blob Data Reader"})


def of_documents(endpoint: Mapping[str, Json], deployments: Sequence[Mapping[str, Json]]) -> dict[str, list[str]]:
    """{environments, connections, identities} that these documents refer to, without environments of a registry."""
    environments = [str(each["environment"]) for each in deployments if isinstance(each.get("environment"), str)]
    values = [str(value) for each in deployments for value in (each.get("environment_variables") or {}).values()]
    users = (endpoint.get("identity") or {}).get("user_assigned_identities") or ()
    found = {
        "environments": [each for each in environments if "azureml://registries/" not in each],
        "connections": [name for value in values for name in _CONNECTION.findall(value)],
        "identities": [str(each["resource_id"]) for each in users],
    }
    return {name: list(dict.fromkeys(each)) for name, each in found.items()}


def check(rows: Sequence[Mapping[str, Json]], needs: Mapping[str, Json]) -> CheckResult:
    """Whether everything exists. `rows`: what `cloud.references` read.

    `needs` is {registry, storage, writes, planned}: ARM ids (registry null without one), whether the deployment writes
    data, and (role, scope) of the assignments that the plan makes for the endpoint's identity.
    """
    reasons, unknown = [], []
    for row in rows:
        what = f"{_WORDS[str(row['kind'])]} {row['reference']}"
        curated = str(row["reference"]).lower().startswith(_CURATED)
        if row["exists"] is None or (not row["exists"] and row["kind"] == "environment" and curated):
            unknown.append(f"whether {what} exists: {row['unread'] or 'the workspace does not list it'}")
        elif not row["exists"]:
            code, cure = _MISSING[str(row["kind"])]
            newest = f"; its newest version is {row['newest']}" if row.get("newest") else ""
            reasons.append(Reason(code, f"there is no {what}{newest}", cure))
        elif row["kind"] == "identity":
            lacking, unclear = _roles(row, needs)
            reasons += lacking
            unknown += unclear
    found = [row for row in rows if row["exists"]]
    kinds = {kind: sum(row["kind"] == kind for row in found) for kind in _WORDS}
    words = ", ".join(count(n, word) for kind, word in _WORDS.items() if (n := kinds[kind])) + " found" if found else ""
    return CheckResult(words, "", tuple(reasons), tuple(unknown))


def _roles(row: Mapping[str, Json], needs: Mapping[str, Json]) -> tuple[list[Reason], list[str]]:
    """What an identity lacks, and what is unknown."""
    lacking, unclear = [], []
    for (name, roles), scope in _needed(needs):
        held = [role for role, at in (*(row["roles"] or ()), *needs["planned"]) if _covers(str(at), scope)]
        what = f"{name} on {scope}"
        if roles & set(held):
            continue
        if row["roles"] is None:
            unclear.append(f"whether {row['reference']} has {what}: role assignments {row['unread_roles']}")
        elif custom := [role for role in held if _GUID.fullmatch(role)]:
            unclear.append(f"whether {row['reference']} has {what}: it has the custom role {custom[0]}")
        else:
            cure = f"Assign {name} on this scope to the identity, or add it to roles in pipeline.yml"
            cause = f"user-assigned identity {row['reference']} lacks {what}, which a deployment needs"
            lacking.append(Reason("AML214", cause, cure))
    return lacking, unclear


def _needed(needs: Mapping[str, Json]) -> Iterator[tuple[tuple[str, frozenset[str]], str]]:
    if needs["registry"]:
        yield _PULL, str(needs["registry"])
    if needs["storage"]:
        yield (_WRITE if needs["writes"] else _READ), str(needs["storage"])


def _covers(scope: str, target: str) -> bool:
    return f"{target}/".lower().startswith(f"{scope.rstrip('/')}/".lower())
