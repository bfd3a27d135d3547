"""What stands already when a world begins: endpoints and deployments, made as a caller would make them, in no time."""

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


def deploy(world: World, places: list[Workspace], wanted: list[Endpoint]) -> None:
    """Make endpoints and deployments. Must run inside a transaction.

    Raises:
        Misfit: Azure would refuse one of them; its words, and the way to it.
    """
    timing, world.timing = world.timing, INSTANT
    try:
        for at, endpoint in enumerate(wanted):
            _endpoint(world, places, endpoint, ("endpoints", at))
    finally:
        world.timing = timing


def _endpoint(world: World, places: list[Workspace], wanted: Endpoint, key_path: KeyPath) -> None:
    place = next((p for p in places if wanted.workspace in (None, p.name)), None)
    if place is None:
        raise InvalidValue([((*key_path, "workspace"), f"there is no workspace '{wanted.workspace}' in this world.")])
    path = {
        "subscription": place.subscription, "group": place.resource_group, "workspace": place.name,
        "endpoint": wanted.name,
    }  # fmt: skip
    call = _call(world, path)
    body = _endpoint_body(wanted, place) | _identity(world, wanted, key_path)
    _put(call, endpoints, body, key_path)
    for at, deployment in enumerate(wanted.deployments):
        inner = replace(call, path={**path, "deployment": deployment.name})
        _put(inner, deployments, _deployment_body(deployment, place), (*key_path, "deployments", at))
    if wanted.traffic:
        body["properties"]["traffic"] = wanted.traffic
        _put(call, endpoints, body, (*key_path, "traffic"))


def _put(call: Call, room: Any, body: dict[str, Any], key_path: KeyPath) -> None:
    try:
        answer: Answer = room.put(replace(call, raw=json.dumps(body).encode()))
    except Refusal as refusal:
        error = refusal.answer.body["error"]
        words = " ".join([error["message"], *(inner["message"] for inner in error.get("details", []))])
        raise InvalidValue([(key_path, words)]) from None
    call.world.settle()
    made = call.world.get(answer.body["id"])
    if made is None or made.state != "Succeeded":
        raise InvalidValue([(key_path, _reason(call.world, answer.body["id"]))])


def _reason(world: World, identifier: str) -> str:
    row = world.db.execute(
        "SELECT error FROM operations WHERE target = ? ORDER BY started DESC, rowid DESC", (identifier.lower(),)
    ).fetchone()
    return str(json.loads(row[0])["message"]) if row and row[0] else "It did not come to stand."


def _call(world: World, path: dict[str, str]) -> Call:
    caller = Caller(SIGNED_IN, SIGNED_IN_NAME)
    query = {"api-version": "2023-04-01-preview"}
    return Call(world, Tokens(Path()), path, query, {}, b"", "", "", "", caller, Rights(world))


def _endpoint_body(wanted: Endpoint, place: Workspace) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "authMode": _MODES[wanted.auth_mode], "description": wanted.description, "traffic": {},
        "properties": wanted.properties,
    }  # fmt: skip
    return {
        "location": place.region, "identity": {"type": "SystemAssigned"}, "tags": wanted.tags, "properties": properties,
    }  # fmt: skip


def _identity(world: World, wanted: Endpoint, key_path: KeyPath) -> dict[str, Any]:
    if wanted.identity is None:
        return {}
    row = world.db.execute(
        "SELECT body FROM resources WHERE kind = 'identity' AND (name = ? OR id = ?)", (wanted.identity.lower(),) * 2
    ).fetchone()
    if row is None:
        raise InvalidValue(
            [((*key_path, "identity"), f"there is no identity '{wanted.identity}'. Name it under identities.")]
        )
    named: dict[str, Any] = {json.loads(row[0])["id"]: {}}
    return {"identity": {"type": "UserAssigned", "userAssignedIdentities": named}}


def _deployment_body(wanted: Deployment, place: Workspace) -> dict[str, Any]:
    properties = {
        "model": wanted.model, "environmentId": wanted.environment, "instanceType": wanted.instance_type,
        "environmentVariables": wanted.environment_variables, "properties": wanted.properties,
    }  # fmt: skip
    sku = {"name": "Default", "capacity": wanted.instance_count}
    return {"location": place.region, "tags": wanted.tags, "properties": properties, "sku": sku}
