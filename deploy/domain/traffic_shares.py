"""Where an endpoint's callers are, as its ARM body says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.domain.arm import Facts, address


def shares(body: Mapping[str, Any], arm: str = "traffic") -> dict[str, int]:
    """Deployment -> percent of the callers (or, `mirrorTraffic`, of their copies); those without any not."""
    return positive((body.get("properties") or {}).get(arm) or {})


def positive(traffic: Mapping[str, int]) -> dict[str, int]:
    """A map as files write it, too, without those that get nobody."""
    return {name: share for name, share in traffic.items() if share}


def served(facts: Facts, key: str) -> dict[str, int]:
    """The same of the endpoint of this key; nothing where there is none."""
    return shares(facts.get(address("endpoint", key)) or {})


def live_slot(traffic: Mapping[str, int]) -> str | None:
    """The slot with most traffic; None when nobody is served."""
    served = sorted((name for name, share in traffic.items() if share > 0), key=lambda name: (-traffic[name], name))
    return served[0] if served else None


def format_traffic(traffic: Mapping[str, int]) -> str:
    """`blue 90 %, green 10 %`."""
    return ", ".join(f"{name} {share} %" for name, share in sorted(traffic.items()) if share) or "none"
