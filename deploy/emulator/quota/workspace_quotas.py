"""updateQuotas: the cores of each family that a workspace can use. `core_limits` enforces the limits.

The limit of a workspace is in the same table as that of its subscription, under the workspace's id.
"""

from __future__ import annotations

from deploy.emulator.quota import core_limits, vm_sizes
from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error
from deploy.emulator.workspace import workspaces

_TYPE = f"{workspaces.PROVIDER}/workspaces/dedicatedCores/quotas"


def update(call: Call) -> Answer:
    """POST updateQuotas: each row gets its own `status`; a limit of -1 removes the workspace's limit."""
    subscription, location = core_limits.require_region(call)
    rows = call.object().get("value") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise arm_error(400, "InvalidRequestContent", "The field 'value' must be a list of quotas.")
    return Answer(200, {"value": [_update_one(call, subscription, location, row) for row in rows]})


def _update_one(call: Call, subscription: str, location: str, row: dict[str, Json]) -> dict[str, Json]:
    identifier, limit = fields.text(row, "id") or "", fields.number(row, "limit", -1)
    scope, _, name = identifier.partition("/quotas/")
    status = _status_of(call, subscription, location, scope, name, limit)
    if status == "Success":
        core_limits.set_limit(
            call.world, scope, location, _family(name), limit if limit >= 0 else core_limits.UNLIMITED
        )
    return {"id": identifier, "type": row.get("type") or _TYPE, "limit": limit, "unit": "Count", "status": status}


def _status_of(call: Call, subscription: str, location: str, scope: str, name: str, limit: int) -> str:
    workspace = call.world.get(scope)
    if workspace is None or workspace.kind != "workspace" or workspace.location != location:
        return "Undefined"
    family = _family(name)
    if not family:
        return "InvalidVMFamilyName"
    if limit > core_limits.limits(call.world, subscription, location).get(family, 0):
        return "InvalidQuotaExceedsSubscriptionLimit"
    used = core_limits.used_in(call.world, workspace.id, family)
    return "InvalidQuotaBelowClusterMinimum" if 0 <= limit < used else "Success"


def _family(name: str) -> str:
    normalized = name.replace(" ", "").replace("_", "").lower()
    return next(
        (f.name for f in vm_sizes.FAMILIES if f.name.replace(" ", "").replace("_", "").lower() == normalized), ""
    )
