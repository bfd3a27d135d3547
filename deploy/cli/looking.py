"""Commands that look and change nothing. Each calls one verb and shows what it returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import door
from deploy.cli.door import Output
from deploy.cli.typed import Env, Form, Keys
from deploy.errors import Exit, UsageError


def render(
    environment: Env,
    endpoints: Keys = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write files into this folder instead of printing.")] = None,
) -> None:
    """Print (or write) the CLI v2 YAML, ready for `az ml`."""
    files = door.call(lambda verbs, project: verbs.render(project, environment, endpoints or ()))
    if out is None:
        door.show("---\n".join(f"# {name}\n{text}" for name, text in files.items()).rstrip())
        return
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
        door.show(str(out / name))


def validate(environment: Env, endpoints: Keys = None, output: Form = Output.TEXT) -> None:
    """Show every problem of the files at once, with its place. Works offline."""
    _, specs = door.call(lambda verbs, project: verbs.validate(project, environment, endpoints or ()))
    found = {"ok": True, "environment": environment, "endpoints": [spec.key for spec in specs]}
    door.show(
        json.dumps(found)
        if output is Output.JSON
        else f"{environment}: no problems in {len(specs)} endpoint{'' if len(specs) == 1 else 's'}."
    )


def plan(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the plan to this file, for apply.")] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes.")
    ] = False,
) -> None:
    """Observe, compare, and print the steps. Changes nothing."""
    made = door.call(lambda verbs, project: verbs.plan(project, environment, endpoints or ()))
    from deploy import reporter

    if out is not None:
        door.write_private(out, reporter.plan_dump(made))
    door.show(door.plan_as(made, output))
    raise SystemExit(Exit.CHANGES if detailed_exitcode and made.steps else Exit.OK)


def status(environment: Env, endpoints: Keys = None, output: Form = Output.TEXT) -> None:
    """Show endpoints, slots, traffic, releases and what is left of leases."""
    rows = door.call(lambda verbs, project: verbs.status(project, environment, endpoints or ()))
    from deploy import reporter

    door.show(
        {
            Output.JSON: lambda: json.dumps(reporter.status_json(rows)),
            Output.MARKDOWN: lambda: reporter.status_markdown(rows),
            Output.TEXT: lambda: reporter.status_text(rows, **door.page(sys.stdout)),
        }[output]()
    )


def logs(
    environment: Env,
    endpoint: Annotated[str, typer.Argument(help="An endpoint of the environment.")],
    slot: Annotated[str | None, typer.Option("--slot", help="A deployment; the live one when not given.")] = None,
    lines: Annotated[int, typer.Option("--lines", min=1, max=5000, help="How many lines of each container.")] = 100,
    output: Form = Output.TEXT,
) -> None:
    """Print the last lines of both containers of a deployment."""
    found = door.call(lambda verbs, project: verbs.logs(project, environment, endpoint, slot=slot, lines=lines))
    text = "\n".join(f"== {container}\n{content.rstrip()}\n" for container, content in found.items())
    door.show(json.dumps(found) if output is Output.JSON else text)


def schema(name: Annotated[str | None, typer.Argument(help="Which; none lists the names.")] = None) -> None:
    """Print a JSON Schema: of the files you write, or of what -o json prints."""
    folder = Path(__file__).parents[1] / "schemas"
    names = sorted(path.stem for path in folder.glob("*.json"))
    if name is not None and name not in names:
        raise UsageError(
            f"print schema {name}", "there is none of this name", f"There are {', '.join(names)}", code="AML630"
        )
    door.show((folder / f"{name}.json").read_text(encoding="utf-8") if name else "\n".join(names))
