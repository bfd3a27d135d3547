"""The street door: reads the command line, calls one verb, prints what it returns, leaves with its exit code.

Nothing about the domain is decided here. How a result leaves (stdout, progress, questions, errors) is `door`'s.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from deploy import door, machine
from deploy.door import Output
from deploy.errors import Exit, UsageError

app = typer.Typer(
    name="amldeploy",
    help="Plan, apply, probe and tear down Azure ML online endpoints. Start with: amldeploy apply -e local",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(machine.commands, name="emulator")

Env = Annotated[str, typer.Option("-e", "--environment", help="A file of environments/, without .yml.", metavar="NAME")]
Keys = Annotated[list[str] | None, typer.Argument(help="Endpoints of the environment; all when none is named.")]
Form = Annotated[Output, typer.Option("-o", "--output", help="Form of the result on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, max=64, help="Endpoints worked on side by side.")]
Events = Annotated[
    Path | None, typer.Option("--events", help="Write every event to this file, one JSON object a line.")
]


@app.command()
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


@app.command()
def validate(environment: Env, endpoints: Keys = None, output: Form = Output.TEXT) -> None:
    """Show every problem of the files at once, with its place. Works offline."""
    _, specs = door.call(lambda verbs, project: verbs.validate(project, environment, endpoints or ()))
    found = {"ok": True, "environment": environment, "endpoints": [spec.key for spec in specs]}
    door.show(
        json.dumps(found)
        if output is Output.JSON
        else f"{environment}: no problems in {len(specs)} endpoint{'' if len(specs) == 1 else 's'}."
    )


@app.command()
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


@app.command()
def apply(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[PLANFILE | ENDPOINT...]", help="One plan file, or endpoints.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("-e", "--environment", metavar="NAME", help="Not needed with a plan file.")
    ] = None,
    output: Form = Output.TEXT,
    yes: Yes = False,
    jobs: Jobs = 8,
    events: Events = None,
) -> None:
    """Make it so: the endpoints of an environment, or exactly one plan file."""
    agreed = what[0] if what and Path(what[0]).is_file() else None
    asked = door.Asked(
        "apply", environment, (what or [])[1 if agreed else 0 :], yes=yes or agreed is not None, events=events
    )
    done = door.carry(
        asked, lambda verbs, ways: verbs.apply(**ways, jobs=jobs, plan_file=Path(agreed) if agreed else None)
    )
    door.finish(done, output)


@app.command()
def teardown(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    yes: Yes = False,
    jobs: Jobs = 8,
    events: Events = None,
) -> None:
    """Delete role assignments, deployments and endpoints: a plan towards nothing."""
    asked = door.Asked("teardown", environment, endpoints or (), yes=yes, events=events)
    door.finish(door.carry(asked, lambda verbs, ways: verbs.teardown(**ways, jobs=jobs)), output)


@app.command()
def probe(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    save: Annotated[Path | None, typer.Option("--save", help="Write what was seen (pictures, JSON) here.")] = None,
    events: Events = None,
) -> None:
    """Run the probes now, against whatever serves callers."""
    asked = door.Asked("probe", environment, endpoints or (), yes=True, events=events)
    done = door.carry(asked, lambda verbs, ways: verbs.probe(**ways, save=save))
    door.finish(done, output)


@app.command()
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


@app.command()
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


@app.command()
def schema(name: Annotated[str | None, typer.Argument(help="Which; none lists the names.")] = None) -> None:
    """Print a JSON Schema: of the files you write, or of what -o json prints."""
    folder = Path(__file__).with_name("schemas")
    names = sorted(path.stem for path in folder.glob("*.json"))
    if name is not None and name not in names:
        raise UsageError(f"print schema {name}", "there is none of this name", f"There are {', '.join(names)}")
    door.show((folder / f"{name}.json").read_text(encoding="utf-8") if name else "\n".join(names))


def main() -> NoReturn:
    """Everything ends here: a result, or an error in words, and an exit code."""
    sys.exit(door.leave(lambda: app(sys.argv[1:] or ["--help"], prog_name="amldeploy", standalone_mode=False)))
