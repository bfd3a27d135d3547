"""Which Azure endpoint belongs to an entry now, when endpoints on shared quota succeed each other. Pure.

The entry names the first endpoint of a chain of successors. Each renewal creates the next one under a name of its own.
Commands use the endpoint of the chain that receives traffic, or the newest one when none does. The lease is read from
the endpoint, not from the files: the files may have changed since the endpoint was created.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.owners import owner_tag
from deploy.domain.put_merge import is_protected
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import shares

Bodies = Mapping[str, Mapping[str, Json]]
"""Endpoint name -> ARM body, of a whole workspace."""


@dataclass(frozen=True)
class Renewal:
    """One renewal: the endpoint to create or to finish, and the endpoints to delete afterwards, oldest first."""

    successor: EndpointSpec
    predecessors: tuple[EndpointSpec, ...]
    serving: str | None
    """Name of the endpoint that receives traffic now."""
    protected_lease: leases.Lease | None = None
    """The lease that ends, when its endpoint has the protect tag: then the endpoint is not replaced."""

    @property
    def is_interrupted(self) -> bool:
        """Whether no endpoint receives traffic because a renewal in place was interrupted."""
        return self.serving is None and self.successor.name != self.successor.first_name


def endpoints_by_owner(bodies: Bodies) -> Mapping[str, Bodies]:
    """Owner tag -> the endpoints that have it, of a whole workspace. One pass for all entries."""
    found: dict[str, dict[str, Mapping[str, Json]]] = {}
    for name, body in bodies.items():
        if owner := owner_tag(body):
            found.setdefault(owner, {})[name] = body
    return found


def due_renewals(specs: Sequence[EndpointSpec], bodies: Bodies, now: datetime, within: float) -> list[Renewal]:
    """The entries with a lease that ends within `within` hours, and those with an interrupted renewal."""
    owned_endpoints = endpoints_by_owner(bodies)
    found = (_due_renewal(spec, owned_endpoints.get(spec.owner, {}), now, within) for spec in specs)
    return [each for each in found if each]


def _due_renewal(spec: EndpointSpec, owned_endpoints: Bodies, now: datetime, within: float) -> Renewal | None:
    chain = _chain(spec, owned_endpoints)
    current = _current(spec, owned_endpoints)
    serving = current if chain and has_traffic(owned_endpoints[current]) else None
    if not chain or (serving is None and current == spec.first_name and not _made_by_renewal(owned_endpoints[current])):
        return None  # an endpoint that was never live has no release to renew: apply deploys it
    lease = leases.of(owned_endpoints[current])
    due = lease if lease and lease.hours_left(now) <= within else None
    successor = spec.with_name(leases.successor(spec.first_name, due) if due else current)
    before = [name for name in chain[: chain.index(current)] if _is_deletable(spec, owned_endpoints[name], current)]
    predecessors = tuple(spec.with_name(name) for name in [*before, current] if name != successor.name)
    protected_lease = due if due and is_protected(owned_endpoints[current]) else None
    return Renewal(successor, predecessors, serving, protected_lease) if predecessors or serving is None else None


def _made_by_renewal(body: Mapping[str, Json]) -> bool:
    """Whether a renewal created the endpoint as a replacement for one with a missed lease."""
    return leases.SUCCEEDS_TAG in (body.get("tags") or {})


def _is_deletable(spec: EndpointSpec, body: Mapping[str, Json], current: str) -> bool:
    """Whether an endpoint that comes before the current one in the chain is its predecessor and may be deleted.

    Not an endpoint with the protect tag. Not an endpoint that was restored after the current one was created. Its lease
    shows that: the successor's name for that lease would come later in the chain.
    """
    tags, lease = body.get("tags") or {}, leases.of(body)
    if leases.RESTORED_TAG in tags and (lease is None or leases.successor(spec.first_name, lease) > current):
        return False
    return not is_protected(body)


def with_current_names(specs: Sequence[EndpointSpec], bodies: Bodies) -> list[EndpointSpec]:
    """Each spec under the current name of its endpoint."""
    owned_endpoints = endpoints_by_owner(bodies)
    return [spec.with_name(_current(spec, owned_endpoints.get(spec.owner, {}))) for spec in specs]


def adoptable(spec: EndpointSpec, bodies: Bodies, owners: Collection[str]) -> list[EndpointSpec]:
    """The spec under its own name, if that exists, and under each name of its chain that has its owner tag or one of
    `owners`. Without any of these: under each name of the chain that has an owner tag.
    """
    chain = leases.chain(spec.first_name, [name for name, body in bodies.items() if is_in_chain(spec, name, body)])
    found = [n for n in chain if n == spec.name or owner_tag(bodies[n]) in {*owners, spec.owner}]
    found = found or [name for name in chain if owner_tag(bodies[name])]
    return [spec if name == spec.name else spec.with_name(name) for name in found or [spec.name]]


def other_names(specs: Sequence[EndpointSpec], bodies: Bodies) -> list[EndpointSpec]:
    """Each spec under every other name that has its owner tag: after an interrupted renewal, or a rename."""
    return [
        spec.with_name(name)
        for spec in specs
        for name, body in bodies.items()
        if name != spec.name and owner_tag(body) == spec.owner
    ]


def _current(spec: EndpointSpec, owned_endpoints: Bodies) -> str:
    """The newest endpoint of the chain that receives traffic, else the newest, else the name in the file.

    `owned_endpoints` have the entry's owner tag: a name alone does not make an endpoint part of the chain.
    """
    chain = _chain(spec, owned_endpoints)
    serving = [name for name in chain if has_traffic(owned_endpoints[name])]
    return (serving or chain or [spec.name])[-1]


def _chain(spec: EndpointSpec, owned_endpoints: Bodies) -> list[str]:
    """The endpoints of an entry's chain, oldest first."""
    return leases.chain(
        spec.first_name, [name for name, body in owned_endpoints.items() if is_in_chain(spec, name, body)]
    )


def is_in_chain(spec: EndpointSpec, name: str, body: Mapping[str, Json]) -> bool:
    """Whether an endpoint with the entry's owner tag is the one in the files, or one of its successors.

    On dedicated quota an endpoint has no successor, so a name in the form of a successor's is not enough there: the
    endpoint must have a lease, or a tag that `renew` or `restore` writes.
    """
    if name == spec.first_name or not leases.is_in_chain(spec.first_name, name):
        return name == spec.first_name
    marked = {leases.SUCCEEDS_TAG, leases.RESTORED_TAG} & (body.get("tags") or {}).keys()
    return bool(marked) or spec.pipeline.quota.capacity == "shared" or leases.of(body) is not None


def has_traffic(body: Mapping[str, Json]) -> bool:
    """Whether a deployment of the endpoint has a share of its traffic."""
    return bool(shares(body))
