"""The verbs: what a user types, each a sentence of calls. No verb prints, asks or exits; the street door does that.

`root` is the folder that holds `environments/` and `templates/`; `only` names endpoints of the environment (none: all
of them).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy import executor, intent, observer, planner, reader, renderer, reporter, validator
from deploy.clock import Clock, SystemClock
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud, connect
from deploy.errors import CloudError, Problem, SpecError, UsageError, neutral
from deploy.executor import Tell
from deploy.model import EndpointSpec, Environment, Facts, Plan, Step, address, live_slot, of_room
from deploy.outcome import Report
from deploy.steps import probe as probe_room

Approve = Callable[[Plan, bool], None]
"""Shown the plan before anything changes, and told whether it must be asked about; raises to refuse."""
STATE = Path(".amldeploy")


@dataclass(frozen=True)
class Project:
    """A folder with environments and templates, and the time."""

    root: Path = Path()
    clock: Clock = field(default_factory=SystemClock)

    @property
    def state(self) -> Path:
        """Where the emulator's world and the reports live; never in version control."""
        folder = self.root / STATE
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        return folder

    def connect(self, environment: Environment) -> AbstractContextManager[Cloud]:
        """The door to Azure, or to the emulator."""
        return connect(environment, self.root, self.state, self.clock)


@dataclass(frozen=True)
class Done:
    """A plan that was carried out, what became of it, the files that were kept, and what is there now."""

    plan: Plan
    report: Report
    folder: Path | None = None
    files: Sequence[Path] = ()
    rows: Sequence[reporter.EndpointRow] = ()


def validate(project: Project, name: str, only: Sequence[str] = ()) -> tuple[Environment, list[EndpointSpec]]:
    """The environment and its endpoints, read, rendered and found right. Raises SpecError with every problem."""
    file = validator.validate_environment(reader.read_environment(project.root, name))
    specs: list[EndpointSpec] = []
    problems: list[Problem] = []
    for key in intent.chosen(file, only):
        try:
            specs.append(_spec(project, file, key))
        except SpecError as error:
            problems += error.problems
    problems += intent.shared_names(file, specs)
    if problems:
        raise SpecError(problems)
    return file.environment, specs


def render(project: Project, name: str, only: Sequence[str] = ()) -> dict[str, str]:
    """File name -> CLI v2 YAML, one folder an endpoint, ready for `az ml`."""
    _, specs = validate(project, name, only)
    return {path: text for spec in specs for path, text in reporter.cli_files(spec, project.root).items()}


def plan(project: Project, name: str, only: Sequence[str] = ()) -> Plan:
    """What apply would do. Sends nothing that changes anything."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        return planner.plan_release(environment, specs, observer.observe(cloud, specs))


def apply(
    project: Project,
    name: str | None,
    only: Sequence[str] = (),
    *,
    approve: Approve,
    tell: Tell,
    jobs: int = 8,
    plan_file: Path | None = None,
) -> Done:
    """Plan, ask, do. With a plan file: exactly that plan, or StalePlan when it is not what would be planned now."""
    agreed = reporter.plan_load(plan_file.read_text(errors="replace"), str(plan_file)) if plan_file else None
    name, only = intent.asked(agreed, name, only)
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        fresh = planner.plan_release(environment, specs, observer.observe(cloud, specs))
        intent.must_match(agreed, fresh)
        approve(fresh, agreed is None and environment.cloud != "local")
        done = _carry_out(project, cloud, fresh, "apply", tell, jobs)
        with suppress(CloudError):
            done = replace(done, rows=_rows(project, cloud, specs))
        return done


def teardown(
    project: Project, name: str, only: Sequence[str] = (), *, approve: Approve, tell: Tell, jobs: int = 8
) -> Done:
    """A plan towards nothing, asked about and done."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        plan = planner.plan_teardown(environment, specs, observer.observe(cloud, specs))
        approve(plan, True)
        return _carry_out(project, cloud, plan, "teardown", tell, jobs)


