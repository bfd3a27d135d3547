"""Role assignments: create, read, list, delete. `rights` evaluates them.

As on Azure, an assignment outlives its principal and is listed unchanged; the portal shows it as "Identity not found".
"""

from __future__ import annotations

import json
import re
from typing import Any

from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.rbac import role_definitions
from deploy.emulator.rbac.rights import within
from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error, timestamp
from deploy.emulator.world.store import World, dump

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
PRINCIPAL_KINDS = ("User", "Group", "ServicePrincipal", "ForeignGroup", "Device")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def assign(
    world: World, scope: str, principal: str, kind: str, role: str, name: str, by: str, description: str | None = None
) -> dict[str, Json]:
    """Write one role assignment; returns its body as in the answer of a PUT (`createdBy` null)."""
    subscription = scope.split("/")[2]
    now = timestamp(world.now())
    body: dict[str, Any] = {
        "properties": {
            "roleDefinitionId": f"/subscriptions/{subscription}/providers/{role_definitions.TYPE}/{role}",
            "principalId": principal, "principalType": kind, "scope": scope,
            "condition": None, "conditionVersion": None,
            "createdOn": now, "updatedOn": now, "createdBy": by, "updatedBy": by,
            "delegatedManagedIdentityResourceId": None, "description": description,
        },
        "id": f"{scope}/providers/{ASSIGNMENT}/{name}", "type": ASSIGNMENT, "name": name,
    }  # fmt: skip
    world.db.execute(
        "INSERT OR REPLACE INTO role_assignments VALUES (?, ?, ?, ?, ?, ?)",
        (body["id"].lower(), name.lower(), scope.lower(), principal, role, dump(body)),
    )
    return {**body, "properties": {**body["properties"], "createdBy": None}}


def put(call: Call) -> Answer:
    """PUT a role assignment: 201; 200 for the same one again; 409 RoleAssignmentExists under another name."""
    scope, name = _scope(call), call.route_params["name"]
    if not _GUID.fullmatch(name):
        raise arm_error(
            400,
            "InvalidRoleAssignmentId",
            f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
        )
    _require_scope(call, scope)
    properties = fields.mapping(call.object(), "properties")
    principal, role = fields.text(properties, "principalId"), fields.text(properties, "roleDefinitionId")
    if principal is None or role is None or not _GUID.fullmatch(principal):
        raise arm_error(400, "BadRequestFormat", "The request was incorrectly formatted.")
    role = role_definitions.require(call.world, role)
    kind = _principal_kind(call, principal, fields.text(properties, "principalType"))
    key = (scope.lower(), principal.lower(), role)
    same = call.world.db.execute(
        "SELECT name, body FROM role_assignments WHERE scope = ? AND principal = ? AND role = ?", key
    ).fetchone()
    if same is not None:
        return _update_description(call, same, name, fields.text(properties, "description"))
    if call.world.db.execute("SELECT 1 FROM role_assignments WHERE name = ?", (name.lower(),)).fetchone():
        raise arm_error(
            400, "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )  # fmt: skip
    return Answer(
        201,
        assign(
            call.world,
            scope,
            principal.lower(),
            kind,
            role,
            name,
            call.caller.id,
            fields.text(properties, "description"),
        ),
    )


def get(call: Call) -> Answer:
    """GET one role assignment."""
    row = _find(call)
    if row is None:
        raise arm_error(
            404, "RoleAssignmentNotFound", f"The role assignment '{call.route_params['name']}' is not found."
        )
    return Answer(200, json.loads(row))


def delete(call: Call) -> Answer:
    """DELETE: 200 with the deleted body, 204 when absent."""
    row = _find(call)
    if row is None:
        return Answer(204)
    call.world.db.execute("DELETE FROM role_assignments WHERE id = ?", (json.loads(row)["id"].lower(),))
    return Answer(200, json.loads(row))


def listing(call: Call) -> Answer:
    """GET role assignments at, above and below a scope. `atScope()` omits those below; `principalId eq` filters."""
    scope, filter_text = _scope(call).lower(), call.query.get("$filter", "")
    principal = re.search(r"principalId\s+eq\s+'([^']*)'|assignedTo\('([^']*)'\)", filter_text, re.IGNORECASE)
    if filter_text and principal is None and "atscope()" not in filter_text.lower():
        raise arm_error(
            400,
            "InvalidFilter",
            f"The filter '{filter_text}' is not supported. Use principalId eq, assignedTo() or atScope().",
        )
    sql, parameters = "SELECT scope, body FROM role_assignments", []
    if principal is not None:
        sql, parameters = sql + " WHERE principal = ?", [(principal[1] or principal[2]).lower()]
    rows = call.world.db.execute(sql + " ORDER BY rowid", parameters).fetchall()
    below = "atscope()" not in filter_text.lower()
    found = [
        json.loads(body)
        for assigned_scope, body in rows
        if within(scope, assigned_scope) or (below and within(assigned_scope, scope))
    ]
    return Answer(200, {"value": found})


def _scope(call: Call) -> str:
    return "/" + call.route_params.get("scope", "").strip("/")


def _require_scope(call: Call, scope: str) -> None:
    if call.world.get(scope) is None:
        raise arm_error(
            404,
            "ResourceNotFound",
            f"The scope '{scope}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )


def _principal_kind(call: Call, principal: str, requested: str | None) -> str:
    """The principal's type. For an unknown principal the request's type counts: that avoids the replication delay."""
    row = call.world.db.execute("SELECT kind FROM principals WHERE id = ?", (principal.lower(),)).fetchone()
    if requested is not None and requested not in PRINCIPAL_KINDS:
        raise arm_error(400, "InvalidPrincipalType", f"The principal type '{requested}' is not valid.")
    if row is None and requested is None:
        raise arm_error(
            400, "PrincipalNotFound",
            f"Principal {principal.replace('-', '')} does not exist in the directory {TENANT}. Check that you have "
            "the correct principal ID. If you are creating this principal and then immediately assigning a role, this "
            "error might be related to a replication delay. In this case, set the role assignment principalType "
            "property to a value, such as ServicePrincipal, User, or Group. See https://aka.ms/docs-principaltype",
        )  # fmt: skip
    if row is not None and requested is not None and row[0] != requested:
        raise arm_error(
            400, "UnmatchedPrincipalType",
            f"The PrincipalId '{principal.replace('-', '')}' has type '{row[0]}' , which is different from specified "
            f"PrinciaplType '{requested}'.",
        )  # fmt: skip
    return str(row[0] if row is not None else requested)


def _update_description(call: Call, same: tuple[str, str], name: str, description: str | None) -> Answer:
    """PUT of an assignment that exists: under the same name, only its description can change."""
    if same[0] != name.lower():
        raise arm_error(
            409, "RoleAssignmentExists",
            f"The role assignment already exists. "
            f"The ID of the existing role assignment is {same[0].replace('-', '')}.",
        )  # fmt: skip
    body = json.loads(same[1])
    if description is not None and description != body["properties"]["description"]:
        body["properties"] |= {"description": description, "updatedOn": timestamp(call.world.now())}
        call.world.db.execute(
            "UPDATE role_assignments SET body = ? WHERE id = ?", (dump(body), str(body["id"]).lower())
        )
    return Answer(200, body)


def _find(call: Call) -> str | None:
    identifier = f"{_scope(call)}/providers/{ASSIGNMENT}/{call.route_params['name']}".replace("//", "/")
    row = call.world.db.execute("SELECT body FROM role_assignments WHERE id = ?", (identifier.lower(),)).fetchone()
    return str(row[0]) if row else None
