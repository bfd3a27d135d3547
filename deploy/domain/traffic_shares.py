"""The traffic of an endpoint, from its ARM body. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.domain.arm import Facts, address


def shares(body: Mapping[str, Any], arm: str = "traffic") -> dict[str, int]:
    """Deployment -> percent of the traffic (`mirrorTraffic`: of the copied requests), without zeros."""
    return positive((body.get("properties") or {}).get(arm) or {})


def positive(traffic: Mapping[str, int]) -> dict[str, int]:
    """A traffic map without zeros."""
    return {name: share for name, share in traffic.items() if share}


def served(facts: Facts, key: str) -> dict[str, int]:
    """Deployment -> percent of the traffic of the endpoint with this key; empty if it does not exist."""
    return shares(facts.get(address("endpoint", key)) or {})


def live_slot(traffic: Mapping[str, int]) -> str | None:
    """The deployment with most traffic; None without traffic."""
    served = sorted((name for name, share in traffic.items() if share > 0), key=lambda name: (-traffic[name], name))
    return served[0] if served else None


def format_traffic(traffic: Mapping[str, int]) -> str:
    """`blue 90 %, green 10 %`."""
    return ", ".join(f"{name} {share} %" for name, share in sorted(traffic.items()) if share) or "none"