def status(project: Project, name: str, only: Sequence[str] = ()) -> list[reporter.EndpointRow]:
    """What is there now, one row an endpoint."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        return _rows(project, cloud, specs)


def probe(project: Project, name: str, only: Sequence[str] = (), *, tell: Tell, save: Path | None = None) -> Done:
    """Run the probes against whatever serves callers now."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        steps = _live_probes(specs, observer.observe(cloud, specs))
        return _carry_out(project, cloud, Plan(environment.name, tuple(steps)), "probe", tell, save=save)


def logs(project: Project, name: str, key: str, *, slot: str | None = None, lines: int = 100) -> dict[str, str]:
    """Container -> its last lines, of the live deployment or of `slot`."""
    environment, specs = validate(project, name, [key])
    with project.connect(environment) as cloud:
        deployment = _spoken_of(specs[0], observer.observe(cloud, specs)[key], slot)
        return {
            container: neutral(endpoints.read_logs(cloud, specs[0].name, deployment, container, lines))
            for container in endpoints.CONTAINERS
        }


def _spec(project: Project, file: validator.EnvironmentFile, key: str) -> EndpointSpec:
    entry = file.entries[key]
    files = reader.read_template(project.root, entry.template, entry.place)
    rendered = renderer.render_endpoint(files, file.environment, key, entry.values, entry.own)
    spec = validator.validate_endpoint(rendered, file.environment, key, project.root)
    return replace(spec, folder=os.path.relpath(spec.folder, project.root))


def _carry_out(
    project: Project, cloud: Cloud, plan: Plan, verb: str, tell: Tell, jobs: int = 8, *, save: Path | None = None
) -> Done:
    if not plan.steps:
        return Done(plan, Report(plan.environment, plan.fingerprint, ()))
    report = executor.execute(plan, cloud, project.clock, tell, jobs=jobs)
    folder = save or _report_folder(project, verb)
    return Done(plan, report, folder, _keep(plan, report, folder))


def _report_folder(project: Project, verb: str) -> Path:
    return project.state / "reports" / f"{project.clock.now():%Y%m%dT%H%M%S.%fZ}-{verb}"


def _keep(plan: Plan, report: Report, folder: Path) -> list[Path]:
    """Writes the plan, the report and what was seen. Returns the paths that a person wants to open."""
    files = reporter.report_files(plan, report)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    return [folder / name for name in files if not name.endswith(".json")]


def _rows(project: Project, cloud: Cloud, specs: Sequence[EndpointSpec]) -> list[reporter.EndpointRow]:
    facts = observer.observe(cloud, specs)
    return [reporter.endpoint_row(spec, facts[spec.key], project.clock.now()) for spec in specs]


def _live_probes(specs: Sequence[EndpointSpec], facts: Mapping[str, Facts]) -> list[Step]:
    return [
        probe_room.step_for(spec, slot, "asked for")
        for spec in specs
        if spec.pipeline.probe and (slot := _live(spec, facts[spec.key]))
    ]


def _live(spec: EndpointSpec, facts: Facts) -> str | None:
    body = facts.get(address("endpoint", spec.key)) or {}
    return live_slot((body.get("properties") or {}).get("traffic") or {})


def _spoken_of(spec: EndpointSpec, facts: Facts, slot: str | None) -> str:
    """The deployment that is asked about; failing that the one with callers, failing that the one changed last."""
    there = of_room(facts, "deployment", spec.key)
    changed = sorted(there, key=lambda name: str((there[name].get("systemData") or {}).get("lastModifiedAt")))
    if not there:
        raise CloudError(f"read the logs of {spec.key}", "it has no deployment", "Apply first", code="AML377")
    if slot is not None and slot not in there:
        what, cure = f"read the logs of {spec.key}/{slot}", f"It has {', '.join(sorted(there))}"
        raise UsageError(what, "there is no deployment of this name", cure, code="AML647")
    return slot or _live(spec, facts) or changed[-1]
