"""Where each entry stands between the files, Azure and its alias: what it has missed, and whether the alias is right.

Read by `status`, which shows it, and by `renew`, which repairs it. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from deploy.cloud import orphans, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.failures import try_read
from deploy.domain import leases
from deploy.domain.arm import Facts, address
from deploy.domain.spec import EndpointSpec
from deploy.leasing import lineage, missed
from deploy.leasing.missed import Missed
from deploy.parallel import run_parallel
from deploy.steps import alias


@dataclass(frozen=True)
class Standing:
    """One entry, under the name that it has now. `facts`: its endpoint and its alias, as the step types read them."""

    spec: EndpointSpec
    facts: Facts
    missed: Missed | None = None

    @property
    def trouble(self) -> str:
        """What is wrong with the alias, in words; empty when it is right, or when there is nothing to name yet."""
        body = self.facts.get(address("endpoint", self.spec.key))
        if body is not None:
            return alias.trouble(self.spec, self.facts) if lineage.serves(body) else ""
        lent = self.spec.pipeline.quota.capacity == "shared"
        return alias.unreadable(self.spec, self.facts) if lent and self.missed is None else ""

    @property
    def gone_since(self) -> str | None:
        """When the missed lease ended, in ISO 8601; None when nothing was missed, or the moment is not known."""
        return leases.written(self.missed.ended) if self.missed and self.missed.ended else None


def of(cloud: Cloud, specs: Sequence[EndpointSpec], bodies: lineage.Bodies) -> dict[str, Standing]:
    """Key -> where the entry stands."""
    settled = lineage.settle(specs, bodies)
    told = run_parallel({spec.key: partial(alias.observe, cloud, spec) for spec in settled}, 8)
    mine = lineage.owned(bodies)
    absent = [spec for spec in settled if spec.name not in bodies and not mine.get(spec.owner)]
    marked = _marked(cloud, bodies) if absent else {}
    found = {}
    for spec in settled:
        there = mine.get(spec.owner, {}).get(spec.name)
        facts = {**told[spec.key], **({address("endpoint", spec.key): there} if there else {})}
        named = told[spec.key].get(address("alias", spec.key)) or {}
        gone = missed.find(spec, named, marked.get(spec.owner, ())) if spec in absent else None
        found[spec.key] = Standing(spec, facts, gone)
    return found


def gone(cloud: Cloud, specs: Sequence[EndpointSpec], bodies: lineage.Bodies) -> list[EndpointSpec]:
    """Each spec under every name of which no endpoint is left but role assignments: a teardown removes those, too."""
    marked = _marked(cloud, bodies)
    return [spec.at(name) for spec in specs for name in marked.get(spec.owner, ()) if name != spec.name]


def _marked(cloud: Cloud, bodies: lineage.Bodies) -> Mapping[str, Sequence[str]]:
    """Owner -> endpoints that are gone and that role assignments name as its own; empty when they may not be read."""
    rows, _ = try_read(lambda: role_assignments.assignments(cloud))
    return orphans.endpoints_gone(cloud, rows or (), bodies)
