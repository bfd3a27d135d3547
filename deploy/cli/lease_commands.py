"""The commands `amldeploy lease ...`: reap, renew, restore. Schedules can run reap and renew at any time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import command_help, console, github_actions, output, runner, signals
from deploy.cli.options import (
    DeletingEnvironments,
    Endpoints,
    Environment,
    Events,
    Format,
    Jobs,
    LockTimeout,
    Yes,
    hours_of,
)
from deploy.cli.output import Output, View
from deploy.cli.runner import Invocation
from deploy.errors import DeployError, Exit, UsageError

app = command_help.group("lease", "Renew, delete and recreate endpoints on shared quota.")


def reap(
    environments: DeletingEnvironments,
    within: Annotated[
        str | None,
        typer.Option("--within", metavar="TIME", help="Also leases that end within this time, for example 24h."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="TIME", help="Also endpoints older than this, for example 30d."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="PATTERN",
            help="Also unmanaged endpoints with a name that matches PATTERN. Requires --adopt.",
        ),
    ] = None,
    adopt: Annotated[bool, typer.Option("--adopt", help="Treat the endpoints of --include as managed.")] = False,
    most: Annotated[
        int, typer.Option("--max", metavar="NUMBER", min=1, help="Maximum deletions in each environment.")
    ] = 20,
    force: Annotated[
        bool, typer.Option("--force", help="Also delete more than 30 % of all endpoints in the workspace.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it nothing is changed.")] = False,
    output_format: Format = Output.TEXT,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
) -> None:
    """Delete endpoints with an expired lease, and idle slots.

    Also deletes leftovers (role assignments, autoscale settings). Without --yes nothing is deleted.
    """
    if bool(include) != adopt:
        raise UsageError("reap", "--include and --adopt must be used together", "Use both or neither", code="AML660")
    from deploy.planning.reaping import Rules

    rules = Rules(hours_of(within), hours_of(older_than), tuple(include or ()), adopt, most, force)
    documents, worst = [], int(Exit.OK)
    with console.collected_notices() as warn:
        for number, name in enumerate(dict.fromkeys(environments)):
            invocation = Invocation(
                "reap",
                name,
                (),
                yes=True,
                events=events,
                append_events=number > 0,
                lock_timeout=lock_timeout,
            )
            try:
                reaped = _reap(invocation, rules, yes, output_format, warn)
            except DeployError as error:  # the other environments are still reaped
                if len(environments) == 1:
                    raise
                documents.append(_error_json(name, error))
                worst = max(worst, runner.report_error(error, in_result=True))
                continue
            documents.append(reap_json(reaped))
            worst = max(worst, reaped.exit)
    if output.is_machine_readable(output_format):
        document = {"ok": worst == Exit.OK, "environments": documents}
        output.show(View(lambda: "", lambda: document), output_format, done=True)
    raise SystemExit(worst)


def _reap(invocation: Invocation, rules: Any, yes: bool, output_format: Output, warn: Any) -> Any:
    """Reap one environment and print the text of its result; JSON is printed once, for all environments."""
    with console.line_printer(on_stderr=output.is_machine_readable(output_format)) as show:

        def work(commands: Any, common: dict[str, Any]) -> Any:
            arguments = {key: common[key] for key in ("project", "name", "emit", "approve", "lock_timeout")}
            return commands.reap(**arguments, rules=rules, yes=yes, show=show, warn=warn)

        reaped = runner.run_with_progress(invocation, work)
    from deploy import reporter

    result = reaped.result
    if not output.is_machine_readable(output_format):
        text = reporter.reap_text(reaped.judged, reaped.plan, result and result.report)
        console.print_result(text, done=result is not None)
    for message in reaped.notices.failed:
        console.print_message(message)
    if result and result.report.stopped:
        console.print_message(signals.message("reap", reaped.environment))
    if reaped.refused:
        runner.report_error(reaped.refused, in_result=True)
    if result:
        github_actions.report_result(result.plan, result.report)
    elif not reaped.refused:
        github_actions.report_plan(reaped.plan)
    return reaped


def renew(
    environment: Environment,
    endpoints: Endpoints = None,
    within: Annotated[
        str, typer.Option("--within", metavar="TIME", help="Renew leases that end within this time.")
    ] = "24h",
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Delete the old endpoint first (downtime); needs no extra quota.")
    ] = False,
    yes: Yes = False,
    jobs: Jobs = None,
    output_format: Format = Output.TEXT,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
) -> None:
    """Replace endpoints before their leases end. Does nothing when no lease ends soon."""
    invocation = Invocation("renew", environment, endpoints or (), yes=yes, events=events, lock_timeout=lock_timeout)
    own = {"within": hours_of(within), "in_place": in_place, "jobs": jobs}
    runner.run_noticing_command(invocation, output_format, lambda commands, common: commands.renew(**common, **own))


def restore(
    environment: Environment,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of one endpoint in .amldeploy/reaped/.")],
    yes: Yes = False,
    jobs: Jobs = None,
    output_format: Format = Output.TEXT,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
) -> None:
    """Recreate an endpoint that reap deleted.

    Also recreates its deployments, traffic, tags and role assignments.
    """
    invocation = Invocation("restore", environment, [str(folder)], yes=yes, events=events, lock_timeout=lock_timeout)

    def work(commands: Any, common: dict[str, Any]) -> Any:
        arguments = {key: common[key] for key in ("project", "name", "emit", "approve", "lock_timeout")}
        return commands.restore(**arguments, folder=folder, jobs=jobs)

    runner.run_plan_command(invocation, output_format, work)


for command, example in (
    (renew, "renew -e dev --within 24h --yes"),
    (reap, "reap -e dev --within 2h --yes"),
    (restore, "restore -e dev .amldeploy/reaped/TIME/NAME"),
):
    command_help.add(app, command, f"amldeploy lease {example}", "docs/leases.md")


def reap_json(reaped: Any) -> dict[str, Any]:
    """The result of one environment, as `schemas/reap.json` defines it."""
    from deploy import reporter

    return {
        "environment": reaped.environment,
        "dry_run": reaped.result is None,
        "ok": reaped.ok,
        "candidates": [asdict(each) for each in reaped.judged.candidates],
        "spared": [asdict(each) for each in reaped.judged.spared],
        "idle": [asdict(each) for each in reaped.judged.idle],
        "kept_idle": [asdict(each) for each in reaped.judged.kept],
        "report": reporter.report_json(reaped.result.report) if reaped.result else None,
        "notices": list(reaped.notices.sent),
        "failed_notices": list(reaped.notices.failed),
        **(reporter.error_json(reaped.refused) if reaped.refused else {}),
    }


def _error_json(name: str, error: DeployError) -> dict[str, Any]:
    """An environment that could not be reaped because of an error, when there are several."""
    from deploy import reporter

    parts = ("candidates", "spared", "idle", "kept_idle", "notices", "failed_notices")
    empty: dict[str, Any] = {part: [] for part in parts}
    return {
        "environment": name, "dry_run": True, "ok": False, "report": None, **empty, **reporter.error_json(error)
    }  # fmt: skip
