"""The command status: what exists now, once or repeatedly, or in several environments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from deploy import reporter
from deploy.cloud import endpoints, quota
from deploy.cloud.connect import Cloud
from deploy.commands import lock
from deploy.commands.orphans import orphan_rows
from deploy.commands.project import Project, validate
from deploy.commands.result import status_rows
from deploy.domain.cost import Cost, Prices
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import DeployError
from deploy.planning.build import target_of
from deploy.preflight import cost


def status(project: Project, name: str, only: Sequence[str] = ()) -> list[reporter.EndpointRow]:
    """One row for each endpoint; the lease that ends first comes first. Orphans come last."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        return _rows(cloud, environment, specs, only)


def status_of_each(
    project: Project, names: Sequence[str], only: Sequence[str] = ()
) -> list[reporter.EnvironmentStatus]:
    """The status of each environment; one that cannot be read has the error, and the others are still read."""
    return [_status_or_error(project, name, only) for name in dict.fromkeys(names)]


def _status_or_error(project: Project, name: str, only: Sequence[str]) -> reporter.EnvironmentStatus:
    target: dict[str, str] = {}
    try:
        environment, specs = validate(project, name, only)
        target = target_of(environment)
        with project.connect(environment) as cloud:
            return reporter.EnvironmentStatus(name, _rows(cloud, environment, specs, only), target)
    except DeployError as error:
        return reporter.EnvironmentStatus(name, target=target, error=error)


def watch(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    show: Callable[[Sequence[reporter.EndpointRow]], None],
    every: float,
) -> None:
    """Call `show` with the rows every `every` seconds, until an interrupt."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        while True:
            show(_rows(cloud, environment, specs, only, aliases=False))  # GitHub limits reads of its variables
            project.clock.sleep(every)


def _rows(
    cloud: Cloud,
    environment: Environment,
    specs: Sequence[EndpointSpec],
    only: Sequence[str],
    *,
    aliases: bool = True,
) -> list[reporter.EndpointRow]:
    with cloud.arm.cached_reads():
        locks = lock.held_locks(cloud)
        rows = status_rows(cloud, specs, aliases=aliases, locks=locks)
        orphans = orphan_rows(cloud, environment, specs, only)
        rows += [replace(row, lock=(locks or {}).get(row.name.lower())) for row in orphans]
        return _with_costs(cloud, rows)


def _with_costs(cloud: Cloud, rows: Sequence[reporter.EndpointRow]) -> list[reporter.EndpointRow]:
    """The rows with what their instances cost now: one more read, where there are instances. All endpoints of a
    workspace are in its region.
    """
    bodies = endpoints.list_endpoints(cloud)
    regions = [str((bodies.get(row.name) or {}).get("location") or "") for row in rows if row.slots]
    region = next((region.lower().replace(" ", "") for region in regions if region), "")
    if not region:
        return list(rows)
    known = cost.prices_of_sizes(region, *quota.read_sizes(cloud, region))
    return [replace(row, cost=_cost(known, row)) if row.slots else row for row in rows]


def _cost(known: Prices, row: reporter.EndpointRow) -> Cost:
    parts = [known.of(slot.instance_type, slot.instances, slot.instances) for slot in row.slots]
    return sum(parts, Cost(currency=known.currency))
