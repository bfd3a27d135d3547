"""The commands of the group Deploy: validate, render, plan, apply, probe, rollback, teardown."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import completion, console, context, github_actions, output, runner
from deploy.cli.options import (
    AllowExposure,
    AllowRolledBack,
    DeletingEnvironment,
    Endpoints,
    Environment,
    Events,
    Format,
    Jobs,
    LockTimeout,
    OptionalEnvironment,
    Prune,
    Regions,
    Yes,
    regions_of,
)
from deploy.cli.output import Output, View
from deploy.cli.runner import Invocation
from deploy.errors import Exit, UsageError
from deploy.text import count

if TYPE_CHECKING:
    from deploy.commands import Result
    from deploy.domain.plan import Plan


def validate(environment: Environment, endpoints: Endpoints = None, output_format: Format = Output.TEXT) -> None:
    """Check the files offline. Prints every problem with its file, line and column."""
    _, specs = runner.run(lambda commands, project: commands.validate(project, environment, endpoints or ()))
    warnings = [warning for spec in specs for warning in spec.warnings]
    for warning in warnings:
        console.print_message(f"Warning: {warning}")
    document = {"ok": True, "environment": environment, "endpoints": [spec.key for spec in specs]}
    document |= {"warnings": [str(warning) for warning in warnings]} if warnings else {}
    text = f"{environment}: no problems in {count(len(specs), 'endpoint')}."
    output.show(View(lambda: text, lambda: document, indent=None), output_format)


def render(
    environment: Environment,
    endpoints: Endpoints = None,
    output_format: Format = Output.TEXT,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write files to this folder, with secrets.")
    ] = None,
) -> None:
    """Print the CLI v2 YAML for `az ml`. Secrets are hidden, except in the files of --out."""
    whole = out is not None
    plain = not whole and sys.stdout is not None and console.is_ascii_only(sys.stdout)
    files = runner.run(
        lambda commands, project: commands.render(project, environment, endpoints or (), whole=whole, plain=plain)
    )
    if out is None:
        output.show(
            View(
                lambda: "---\n".join(f"# {name}\n{text}" for name, text in files.items()).rstrip(),
                lambda: {"files": files},
                lambda: "\n".join(code_block(name, text, "yaml") for name, text in files.items()),
            ),
            output_format,
        )
        return
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        _write_private(out / name, text)
        console.print_result(str(out / name))


def plan(
    environment: Environment,
    endpoints: Endpoints = None,
    output_format: Format = Output.TEXT,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also save the plan to this file, for apply.")
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when there are changes.")
    ] = False,
    regions: Regions = "",
    for_another: Annotated[
        bool,
        typer.Option("--for-another", help="Plan for another identity: missing permissions are warnings."),
    ] = False,
    allow_rolled_back: AllowRolledBack = False,
    allow_exposure: AllowExposure = False,
    prune: Prune = False,
    full: Annotated[
        bool, typer.Option("--full", help="Show whole values and unchanged fields in the text output.")
    ] = False,
) -> None:
    """Show what apply would change. Changes nothing."""
    flags = {"for_another": for_another, "allow_rolled_back": allow_rolled_back, "allow_exposure": allow_exposure}
    flags |= {"prune": prune}
    others = regions_of(regions)
    made = runner.run(lambda commands, project: commands.plan(project, environment, endpoints or (), others, **flags))
    from deploy import reporter

    if out is not None:
        _write_private(out, reporter.plan_dump(made))
    github_actions.report_plan(made, out)
    needs_yes = out is None and bool(made.steps) and runner.needs_yes(environment)
    hint = _apply_command(made, endpoints or (), out, needs_yes=needs_yes) if made.steps else ""
    output.show(runner.plan_view(made, hint, full=full), output_format)
    raise SystemExit(Exit.CHANGES if detailed_exitcode and made.steps else Exit.OK)


def apply(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PLANFILE|KEY",
            help="A plan file from plan --out, or endpoint keys. Default: all endpoints.",
            autocompletion=completion.keys,
        ),
    ] = None,
    environment: OptionalEnvironment = None,
    output_format: Format = Output.TEXT,
    yes: Yes = False,
    jobs: Jobs = None,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
    cleanup: Annotated[
        bool, typer.Option("--cleanup", help="Delete the deployment of a release that fails; its logs are saved.")
    ] = False,
    allow_rolled_back: AllowRolledBack = False,
    allow_exposure: AllowExposure = False,
    prune: Prune = False,
) -> None:
    """Deploy an environment, or a saved plan."""
    default = context.is_from_variable()
    file = runner.run(
        lambda commands, project: commands.plan_file(project, environment, arguments or (), is_default=default)
    )
    if file and default:
        context.ignore_variable()
        environment = None
    endpoints = (arguments or [])[1 if file else 0 :]
    flags = {"cleanup": cleanup, "allow_rolled_back": allow_rolled_back, "allow_exposure": allow_exposure}
    flags |= {"prune": prune}
    invocation = Invocation(
        "apply",
        environment,
        endpoints,
        yes=yes or file is not None,
        events=events,
        lock_timeout=lock_timeout,
    )
    runner.run_noticing_command(
        invocation, output_format, lambda commands, common: commands.apply(**common, jobs=jobs, plan_file=file, **flags)
    )


def teardown(
    environment: DeletingEnvironment,
    endpoints: Endpoints = None,
    output_format: Format = Output.TEXT,
    yes: Yes = False,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
    prune: Prune = False,
) -> None:
    """Delete everything that this environment created. Registered models, code and environments stay."""
    invocation = Invocation("teardown", environment, endpoints or (), yes=yes, events=events, lock_timeout=lock_timeout)
    runner.run_plan_command(
        invocation, output_format, lambda commands, common: commands.teardown(**common, prune=prune)
    )


def rollback(
    environment: Environment,
    endpoints: Endpoints = None,
    every: Annotated[bool, typer.Option("--all", help="Roll back all endpoints that have a previous release.")] = False,
    to: Annotated[
        str, typer.Option("--to", metavar="RELEASE|COMMIT", help="An earlier live release that is still deployed.")
    ] = "",
    output_format: Format = Output.TEXT,
    yes: Yes = False,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
    force_unlock: Annotated[
        list[str] | None,
        typer.Option(
            "--force-unlock", metavar="LOCK_ID", help="Take a lock over from the run that holds it. Repeatable."
        ),
    ] = None,
) -> None:
    """Move traffic back to the previous release. Probes that release first."""
    flags = {"every": every, "to": to, "force_unlock": force_unlock or ()}
    invocation = Invocation("rollback", environment, endpoints or (), yes=yes, events=events, lock_timeout=lock_timeout)
    runner.run_plan_command(invocation, output_format, lambda commands, common: commands.rollback(**common, **flags))


def force_unlock(
    environment: Environment,
    endpoint: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Endpoint: its key, or its name in Azure.", autocompletion=completion.keys),
    ],
    lock_id: Annotated[str, typer.Argument(metavar="LOCK_ID", help="Lock id, as status and exit code 8 show it.")],
) -> None:
    """End the lock of a run that hangs. That run stops at its next change."""
    name = runner.run(lambda commands, project: commands.force_unlock(project, environment, endpoint, lock_id))
    console.print_result(f"Endpoint {name} is not locked by {lock_id} any more.")


def probe(
    environment: Environment,
    endpoints: Endpoints = None,
    slot: Annotated[
        str | None, typer.Option("--slot", metavar="DEPLOYMENT", help="Deployment; omit for the live one.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show the cases of the other slot beside those of the live one.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Write the live answers into the case files, as expected ones.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --record, also replace expected answers that were not recorded.")
    ] = False,
    output_format: Format = Output.TEXT,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FOLDER", help="Save the probe results (images, JSON) here.")
    ] = None,
    events: Events = None,
) -> None:
    """Send test requests to the live deployments. Checks their answers."""
    if overwrite and not record:
        raise UsageError("probe", "--overwrite needs --record", "Add --record, or remove --overwrite", code="AML681")
    if record:
        _record(environment, endpoints or (), overwrite=overwrite, alone=not (slot or compare or save or events))
        return
    invocation = Invocation("probe", environment, endpoints or (), yes=True, events=events)

    result: Result = runner.run_with_progress(
        invocation, lambda commands, common: commands.probe(**common, save=save, slot=slot, compare=compare)
    )
    if compare and not output.is_machine_readable(output_format):
        from deploy import reporter

        console.print_result(reporter.case_table(result.report))
    runner.finish(result, output_format, invocation)


def _record(environment: str, endpoints: Sequence[str], *, overwrite: bool, alone: bool) -> None:
    if not alone:
        cause = "--record asks the live deployments, and has no results to save"
        raise UsageError("probe", cause, "Use --record without --slot, --compare, --save and --events", code="AML681")
    found = runner.run(lambda commands, p: commands.record(p, environment, endpoints, overwrite=overwrite))
    if not found:
        raise UsageError("record", "no endpoint has cases", "Add `cases` to its probe: docs/cases.md", code="AML681")
    for each in found:
        words = f"recorded in {', '.join(each.files)}" if each.files else each.reason
        console.print_result(f"{each.endpoint}/{each.case}: {words}")
    if any(each.failed for each in found):
        raise SystemExit(Exit.STEP_FAILED)


def code_block(title: str, text: str, language: str) -> str:
    """Markdown: a heading and a block of code with a fence that the text does not contain."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"### {title}\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _apply_command(plan: Plan, endpoints: Sequence[str], out: Path | None, *, needs_yes: bool) -> str:
    """The command that applies the plan."""
    chosen = {"--allow-rolled-back": plan.allow_rolled_back, "--allow-exposure": plan.allow_exposure}
    chosen |= {"--prune": bool(plan.pruned)}
    flags = [flag for flag, is_on in {**chosen, "--yes": needs_yes}.items() if is_on]
    return shlex.join(["amldeploy", "apply", *([str(out)] if out else ["-e", plan.environment, *endpoints, *flags])])


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read: rendered files and plans can contain secrets."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")
