"""The orphans of an environment, read from the list of endpoints that every command reads: no request of its own.

Only `--prune` reads more: what belongs to each orphan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from deploy import reporter
from deploy.cloud import autoscale_and_tags, endpoints, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain.arm import OWNER_TAG, Address, Facts, Json
from deploy.domain.spec import EndpointSpec, Environment
from deploy.planning import observe
from deploy.planning import orphans as planning
from deploy.planning.orphans import Orphan, Orphans
from deploy.steps import DELETED, SHOWN, roles


def find_orphans(
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec], only: Sequence[str] = ()
) -> list[Orphan]:
    """The orphans; none if endpoints are named. `specs`: all entries of the file."""
    return [] if only else planning.find(environment, specs, endpoints.list_endpoints(cloud))


def read_orphans(
    cloud: Cloud,
    environment: Environment,
    specs: Sequence[EndpointSpec],
    only: Sequence[str] = (),
    *,
    prune: bool = False,
    heirs: Sequence[EndpointSpec] = (),
) -> Orphans:
    """The orphans; with `prune` also what belongs to each, and deleted ones that still have role assignments.

    `heirs`: entries that exist, or that the plan creates before it deletes orphans. A role assignment that one of them
    needs, too, is transferred to it.
    """
    if not prune:
        return Orphans(find_orphans(cloud, environment, specs, only))
    with cloud.arm.cached_reads():
        bodies = endpoints.list_endpoints(cloud)
        rows, _ = try_read(lambda: role_assignments.assignments(cloud))
        gone = autoscale_and_tags.endpoints_gone(cloud, rows or (), bodies)
        found = planning.find(environment, specs, bodies, gone)
        seen = observe.observe(cloud, [planning.spec_of(each) for each in found if each.can_be_deleted], DELETED)
        for spec in [planning.spec_of(each) for each in found if each.is_gone]:
            seen[spec.key] = observe.with_settings_left(cloud, spec, seen[spec.key])
        expected = {**{each.name: {"tags": {OWNER_TAG: each.owner}} for each in heirs}, **bodies}
        shared = [r for r in rows or () if (mark := role_assignments.marked(r)) and not mark.own] if found else []
        transfers = roles.transfers_of(cloud, heirs, shared, expected)
        return Orphans(found, {key: _own(facts, transfers) for key, facts in seen.items()})


def _own(facts: Facts, transfers: Mapping[str, Json]) -> Facts:
    """The facts of one orphan without other endpoints of the same owner, with the transfers of its role assignments."""
    found: dict[Address, Mapping[str, Json]] = {}
    for where, body in facts.items():
        if where.kind == "role" and (transfer := transfers.get(str(body["id"]))):
            found[where] = {**body, "transfer": transfer}
        elif where.kind != "endpoint" or not where.rest:
            found[where] = body
    return found


def orphan_rows(
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec], only: Sequence[str] = ()
) -> list[reporter.EndpointRow]:
    """A row of `status` for each orphan."""
    found = find_orphans(cloud, environment, specs, only)
    seen = observe.observe(cloud, [planning.spec_of(each) for each in found], SHOWN)
    return [_row(each, seen[each.address.endpoint], cloud.now()) for each in found]


def _row(orphan: Orphan, facts: Facts, now: datetime) -> reporter.EndpointRow:
    """The row without what only the files of an entry state: how long an idle slot is kept."""
    row = reporter.endpoint_row(planning.spec_of(orphan), facts, now)
    slots = tuple(replace(slot, idle_since=None, idle_hours=None, kept_until=None) for slot in row.slots)
    return replace(row, key=orphan.entry, orphan=orphan.text, slots=slots)
