"""The command apply: plan, confirm, run. With a plan file it runs that plan and no other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from deploy import reporter
from deploy.cloud import endpoints
from deploy.commands import lock, rollout_state
from deploy.commands.call_code import codes_after
from deploy.commands.notify import Show, Warn, report_problems
from deploy.commands.orphans import read_orphans
from deploy.commands.project import Project, check_emulator, read_facts_with_siblings, validate, with_times
from deploy.commands.result import Approve, Result, run_plan, with_status
from deploy.config import reader, selection, validation
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import SpecError
from deploy.execution.executor import Emit
from deploy.execution.progress import Event, EventKind
from deploy.planning import plan_check, planner
from deploy.text import noun


def apply(
    project: Project,
    name: str | None,
    only: Sequence[str] = (),
    *,
    approve: Approve,
    emit: Emit,
    jobs: int | None = None,
    plan_file: Path | Plan | None = None,
    cleanup: bool = False,
    allow_rolled_back: bool = False,
    allow_exposure: bool = False,
    prune: bool = False,
    lock_timeout: float = 0.0,
    show: Show = lambda _: None,
    warn: Warn | None = None,
) -> Result:
    """Deploy an environment, or a saved plan. Raises StalePlan when the saved plan no longer fits what exists.

    `cleanup`: delete the deployment of a release that fails; without it the deployment stays for inspection.
    `allow_rolled_back`: see planner.draft_release. `allow_exposure`: allow less protection in a protected environment.
    `prune`: also delete the endpoints that no entry of the file names. A plan file contains the last three. `show`,
    `warn`: for the notices stdout and github.
    """
    selection.refuse_prune(only, prune=prune)
    flags = {"--cleanup": cleanup, "--allow-rolled-back": allow_rolled_back, "--allow-exposure": allow_exposure}
    flags |= {"--prune": prune}
    selection.refuse_flags(plan_file, flags)
    saved = _saved(plan_file) if plan_file else None
    name, keys = selection.environment_and_endpoints(saved, name, only)
    environment, specs = validate(project, name, keys)
    if saved:
        plan_check.must_be_for(saved, environment, specs)
    choices = planner.Choices(
        cleanup=cleanup,
        allow_rolled_back=saved.allow_rolled_back if saved else allow_rolled_back,
        allow_exposure=saved.allow_exposure if saved else allow_exposure,
    )
    prune = bool(saved.pruned) if saved else prune
    with project.connect(environment) as cloud:
        current = list(specs)

        def make() -> Plan:
            with cloud.arm.cached_reads():
                current[:], facts, siblings = read_facts_with_siblings(cloud, environment, specs)
                orphans = read_orphans(cloud, environment, current, only, prune=prune, heirs=current)
                existing = endpoints.list_endpoints(cloud)
            plan = planner.plan_release(environment, current, facts, choices, siblings=siblings, orphans=orphans)
            plan = plan_check.remaining_plan(saved, plan, existing) if saved else plan
            return with_times(cloud, check_emulator(cloud, plan))

        def plan_now() -> Plan:
            return lock.consistent(cloud, make, lambda: [spec.name for spec in current])

        run = lock.Run(project, cloud, "apply", emit, lock_timeout)
        with lock.approved(run, plan_now, approve, ask=saved is None and environment.cloud != "local") as plan:
            if saved and (done := plan_check.already_done(saved, plan)):
                text = f"This plan was started before: {done} of its changes {noun(done, 'is', 'are')} done."
                emit(Event(EventKind.NOTE, text=text))
            result = run_plan(project, cloud, plan, "apply", emit, jobs)
        result = _with_notices(project, environment, current, result, show, warn)
        result = with_status(cloud, current, result)
        idle = _slot_notes(environment, current, result)
        return replace(result, idle=idle, codes=codes_after(cloud, current, result))


def _slot_notes(environment: Environment, specs: Sequence[EndpointSpec], result: Result) -> list[str]:
    """Notes about deployments without traffic, and about a rollout that pauses."""
    rows = result.endpoint_rows
    idle = reporter.idle_notes(environment.name, rows) + reporter.adopted_notes(environment, specs, rows)
    return idle + reporter.paused_notes(environment.name, rows, result.report.paused)


def _with_notices(
    project: Project,
    environment: Environment,
    specs: Sequence[EndpointSpec],
    result: Result,
    show: Show,
    warn: Warn | None,
) -> Result:
    """The result, after a notice to each channel of the environment file if a gate moved traffic back."""
    back = rollout_state.went_back(environment.name, specs, result.report)
    if not back:
        return result
    file = validation.survey_environment(reader.read_environment(project.root, environment.name))
    sent = report_problems(file, back, show, warn)
    return replace(result, notices=sent.sent, failure_messages=sent.failed)


def _saved(plan_file: Path | Plan) -> Plan:
    """The plan of a file. A plan in memory is reduced to what a file has, so that the same is compared and applied."""
    if isinstance(plan_file, Plan):
        return reporter.plan_load(reporter.plan_dump(plan_file))
    return reporter.plan_load(plan_file.read_text(encoding="utf-8", errors="replace"), str(plan_file))


def plan_file(project: Project, name: str | None, arguments: Sequence[str], *, is_default: bool = False) -> Path | None:
    """The plan file among the arguments: the first one, if it is a file and not an endpoint of environment `name`.

    `is_default`: the command line does not name the environment, so a plan file needs no valid one.
    """
    if not arguments or not Path(arguments[0]).is_file():
        return None
    with suppress(SpecError) if is_default else nullcontext():
        keys = validation.survey_environment(reader.read_environment(project.root, name)).entries if name else ()
        return None if arguments[0] in keys else Path(arguments[0])
    return Path(arguments[0])
