"""Each entry's missed lease and alias problem: the files, Azure and the alias compared. Reads only.

`status` shows the result, `renew` repairs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from deploy.cloud import autoscale_and_tags, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain import leases
from deploy.domain.arm import Facts, address
from deploy.domain.spec import EndpointSpec
from deploy.leasing import lineage
from deploy.leasing.missed import MissedLease, find_missed
from deploy.parallel import run_parallel
from deploy.steps import alias


@dataclass(frozen=True)
class LeaseState:
    """One entry under its current name. `facts`: its endpoint and its alias, as the step types observe them."""

    spec: EndpointSpec
    facts: Facts
    missed: MissedLease | None = None

    @property
    def alias_problem(self) -> str:
        """What is wrong with the alias; empty when it is correct, or when no endpoint can be named yet."""
        body = self.facts.get(address("endpoint", self.spec.key))
        if body is not None:
            return alias.problem(self.spec, self.facts) if lineage.has_traffic(body) else ""
        shared = self.spec.pipeline.quota.capacity == "shared"
        return alias.unreadable(self.spec, self.facts) if shared and self.missed is None else ""

    @property
    def deleted_since(self) -> str | None:
        """When the missed lease ended, in ISO 8601; None when none was missed or the time is unknown."""
        return leases.iso_time(self.missed.ended) if self.missed and self.missed.ended else None


def read_lease_states(cloud: Cloud, specs: Sequence[EndpointSpec], bodies: lineage.Bodies) -> dict[str, LeaseState]:
    """Key -> the state of its lease and its alias."""
    current = lineage.with_current_names(specs, bodies)
    aliases = run_parallel({spec.key: partial(alias.observe, cloud, spec) for spec in current}, 8)
    owned_endpoints = lineage.endpoints_by_owner(bodies)
    absent = [spec for spec in current if spec.name not in bodies and not owned_endpoints.get(spec.owner)]
    assigned = _deleted_with_roles(cloud, bodies) if absent else {}
    found = {}
    for spec in current:
        body = owned_endpoints.get(spec.owner, {}).get(spec.name)
        facts = {**aliases[spec.key], **({address("endpoint", spec.key): body} if body else {})}
        target = aliases[spec.key].get(address("alias", spec.key)) or {}
        missed = find_missed(spec, target, assigned.get(spec.owner, ())) if spec in absent else None
        found[spec.key] = LeaseState(spec, facts, missed)
    return found


def deleted_names(cloud: Cloud, specs: Sequence[EndpointSpec], bodies: lineage.Bodies) -> list[EndpointSpec]:
    """Each spec under every name of a deleted endpoint that still has role assignments: a teardown removes them."""
    assigned = _deleted_with_roles(cloud, bodies)
    return [spec.with_name(name) for spec in specs for name in assigned.get(spec.owner, ()) if name != spec.name]


def _deleted_with_roles(cloud: Cloud, bodies: lineage.Bodies) -> Mapping[str, Sequence[str]]:
    """Owner -> deleted endpoints that role assignments name as the owner's; empty when they cannot be read."""
    rows, _ = try_read(lambda: role_assignments.assignments(cloud))
    return autoscale_and_tags.endpoints_gone(cloud, rows or (), bodies)
