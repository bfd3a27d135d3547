"""Commands that look and change nothing. Each calls one verb and shows what it returns."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from deploy.cli import console, github_actions, runner
from deploy.cli.options import AllowExposure, Env, Form, Keys, Regions, RolledBack, hours_of, regions_of
from deploy.cli.runner import Output
from deploy.errors import Exit, UsageError
from deploy.text import count

if TYPE_CHECKING:
    from deploy.domain.plan import Plan


class StatusOutput(StrEnum):
    """Forms of a status; `ics` is a calendar of the leases."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    ICS = "ics"


def render(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    out: Annotated[Path | None, typer.Option("--out", help="Write files into this folder instead of printing.")] = None,
) -> None:
    """Print or write (--out) the CLI v2 YAML for `az ml`. What is printed has its secrets hidden."""
    whole = out is not None
    plain = not whole and sys.stdout is not None and console.is_plain(sys.stdout)
    files = runner.call(
        lambda commands, project: commands.render(project, environment, endpoints or (), whole=whole, plain=plain)
    )
    if out is None:
        forms = {
            Output.JSON: lambda: json.dumps({"files": files}, indent=2),
            Output.MARKDOWN: lambda: "\n".join(_fenced(name, text, "yaml") for name, text in files.items()),
            Output.TEXT: lambda: "---\n".join(f"# {name}\n{text}" for name, text in files.items()).rstrip(),
        }
        console.show(forms[output]())
        return
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        _write_private(out / name, text)
        console.show(str(out / name))


