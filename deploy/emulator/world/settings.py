"""The emulator's settings: what differs between subscriptions, or what no Azure API returns. Stored in the world."""

from __future__ import annotations

import json
from typing import Any

from deploy.emulator.world.store import World

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
    "storage": {"network": "open", "shared_key": "on"},
    "caller_network": "inside",
    "metrics_no_data": "zero",
    "metrics_delay_seconds": 30,
}
"""The defaults. `shared_quota_instances` is the size of the shared quota pool. `shared_quota_since` is the oldest
api-version that keeps the properties of a lease; older ones drop them ("": all keep them). `issuers` maps other token
issuers to their key sets (`{"keys": [...]}`), because the emulator sends no requests to other hosts. `storage` is the
data plane of all storage accounts; a key that a value leaves out has its default. `caller_network`: whether requests
come from the virtual network with the workspace's private endpoint, or from outside. `metrics_no_data` and
`metrics_delay_seconds`: how metrics show that there were no requests, and when they show a request; see
`monitor.metric_series`."""
WORDS: dict[str, dict[str, tuple[str, ...]]] = {"storage": {"network": ("open", "closed"), "shared_key": ("on", "off")}}
"""The keys of a setting, and the allowed words of each."""
CHOICES = {"caller_network": ("inside", "outside"), "metrics_no_data": ("zero", "timestamp", "empty")}
"""The allowed words of a setting."""


def get(world: World, name: str) -> Any:
    """One setting."""
    row = world.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return json.loads(row[0]) if row else DEFAULTS[name]


def number(world: World, name: str) -> float:
    """A setting that is a number."""
    return float(get(world, name))
