"""Running a plan for a command: the report, where it is saved, and the endpoints afterwards."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy import reporter
from deploy.cloud import endpoints, whoami
from deploy.cloud.connect import Cloud
from deploy.commands import lease_state, rollout_state
from deploy.commands.project import Project, read_facts
from deploy.domain.arm import Json
from deploy.domain.lock_record import LockRecord
from deploy.domain.plan import Plan, Verb
from deploy.domain.provenance import Provenance
from deploy.domain.report import Report, State
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import shares
from deploy.errors import CloudError, Exit
from deploy.execution import executor
from deploy.execution.executor import Emit
from deploy.preflight import cost
from deploy.steps import SHOWN

Approve = Callable[[Plan, bool], None]
"""Called with the plan before anything changes, and with whether confirmation is required. Raises to refuse."""
_READ_TIMEOUT = 5.0
"""Seconds that an interrupted run waits to read the traffic: GitHub kills the process after ten."""


@dataclass(frozen=True)
class Result:
    """A plan that was run, its report, the files of the report, and the endpoints afterwards."""

    plan: Plan
    report: Report
    folder: Path | None = None
    files: Sequence[Path] = ()
    endpoint_rows: Sequence[reporter.EndpointRow] = ()
    notices: Sequence[Mapping[str, Json]] = ()
    """Notices that were sent."""
    failure_messages: Sequence[str] = ()
    """Messages about notices that were not sent."""
    idle: Sequence[str] = ()
    """Notes about idle slots."""
    not_saved: str = ""
    """Why the report was not saved; empty when it was."""
    traffic: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """After an interruption: endpoint -> deployment -> percent. Endpoints that could not be read are missing."""
    codes: Sequence[reporter.CallCode] = ()
    """How to call each endpoint that the run created."""

    @property
    def exit(self) -> Exit:
        """The report's exit code. One of `failure_messages` is a failure, too."""
        return Exit.STEP_FAILED if self.failure_messages and self.report.exit is Exit.OK else self.report.exit


def run_plan(
    project: Project,
    cloud: Cloud,
    plan: Plan,
    verb: str,
    emit: Emit,
    jobs: int | None = None,
    *,
    save: Path | None = None,
    fail_fast: Collection[str] = (),
) -> Result:
    """Execute the plan and save its report in `save` or a new folder. `fail_fast`: endpoints that
    do not wait when the shared pool is full."""
    if not plan.steps:
        empty = Report(plan.environment, plan.fingerprint, ())
        return Result(plan, replace(empty, cost=cost.after_run(plan, empty)))
    started = cloud.now()
    report = executor.execute(plan, cloud, cloud.clock, emit, jobs=jobs, fail_fast=fail_fast)
    report = replace(report, command=verb, host=socket.gethostname(), started=started, paused=_paused(plan, report))
    report = replace(report, provenance=_provenance(cloud, plan, report), cost=cost.after_run(plan, report))
    if cloud.locks:
        cloud.locks.gone |= _deleted(plan, report)
    try:
        folder = save or project.state / "reports" / f"{project.clock.now():%Y%m%dT%H%M%S.%fZ}-{verb}"
        return Result(plan, report, folder, _save(plan, report, folder))
    except OSError as error:  # the plan was run: its result is still printed
        return Result(plan, report, not_saved=f"The report is not saved: {error}. Make its folder writable.")


def _deleted(plan: Plan, report: Report) -> set[str]:
    """The names of the endpoints that a run deleted."""
    done = {o.address for o in report.outcomes if o.verb is Verb.DELETE and o.state is State.DONE}
    steps = [s for s in plan.steps if s.kind == "endpoint" and s.verb is Verb.DELETE and s.address in done]
    return {str(step.body["name"]) for step in steps}


def _paused(plan: Plan, report: Report) -> tuple[str, ...]:
    """The endpoints whose rollout pauses after this run."""
    ends = {step.endpoint for step in plan.steps if (step.body.get("record") or {}).get("paused")}
    return tuple(sorted(ends - {o.address.endpoint for o in report.outcomes if o.state is not State.DONE}))


def _provenance(cloud: Cloud, plan: Plan, report: Report) -> Provenance | None:
    """The source and the identity of a run that changes something. After an interruption no token is requested."""
    if not any(step.changes for step in plan.steps):
        return None
    return replace(cloud.made_from, at=cloud.now()) if report.stopped else whoami.provenance(cloud)


def _save(plan: Plan, report: Report, folder: Path) -> list[Path]:
    """Write the plan, the report and the probe results. Returns the paths of the files that are not JSON."""
    return [path for path in save_files(folder, reporter.report_files(plan, report)) if path.suffix != ".json"]


def save_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files that only their owner can read. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def with_status(cloud: Cloud, specs: Sequence[EndpointSpec], result: Result) -> Result:
    """The result with the endpoints' status, if it can be read; after an interruption with their traffic only."""
    if result.report.stopped:
        return replace(result, traffic=_read_traffic(cloud, specs))
    with suppress(CloudError):
        return _with_rows(result, status_rows(cloud, specs))
    return result


def _with_rows(result: Result, rows: Sequence[reporter.EndpointRow]) -> Result:
    """The result with the endpoints after the run, which the saved page then shows, too."""
    if result.folder is not None:
        page = reporter.report_html(result.report, result.plan, rows).encode()
        with suppress(OSError):  # the page without them is saved
            (part,) = save_files(result.folder, {".report.html": page})
            part.replace(result.folder / "report.html")
    return replace(result, endpoint_rows=rows)


def status_rows(
    cloud: Cloud, specs: Sequence[EndpointSpec], *, aliases: bool = True, locks: Mapping[str, LockRecord] | None = None
) -> list[reporter.EndpointRow]:
    """One row for each endpoint; the lease that ends first comes first. `aliases`: also read the aliases. `locks`: the
    locks that are held, by the names of endpoints.
    """
    with cloud.arm.cached_reads():
        current, facts = read_facts(cloud, specs, SHOWN)
        states = lease_state.read_lease_states(cloud, specs, endpoints.list_endpoints(cloud)) if aliases else {}
    endpoint_rows = [reporter.endpoint_row(spec, facts[spec.key], cloud.now()) for spec in current]
    endpoint_rows = [_with_lease_state(row, states[row.key]) if row.key in states else row for row in endpoint_rows]
    endpoint_rows = [replace(row, lock=(locks or {}).get(row.name.lower())) for row in endpoint_rows]
    by_key = {spec.key: spec for spec in current}
    endpoint_rows = [rollout_state.judged(cloud, by_key[row.key], row) for row in endpoint_rows]
    return sorted(endpoint_rows, key=lambda row: (row.hours_left is None, row.hours_left or 0.0))


def _with_lease_state(row: reporter.EndpointRow, state: lease_state.LeaseState) -> reporter.EndpointRow:
    missed = state.missed.text if state.missed else ""
    return replace(row, alias=state.alias_problem, missed=missed, gone_since=state.deleted_since)


def _read_traffic(cloud: Cloud, specs: Sequence[EndpointSpec]) -> dict[str, dict[str, int]]:
    """Key -> deployment -> percent, of the endpoints that can be read within a few seconds."""
    found: dict[str, dict[str, int]] = {}

    def read() -> None:
        with suppress(Exception):  # the connection may be closed meanwhile
            bodies = endpoints.list_endpoints(cloud)
            found.update({spec.key: shares(bodies.get(spec.name) or {}) for spec in specs})

    thread = threading.Thread(target=copy_context().run, args=[read], daemon=True)
    thread.start()
    thread.join(_READ_TIMEOUT)
    return dict(found)
