"""Which endpoint an entry stands for now, when endpoints on shared quota succeed each other. Pure.

The file names the first of a line; a renewal makes the next under a name of its own. Whatever is asked of the entry is
asked of the one that serves callers, or of the newest when none does. Whether an endpoint has a lease is read from the
endpoint: the files may have been changed since it was created.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.owners import owner_tag
from deploy.domain.preserved import is_protected
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import shares

Bodies = Mapping[str, Mapping[str, Json]]
"""Endpoint name -> ARM body, of a whole workspace."""


@dataclass(frozen=True)
class Lineage:
    """A renewal: who comes, or is there already and not yet whole, and who goes, oldest first."""

    new: EndpointSpec
    olds: tuple[EndpointSpec, ...]
    served: str | None
    """The one that callers reach now."""
    protected: leases.Lease | None = None
    """Set when the lease that is due belongs to an endpoint with the protect tag: that endpoint is not replaced."""

    @property
    def is_missed(self) -> bool:
        """Whether callers who were once sent here reach nobody: a renewal in place was cut off."""
        return self.served is None and self.new.name != self.new.base


def owned(bodies: Bodies) -> Mapping[str, Bodies]:
    """Owner -> the endpoints that carry its tag, of a whole workspace: looked through once, however many ask."""
    found: dict[str, dict[str, Mapping[str, Json]]] = {}
    for name, body in bodies.items():
        if owner := owner_tag(body):
            found.setdefault(owner, {})[name] = body
    return found


def lineages(specs: Sequence[EndpointSpec], bodies: Bodies, now: datetime, within: float) -> list[Lineage]:
    """What is to be done about entries whose lease ends within so many hours, or whose renewal was cut off."""
    mine = owned(bodies)
    found = (_turn(spec, mine.get(spec.owner, {}), now, within) for spec in specs)
    return [each for each in found if each]


def _turn(spec: EndpointSpec, mine: Bodies, now: datetime, within: float) -> Lineage | None:
    there = _line(spec, mine)
    serving = _current(spec, mine)
    served = serving if there and serves(mine[serving]) else None
    if not there or (served is None and serving == spec.base and not _replaces(mine[serving])):
        return None  # what was never live has no release to renew: that is for apply
    lease = leases.of(mine[serving])
    due = lease if lease and lease.hours_left(now) <= within else None
    new = spec.at(leases.successor(spec.base, due) if due else serving)
    before = [name for name in there[: there.index(serving)] if _has_ended(spec, mine[name], serving)]
    olds = tuple(spec.at(name) for name in [*before, serving] if name != new.name)
    protected = due if due and is_protected(mine[serving]) else None
    return Lineage(new, olds, served, protected) if olds or served is None else None


def _replaces(body: Mapping[str, Json]) -> bool:
    """Whether a renewal made it, in the place of one whose lease was missed."""
    return leases.SUCCEEDS_TAG in (body.get("tags") or {})


def _has_ended(spec: EndpointSpec, body: Mapping[str, Json], serving: str) -> bool:
    """Whether an endpoint before the serving one in the line is a predecessor of it that may be deleted.

    Not one with the protect tag; and not one that was restored after the serving one had been made, which its lease
    shows: the successor of that lease would come later in the line.
    """
    tags, lease = body.get("tags") or {}, leases.of(body)
    if leases.RESTORED_TAG in tags and (lease is None or leases.successor(spec.base, lease) > serving):
        return False
    return not is_protected(body)


def settle(specs: Sequence[EndpointSpec], bodies: Bodies) -> list[EndpointSpec]:
    """Each spec under the name that it has now."""
    mine = owned(bodies)
    return [spec.at(_current(spec, mine.get(spec.owner, {}))) for spec in specs]


def adoptable(spec: EndpointSpec, bodies: Bodies, owners: Collection[str]) -> list[EndpointSpec]:
    """A spec under its own name, if it exists, and each name of its line that has its owner or one of these; where
    there is none of them, under each that has any owner.
    """
    line = leases.order(spec.base, bodies) if spec.pipeline.quota.capacity == "shared" else []
    found = [n for n in line if n == spec.name or owner_tag(bodies[n]) in {*owners, spec.owner}]
    found = found or [name for name in line if owner_tag(bodies[name])]
    return [spec if name == spec.name else spec.at(name) for name in found or [spec.name]]


def others(specs: Sequence[EndpointSpec], bodies: Bodies) -> list[EndpointSpec]:
    """Each spec under every other name that carries its owner's tag: half a renewal, a name that it had before."""
    return [
        spec.at(name)
        for spec in specs
        for name, body in bodies.items()
        if name != spec.name and owner_tag(body) == spec.owner
    ]


def _current(spec: EndpointSpec, mine: Bodies) -> str:
    """The newest of its line that serves callers; failing that the newest; failing that the name in the file.

    A name alone proves nothing: `mine` are those that carry its owner's tag.
    """
    there = _line(spec, mine)
    serving = [name for name in there if serves(mine[name])]
    return (serving or there or [spec.name])[-1]


def _line(spec: EndpointSpec, mine: Bodies) -> list[str]:
    """The endpoints of an entry's line, oldest first."""
    return leases.order(spec.base, [name for name, body in mine.items() if is_of_line(spec, name, body)])


def is_of_line(spec: EndpointSpec, name: str, body: Mapping[str, Json]) -> bool:
    """Whether an endpoint of the same owner is the one that the files name, or one of its successors.

    On dedicated quota an endpoint is renamed without a successor, so there a name that looks like a successor's is
    not enough: the endpoint has a lease, or a tag that `renew` or `restore` writes.
    """
    if name == spec.base or not leases.is_of_line(spec.base, name):
        return name == spec.base
    marked = {leases.SUCCEEDS_TAG, leases.RESTORED_TAG} & (body.get("tags") or {}).keys()
    return bool(marked) or spec.pipeline.quota.capacity == "shared" or leases.of(body) is not None


def serves(body: Mapping[str, Json]) -> bool:
    """Whether callers reach a deployment of this endpoint."""
    return bool(shares(body))
