"""Role definitions, built-in and custom, and the caller's permissions at a scope.

Custom roles take effect at once. `assignableScopes` are stored, not enforced.
"""

from __future__ import annotations

import json
import re
from typing import Any

from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, arm_error, timestamp
from deploy.emulator.world.store import World, dump

TYPE = "Microsoft.Authorization/roleDefinitions"
BLOCK = ("actions", "notActions", "dataActions", "notDataActions")


def get(call: Call) -> Answer:
    """GET one role definition."""
    found = _find(call.world, call.route_params["name"])
    if found is None:
        raise _missing(call.route_params["name"])
    return Answer(200, found)


def listing(call: Call) -> Answer:
    """GET role definitions; the filters are `roleName eq '...'` and `type eq '...'`."""
    filter_text = call.query.get("$filter", "")
    name = re.search(r"roleName\s+eq\s+'([^']*)'", filter_text, re.IGNORECASE)
    kind = re.search(r"type\s+eq\s+'([^']*)'", filter_text, re.IGNORECASE)
    rows = call.world.db.execute("SELECT body FROM role_definitions ORDER BY name")
    found = [json.loads(row[0]) for row in rows]
    for key, match in (("roleName", name), ("type", kind)):
        if match is not None:
            found = [item for item in found if item["properties"][key].lower() == match[1].lower()]
    return Answer(200, {"value": found})


def put(call: Call) -> Answer:
    """PUT a custom role: 201, also when it replaces one. Built-in roles cannot be changed."""
    name, scope = call.route_params["name"].lower(), "/" + call.route_params["scope"].strip("/")
    old = _find(call.world, name)
    if old is not None and old["properties"]["type"] != "CustomRole":
        raise arm_error(
            400, "RoleDefinitionUpdateNotPermitted", f"The built-in role '{old['properties']['roleName']}' is fixed."
        )
    requested = fields.mapping(call.object(), "properties")
    title = fields.text(requested, "roleName")
    if not title:
        raise arm_error(400, "RoleDefinitionNameNullOrEmpty", "Role definition name cannot be null or empty.")
    same = call.world.db.execute("SELECT id FROM role_definitions WHERE lower(name) = ?", (title.lower(),)).fetchone()
    if same is not None and same[0] != name:
        raise arm_error(
            409, "RoleDefinitionWithSameNameExists", f"A role definition cannot be updated with the name {title}: "
            "a role with the same name exists already in this directory.",
        )  # fmt: skip
    now = timestamp(call.world.now())
    created = old["properties"] if old else {"createdOn": now, "createdBy": call.caller.id}
    body: dict[str, Any] = {
        "id": f"{scope.rstrip('/')}/providers/{TYPE}/{name}", "type": TYPE, "name": name,
        "properties": {
            "roleName": title, "type": "CustomRole", "description": fields.text(requested, "description", ""),
            "assignableScopes": requested.get("assignableScopes") or [scope], "permissions": _blocks(requested),
            "createdOn": created["createdOn"], "createdBy": created["createdBy"],
            "updatedOn": now, "updatedBy": call.caller.id,
        },
    }  # fmt: skip
    call.world.db.execute("INSERT OR REPLACE INTO role_definitions VALUES (?, ?, ?)", (name, title, dump(body)))
    return Answer(201, body)


def delete(call: Call) -> Answer:
    """DELETE a custom role: 200 with its body, 204 when absent; refused while it is assigned."""
    name = call.route_params["name"].lower()
    found = _find(call.world, name)
    if found is None:
        return Answer(204)
    if call.world.db.execute("SELECT 1 FROM role_assignments WHERE role = ?", (name,)).fetchone():
        raise arm_error(
            400, "RoleDefinitionHasAssignments", f"There are existing role assignments referencing role '{name}'."
        )
    if found["properties"]["type"] != "CustomRole":
        raise arm_error(400, "RoleDefinitionDeleteNotPermitted", "A built-in role cannot be deleted.")
    call.world.db.execute("DELETE FROM role_definitions WHERE id = ?", (name,))
    return Answer(200, found)


def permissions(call: Call) -> Answer:
    """GET the caller's permissions at a scope: one block for each role in effect, from this scope or above."""
    scope = "/" + call.route_params.get("scope", "").strip("/")
    permission_blocks = call.rights.permission_blocks(call.caller.id, scope)
    return Answer(200, {"value": [{key: block.get(key, []) for key in BLOCK} for block in permission_blocks]})


def require(world: World, identifier: str) -> str:
    """The GUID of the role that an id names; 404 when there is none."""
    role = identifier.rstrip("/").rpartition("/")[2].lower()
    if _find(world, role) is None:
        raise _missing(role)
    return role


def _find(world: World, name: str) -> Any:
    row = world.db.execute("SELECT body FROM role_definitions WHERE id = ?", (name.lower(),)).fetchone()
    return json.loads(row[0]) if row else None


def _blocks(requested: dict[str, Json]) -> list[dict[str, Json]]:
    permission_blocks = requested.get("permissions") or []
    good = isinstance(permission_blocks, list) and all(
        isinstance(block, dict)
        and all(isinstance(item, str) for key in BLOCK for item in _list(block.get(key)))
        and all(isinstance(block.get(key) or [], list) for key in BLOCK)
        for block in permission_blocks
    )
    if not good:
        raise arm_error(400, "InvalidRequestContent", "The field 'permissions' must contain lists of actions.")
    return [{key: block.get(key) or [] for key in BLOCK} for block in permission_blocks]


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _missing(role: str) -> Refusal:
    return arm_error(
        404,
        "RoleDefinitionDoesNotExist",
        f"The specified role definition with ID '{role.replace('-', '')}' does not exist.",
    )
