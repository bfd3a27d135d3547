"""Workspaces: create, change and delete them, each with a long-running operation.

Recorded are the PUT of a new workspace, of an existing one and of a hub, and the status of a finished operation. PATCH,
DELETE, and the answers of an operation in progress are inferred. Linked resources are not checked: the datastores of a
workspace lead to its storage account, and to nothing if this world has no such account.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from deploy.emulator.entra import directory
from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.rbac import role_assignments
from deploy.emulator.rbac.builtin_roles import AI_ADMINISTRATOR
from deploy.emulator.wire import fields, long_running
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import (
    Answer,
    Json,
    location_required,
    other_location,
    timestamp,
    user_error,
)
from deploy.emulator.workspace import datastores, workspaces
from deploy.emulator.world.store import Resource

STATUS = "workspaceOperationsStatus"
KINDS = ("Default", "Hub", "Project", "FeatureStore")
_OF_THE_SERVICE = frozenset({
    "workspaceId", "provisioningState", "tenantId", "creationTime", "notebookInfo", "discoveryUrl", "mlFlowTrackingUri",
    "privateLinkCount", "associatedWorkspaces", "sdkTelemetryAppInsightsKey", "storageHnsEnabled",
})  # fmt: skip
"""The properties that a client cannot set."""
_LINKED = ("storageAccount", "keyVault", "applicationInsights", "containerRegistry")
_ID = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+/[^/]+/[^/]+", re.IGNORECASE)
_OF_THE_HUB = ("storageAccount", "keyVault", "applicationInsights", "notebookInfo")
"""The properties that a project has from its hub (recorded)."""


def put(call: Call) -> Answer:
    """PUT: create or change; 202 without a body."""
    group, body = workspaces.require_group(call), call.object()
    found = _find(call)
    location = (fields.text(body, "location") or "").replace(" ", "").lower()
    if not location:
        raise location_required()
    if found is None:
        found = _create(call, group, location, body)
    elif location != found.location:
        raise other_location(found.body["name"], found.location, location)
    else:
        found.body["tags"] = fields.texts(body, "tags")
        _change(call, found, body)
    return _begin(call, found, {"properties": {"provisioningState": "Succeeded"}})


def patch(call: Call) -> Answer:
    """PATCH: the tags, all of them, and properties; 202 without a body."""
    found, body = workspaces.require(call), call.object()
    if body.get("tags") is not None:
        found.body["tags"] = fields.texts(body, "tags")
    _change(call, found, body)
    return _begin(call, found, {"properties": {"provisioningState": "Succeeded"}})


def delete(call: Call) -> Answer:
    """DELETE with everything below: 202 without a body, 204 when absent."""
    workspaces.require_group(call)
    found = _find(call)
    if found is None:
        return Answer(204)
    found.properties["provisioningState"] = "Deleting"
    hub = call.world.get(str(found.properties.get("hubResourceId")))
    if hub is not None and found.body["id"] in (listed := hub.properties.get("associatedWorkspaces") or []):
        listed.remove(found.body["id"])
        call.world.save(hub)
    return _begin(call, found, {"remove": True})


def status(call: Call) -> Answer:
    """GET workspaceOperationsStatus. The address in Location (`type=location`) returns the workspace at the end."""
    row = long_running.read(call)
    running = row["state"] == "Updating"
    if call.query.get("type") == "location" and not row["error"]:
        found = call.world.get(row["target"])
        if running or found is None:
            return Answer(202 if running else 204, headers=long_running.polling_hint(call.world) if running else {})
        return Answer(200, found.body)
    body = {"status": "InProgress" if running else row["state"], "percentComplete": 0.0 if running else 100.0}
    if row["error"]:
        body["error"] = row["error"]
    return Answer(200, body, long_running.polling_hint(call.world) if running else {})


def _find(call: Call) -> Resource | None:
    names = call.route_params
    group = f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}"
    return call.world.get(f"{group}/providers/{workspaces.WORKSPACE}/{names['workspace']}")


def _create(call: Call, group: Resource, location: str, body: dict[str, Json]) -> Resource:
    name = call.route_params["workspace"]
    kind = fields.one_of(body, "kind", KINDS, "Default")
    identifier = f"{group.body['id']}/providers/{workspaces.WORKSPACE}/{name}"
    now, guid = timestamp(call.world.now()).replace("+00:00", "Z"), str(uuid.uuid4())
    requested = {**_requested(body), **_of_kind(call, group, identifier, kind, body)}
    if not requested.get("storageAccount"):
        raise user_error("A new workspace needs a 'storageAccount'.")
    system_data = {key: str(value).replace("+00:00", "Z") for key, value in call.system_data().items()}
    principal = str(uuid.uuid4())
    directory.add(call.world, principal, "ServicePrincipal", name, owner=identifier)
    created: dict[str, Any] = {
        "id": identifier, "name": name, "type": workspaces.WORKSPACE, "location": location,
        "tags": fields.texts(body, "tags"), "etag": None,
        "properties": workspaces.properties(identifier, location, guid, TENANT, now, requested),
        "identity": {"type": "SystemAssigned", "principalId": principal, "tenantId": TENANT}, "kind": kind,
        "sku": {"name": "Basic", "tier": "Basic"}, "systemData": system_data,
    }  # fmt: skip
    created["properties"]["provisioningState"] = "Creating"
    workspace = Resource(identifier, "workspace", group.id, name, location, created, {})
    call.world.save(workspace)
    role_assignments.assign(
        call.world, group.body["id"], principal, "ServicePrincipal", AI_ADMINISTRATOR, str(uuid.uuid4()), by=""
    )
    datastores.add_default(call.world, workspace, guid, timestamp(call.world.now()))
    return workspace


def _requested(body: dict[str, Json]) -> dict[str, Json]:
    properties = fields.mapping(body, "properties")
    for key in _LINKED:
        linked = fields.text(properties, key)
        if linked is not None and not _ID.fullmatch(linked):
            raise user_error(f"The value '{linked}' of '{key}' is not the id of a resource.")
    return {key: value for key, value in properties.items() if value is not None and key not in _OF_THE_SERVICE}


def _of_kind(call: Call, group: Resource, identifier: str, kind: str, body: dict[str, Json]) -> dict[str, Json]:
    """The properties that only a hub or a project has (recorded); a new project is listed in its hub."""
    if kind == "Hub":
        own = {"associatedWorkspaces": [], "enableDataIsolation": True}
        config = fields.mapping(fields.mapping(body, "properties"), "workspaceHubConfig")
        return {**own, "workspaceHubConfig": {"defaultWorkspaceResourceGroup": group.body["id"], **config}}
    if kind != "Project":
        return {}
    name = fields.text(fields.mapping(body, "properties"), "hubResourceId") or ""
    hub = call.world.get(name)
    if hub is None or hub.body.get("kind") != "Hub":
        raise user_error(f"The hub '{name}' of a project was not found. Name one in 'hubResourceId'.")
    hub.properties["associatedWorkspaces"].append(identifier)
    call.world.save(hub)
    shared = {key: hub.properties[key] for key in _OF_THE_HUB}
    return {**shared, "allowRoleAssignmentOnRG": False, "enableDataIsolation": True}


def _change(call: Call, workspace: Resource, body: dict[str, Json]) -> None:
    workspace.properties.update(_requested(body), provisioningState="Updating")
    changed = call.system_data(workspace)
    workspace.body["systemData"] = {key: str(value).replace("+00:00", "Z") for key, value in changed.items()}


def _begin(call: Call, workspace: Resource, effect: dict[str, Any]) -> Answer:
    seconds = call.world.timing.workspace
    operation = long_running.begin(call.world, long_running.WORKSPACE, workspace, seconds, effect)
    call.world.save(workspace)
    address, signed = long_running.url(call, operation, workspace.location, STATUS), long_running.signature(call.world)
    headers = {"Location": f"{address}&type=location{signed}", "Azure-AsyncOperation": f"{address}&type=async{signed}"}
    return Answer(202, headers=headers | long_running.polling_hint(call.world))