def _write_private(path: Path, text: str) -> None:
    """A file for its owner alone: rendered documents hold what the templates hold, secrets included."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def validate(environment: Env, endpoints: Keys = None, output: Form = Output.TEXT) -> None:
    """Show every problem of the files at once, with its place. Works offline."""
    _, specs = runner.call(lambda commands, project: commands.validate(project, environment, endpoints or ()))
    found = {"ok": True, "environment": environment, "endpoints": [spec.key for spec in specs]}
    console.show(
        json.dumps(found)
        if output is Output.JSON
        else f"{environment}: no problems in {count(len(specs), 'endpoint')}."
    )


def plan(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the plan to this file, for apply.")] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes.")
    ] = False,
    regions: Regions = "",
    for_another: Annotated[
        bool, typer.Option("--for-another", help="Somebody else applies it: what you may not do is a note.")
    ] = False,
    allow_rolled_back: RolledBack = False,
    allow_exposure: AllowExposure = False,
) -> None:
    """Observe, compare, and print the steps. Changes nothing."""
    places = regions_of(regions)
    asked = {
        "for_another": for_another,
        "allow_rolled_back": allow_rolled_back,
        "allow_exposure": allow_exposure,
    }
    made = runner.call(lambda commands, project: commands.plan(project, environment, endpoints or (), places, **asked))
    from deploy import reporter

    if out is not None:
        _write_private(out, reporter.plan_dump(made))
    github_actions.planned(made, out)
    asks = out is None and bool(made.steps) and runner.needs_yes(environment)
    console.show(runner.plan_as(made, output, _next(made, endpoints or (), out, asks=asks) if made.steps else ""))
    raise SystemExit(Exit.CHANGES if detailed_exitcode and made.steps else Exit.OK)


def _next(plan: Plan, endpoints: Sequence[str], out: Path | None, *, asks: bool) -> str:
    """What to type to have this plan carried out. `asks`: it would ask, and there is no terminal to answer on."""
    chosen = {"--allow-rolled-back": plan.allow_rolled_back, "--allow-exposure": plan.allow_exposure, "--yes": asks}
    flags = [flag for flag, is_on in chosen.items() if is_on]
    return shlex.join(["amldeploy", "apply", *([str(out)] if out else ["-e", plan.environment, *endpoints, *flags])])


def status(
    environment: Env,
    endpoints: Keys = None,
    output: Annotated[StatusOutput, typer.Option("-o", "--output", help="Form of the result on stdout.")] = (
        StatusOutput.TEXT
    ),
    fail_under: Annotated[
        str | None,
        typer.Option(
            "--fail-under", metavar="24h", help="Exit 5 when a lease ends within this time or an alias is wrong."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until Ctrl-C; with -o json, a line a look.")
    ] = False,
    every: Annotated[float, typer.Option("--every", min=1, help="Seconds between two looks.")] = 5.0,
) -> None:
    """Show endpoints, slots, traffic, releases and leases. What ends soonest stands first."""
    under = hours_of(fail_under)
    if watch:
        _watch(environment, endpoints or (), output, every)
        return
    rows = runner.call(lambda commands, project: commands.status(project, environment, endpoints or ()))
    console.show(_status_as(rows, output, sys.stdout, environment))
    if under is not None and any(_is_late(row, under) for row in rows):
        raise SystemExit(Exit.STEP_FAILED)


def _is_late(row: Any, under: float) -> bool:
    """Whether the lease ends within so many hours, was missed, or the alias does not name the endpoint."""
    return row.is_broken or (row.hours_left is not None and row.hours_left < under)


def _watch(environment: str, endpoints: Sequence[str], output: StatusOutput, every: float) -> None:
    """On a terminal each look takes the place of the one before; elsewhere they follow each other."""
    out = sys.stdout
    wipe = "\x1b[H\x1b[2J\x1b[3J" if out.isatty() and output is StatusOutput.TEXT else ""

    def show(rows: Sequence[Any]) -> None:
        if not console.show(wipe + _status_as(rows, output, out, environment), out):
            raise KeyboardInterrupt  # who watched has gone

    with contextlib.suppress(KeyboardInterrupt):
        runner.call(lambda commands, project: commands.watch(project, environment, endpoints, show=show, every=every))


def _status_as(rows: Sequence[Any], output: StatusOutput, out: TextIO, environment: str) -> str:
    from deploy import reporter

    forms = {
        StatusOutput.JSON: lambda: json.dumps(reporter.status_json(rows)),
        StatusOutput.MARKDOWN: lambda: reporter.status_markdown(rows),
        StatusOutput.ICS: lambda: reporter.status_ics(rows, datetime.now(UTC), environment),
        StatusOutput.TEXT: lambda: reporter.status_text(rows, **console.page(out)),
    }
    return forms[output]()


def logs(
    environment: Env,
    endpoint: Annotated[str, typer.Argument(help="An endpoint of the environment.")],
    slot: Annotated[str | None, typer.Option("--slot", help="A deployment; the live one when not given.")] = None,
    lines: Annotated[int, typer.Option("--lines", min=1, max=5000, help="How many lines of each container.")] = 100,
    output: Form = Output.TEXT,
) -> None:
    """Print the last lines of both containers of a deployment."""
    found = runner.call(lambda commands, project: commands.logs(project, environment, endpoint, slot=slot, lines=lines))
    forms = {
        Output.JSON: lambda: json.dumps(found),
        Output.MARKDOWN: lambda: "\n".join(_fenced(container, content, "") for container, content in found.items()),
        Output.TEXT: lambda: "\n".join(f"== {name}\n{content.rstrip()}\n" for name, content in found.items()),
    }
    console.show(forms[output]())


def _fenced(title: str, text: str, language: str) -> str:
    """A heading and a block of code that nothing inside can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"### {title}\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def schema(name: Annotated[str | None, typer.Argument(help="Which; none lists the names.")] = None) -> None:
    """Print the JSON Schema of your files, or of what -o json prints."""
    folder = Path(__file__).parents[1] / "schemas"
    names = sorted(path.stem for path in folder.glob("*.json"))
    if name is not None and name not in names:
        raise UsageError(
            f"print schema {name}", "there is none of this name", f"There are {', '.join(names)}", code="AML630"
        )
    console.show((folder / f"{name}.json").read_text(encoding="utf-8") if name else "\n".join(names))
