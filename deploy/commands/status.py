"""The command status: what exists now, once or repeatedly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deploy import reporter
from deploy.commands import lock
from deploy.commands.project import Project, validate
from deploy.commands.result import status_rows


def status(project: Project, name: str, only: Sequence[str] = ()) -> list[reporter.EndpointRow]:
    """One row for each endpoint; the lease that ends first comes first."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        return status_rows(cloud, specs, locks=lock.held_locks(cloud))


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
            # GitHub limits reads of its variables, so aliases are not read.
            show(status_rows(cloud, specs, aliases=False, locks=lock.held_locks(cloud)))
            project.clock.sleep(every)
