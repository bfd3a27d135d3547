"""User-assigned identities: resources with a service principal in the directory."""

from __future__ import annotations

import uuid
from typing import Any

from deploy.emulator.entra import directory
from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, location_required, resource_not_found
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource, World

KIND = "identity"
TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"


def save(world: World, group: str, name: str, location: str, tags: dict[str, str]) -> Resource:
    """Store an identity in a resource group (an ARM id). The same identity id always has the same principal."""
    identifier = f"{group}/providers/{TYPE}/{name}"
    principal = str(uuid.uuid5(uuid.NAMESPACE_URL, identifier.lower()))
    client = str(uuid.uuid5(uuid.NAMESPACE_URL, principal))
    directory.add(world, principal, "ServicePrincipal", name, owner=identifier, client=client)
    body: dict[str, Any] = {
        "id": identifier, "name": name, "type": TYPE, "location": location, "tags": tags,
        "properties": {"tenantId": TENANT, "principalId": principal, "clientId": client},
    }  # fmt: skip
    created = Resource(identifier, KIND, group, name, location, body, {})
    world.save(created)
    return created


def find(world: World, identifier: str) -> Resource | None:
    """The identity that an ARM id names."""
    found = world.get(identifier.rstrip("/"))
    return found if found is not None and found.kind == KIND else None


def get(call: Call) -> Answer:
    """GET one identity."""
    workspaces.require_group(call)
    found = call.world.get(workspaces.id_in_group(call, TYPE))
    if found is None:
        raise resource_not_found(f"{TYPE}/{call.route_params['name']}", call.route_params["group"])
    return Answer(200, found.body)


def listing(call: Call) -> Answer:
    """GET the identities of a resource group, or of a subscription."""
    return workspaces.list_in_groups(call, KIND)


def put(call: Call) -> Answer:
    """PUT an identity: 201 when new, 200 when it replaces one."""
    group, body = workspaces.require_group(call), call.object()
    location = fields.text(body, "location")
    if not location:
        raise location_required()
    existed = call.world.get(workspaces.id_in_group(call, TYPE)) is not None
    region = location.replace(" ", "").lower()
    created = save(call.world, group.body["id"], call.route_params["name"], region, fields.texts(body, "tags"))
    return Answer(200 if existed else 201, created.body)


def delete(call: Call) -> Answer:
    """DELETE an identity: 200, or 204 when absent. Its role assignments stay as orphans, as on Azure."""
    workspaces.require_group(call)
    if call.world.get(workspaces.id_in_group(call, TYPE)) is None:
        return Answer(204)
    call.world.remove(workspaces.id_in_group(call, TYPE))
    return Answer(200)
