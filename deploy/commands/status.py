"""The command status: what exists now, once or repeatedly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from deploy import reporter
from deploy.cloud.connect import Cloud
from deploy.commands import lock
from deploy.commands.orphans import orphan_rows
from deploy.commands.project import Project, validate
from deploy.commands.result import status_rows
from deploy.domain.spec import EndpointSpec, Environment


def status(project: Project, name: str, only: Sequence[str] = ()) -> list[reporter.EndpointRow]:
    """One row for each endpoint; the lease that ends first comes first. Orphans come last."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        return _rows(cloud, environment, specs, only)


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
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec], only: Sequence[str], *, aliases: bool = True
) -> list[reporter.EndpointRow]:
    with cloud.arm.cached_reads():
        locks = lock.held_locks(cloud)
        rows = status_rows(cloud, specs, aliases=aliases, locks=locks)
        orphans = orphan_rows(cloud, environment, specs, only)
        return [*rows, *(replace(row, lock=(locks or {}).get(row.name.lower())) for row in orphans)]
