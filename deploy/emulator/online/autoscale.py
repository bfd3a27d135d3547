"""Autoscale settings (Microsoft.Insights): stored and returned as written. Nothing is scaled.

They are separate resources: deleting a deployment does not delete its setting, as on Azure.
"""

from __future__ import annotations

from typing import Any

from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource

KIND = "autoscale"
TYPE = "Microsoft.Insights/autoscaleSettings"
LOWEST, HIGHEST = 0, 1000


def put(call: Call) -> Answer:
    """PUT: 201 when new, 200 when it replaces one."""
    group, body = workspaces.require_group(call), call.object()
    location = fields.text(body, "location")
    if location is None:
        raise arm_error(400, "LocationRequired", "The location property is required for this definition.")
    properties = fields.mapping(body, "properties")
    target = fields.text(properties, "targetResourceUri")
    if not target:
        raise _bad("The 'targetResourceUri' of the autoscale setting is required.")
    for profile in _profiles(properties):
        _check_capacity(profile)
    name = call.route_params["name"]
    found = call.world.get(workspaces.id_in_group(call, TYPE))
    created: dict[str, Any] = {
        "id": f"{group.body['id']}/providers/{TYPE}/{name}", "name": name, "type": TYPE, "location": location,
        "tags": fields.texts(body, "tags"),
        "properties": {"enabled": True, "notifications": [], **properties, "name": properties.get("name") or name},
    }  # fmt: skip
    call.world.save(Resource(created["id"], KIND, group.id, name, location, created, {}))
    return Answer(200 if found else 201, created)


def get(call: Call) -> Answer:
    """GET one setting."""
    found = call.world.get(workspaces.id_in_group(call, TYPE))
    if found is None:
        workspaces.require_group(call)
        raise workspaces.not_found(f"{TYPE}/{call.route_params['name']}", call.route_params["group"])
    return Answer(200, found.body)


def listing(call: Call) -> Answer:
    """GET the settings of a resource group, or of a subscription."""
    return workspaces.list_in_groups(call, KIND)


def delete(call: Call) -> Answer:
    """DELETE: 200, or 204 when absent."""
    if call.world.get(workspaces.id_in_group(call, TYPE)) is None:
        return Answer(204)
    call.world.remove(workspaces.id_in_group(call, TYPE))
    return Answer(200)


def _profiles(properties: dict[str, Json]) -> list[dict[str, Json]]:
    profiles = properties.get("profiles")
    if not isinstance(profiles, list) or not 1 <= len(profiles) <= 20:
        raise _bad("An autoscale setting has 1 to 20 profiles.")
    if not all(isinstance(profile, dict) for profile in profiles):
        raise _bad("A profile must be an object.")
    return profiles


def _check_capacity(profile: dict[str, Json]) -> None:
    capacity = fields.mapping(profile, "capacity")
    try:
        minimum, maximum, default = (int(capacity[key]) for key in ("minimum", "maximum", "default"))
    except (KeyError, TypeError, ValueError):
        raise _bad("The capacity of a profile needs minimum, maximum and default, each a number as a string.") from None
    if not LOWEST <= minimum <= default <= maximum <= HIGHEST:
        raise _bad(f"The capacity {minimum} to {maximum} with default {default} is not valid.")


def _bad(message: str) -> Exception:
    return arm_error(400, "BadRequest", message)
