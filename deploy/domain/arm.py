"""Reading what Azure holds: ARM bodies by address, and the tags that amldeploy writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Any
"""A JSON value; the border to Azure's bodies, which have no fixed type."""
Facts = Mapping[str, Mapping[str, Json]]
"""What Azure says is there: address -> ARM body. An address that is absent is a resource that is absent."""
OWNER_TAG = "amldeploy-owner"
"""Tag on endpoint and deployment: see `owners.Owner`. Nothing without our own is ever changed."""
RELEASE_TAG = "amldeploy-release"
"""Tag on a deployment: the digest of what it is made of."""
SLOTS = ("blue", "green")
UNVERIFIED = "-unverified"  # follows the release of a live deployment that was changed in place and not yet probed


def address(step_type: str, key: str, *rest: str) -> str:
    """`deployment/mip/green`: who, in one word a person can type."""
    return "/".join((step_type, key, *rest))


def facts_of(facts: Facts, step_type: str, key: str) -> dict[str, Mapping[str, Json]]:
    """The facts of one room about one endpoint, keyed by the rest of their address."""
    prefix = f"{step_type}/{key}"
    return {a[len(prefix) + 1 :]: body for a, body in facts.items() if a == prefix or a.startswith(prefix + "/")}


def release_of(body: Mapping[str, Json] | None) -> str:
    """The release that a deployment (ARM body or document) holds, proven or not; empty if no tag names one."""
    return str(((body or {}).get("tags") or {}).get(RELEASE_TAG) or "").removesuffix(UNVERIFIED)


def capacity_of(body: Mapping[str, Json] | None) -> int:
    """The instances of a deployment, from its ARM body; 0 where it says none."""
    return int(((body or {}).get("sku") or {}).get("capacity") or 0)
