"""Missed leases: entries whose endpoint Azure deleted at the end of its lease, without a successor. Pure.

The endpoint is deleted with its tags. Two traces remain: the alias, which still names the endpoint, and role
assignments with the entry's owner in their description. An entry without either was never deployed, or was torn down.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.spec import EndpointSpec


@dataclass(frozen=True)
class MissedLease:
    """The deleted endpoint. `ended`: the end of its lease in UTC, None when unknown; `latest`: it may be earlier."""

    name: str
    ended: datetime | None = None
    latest: bool = False

    @property
    def text(self) -> str:
        """`Azure deleted mip-abc at 2026-11-30 08:00 UTC`."""
        if self.ended is None:
            return f"Azure deleted {self.name} at the end of its lease"
        return (
            f"Azure deleted {self.name} at {leases.local_and_utc(self.ended)}{' at the latest' if self.latest else ''}"
        )


def find_missed(spec: EndpointSpec, alias: Mapping[str, Json], assigned: Collection[str]) -> MissedLease | None:
    """The missed lease of an entry of which no endpoint exists; None when it has none.

    `alias`: where its alias sends traffic, {endpoint, lease_ends}; `assigned`: the endpoints that role assignments
    name as this entry's.
    """
    named = str(alias.get("endpoint") or "")
    names = leases.chain(spec.first_name, [*filter(None, [named]), *assigned])
    has_lease = spec.pipeline.quota.capacity == "shared" or bool(alias.get("lease_ends"))
    if not names or not has_lease:
        return None
    name = names[-1]
    if name == named and (ended := leases.parse_time(alias.get("lease_ends"))):
        return MissedLease(name, ended)
    before = leases.predecessor_end(spec.first_name, name)
    return MissedLease(name, before + leases.LONGEST if before else None, latest=before is not None)
