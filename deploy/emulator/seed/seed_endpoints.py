"""Create the endpoints and deployments of a world file.

It calls the handlers that answer PUT requests, with the profile `instant`: every operation ends at once.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.emulator.entra.access_tokens import SIGNED_IN, SIGNED_IN_NAME, Tokens
from deploy.emulator.online import deployments, endpoints
from deploy.emulator.rbac.rights import Rights
from deploy.emulator.seed.schema import Deployment, Endpoint, Workspace
from deploy.emulator.wire.call import Call, Caller
from deploy.emulator.wire.responses import Answer, Refusal
from deploy.emulator.world.parse import InvalidValue, KeyPath
from deploy.emulator.world.store import World
from deploy.emulator.world.timing import INSTANT

_MODES = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}


def deploy(world: World, workspaces: list[Workspace], spec: list[Endpoint]) -> None:
    """Create endpoints and deployments. Must run inside a transaction.

    Raises:
        InvalidValue: Azure would refuse one of them; with its message and key path.
    """
    timing, world.timing = world.timing, INSTANT
    try:
        for at, endpoint in enumerate(spec):
            _endpoint(world, workspaces, endpoint, ("endpoints", at))
    finally:
        world.timing = timing


def _endpoint(world: World, workspaces: list[Workspace], spec: Endpoint, key_path: KeyPath) -> None:
    workspace = next((p for p in workspaces if spec.workspace in (None, p.name)), None)
    if workspace is None:
        raise InvalidValue([((*key_path, "workspace"), f"there is no workspace '{spec.workspace}' in this world.")])
    route_params = {
        "subscription": workspace.subscription, "group": workspace.resource_group, "workspace": workspace.name,
        "endpoint": spec.name,
    }  # fmt: skip
    call = _call(world, route_params)
    body = _endpoint_body(spec, workspace) | _identity(world, spec, key_path)
    _put(call, endpoints, body, key_path)
    for at, deployment in enumerate(spec.deployments):
        inner = replace(call, route_params={**route_params, "deployment": deployment.name})
        _put(inner, deployments, _deployment_body(deployment, workspace), (*key_path, "deployments", at))
    if spec.traffic:
        body["properties"]["traffic"] = spec.traffic
        _put(call, endpoints, body, (*key_path, "traffic"))


def _put(call: Call, handlers: Any, body: dict[str, Any], key_path: KeyPath) -> None:
    try:
        answer: Answer = handlers.put(replace(call, raw=json.dumps(body).encode()))
    except Refusal as refusal:
        error = refusal.answer.body["error"]
        message = " ".join([error["message"], *(inner["message"] for inner in error.get("details", []))])
        raise InvalidValue([(key_path, message)]) from None
    call.world.apply_due()
    created = call.world.get(answer.body["id"])
    if created is None or created.state != "Succeeded":
        raise InvalidValue([(key_path, _reason(call.world, answer.body["id"]))])


def _reason(world: World, identifier: str) -> str:
    row = world.db.execute(
        "SELECT error FROM operations WHERE target = ? ORDER BY started DESC, rowid DESC", (identifier.lower(),)
    ).fetchone()
    return str(json.loads(row[0])["message"]) if row and row[0] else "It did not reach Succeeded."


def _call(world: World, route_params: dict[str, str]) -> Call:
    caller = Caller(SIGNED_IN, SIGNED_IN_NAME)
    query = {"api-version": "2023-04-01-preview"}
    return Call(world, Tokens(Path()), route_params, query, {}, b"", "", "", "", caller, Rights(world))


def _endpoint_body(spec: Endpoint, workspace: Workspace) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "authMode": _MODES[spec.auth_mode], "description": spec.description, "traffic": {},
        "properties": spec.properties, "publicNetworkAccess": spec.public_network_access,
    }  # fmt: skip
    return {
        "location": workspace.region, "identity": {"type": "SystemAssigned"}, "tags": spec.tags,
        "properties": properties,
    }  # fmt: skip


def _identity(world: World, spec: Endpoint, key_path: KeyPath) -> dict[str, Any]:
    if spec.identity is None:
        return {}
    row = world.db.execute(
        "SELECT body FROM resources WHERE kind = 'identity' AND (name = ? OR id = ?)", (spec.identity.lower(),) * 2
    ).fetchone()
    if row is None:
        raise InvalidValue(
            [((*key_path, "identity"), f"there is no identity '{spec.identity}'. Name it under identities.")]
        )
    named: dict[str, Any] = {json.loads(row[0])["id"]: {}}
    return {"identity": {"type": "UserAssigned", "userAssignedIdentities": named}}


def _deployment_body(spec: Deployment, workspace: Workspace) -> dict[str, Any]:
    properties = {
        "model": spec.model, "environmentId": spec.environment, "instanceType": spec.instance_type,
        "environmentVariables": spec.environment_variables, "properties": spec.properties,
    }  # fmt: skip
    sku = {"name": "Default", "capacity": spec.instance_count}
    return {"location": workspace.region, "tags": spec.tags, "properties": properties, "sku": sku}
