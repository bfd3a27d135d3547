"""Where an endpoint's callers are, as its ARM body says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shares(body: Mapping[str, Any], arm: str = "traffic") -> dict[str, int]:
    """Deployment -> percent of the callers (or, `mirrorTraffic`, of their copies); those without any not."""
    return {name: share for name, share in ((body.get("properties") or {}).get(arm) or {}).items() if share}
