"""Workspace connections: addresses of other services, with credentials.

Only `listsecrets` returns the credentials; it needs its own permission.
"""

from __future__ import annotations

from typing import Any

from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, ml_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource, World

KIND = "connection"
TYPE = f"{workspaces.WORKSPACE}/connections"


def save(world: World, workspace: Resource, name: str, properties: dict[str, Any]) -> Resource:
    """Store a connection, with its credentials outside the readable body."""
    credentials = properties.get("credentials")
    shown = {key: value for key, value in properties.items() if key != "credentials"}
    identifier = f"{workspace.body['id']}/connections/{name}"
    body = {"id": identifier, "name": name, "type": TYPE, "properties": {"metadata": {}, **shown, "credentials": None}}
    created = Resource(identifier, KIND, workspace.id, name, workspace.location, body, {"credentials": credentials})
    world.save(created)
    return created


def listing(call: Call) -> Answer:
    """GET the connections of a workspace, without secrets; `category` and `target` filter."""
    found = call.world.children(workspaces.require(call).id, KIND)
    for key in ("category", "target"):
        if requested := call.query.get(key):
            found = [item for item in found if str(item.properties.get(key, "")).lower() == requested.lower()]
    return Answer(200, {"value": [item.body for item in found]})


def get(call: Call) -> Answer:
    """GET one connection, without secrets."""
    return Answer(200, _require(call).body)


def put(call: Call) -> Answer:
    """PUT a connection: 200, as in the published interface."""
    workspace, properties = workspaces.require(call), fields.mapping(call.object(), "properties")
    for key in ("authType", "category"):
        if not fields.text(properties, key):
            raise ml_error(400, "UserError", f"The field '{key}' of a connection is required.")
    return Answer(200, save(call.world, workspace, call.route_params["connection"], properties).body)


def delete(call: Call) -> Answer:
    """DELETE a connection: 200, or 204 when absent."""
    found = call.world.get(f"{workspaces.require(call).id}/connections/{call.route_params['connection']}")
    if found is None:
        return Answer(204)
    call.world.remove(found.id)
    return Answer(200)


def list_secrets(call: Call) -> Answer:
    """POST listsecrets: the connection with its credentials."""
    found = _require(call)
    shown: dict[str, Json] = {**found.properties, "credentials": found.private["credentials"]}
    return Answer(200, {**found.body, "properties": shown})


def _require(call: Call) -> Resource:
    found = call.world.get(f"{workspaces.require(call).id}/connections/{call.route_params['connection']}")
    if found is None:
        raise _missing(call.route_params["connection"])
    return found


def _missing(name: str) -> Refusal:
    message = f"Connection {name} can't be found in this workspace."
    return ml_error(404, "NotFound", "The specified resource was not found.", ("ResourceNotFound", message))
