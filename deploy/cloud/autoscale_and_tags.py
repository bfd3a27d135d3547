"""Autoscale settings of deployments, tags of endpoints, and the marks of role assignments that outlive an endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.cloud import response_schemas, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path, path_in
from deploy.cloud.operations import VERSION, send_once
from deploy.domain.arm import Json
from deploy.errors import CloudError

_AUTOSCALE = "2022-10-01"
_TAGS = "2021-04-01"
_UNREGISTERED = "MissingSubscriptionRegistration"


def autoscale_settings(cloud: Cloud) -> list[Json] | None:
    """All autoscale settings of the resource group; None if reading them is forbidden."""
    group = cloud.workspace_id.split("/providers/")[0]
    path = f"{group}/providers/Microsoft.Insights/autoscalesettings"
    try:
        return cloud.arm.list(path, _AUTOSCALE, "list the autoscale settings", response_schemas.Autoscale)
    except CloudError as error:
        if error.status == 403:
            return None
        if _UNREGISTERED in error.codes:
            return []  # without the resource provider there are no settings
        raise


def scaling(cloud: Cloud, endpoint: str) -> list[Json]:
    """The autoscale settings of an endpoint's deployments; empty if reading them is forbidden."""
    return settings_of_endpoint(autoscale_settings(cloud) or (), endpoint_path(cloud, endpoint))


def settings_of_endpoint(settings: Sequence[Json], endpoint: str) -> list[Json]:
    """The settings that scale a deployment of the endpoint at this path."""
    prefix = f"{endpoint}/deployments/".lower()
    return [
        row
        for row in settings
        if str((row.get("properties") or {}).get("targetResourceUri") or "").lower().startswith(prefix)
    ]


def by_target(settings: Sequence[Json]) -> Mapping[str, list[Json]]:
    """ARM id of what is scaled, in lower case -> its settings."""
    found: dict[str, list[Json]] = {}
    for row in settings:
        found.setdefault(str((row.get("properties") or {}).get("targetResourceUri")).lower(), []).append(row)
    return found


def read_autoscale(cloud: Cloud, setting: str, *, what: str) -> Json | None:
    """An autoscale setting by its ARM id, or None."""
    return cloud.arm.get(setting, _AUTOSCALE, what, response_schemas.Autoscale)


def put_autoscale(cloud: Cloud, setting: Mapping[str, Json], *, what: str) -> None:
    """Create or replace an autoscale setting: its ARM id, location, tags and properties."""
    body = {part: setting[part] for part in ("location", "tags", "properties") if setting.get(part) is not None}

    def is_there() -> bool:
        there = read_autoscale(cloud, str(setting["id"]), what=what) or {}
        return all(there.get(part) == body.get(part) for part in ("tags", "properties"))

    send_once(lambda: cloud.arm.put(str(setting["id"]), _AUTOSCALE, what, body), is_there)


def autoscale_id(cloud: Cloud, name: str) -> str:
    """The ARM id of a setting in the workspace's resource group."""
    return f"{cloud.workspace_id.split('/providers/')[0]}/providers/Microsoft.Insights/autoscalesettings/{name}"


def delete_autoscale(cloud: Cloud, setting: str, *, what: str) -> None:
    """Delete an autoscale setting by its ARM id; success if it does not exist."""
    cloud.arm.delete(setting, _AUTOSCALE, what)


def merge_tags(cloud: Cloud, resource: str, tags: Mapping[str, str], what: str) -> None:
    """Add or change tags of a resource in one request, without reading or changing the others."""
    body = {"operation": "Merge", "properties": {"tags": dict(tags)}}
    path = f"{resource}/providers/Microsoft.Resources/tags/default"

    def are_set() -> bool:
        existing = cloud.arm.get(resource, VERSION, what, response_schemas.Resource) or {}
        return tags.items() <= (existing.get("tags") or {}).items()

    send_once(lambda: cloud.arm.patch(path, _TAGS, what, body), are_set)


def azure_assignment_description(cloud: Cloud, owner: str, endpoint: str) -> str:
    """The description that marks a role assignment which Azure created for an endpoint's system identity."""
    return f"{role_assignments.mark(cloud, owner, endpoint, own=True)}{role_assignments.BY_AZURE}"


def unmarked_assignments(body: Json | None, rows: Sequence[Json]) -> list[Json]:
    """The role assignments that Azure created for an endpoint's system identity; empty if one of them is marked."""
    own = role_assignments.system_identity(body)
    held = [row for row in rows if own and role_assignments.holder(row) == own]
    marks = [str(row["properties"].get("description")) for row in held if role_assignments.marked(row)]
    bare = [row for row in held if not role_assignments.marked(row)]
    return (
        []
        if any(text.endswith(role_assignments.BY_AZURE) for text in marks)
        else sorted(bare, key=lambda row: str(row["id"]))
    )


def endpoints_gone(cloud: Cloud, rows: Sequence[Json], bodies: Mapping[str, Json]) -> dict[str, list[str]]:
    """Owner -> names of endpoints of this workspace that marked role assignments name and that are not in `bodies`."""
    prefix, found = path_in(cloud.workspace_id, "").lower(), dict[str, set[str]]()
    for row in rows:
        mark = role_assignments.marked(row)
        name = mark.endpoint.removeprefix(prefix) if mark and mark.endpoint.startswith(prefix) else ""
        if mark and name and name not in bodies:
            found.setdefault(mark.owner, set()).add(name)
    return {owner: sorted(names) for owner, names in found.items()}


def former_principals(body: Json, marks: Sequence[tuple[Json, role_assignments.Mark]]) -> set[str]:
    """The principals of deleted endpoints with the same name, from the marks that name this endpoint. Empty while the
    existing endpoint has no principal yet, because it may be one of these.
    """
    now = role_assignments.system_identity(body)
    if not now and "systemassigned" in str((body.get("identity") or {}).get("type") or "").lower():
        return set()
    return {role_assignments.holder(row) for row, mark in marks if mark.own} - {now}


def by_principal(rows: Sequence[Json]) -> Mapping[str, list[Json]]:
    """Principal -> its role assignments."""
    found: dict[str, list[Json]] = {}
    for row in rows:
        found.setdefault(role_assignments.holder(row), []).append(row)
    return found
