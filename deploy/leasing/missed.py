"""Missed leases: entries whose endpoint Azure deleted at the end of its lease, with no successor. Pure.

Nothing in Azure says so: the endpoint is gone with its tags. What remains is the alias, which still names it, and role
assignments that our description names as its own. An entry with neither was never deployed, or was torn down.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.spec import EndpointSpec


@dataclass(frozen=True)
class Missed:
    """The endpoint that is gone. `ended`: when, in UTC, None when that is not known; `latest`: or before."""

    name: str
    ended: datetime | None = None
    latest: bool = False

    @property
    def words(self) -> str:
        """`Azure deleted mip-abc at 2026-11-30 08:00 UTC`."""
        if self.ended is None:
            return f"Azure deleted {self.name} at the end of its lease"
        return f"Azure deleted {self.name} at {leases.both(self.ended)}{' at the latest' if self.latest else ''}"


def find(spec: EndpointSpec, told: Mapping[str, Json], marked: Collection[str]) -> Missed | None:
    """What an entry of whose line no endpoint exists has missed.

    `told`: where its alias sends traffic, {endpoint, lease_ends}; `marked`: the endpoints that role assignments name as
    this entry's.
    """
    named = str(told.get("endpoint") or "")
    names = leases.order(spec.base, [*filter(None, [named]), *marked])
    lent = spec.pipeline.quota.capacity == "shared" or bool(told.get("lease_ends"))
    if not names or not lent:
        return None
    name = names[-1]
    if name == named and (ended := leases.moment(told.get("lease_ends"))):
        return Missed(name, ended)
    before = leases.predecessor_end(spec.base, name)
    return Missed(name, before + leases.LONGEST if before else None, latest=before is not None)
