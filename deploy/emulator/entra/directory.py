"""The directory: users, groups, service principals, managed identities, and their applications.

Azure's directory is changed through Microsoft Graph, this one through `/emulator/principals`. Only digests of secrets
are stored.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error
from deploy.emulator.world.store import World, dump

KINDS = ("User", "Group", "ServicePrincipal")
EXCHANGE = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Principal:
    """An entry of the directory: object id, kind, name, and a service principal's application id (else "")."""

    id: str
    kind: str
    name: str
    client: str = ""


def add(world: World, identifier: str, kind: str, name: str, owner: str = "", client: str = "") -> None:
    """Add a principal. It is deleted with its `owner` (a resource id); `client` is its application id for sign-in."""
    world.db.execute("INSERT OR IGNORE INTO principals VALUES (?, ?, ?, ?)", (identifier, kind, name, owner.lower()))
    if client:
        world.db.execute(
            "INSERT OR IGNORE INTO applications VALUES (?, ?, ?)",
            (client.lower(), identifier, dump({"secrets": [], "federatedCredentials": []})),
        )


def find(world: World, identifier: str) -> Principal | None:
    """The principal with this object id or application id."""
    row = world.db.execute(_SELECT + " WHERE p.id = ? OR a.id = ?", (identifier.lower(),) * 2).fetchone()
    return Principal(row[0], row[1], row[2], row[3] or "") if row else None


def application(world: World, client: str) -> tuple[Principal, dict[str, Json]] | None:
    """An application's principal and credentials: `secrets` (digests) and `federatedCredentials`."""
    row = world.db.execute(
        "SELECT p.id, p.kind, p.name, a.id, a.body FROM applications a JOIN principals p ON p.id = a.principal"
        " WHERE a.id = ?",
        (client.lower(),),
    ).fetchone()
    return (Principal(*row[:4]), json.loads(row[4])) if row else None


def digest(secret: str) -> str:
    """The digest of a secret, as it is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def listing(call: Call) -> Answer:
    """GET /emulator/principals: all principals, without secrets."""
    rows = call.world.db.execute(_SELECT + " ORDER BY p.rowid").fetchall()
    return Answer(200, {"value": [_show(call.world, Principal(i, k, n, c or "")) for i, k, n, c in rows]})


def put(call: Call) -> Answer:
    """PUT /emulator/principals/{id}: `kind`, `name`; groups have `members`; service principals `appId`, `secrets`
    ([{secretText, endDateTime?}]) and `federatedCredentials` ([{name, issuer, subject, audiences}])."""
    world, body, identifier = call.world, call.object(), _guid(call.route_params["name"])
    kind = fields.one_of(body, "kind", KINDS, "ServicePrincipal")
    name = fields.text(body, "name") or identifier
    _remove(world, identifier)
    world.db.execute("INSERT INTO principals VALUES (?, ?, ?, '')", (identifier, kind, name))
    for member in _list(body, "members") if kind == "Group" else []:
        world.db.execute("INSERT OR IGNORE INTO memberships VALUES (?, ?)", (identifier, _guid(member)))
    client = ""
    if kind == "ServicePrincipal":
        client = _guid(fields.text(body, "appId") or str(uuid.uuid5(uuid.NAMESPACE_URL, identifier)))
        if world.db.execute("SELECT 1 FROM applications WHERE id = ?", (client,)).fetchone():
            raise arm_error(409, "ObjectConflict", f"Another principal has the application id {client}.")
        secrets = [_secret(item) for item in _list(body, "secrets")]
        federated = [_federated(item) for item in _list(body, "federatedCredentials")]
        stored = dump({"secrets": secrets, "federatedCredentials": federated})
        world.db.execute("INSERT INTO applications VALUES (?, ?, ?)", (client, identifier, stored))
    return Answer(200, _show(world, Principal(identifier, kind, name, client)))


def delete(call: Call) -> Answer:
    """DELETE /emulator/principals/{id}: 200, or 204 when absent. Role assignments stay as orphans, as on Azure."""
    if find(call.world, call.route_params["name"]) is None:
        return Answer(204)
    _remove(call.world, _guid(call.route_params["name"]))
    return Answer(200)


def _remove(world: World, identifier: str) -> None:
    for sql in (
        "DELETE FROM principals WHERE id = ?", "DELETE FROM applications WHERE principal = ?",
        "DELETE FROM memberships WHERE group_id = ?",
    ):  # fmt: skip
        world.db.execute(sql, (identifier,))


def _show(world: World, principal: Principal) -> dict[str, Json]:
    shown: dict[str, Any] = {"id": principal.id, "kind": principal.kind, "name": principal.name}
    if principal.kind == "Group":
        rows = world.db.execute("SELECT member FROM memberships WHERE group_id = ? ORDER BY member", (principal.id,))
        shown["members"] = [row[0] for row in rows]
    if principal.client:
        row = world.db.execute("SELECT body FROM applications WHERE id = ?", (principal.client,)).fetchone()
        shown |= {"appId": principal.client, "federatedCredentials": json.loads(row[0])["federatedCredentials"]}
    return shown


def _secret(item: Json) -> dict[str, Json]:
    text = fields.text(item, "secretText") if isinstance(item, dict) else None
    if not text:
        raise arm_error(400, "Request_BadRequest", "A secret is an object with a 'secretText'.")
    return {"digest": digest(text), "endDateTime": fields.text(item, "endDateTime")}


def _federated(item: Json) -> dict[str, Json]:
    if not isinstance(item, dict) or not (fields.text(item, "issuer") and fields.text(item, "subject")):
        raise arm_error(400, "Request_BadRequest", "A federated credential needs an 'issuer' and a 'subject'.")
    audiences = _list(item, "audiences") or [EXCHANGE]
    return {"name": item.get("name"), "issuer": item["issuer"], "subject": item["subject"], "audiences": audiences}


def _list(body: dict[str, Json], key: str) -> list[Json]:
    value = body.get(key) or []
    if not isinstance(value, list):
        raise arm_error(400, "Request_BadRequest", f"The field '{key}' must be a list.")
    return value


def _guid(value: Json) -> str:
    try:
        return str(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise arm_error(400, "Request_BadRequest", f"Invalid object identifier '{value}'.") from None


_SELECT = "SELECT p.id, p.kind, p.name, a.id FROM principals p LEFT JOIN applications a ON a.principal = p.id"
