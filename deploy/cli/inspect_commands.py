"""The commands of the group Inspect: status, logs, doctor, explain."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, TextIO

import typer

from deploy.cli import completion, console, output, runner
from deploy.cli.deploy_commands import code_block
from deploy.cli.options import (
    Endpoints,
    Environment,
    Format,
    PlainFormat,
    Regions,
    Slot,
    StatusEnvironments,
    StatusFormat,
    hours_of,
    regions_of,
)
from deploy.cli.output import Output, StatusOutput, TextOrJson, View
from deploy.errors import Exit, UsageError
from deploy.text import count


def status(
    environments: StatusEnvironments,
    endpoints: Endpoints = None,
    output_format: StatusFormat = StatusOutput.TEXT,
    fail_under: Annotated[
        str | None,
        typer.Option(
            "--fail-under", metavar="TIME", help="Exit with 5 when a lease ends within this time or an alias is wrong."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh until Ctrl-C; with -o json, one line per refresh.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=1, help="Refresh interval of --watch.")
    ] = 5.0,
) -> None:
    """Show endpoints, traffic, releases and leases. Sorted by the end of the lease.

    With -o html, one page of all environments.
    """
    hours = hours_of(fail_under)
    if output_format is StatusOutput.HTML:
        raise SystemExit(_page(environments, endpoints or (), hours, watch=watch))
    environment = _only(environments)
    if watch:
        _watch(environment, endpoints or (), output_format, every)
        return
    rows = runner.run(lambda commands, project: commands.status(project, environment, endpoints or ()))
    output.show(_view(rows, sys.stdout, environment), output_format)
    raise SystemExit(_attention(rows, hours))


def _only(environments: Sequence[str]) -> str:
    if len(environments) > 1:
        cause = f"-e is used {count(len(environments), 'time')}"
        raise UsageError("show the status", cause, "Use -e once, or -o html for one page of all", code="AML691")
    return environments[0]


def _page(environments: Sequence[str], endpoints: Sequence[str], hours: float | None, *, watch: bool) -> int:
    """Print the page and each error. Returns the worst exit code."""
    from deploy import reporter

    if watch:
        cause = "a page is printed once"
        raise UsageError("watch the status", cause, "Use --watch with another -o, or without -o", code="AML648")
    found = runner.run(lambda commands, project: commands.status_of_each(project, environments, endpoints))
    output.show(View(str, lambda: None, html=lambda: reporter.status_html(found, datetime.now(UTC))), StatusOutput.HTML)
    failed = [runner.report_error(each.error, in_result=True) for each in found if each.error]
    return max([int(Exit.OK), *failed, *(_attention(each.rows, hours) for each in found)])


def _attention(rows: Sequence[Any], hours: float | None) -> Exit:
    """The exit code for --fail-under."""
    is_due = hours is not None and any(_needs_attention(row, hours) for row in rows)
    return Exit.STEP_FAILED if is_due else Exit.OK


def _needs_attention(row: Any, hours: float) -> bool:
    """Whether the lease ends within so many hours or was missed, or the alias is wrong. Not the lease of an orphan."""
    return row.is_broken or (not row.orphan and row.hours_left is not None and row.hours_left < hours)


def _watch(environment: str, endpoints: Sequence[str], output_format: StatusOutput, every: float) -> None:
    """Print the status repeatedly. On a terminal each replaces the one before."""
    out = sys.stdout
    clear = "\x1b[H\x1b[2J\x1b[3J" if out.isatty() and output_format is StatusOutput.TEXT else ""

    def show(rows: Sequence[Any]) -> None:
        if not console.print_result(clear + output.render(_view(rows, out, environment), output_format), out):
            raise KeyboardInterrupt  # the reader closed the pipe

    with contextlib.suppress(KeyboardInterrupt):
        runner.run(lambda commands, project: commands.watch(project, environment, endpoints, show=show, every=every))


def _view(rows: Sequence[Any], out: TextIO, environment: str) -> View:
    from deploy import reporter

    return View(
        lambda: reporter.status_text(rows, **console.layout(out)),
        lambda: reporter.status_json(rows),
        lambda: reporter.status_markdown(rows),
        ics=lambda: reporter.status_ics(rows, datetime.now(UTC), environment),
        indent=None,
    )


def logs(
    environment: Environment,
    endpoint: Annotated[
        str, typer.Argument(metavar="KEY", help="Endpoint of the environment.", autocompletion=completion.keys)
    ],
    slot: Slot = None,
    lines: Annotated[
        int, typer.Option("--lines", metavar="NUMBER", min=1, max=5000, help="Last lines of each container.")
    ] = 100,
    output_format: Format = Output.TEXT,
) -> None:
    """Print the last lines of both containers of a deployment."""
    from deploy.diagnosis.root_cause import of_containers

    found = runner.run(lambda commands, project: commands.logs(project, environment, endpoint, slot=slot, lines=lines))
    raised = of_containers(list(found.values()))
    first = f"Last exception: {raised}\n\n" if raised else ""
    output.show(
        View(
            lambda: first + "\n".join(f"== {container}\n{text.rstrip()}\n" for container, text in found.items()),
            lambda: found,
            lambda: first + "\n".join(code_block(container, text, "") for container, text in found.items()),
            indent=None,
        ),
        output_format,
    )


def doctor(
    environment: Environment,
    endpoints: Endpoints = None,
    output_format: PlainFormat = TextOrJson.TEXT,
    regions: Regions = "",
) -> None:
    """Check the prerequisites of apply. Changes nothing.

    Checks the credential, the workspace, permissions, quota, models and limits.
    """
    others = regions_of(regions)
    found = runner.run(lambda commands, project: commands.doctor(project, environment, endpoints or (), others))
    from deploy import reporter

    layout = console.layout(sys.stdout)
    output.show(View(lambda: reporter.doctor_text(found, **layout), lambda: reporter.doctor_json(found)), output_format)
    raise SystemExit(found.exit)


def explain(
    code: Annotated[
        str | None,
        typer.Argument(metavar="CODE", help="Error code; omit to list all.", autocompletion=completion.codes),
    ] = None,
    output_format: Format = Output.TEXT,
) -> None:
    """Explain an error code and how to fix it."""
    from deploy import error_codes

    if code is None:
        rows = list(error_codes.explanations().values())
        titles = [f"{row.code}  {row.title}" for row in rows]
        output.show(View(lambda: "\n".join(titles), lambda: [asdict(row) for row in rows]), output_format)
        return
    row = error_codes.explain(code)
    output.show(View(lambda: error_codes.as_text(row), lambda: asdict(row)), output_format)
