"""The identity an endpoint is born with, keeps, and takes with it."""

from __future__ import annotations

import uuid

from deploy.emulator import access, directory, shapes
from deploy.emulator.identity import TENANT
from deploy.emulator.roles import ACR_PULL, BLOB_READER, METRICS_WRITER
from deploy.emulator.wire import Json, user_error
from deploy.emulator.world import Resource, World


def new_identity(
    world: World, owner: str, name: str, workspace: Resource, wanted: dict[str, Json]
) -> dict[str, Json] | None:
    """The identity block of a new endpoint. A system identity gets its three roles at once; a user identity none."""
    kind = shapes.one_of(wanted, "type", ("SystemAssigned", "UserAssigned", "None"), "SystemAssigned")
    if kind == "None":
        return {"type": "None"}
    if kind == "UserAssigned":
        return _user_identity(world, wanted)
    principal = str(uuid.uuid4())
    directory.add(world, principal, "ServicePrincipal", f"{workspace.body['name']}/onlineEndpoints/{name}", owner)
    properties = workspace.properties
    for scope, role in (
        (properties["containerRegistry"], ACR_PULL),
        (properties["storageAccount"], BLOB_READER),
        (workspace.body["id"], METRICS_WRITER),
    ):
        access.assign(world, scope, principal, "ServicePrincipal", role, str(uuid.uuid4()), by="")
    return {"type": "SystemAssigned", "principalId": principal, "tenantId": TENANT}


def same_identity(current: dict[str, Json], wanted: dict[str, Json]) -> None:
    """Refuse a change: an endpoint keeps the identity it was created with."""
    kind = shapes.one_of(wanted, "type", ("SystemAssigned", "UserAssigned", "None"), current["type"])
    users = {key.lower() for key in shapes.mapping(wanted, "userAssignedIdentities")}
    held = {key.lower() for key in current.get("userAssignedIdentities", {})}
    if kind != current["type"] or (kind == "UserAssigned" and users != held):
        raise user_error("The identity of an endpoint cannot be changed after its creation.")


def _user_identity(world: World, wanted: dict[str, Json]) -> dict[str, Json]:
    users: dict[str, Json] = {}
    for identifier in shapes.mapping(wanted, "userAssignedIdentities"):
        principal = str(uuid.uuid5(uuid.NAMESPACE_URL, identifier.lower()))
        client = str(uuid.uuid5(uuid.NAMESPACE_URL, principal))
        directory.add(world, principal, "ServicePrincipal", identifier.rpartition("/")[2], client=client)
        users[identifier] = {"principalId": principal, "clientId": client}
    if not users:
        raise user_error("An identity of type UserAssigned needs at least one entry in userAssignedIdentities.")
    return {"type": "UserAssigned", "userAssignedIdentities": users}
