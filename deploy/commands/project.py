"""What every verb starts from: a folder of files and a clock; and what every verb that carries out a plan returns."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy import redact, reporter
from deploy.clock import Clock, SystemClock
from deploy.cloud import endpoints, whoami
from deploy.cloud.connect import Cloud, Secret, connect
from deploy.commands import lease_state, lock
from deploy.config import reader, rendering, selection, validation
from deploy.domain import leases
from deploy.domain.arm import Facts, Json
from deploy.domain.plan import Plan
from deploy.domain.provenance import Provenance
from deploy.domain.report import Report
from deploy.domain.spec import EndpointSpec, Environment
from deploy.domain.traffic_shares import shares
from deploy.errors import CloudError, Exit, Finding, Problem, Refused, SpecError
from deploy.execution import executor
from deploy.execution.executor import Emit
from deploy.leasing import lineage
from deploy.planning import observe
from deploy.steps import ARRIVING, SHOWN, STEP_TYPES, StepType

Approve = Callable[[Plan, bool], None]
"""Shown the plan before anything changes, and told whether it must be asked about; raises to refuse."""
STATE = Path(".amldeploy")
_PATIENCE = 5.0
"""Seconds that an interrupted run waits to read where traffic is: a GitHub runner kills it after ten."""


@dataclass(frozen=True)
class Project:
    """A folder with environments and templates, the time, and who is told the secrets that nobody else may see."""

    root: Path = Path()
    clock: Clock = field(default_factory=SystemClock)
    secret: Secret = lambda _: None

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
        return connect(environment, self.root, self.state, self.clock, self.secret)

    @contextmanager
    def alone(self, environment: Environment, verb: str) -> Iterator[Cloud]:
        """The same door for somebody who changes things: in this folder, one at a time. Raises Locked."""
        with lock.held(self.state / "locks", environment.name, verb, self.clock), self.connect(environment) as cloud:
            yield cloud


@dataclass(frozen=True)
class Done:
    """A plan that was carried out, what became of it, the files that were kept, and what is there now."""

    plan: Plan
    report: Report
    folder: Path | None = None
    files: Sequence[Path] = ()
    rows: Sequence[reporter.EndpointRow] = ()
    notices: Sequence[Mapping[str, Json]] = ()
    """What people were told meanwhile."""
    failed: Sequence[str] = ()
    """Notices that did not arrive, in words."""
    idle: Sequence[str] = ()
    """What stays in idle slots, in words."""
    unkept: str = ""
    """Why no report was kept, in words; empty when it was."""
    traffic: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of an interrupted run: endpoint -> deployment -> percent, as it is now; an endpoint that could not be read is not
    named.
    """

    @property
    def exit(self) -> Exit:
        """The report's; a notice that did not arrive is a failure too."""
        return Exit.STEP_FAILED if self.failed and self.report.exit is Exit.OK else self.report.exit


def validate(project: Project, name: str, only: Sequence[str] = ()) -> tuple[Environment, list[EndpointSpec]]:
    """The environment and its endpoints, read, rendered and found right. Raises SpecError with every problem."""
    file = validation.survey_environment(reader.read_environment(project.root, name))
    specs: list[EndpointSpec] = []
    problems: list[Problem] = list(file.problems)
    for key in selection.selected(file, only) if not problems else file.entries:
        try:
            specs.append(spec_of(project, file, key))
        except SpecError as error:
            problems += error.problems
    problems += selection.shared_names(file, specs)
    if problems:
        raise SpecError(problems)
    found = _acquainted(project, file, specs)
    every = {each.key: each for spec in found for each in (spec, *spec.siblings)}
    entries, chosen = [every[key] for key in file.entries if key in every], {spec.key for spec in found}
    if problems := selection.shared_aliases(file, entries, chosen, project.root):
        raise SpecError(problems)
    return file.environment, found


def _acquainted(
    project: Project, file: validation.EnvironmentFile, specs: Sequence[EndpointSpec]
) -> list[EndpointSpec]:
    """Each with the other entries of its file, chosen or not: a guard speaks of all together, and a role that two of
    them give is not taken back while one is left.
    """
    every = {**{spec.key: spec for spec in specs}, **right(project, file, {spec.key for spec in specs})}
    return [replace(spec, siblings=tuple(every[k] for k in sorted(every) if k != spec.key)) for spec in specs]


def right(project: Project, file: validation.EnvironmentFile, but: Collection[str] = ()) -> dict[str, EndpointSpec]:
    """The entries whose files are right, by key. What is wrong in the others is not asked."""
    found: dict[str, EndpointSpec] = {}
    for key in file.entries.keys() - set(but):
        with suppress(SpecError):
            found[key] = spec_of(project, file, key)
    return found


def carry_out(
    project: Project,
    cloud: Cloud,
    plan: Plan,
    verb: str,
    emit: Emit,
    jobs: int = 8,
    *,
    save: Path | None = None,
    fail_fast: Collection[str] = (),
) -> Done:
    """Do the plan, and keep its report where a person finds it. `hasty`: who waits for no place in the shared pool."""
    if not plan.steps:
        return Done(plan, Report(plan.environment, plan.fingerprint, ()))
    report = executor.execute(plan, cloud, project.clock, emit, jobs=jobs, fail_fast=fail_fast)
    report = replace(report, provenance=_provenance(cloud, plan, report))
    try:
        folder = save or _report_folder(project, verb)
        return Done(plan, report, folder, _keep(plan, report, folder))
    except OSError as error:  # what was done is done, and is told
        return Done(plan, report, unkept=f"The report is not kept: {error}. See that its folder may be written.")


