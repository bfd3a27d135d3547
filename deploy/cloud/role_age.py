"""Whether a refusal of access can end by itself: the role assignment that it needs is new.

Azure documents that a new role assignment takes up to ten minutes to take effect. A refusal without such an assignment
stays, so a retry would only cost time on paid machines.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deploy.cloud import endpoints, role_assignments, whoami
from deploy.cloud.connect import Cloud
from deploy.domain.arm import Json
from deploy.errors import CloudError, DeployError

EFFECTIVE_AFTER = timedelta(minutes=10)
_REGISTRY = frozenset({"AcrPull", "AcrPush", "Contributor", "Owner"})
_STORAGE = frozenset({"Storage Blob Data Reader", "Storage Blob Data Contributor", "Storage Blob Data Owner"})
_NEEDED = {"AML346": _REGISTRY, "AML344": _REGISTRY | _STORAGE, "AML342": frozenset(role_assignments.BUILT_IN)}
"""Error of a deployment -> the built-in roles of the endpoint's identity that can help; any other role may help, too.
Every other error is about the roles of the caller.
"""


def may_take_effect(cloud: Cloud, endpoint: str, error: CloudError, *, planned: bool) -> bool:
    """Whether a role assignment that may end the refusal is younger than ten minutes, by the service's time.

    `planned`: the plan creates one; it counts where the assignments cannot be read.
    """
    try:
        rows = _rows(cloud, endpoint, error.code)
    except DeployError:
        rows = None
    if rows is None:
        return planned
    return any(_is_new(cloud, row) and _may_help(row, error.code) for row in rows)


def _rows(cloud: Cloud, endpoint: str, code: str) -> list[Json] | None:
    """The role assignments of the principal that was refused; None if they cannot be read."""
    if code not in _NEEDED:
        return role_assignments.held_by(cloud, whoami.signed_in(cloud).object_id, groups=True)
    block = (endpoints.read_endpoint(cloud, endpoint) or {}).get("identity") or {}
    users = [(each or {}).get("principalId") for each in (block.get("userAssignedIdentities") or {}).values()]
    found: list[Json] = []
    for principal in filter(None, (block.get("principalId"), *users)):
        rows = role_assignments.held_by(cloud, str(principal))
        if rows is None:
            return None
        found += rows
    return found


def _is_new(cloud: Cloud, row: Json) -> bool:
    try:
        created = datetime.fromisoformat(str(row["properties"].get("createdOn")))
    except ValueError:
        return False
    return cloud.now() - (created if created.tzinfo else created.replace(tzinfo=UTC)) < EFFECTIVE_AFTER


def _may_help(row: Json, code: str) -> bool:
    role = role_assignments.role_name(str(row["properties"]["roleDefinitionId"]))
    return code not in _NEEDED or role in _NEEDED[code] or role not in role_assignments.BUILT_IN
