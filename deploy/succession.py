"""Which endpoint an entry stands for now, when endpoints on shared quota succeed each other. Pure.

The file names the first of a line; a renewal makes the next under a name of its own. Whatever is asked of the entry is
asked of the one that serves callers, or of the newest when none does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy import leases
from deploy.callers import shares
from deploy.model import EndpointSpec, Json
from deploy.owners import owner_tag

Bodies = Mapping[str, Mapping[str, Json]]
"""Endpoint name -> ARM body, of a whole workspace."""


@dataclass(frozen=True)
class Turn:
    """A renewal: who comes, or is there already and not yet whole, and who goes, oldest first."""

    new: EndpointSpec
    olds: tuple[EndpointSpec, ...]
    served: str | None
    """The one that callers reach now."""

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


def turns(specs: Sequence[EndpointSpec], bodies: Bodies, now: datetime, within: float) -> list[Turn]:
    """What is to be done about entries whose lease ends within so many hours, or whose renewal was cut off."""
    mine = owned(bodies)
    found = (_turn(spec, mine.get(spec.owner, {}), now, within) for spec in specs)
    return [each for each in found if each]


def _turn(spec: EndpointSpec, mine: Bodies, now: datetime, within: float) -> Turn | None:
    there = leases.order(spec.base, mine)
    if spec.pipeline.quota.capacity != "shared" or not there:
        return None
    serving = _current(spec, mine)
    lease = leases.of(mine[serving])
    due = lease if lease and lease.hours_left(now) <= within else None
    new = spec.at(leases.successor(spec.base, due) if due else serving)
    olds = tuple(spec.at(name) for name in there[: there.index(serving) + 1] if name != new.name)
    served = serving if serves(mine[serving]) else None
    return Turn(new, olds, served) if olds or served is None else None


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
    if spec.pipeline.quota.capacity != "shared":
        return spec.name
    there = leases.order(spec.base, mine)
    serving = [name for name in there if serves(mine[name])]
    return (serving or there or [spec.name])[-1]


def serves(body: Mapping[str, Json]) -> bool:
    """Whether callers reach a deployment of this endpoint."""
    return bool(shares(body))
