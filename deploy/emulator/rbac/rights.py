"""Permission checks from role assignments and role definitions.

A role at a scope applies to everything below it. As on Azure, a new assignment takes effect after a delay (setting
`role_assignment_delay_seconds`), a removal at once. Conditions of assignments are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from deploy.emulator.wire.responses import Json, Refusal, arm_error
from deploy.emulator.world import settings
from deploy.emulator.world.store import World

SUBSCRIPTION_READ = "Microsoft.Resources/subscriptions/read"
_HELD = """
WITH RECURSIVE mine(id) AS (VALUES (?) UNION SELECT group_id FROM memberships JOIN mine ON member = mine.id)
SELECT a.scope, a.body, a.role, d.body FROM role_assignments a JOIN role_definitions d ON d.id = a.role
WHERE a.principal IN (SELECT id FROM mine) ORDER BY a.rowid"""
"""The role assignments of a principal, direct or through groups, also nested ones."""


@dataclass(frozen=True)
class Permission:
    """One permission block of a role definition. A pattern of None matches nothing."""

    actions: re.Pattern[str] | None
    not_actions: re.Pattern[str] | None
    data_actions: re.Pattern[str] | None
    not_data_actions: re.Pattern[str] | None

    def allows(self, action: str, data: bool = False) -> bool:
        """Whether the block allows an action of the control plane, or with `data` one on the content of resources."""
        yes, no = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return yes is not None and bool(yes.fullmatch(action)) and not (no is not None and no.fullmatch(action))


@dataclass(frozen=True)
class Grant:
    """One assignment: scope in lower case, start of its effect (seconds since 1970), and its role's blocks."""

    scope: str
    since: float
    role: str
    permissions: tuple[Permission, ...]
    permission_blocks: tuple[Json, ...]

    def allows(self, action: str, data: bool) -> bool:
        """Whether the role allows the action, regardless of the scope."""
        return any(permission.allows(action, data) for permission in self.permissions)


def pattern(actions: Iterable[str]) -> re.Pattern[str] | None:
    """Actions with `*` for any text, as one pattern in any case; None for no actions.

    `a/*/read` also matches `a/read`: Azure's roles exclude `workspaces/write` where they include `workspaces/*/write`.
    """
    patterns = [re.sub(r"/\\\*(?=/)", "(?:/.*)?", re.escape(action)).replace(r"\*", ".*") for action in actions]
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL) if patterns else None


def permission(block: Json) -> Permission:
    """A block of a role definition as Azure writes it."""
    keys = ("actions", "notActions", "dataActions", "notDataActions")
    return Permission(*(pattern(block.get(key) or ()) for key in keys))


def within(inner: str, outer: str) -> bool:
    """Whether a scope is the other one or below it; both in lower case."""
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


class Rights:
    """Permission checks with a cache; it is read again when the world's roles, groups or settings have changed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._revision: int | None = None
        self._cache: dict[str, tuple[Grant, ...]] = {}

    def allows(self, principal: str, action: str, scope: str, data: bool = False) -> bool:
        """Whether a principal is allowed to do an action at a scope now."""
        now, low = self._world.now(), scope.lower()
        return any(
            grant.since <= now and within(low, grant.scope) and grant.allows(action, data)
            for grant in self.grants(principal)
        )

    def can_see(self, principal: str, action: str, scope: str) -> bool:
        """Whether a principal is allowed to do an action at a scope or anywhere below it now.

        Any role in a subscription is enough to see the subscription.
        """
        now, low, anything = self._world.now(), scope.lower(), action == SUBSCRIPTION_READ
        return self.allows(principal, action, scope) or any(
            grant.since <= now and within(grant.scope, low) and (anything or grant.allows(action, False))
            for grant in self.grants(principal)
        )

    def permission_blocks(self, principal: str, scope: str) -> list[Json]:
        """The permission blocks of a principal at a scope now."""
        now, low = self._world.now(), scope.lower()
        grants = [grant for grant in self.grants(principal) if grant.since <= now and within(low, grant.scope)]
        return [block for grant in grants for block in grant.permission_blocks]

    def grants(self, principal: str) -> tuple[Grant, ...]:
        """The assignments of a principal and of its groups, including those that are not in effect yet."""
        revision = int(self._world.db.execute("SELECT value FROM revision").fetchone()[0])
        if revision != self._revision:
            self._revision, self._cache = revision, {}
        if principal not in self._cache:
            self._cache[principal] = _grants(self._world, principal)
        return self._cache[principal]


def refusal(name: str, principal: str, action: str, scope: str) -> Refusal:
    """403 AuthorizationFailed; `name` is the application's id or the user's name."""
    return arm_error(
        403, "AuthorizationFailed",
        f"The client '{name}' with object id '{principal}' does not have authorization to perform action '{action}' "
        f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
    )  # fmt: skip


def _grants(world: World, principal: str) -> tuple[Grant, ...]:
    rows = world.db.execute(_HELD, (principal.lower(),)).fetchall()
    delay = settings.number(world, "role_assignment_delay_seconds")
    return tuple(_grant(scope, json.loads(body), role, json.loads(found), delay) for scope, body, role, found in rows)


def _grant(scope: str, assignment: Json, role: str, definition: Json, delay: float) -> Grant:
    properties = assignment["properties"]
    # Assignments by the platform are in effect at once. Stored times are rounded to microseconds.
    created = datetime.fromisoformat(properties["createdOn"]).timestamp() - 1e-6
    since = created + delay if properties["createdBy"] else 0.0
    permission_blocks = tuple(definition["properties"]["permissions"])
    return Grant(scope, since, role, tuple(permission(block) for block in permission_blocks), permission_blocks)
