"""The identity of an endpoint. It is set at creation and cannot change."""

from __future__ import annotations

import uuid

from deploy.emulator.entra import directory
from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.online import required_access
from deploy.emulator.rbac import role_assignments
from deploy.emulator.rbac.builtin_roles import ACR_PULL, BLOB_READER, METRICS_WRITER, SECRETS_READER
from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Json, user_error
from deploy.emulator.workspace import user_identities
from deploy.emulator.world.store import Resource, World

KINDS = ("SystemAssigned", "UserAssigned", "None")


def new_identity(
    call: Call, owner: str, workspace: Resource, requested: dict[str, Json], user_properties: dict[str, str]
) -> dict[str, Json]:
    """The identity block of a new endpoint with the id `owner`.

    A system-assigned identity gets three roles at once, and a fourth when access to the secret stores is enforced. A
    user-assigned one gets none.
    """
    world, kind = call.world, fields.one_of(requested, "type", KINDS, "SystemAssigned")
    required_access.require_secret_store_access(call, workspace, user_properties, kind)
    if kind == "None":
        return {"type": "None"}
    if kind == "UserAssigned":
        return _user_identity(world, owner, requested)
    principal, name = str(uuid.uuid4()), owner.rpartition("/")[2]
    directory.add(world, principal, "ServicePrincipal", f"{workspace.body['name']}/onlineEndpoints/{name}", owner)
    properties = workspace.properties
    assignments = [(properties["storageAccount"], BLOB_READER), (workspace.body["id"], METRICS_WRITER)]
    if registry := properties.get("containerRegistry"):  # a new workspace has none
        assignments.append((registry, ACR_PULL))
    if required_access.enforces_secret_access(user_properties):
        assignments.append((workspace.body["id"], SECRETS_READER))
    for scope, role in assignments:
        role_assignments.assign(world, scope, principal, "ServicePrincipal", role, str(uuid.uuid4()), by="")
    return {"type": "SystemAssigned", "principalId": principal, "tenantId": TENANT}


def same_identity(current: dict[str, Json], requested: dict[str, Json]) -> None:
    """Refuse a change: an endpoint keeps the identity it was created with."""
    kind = fields.one_of(requested, "type", KINDS, current["type"])
    users = {key.lower() for key in fields.mapping(requested, "userAssignedIdentities")}
    existing = {key.lower() for key in current.get("userAssignedIdentities", {})}
    if kind != current["type"] or (kind == "UserAssigned" and users != existing):
        raise user_error("The identity of an endpoint cannot be changed after its creation.")


def _user_identity(world: World, owner: str, requested: dict[str, Json]) -> dict[str, Json]:
    named = fields.mapping(requested, "userAssignedIdentities")
    if not named:
        raise user_error("An identity of type UserAssigned needs at least one entry in userAssignedIdentities.")
    required_access.require_identities(world, named, owner)
    users: dict[str, Json] = {}
    for identifier in named:
        found = user_identities.find(world, identifier)
        if found is not None:
            users[identifier] = {key: found.properties[key] for key in ("principalId", "clientId")}
    return {"type": "UserAssigned", "userAssignedIdentities": users}
