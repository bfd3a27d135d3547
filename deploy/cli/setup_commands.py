"""The commands of the group Set up: init, import, adopt, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import console, output, runner
from deploy.cli.options import Endpoints, Environment, Events, Format, LockTimeout, Yes
from deploy.cli.output import Output, View
from deploy.cli.runner import Invocation
from deploy.config import starter
from deploy.errors import UsageError


def init(
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="NAME",
            help=f"{', '.join(starter.names())}. Default: {starter.DEFAULT}. With --from: a name for the new template.",
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="Make a template of a folder with files for `az ml`."),
    ] = None,
    github: Annotated[bool, typer.Option("--github", help="Also write a workflow for GitHub Actions.")] = False,
    output_format: Format = Output.TEXT,
) -> None:
    """Write the files of a new project. Never overwrites."""
    made = runner.run(lambda commands, project: commands.init(project, template=template, source=source, github=github))

    def text() -> str:
        return "\n".join([*(f"written  {path}" for path in made.written), *(f"kept     {path}" for path in made.kept)])

    document = {"written": list(made.written), "kept": list(made.kept), "notes": list(made.notes)}
    output.show(View(text, lambda: document), output_format)
    if output.is_machine_readable(output_format):
        return
    for note in made.notes:
        console.print_message(f"Note: {note}.")
    console.print_message("Next: amldeploy apply -e local")


def import_(
    environment: Environment,
    endpoint: Annotated[str, typer.Option("--endpoint", metavar="NAME", help="Name of the endpoint in Azure.")],
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="Key of the new entry; the endpoint's name by default.")
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="NAME", help="Name of the new template; the key by default.")
    ] = None,
    output_format: Format = Output.TEXT,
) -> None:
    """Generate files from an existing endpoint. Changes nothing in Azure."""
    made = runner.run(
        lambda commands, project: commands.import_endpoint(project, environment, endpoint, key=key, template=template)
    )
    document = {"key": made.key, "files": list(made.files), "hidden": dict(made.hidden), "notes": list(made.notes)}
    output.show(View(lambda: "\n".join(made.files), lambda: document), output_format)
    if output.is_machine_readable(output_format):
        return
    for note in made.notes:
        console.print_message(f"Note: {note}.")
    for name, place in made.hidden.items():
        cure = f"Set values.{name}, or reference a Key Vault secret there"
        console.print_message(f"Not written because it looks like a secret: {place}. {cure}.")
    yes = " --yes" if runner.needs_yes(environment) else ""
    console.print_message(
        f"Next: amldeploy plan -e {environment} {made.key}, then amldeploy adopt -e {environment} {made.key}{yes}"
    )


def adopt(
    environment: Environment,
    endpoints: Endpoints = None,
    output_format: Format = Output.TEXT,
    yes: Yes = False,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
    owners: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="OWNER",
            help="Take over endpoints of this owner (value of the tag amldeploy-owner). Repeatable.",
        ),
    ] = None,
) -> None:
    """Manage existing endpoints (changes only tags and descriptions)."""
    invocation = Invocation("adopt", environment, endpoints or (), yes=yes, events=events, lock_timeout=lock_timeout)
    runner.run_plan_command(
        invocation, output_format, lambda commands, common: commands.adopt(**common, owners=owners or ())
    )


def schema(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Schema; omit to list all.")] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="FOLDER", help="Write the schemas of your files, for editors. Overwrites them."
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of your files, or of an -o json output."""
    if write is not None:
        if name is not None:
            cure = "Use --write without a name"
            raise UsageError("write the schemas", "--write writes all of them", cure, code="AML630")
        written = runner.run(lambda commands, _: commands.write_schemas(write))
        console.print_result("\n".join(written))
        return
    folder = Path(__file__).parents[1] / "schemas"
    names = sorted(path.stem for path in folder.glob("*.json"))
    if name is not None and name not in names:
        cure = f"Use one of {', '.join(names)}"
        raise UsageError(f"print schema {name}", "no schema has this name", cure, code="AML630")
    console.print_result((folder / f"{name}.json").read_text(encoding="utf-8") if name else "\n".join(names))
