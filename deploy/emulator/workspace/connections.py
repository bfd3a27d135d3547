"""Workspace connections: addresses of other services, with credentials. The answers are those of recordings.

Only `listsecrets` returns the credentials; it needs its own permission.
"""

from __future__ import annotations

import uuid
from typing import Any

from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, ml_error, timestamp
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource, World

KIND = "connection"
TYPE = f"{workspaces.WORKSPACE}/connections"
_GROUPS = {"containerregistry": "Azure", "azureopenai": "AzureAI"}
"""Azure's group of a category; those of Git and of these two are recorded, the others are unknown."""


def save(
    world: World, workspace: Resource, name: str, properties: dict[str, Any], system_data: Json = None
) -> Resource:
    """Store a connection, with its credentials outside the readable body."""
    credentials = properties.get("credentials")
    category = str(properties["category"])
    shown = {
        "authType": properties["authType"], **({} if properties["authType"] == "None" else {"credentials": None}),
        "group": _GROUPS.get(category.lower(), "ServicesAndApps"), "category": category, "expiryTime": None,
        "target": None, "createdByWorkspaceArmId": workspace.body["id"], "useWorkspaceManagedIdentity": False,
        "isSharedToAll": False, "sharedUserList": [], "peRequirement": "NotRequired", "peStatus": "NotApplicable",
        "error": None, "isDefault": True, "metadata": {},
    }  # fmt: skip
    shown |= {key: value for key, value in properties.items() if key != "credentials" and value is not None}
    identifier = f"{workspace.body['id']}/connections/{name}"
    body = {
        "tags": None, "location": None, "id": identifier, "name": name, "type": TYPE, "properties": shown,
        "systemData": system_data,
    }  # fmt: skip
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
    """PUT a connection: 200. It replaces an existing one, with a new creation time."""
    workspace, properties = workspaces.require(call), fields.mapping(call.object(), "properties")
    for key in ("authType", "category"):
        if not fields.text(properties, key):
            raise ml_error(400, "UserError", f"The field '{key}' of a connection is required.")
    name = call.route_params["connection"]
    system_data = {key: value.replace("+00:00", "Z") for key, value in call.system_data().items()}
    return Answer(200, save(call.world, workspace, name, properties, system_data).body)


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
    shown: dict[str, Json] = {**found.properties}
    if "credentials" in shown:
        shown["credentials"] = found.private["credentials"]
    return Answer(200, {**found.body, "properties": shown})


def _require(call: Call) -> Resource:
    found = call.world.get(f"{workspaces.require(call).id}/connections/{call.route_params['connection']}")
    if found is None:
        raise _missing(call)
    return found


def _missing(call: Call) -> Refusal:
    """404. The service of connections has its own form of errors."""
    name, location = call.route_params["connection"], workspaces.require(call).location
    absent = ("severity", "messageFormat", "messageParameters", "referenceCode", "detailsUri", "target", "debugInfo")
    error: dict[str, Json] = {
        "code": "UserError", "message": f"Connection {name} can't be found in this workspace",
        "details": [], "innerError": {"code": "NotFoundError", "innerError": None}, "additionalInfo": None,
        **dict.fromkeys(absent),
    }  # fmt: skip
    body = {
        "error": error, "correlation": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]},
        "environment": location, "location": location, "time": timestamp(call.world.now()),
        "componentName": "account-rp", "statusCode": 404,
    }  # fmt: skip
    return Refusal(Answer(404, body, {"x-ms-response-type": "error"}))