def _provenance(cloud: Cloud, plan: Plan, report: Report) -> Provenance | None:
    """From what and by whom a plan was carried out. After an interruption no token is asked for."""
    if not any(step.changes for step in plan.steps):
        return None
    return replace(cloud.made_from, at=cloud.now()) if report.stopped else whoami.provenance(cloud)


def look(
    cloud: Cloud, specs: Sequence[EndpointSpec], step_types: Sequence[StepType] = STEP_TYPES
) -> tuple[list[EndpointSpec], dict[str, Facts]]:
    """The specs under the names that they have now, and what is there: one look at the world."""
    with cloud.arm.cached_reads():
        settled = lineage.settle(specs, endpoints.list_endpoints(cloud))
        return settled, observe.observe(cloud, settled, step_types)


def look_with_siblings(
    cloud: Cloud, environment: Environment, specs: Sequence[EndpointSpec]
) -> tuple[list[EndpointSpec], dict[str, Facts], dict[str, Facts]]:
    """The same for a release, and the deployments of the file's other endpoints where a guard counts them."""
    with cloud.arm.cached_reads():
        settled, facts = look(cloud, specs, ARRIVING)
        return settled, facts, observe.observe_siblings(cloud, environment, settled)


def must_run(cloud: Cloud, plan: Plan) -> Plan:
    """The plan. Raises Refused where the emulator cannot run code of its own that a deployment brings."""
    own = [s for s in plan.steps if s.kind == "deployment" and (s.body.get("document") or {}).get("code_configuration")]
    if own and (lacks := cloud.lacks()):
        cause, _, cure = lacks.partition(". ")
        raise Refused([Finding(step.address, "AML254", cause, cure.rstrip(".")) for step in own[:1]])
    return plan


def exports(project: Project, cloud: Cloud) -> Path:
    """Where a run keeps what it deletes."""
    return project.state / "reaped" / f"{cloud.now():%Y%m%dT%H%M%SZ}"


def dated(cloud: Cloud, plan: Plan) -> Plan:
    """The plan with the end of each lease that begins with it, by the service's clock."""
    now = cloud.now()
    return replace(plan, leases=tuple(leases.expected(entry, now) for entry in plan.leases))


def rows_of(cloud: Cloud, specs: Sequence[EndpointSpec], *, aliases: bool = True) -> list[reporter.EndpointRow]:
    """What is there now, as people look at it; unless `aliases` is off, with what their aliases say."""
    with cloud.arm.cached_reads():
        settled, facts = look(cloud, specs, SHOWN)
        is_in_effect = lease_state.of(cloud, specs, endpoints.list_endpoints(cloud)) if aliases else {}
    rows = [reporter.endpoint_row(spec, facts[spec.key], cloud.now()) for spec in settled]
    rows = [_with_standing(row, is_in_effect[row.key]) if row.key in is_in_effect else row for row in rows]
    return sorted(rows, key=lambda row: (row.hours_left is None, row.hours_left or 0.0))


def _with_standing(row: reporter.EndpointRow, is_in_effect: lease_state.Standing) -> reporter.EndpointRow:
    words = is_in_effect.missed.words if is_in_effect.missed else ""
    return replace(row, alias=is_in_effect.trouble, missed=words, gone_since=is_in_effect.gone_since)


def with_rows(cloud: Cloud, specs: Sequence[EndpointSpec], done: Done) -> Done:
    """The same and what is there now, if Azure says it; of an interrupted run only where traffic is."""
    if done.report.stopped:
        return replace(done, traffic=_traffic_now(cloud, specs))
    with suppress(CloudError):
        return replace(done, rows=rows_of(cloud, specs))
    return done


def _traffic_now(cloud: Cloud, specs: Sequence[EndpointSpec]) -> dict[str, dict[str, int]]:
    """Where traffic is, as far as Azure says it within some seconds: the person who interrupted does not wait."""
    found: dict[str, dict[str, int]] = {}

    def read() -> None:
        with suppress(Exception):  # the connection may be closed meanwhile
            bodies = endpoints.list_endpoints(cloud)
            found.update({spec.key: shares(bodies.get(spec.name) or {}) for spec in specs})

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return dict(found)


def spec_of(project: Project, file: validation.EnvironmentFile, key: str) -> EndpointSpec:
    """One entry of an environment, rendered and found right."""
    entry = file.entries[key]
    files = reader.read_template(project.root, entry.template, entry.place)
    try:
        rendered = rendering.render_endpoint(files, file.environment, key, entry.values, entry.own)
        spec = validation.validate_endpoint(rendered, file.environment, key, project.root)
    except SpecError as error:
        raise SpecError(_discreet(error.problems, entry.values.value)) from None
    return replace(spec, folder=os.path.relpath(spec.folder, project.root))


def _discreet(problems: Sequence[Problem], values: Json) -> list[Problem]:
    """The problems without the values whose names look secret, also when a message quotes them."""
    secrets = redact.secret_values(values)
    secrets |= {repr(secret)[1:-1] for secret in secrets}
    return [
        replace(p, cause=redact.redact_values(p.cause, secrets), cure=redact.redact_values(p.cure, secrets))
        for p in problems
    ]


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
