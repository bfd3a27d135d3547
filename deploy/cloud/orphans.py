"""What an endpoint leaves around itself: autoscale settings, tags that are merged, the record of its identity."""

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


def autoscale_settings(cloud: Cloud) -> list[Json] | None:
    """Every autoscale setting of the resource group; None when we may not look."""
    group = cloud.workspace_id.split("/providers/")[0]
    path = f"{group}/providers/Microsoft.Insights/autoscalesettings"
    try:
        return cloud.arm.list(path, _AUTOSCALE, "list the autoscale settings", response_schemas.Autoscale)
    except CloudError as error:
        if error.status == 403:
            return None
        raise


def scaling(cloud: Cloud, endpoint: str) -> list[Json]:
    """The autoscale settings of an endpoint's deployments, as far as we may look."""
    return settings_of_endpoint(autoscale_settings(cloud) or (), endpoint_path(cloud, endpoint))


def settings_of_endpoint(settings: Sequence[Json], endpoint: str) -> list[Json]:
    """Those of some autoscale settings that scale a deployment of the endpoint at this path."""
    prefix = f"{endpoint}/deployments/".lower()
    return [
        row
        for row in settings
        if str((row.get("properties") or {}).get("targetResourceUri") or "").lower().startswith(prefix)
    ]


def put_autoscale(cloud: Cloud, setting: Mapping[str, Json], *, what: str) -> None:
    """Make one again, as it was kept."""
    body = {part: setting[part] for part in ("location", "tags", "properties") if setting.get(part) is not None}
    cloud.arm.put(str(setting["id"]), _AUTOSCALE, what, body)


def delete_autoscale(cloud: Cloud, setting: str, *, what: str) -> None:
    """Delete one, by its ARM id. One that is gone is success."""
    cloud.arm.delete(setting, _AUTOSCALE, what)


def merge_tags(cloud: Cloud, resource: str, tags: Mapping[str, str], what: str) -> None:
    """Add or change tags of an endpoint without a look at the others. One request; nothing is read to be written."""
    body = {"operation": "Merge", "properties": {"tags": dict(tags)}}
    path = f"{resource}/providers/Microsoft.Resources/tags/default"

    def are_there() -> bool:
        there = cloud.arm.get(resource, VERSION, what, response_schemas.Resource) or {}
        return tags.items() <= (there.get("tags") or {}).items()

    send_once(lambda: cloud.arm.patch(path, _TAGS, what, body), are_there)


def record(cloud: Cloud, owner: str, endpoint: str) -> str:
    """The description of an assignment that Azure gave to an endpoint's own identity and that says whose it was."""
    return f"{role_assignments.mark(cloud, owner, endpoint, own=True)}{role_assignments.BY_AZURE}"


def unmarked_assignments(body: Json | None, rows: Sequence[Json]) -> list[Json]:
    """What Azure gave an endpoint's own identity, while none of it says whose it is; nothing once one does."""
    own = role_assignments.system_identity(body)
    held = [row for row in rows if own and role_assignments.holder(row) == own]
    said = [str(row["properties"].get("description")) for row in held if role_assignments.marked(row)]
    bare = [row for row in held if not role_assignments.marked(row)]
    return (
        []
        if any(text.endswith(role_assignments.BY_AZURE) for text in said)
        else sorted(bare, key=lambda row: str(row["id"]))
    )


def endpoints_gone(cloud: Cloud, rows: Sequence[Json], bodies: Mapping[str, Json]) -> dict[str, list[str]]:
    """Owner -> endpoints of this workspace that assignments of ours name and that are not among `bodies`, by name."""
    prefix, found = path_in(cloud.workspace_id, "").lower(), dict[str, set[str]]()
    for row in rows:
        mark = role_assignments.marked(row)
        name = mark.endpoint.removeprefix(prefix) if mark and mark.endpoint.startswith(prefix) else ""
        if mark and name and name not in bodies:
            found.setdefault(mark.owner, set()).add(name)
    return {owner: sorted(names) for owner, names in found.items()}


def former_principals(body: Json, marks: Sequence[tuple[Json, role_assignments.Mark]]) -> set[str]:
    """The principals of earlier endpoints of the same name, from the assignments that name this endpoint. None while
    the endpoint that exists has not yet been given its own: one of these may be it.
    """
    now = role_assignments.system_identity(body)
    if not now and "systemassigned" in str((body.get("identity") or {}).get("type") or "").lower():
        return set()
    return {role_assignments.holder(row) for row, mark in marks if mark.own} - {now}


def by_holder(rows: Sequence[Json]) -> Mapping[str, list[Json]]:
    """Principal -> its assignments: looked through once, however many ask."""
    found: dict[str, list[Json]] = {}
    for row in rows:
        found.setdefault(role_assignments.holder(row), []).append(row)
    return found
