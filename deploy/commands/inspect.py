"""Verbs that look and change nothing: render, plan, status, watch, logs, places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deploy import reporter
from deploy.cloud import endpoints
from deploy.commands.project import Project, dated, look, look_with_siblings, must_run, rows_of, validate
from deploy.config import reader, validation
from deploy.domain.arm import Facts, facts_of
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import live_slot, served
from deploy.errors import CloudError, Place, UsageError, sanitize
from deploy.planning import planner
from deploy.steps import SHOWN, quota


def render(
    project: Project, name: str, only: Sequence[str] = (), *, whole: bool = True, plain: bool = False
) -> dict[str, str]:
    """File name -> CLI v2 YAML, one folder an endpoint, ready for `az ml`; unless `whole` its secrets are hidden.
    `plain`: in ASCII alone, which YAML reads as the same.
    """
    _, specs = validate(project, name, only)
    files = [reporter.cli_files(spec, project.root, whole=whole, plain=plain) for spec in specs]
    return {path: text for each in files for path, text in each.items()}


def plan(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    regions: Sequence[str] = (),
    *,
    for_another: bool = False,
    allow_rolled_back: bool = False,
    allow_exposure: bool = False,
) -> Plan:
    """What apply would do. Sends nothing that changes anything. `regions`: where else to look for room;
    `for_another`: by somebody who may do more than the caller; `allow_rolled_back`: see planner.draft_release;
    `allow_exposure`: a protected environment may be opened.
    """
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        specs, facts, siblings = look_with_siblings(cloud, environment, specs)
        others = quota.elsewhere(cloud, facts, regions)
        seen = {key: {**facts[key], **others[key]} for key in facts}
        made = planner.plan_release(
            environment,
            specs,
            seen,
            planner.Choices(
                for_another=for_another, allow_rolled_back=allow_rolled_back, allow_exposure=allow_exposure
            ),
            siblings=siblings,
        )
        return dated(cloud, must_run(cloud, made))


def status(project: Project, name: str, only: Sequence[str] = ()) -> list[reporter.EndpointRow]:
    """What is there now, one row an endpoint."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        return rows_of(cloud, specs)


def watch(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    show: Callable[[Sequence[reporter.EndpointRow]], None],
    every: float,
) -> None:
    """Show what is there now, again and again, `every` seconds apart, until somebody interrupts."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        while True:
            show(rows_of(cloud, specs, aliases=False))  # GitHub counts the reads of its variables
            project.clock.sleep(every)


def logs(project: Project, name: str, key: str, *, slot: str | None = None, lines: int = 100) -> dict[str, str]:
    """Container -> its last lines, of the live deployment or of `slot`."""
    environment, specs = validate(project, name, [key])
    with project.connect(environment) as cloud:
        specs, facts = look(cloud, specs, SHOWN)
        deployment = _spoken_of(specs[0], facts[key], slot)
        return {
            container: sanitize(endpoints.read_logs(cloud, specs[0].name, deployment, container, lines))
            for container in endpoints.CONTAINERS
        }


def _spoken_of(spec: EndpointSpec, facts: Facts, slot: str | None) -> str:
    """The deployment that is asked about; failing that the one with callers, failing that the one changed last."""
    there = facts_of(facts, "deployment", spec.key)
    changed = sorted(there, key=lambda name: str((there[name].get("systemData") or {}).get("lastModifiedAt")))
    if not there:
        raise CloudError(f"read the logs of {spec.key}", "it has no deployment", "Apply first", code="AML377")
    if slot is not None and slot not in there:
        what, cure = f"read the logs of {spec.key}/{slot}", f"It has {', '.join(sorted(there))}"
        raise UsageError(what, "there is no deployment of this name", cure, code="AML647")
    return slot or live(spec, facts) or changed[-1]


def asks(project: Project, name: str) -> bool:
    """Whether commands ask before they change this environment: all do, but for the emulator."""
    return validation.survey_environment(reader.read_environment(project.root, name)).environment.cloud != "local"


def places(project: Project, name: str) -> dict[str, Place]:
    """Where each endpoint of an environment is written."""
    source = reader.read_environment(project.root, name)
    found = source.find(("endpoints",))
    return {str(key): source.key(("endpoints", key)) for key in (found.children if found else ())}


def live(spec: EndpointSpec, facts: Facts) -> str | None:
    """The deployment that most callers reach; None when nobody is served."""
    return live_slot(served(facts, spec.key))
