"""Reads what the files refer to in the workspace: environments, connections, and user-assigned identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.cloud import registry, response_schemas, role_assignments
from deploy.cloud.connect import WORKSPACES, Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain.arm import Json

_IDENTITIES = "2023-01-31"


def read(cloud: Cloud, ask: Mapping[str, Json]) -> list[dict[str, Json]]:
    """A row {kind, reference, exists, unread, ...} of each reference; `exists` is null if `unread` is why.

    `ask` is {environments, connections, identities}: lists of references. `newest`: of an environment; `roles`: (role,
    scope) of an identity's assignments, direct or through groups, null if `unread_roles` is why.
    """
    return [*_environments(cloud, ask), *_connections(cloud, ask), *_identities(cloud, ask)]


def _environments(cloud: Cloud, ask: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    for reference in ask["environments"]:
        found, why = try_read(lambda each=reference: registry.read_environment(cloud, each))  # type: ignore[misc]
        if found or why:
            exists, newest = (found.body is not None, found.newest) if found else (None, "")
            yield {"kind": "environment", "reference": reference, "exists": exists, "newest": newest, "unread": why}


def _connections(cloud: Cloud, ask: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    if not ask["connections"]:
        return
    path, what = f"{cloud.workspace_id}/connections", "list the connections of the workspace"
    rows, why = try_read(lambda: cloud.arm.list(path, WORKSPACES, what, response_schemas.Named))
    names = {str(row["name"]).lower() for row in rows or ()}
    for name in ask["connections"]:
        exists = None if rows is None else name.lower() in names
        yield {"kind": "connection", "reference": name, "exists": exists, "unread": why}


def _identities(cloud: Cloud, ask: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    for identifier in ask["identities"]:
        body, why = try_read(lambda each=identifier: _identity(cloud, each))  # type: ignore[misc]
        row = {"kind": "identity", "reference": identifier, "exists": None if why else body is not None, "unread": why}
        principal = ((body or {}).get("properties") or {}).get("principalId")
        yield {**row, **(_roles(cloud, str(principal)) if principal else {"roles": None, "unread_roles": ""})}


def _identity(cloud: Cloud, identifier: str) -> Any:
    return cloud.arm.get(identifier, _IDENTITIES, "read a user-assigned identity", response_schemas.UserIdentity)


def _roles(cloud: Cloud, principal: str) -> dict[str, Json]:
    found, why = try_read(lambda: role_assignments.held_in_subscription(cloud, principal))
    if found is None:
        return {"roles": None, "unread_roles": why or "could not all be read: permission denied"}
    roles = [(row["properties"]["roleDefinitionId"], row["properties"]["scope"]) for row in found]
    return {"roles": [[role_assignments.role_name(str(role)), scope] for role, scope in roles], "unread_roles": ""}
