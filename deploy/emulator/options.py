"""The emulator's settings: what differs between subscriptions or cannot be asked of Azure. Kept in the world."""

from __future__ import annotations

import json
from typing import Any

from deploy.emulator.reading import Misfit
from deploy.emulator.wire import Answer, Call, Json, Refusal, dump, gateway
from deploy.emulator.world import World

GITHUB = "https://token.actions.githubusercontent.com"
DEFAULTS: dict[str, Any] = {
    "role_assignment_delay_seconds": 0,
    "shared_quota_eligible": True,
    "shared_quota_instances": 8,
    "shared_quota_since": "",
    "github_subject": "repo:octo-org/octo-repo:ref:refs/heads/main",
    "github_request_token": "amldeploy-emulator",
    "github_token_seconds": 300,
    "access_token_seconds": 86_400,
    "issuers": {},
}
"""What holds until it is set. `shared_quota_instances` is the size of the pool that test deployments borrow from;
`shared_quota_since` the oldest api-version that keeps the properties of a lease, older ones drop them (none do if "");
`issuers` maps foreign token issuers to their key sets (`{"keys": [...]}`), since the emulator asks nobody outside."""


def get(world: World, name: str) -> Json:
    """One setting."""
    row = world.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return json.loads(row[0]) if row else DEFAULTS[name]


def number(world: World, name: str) -> float:
    """A setting that is a number."""
    return float(get(world, name))


def change(world: World, values: dict[str, Json]) -> None:
    """Set some settings; null gives one its default back.

    Raises:
        Refusal: 400 for a name that is not a setting, or a value of another type than the default's.
    """
    for name, value in values.items():
        if name not in DEFAULTS:
            raise gateway(400, "InvalidSetting", f"There is no setting '{name}'. Settings: {', '.join(DEFAULTS)}.")
        if value is None:
            world.db.execute("DELETE FROM settings WHERE name = ?", (name,))
            continue
        if _kind(value) != _kind(DEFAULTS[name]) or (isinstance(value, int | float) and value < 0):
            raise gateway(400, "InvalidSetting", f"The value of '{name}' must look like {dump(DEFAULTS[name])}.")
        world.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, dump(value)))


def obey(world: World, wanted: dict[str, Json]) -> None:
    """The settings of a world file.

    Raises:
        Misfit: one of them is wrong.
    """
    for name, value in wanted.items():
        try:
            change(world, {name: value})
        except Refusal as refusal:
            raise Misfit([(("settings", name), refusal.answer.body["error"]["message"])]) from None


def _kind(value: Json) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def show(call: Call) -> Answer:
    """GET /emulator/settings: all of them."""
    return Answer(200, {name: get(call.world, name) for name in DEFAULTS})


def put(call: Call) -> Answer:
    """PUT /emulator/settings: set those that are named, and show all."""
    change(call.world, call.object())
    return show(call)
