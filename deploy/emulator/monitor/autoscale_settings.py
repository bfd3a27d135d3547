"""Autoscale settings (Microsoft.Insights): create, change, read, list, delete. `autoscale_runs` applies them.

They are separate resources: a setting outlives its deployment, as on Azure. Whether it works again for a new deployment
with the same id is unknown; here it does. The errors of this provider are recorded without `error` around them; only
one of their codes, TargetResourceIdIsImmutable, is.
"""

from __future__ import annotations

from typing import Any

from deploy.emulator.monitor import autoscale_runs
from deploy.emulator.monitor.autoscale_body import Setting
from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, flat_error, location_required, resource_not_found
from deploy.emulator.workspace import workspaces
from deploy.emulator.world import parse
from deploy.emulator.world.store import Resource

KIND = autoscale_runs.KIND
TYPE = "Microsoft.Insights/autoscaleSettings"
LIMIT = 100
"""The documented number of settings of a subscription in a region. The answer beyond it is unknown."""


def put(call: Call) -> Answer:
    """PUT: 201 when new, 200 when it replaces one."""
    group, body = workspaces.require_group(call), call.object()
    location = fields.text(body, "location")
    if location is None:
        raise location_required()
    name, found = call.route_params["name"], call.world.get(workspaces.id_in_group(call, TYPE))
    properties = {"notifications": [], **fields.mapping(body, "properties")}
    written: dict[str, Any] = {
        "id": f"{group.body['id']}/providers/{TYPE}/{name}", "name": name, "type": TYPE, "location": location,
        "tags": fields.texts(body, "tags"),
        "properties": {
            **properties, "name": properties.get("name") or name, "enabled": properties.get("enabled") or False
        },
    }  # fmt: skip
    if found is None:
        found = Resource(written["id"], KIND, group.id, name, location, {}, {})
        _require_room(call, location)
        _save(call, found, written)
        return Answer(201, written)
    _save(call, found, written)
    return Answer(200, written)


def patch(call: Call) -> Answer:
    """PATCH: replaces the tags, and each property, that it contains."""
    found, body = _require(call), call.object()
    written = {**found.body, "properties": {**found.properties, **fields.mapping(body, "properties")}}
    if body.get("tags") is not None:
        written["tags"] = fields.texts(body, "tags")
    _save(call, found, written)
    return Answer(200, written)


def get(call: Call) -> Answer:
    """GET one setting."""
    return Answer(200, _require(call).body)


def listing(call: Call) -> Answer:
    """GET the settings of a resource group, or of a subscription."""
    return workspaces.list_in_groups(call, KIND)


def delete(call: Call) -> Answer:
    """DELETE: 200, or 204 when absent."""
    if call.world.get(workspaces.id_in_group(call, TYPE)) is None:
        return Answer(204)
    call.world.remove(workspaces.id_in_group(call, TYPE))
    return Answer(200)


def _require(call: Call) -> Resource:
    found = call.world.get(workspaces.id_in_group(call, TYPE))
    if found is None:
        workspaces.require_group(call)
        raise resource_not_found(f"{TYPE}/{call.route_params['name']}", call.route_params["group"])
    return found


def _save(call: Call, setting: Resource, body: dict[str, Json]) -> None:
    """Check a new body and store it.

    Raises:
        Refusal: 400 for an invalid body or another target than before; 409 for a target with another setting.
    """
    try:
        target = parse.validate(body["properties"], Setting).target_resource_uri
    except parse.InvalidValue as error:
        raise flat_error(400, "BadRequest", f"The autoscale setting is invalid. {error}") from None
    existing = setting.body and str(setting.properties["targetResourceUri"])
    if existing and existing.lower() != target.lower():
        raise flat_error(
            400, "TargetResourceIdIsImmutable",
            f"The autoscale setting '{setting.body['name']}' under resource group '{call.route_params['group']}' is "
            f"referencing target resource '{existing}'. The target resource reference is immutable. If you want to "
            "change it, please create a new autoscale setting with a different name.",
        )  # fmt: skip
    other = call.world.db.execute(
        "SELECT name FROM resources WHERE kind = ? AND id != ?"
        " AND lower(json_extract(body, '$.properties.targetResourceUri')) = ?",
        (KIND, setting.id.lower(), target.lower()),
    ).fetchone()
    if other is not None:  # status: documented by clients; text: unknown
        raise flat_error(
            409, "Conflict", f"The target resource '{target}' already has the autoscale setting '{other[0]}'."
        )
    setting.body = body
    call.world.save(setting)
    autoscale_runs.begin_now(call.world)


def _require_room(call: Call, location: str) -> None:
    subscription = f"/subscriptions/{call.route_params['subscription'].lower()}"
    count = call.world.db.execute(
        "SELECT COUNT(*) FROM resources WHERE kind = ? AND location = ? AND id > ? AND id < ?",
        (KIND, location, f"{subscription}/", f"{subscription}0"),
    ).fetchone()[0]
    if count >= LIMIT:
        raise flat_error(
            400, "AutoscaleSettingsLimitReached",
            f"The subscription has {count} autoscale settings in {location}; the limit is {LIMIT}.",
        )  # fmt: skip
