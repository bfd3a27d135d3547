"""The commands of the group Set up: init, import, schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import completion, console, context, output, runner
from deploy.cli.options import Environment, Events, Format, LockTimeout
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
            autocompletion=completion.templates,
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
    around = context.project_root(required=False)
    made = runner.run(
        lambda commands, project: commands.init(project, template=template, source=source, github=github), root=Path()
    )

    def text() -> str:
        return "\n".join([*(f"written  {path}" for path in made.written), *(f"kept     {path}" for path in made.kept)])

    document = {"written": list(made.written), "kept": list(made.kept), "notes": list(made.notes)}
    output.show(View(text, lambda: document), output_format)
    if output.is_machine_readable(output_format):
        return
    for note in made.notes:
        console.print_message(f"Note: {note}.")
    if around != Path():
        console.print_message(f"Note: A project contains this folder. To add to it: amldeploy -C {around} init")
    console.print_message(f"Next: {', then '.join(made.next)}")


def import_(
    environment: Environment,
    endpoints: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY",
            help="Endpoint keys, with --adopt. Default: all endpoints.",
            autocompletion=completion.keys,
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="NAME", help="Write files for the endpoint with this name in Azure."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Key of the new entry; the endpoint's name by default."),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="NAME", help="Name of the new template; the key by default.")
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Manage the existing endpoints of the files. Changes only tags and descriptions."),
    ] = False,
    owners: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="OWNER",
            help="With --adopt: also endpoints of this owner (value of the tag amldeploy-owner). Repeatable.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --adopt: skip the confirmation.")] = False,
    events: Events = None,
    lock_timeout: LockTimeout = "0s",
    output_format: Format = Output.TEXT,
) -> None:
    """Generate files from an endpoint, or manage it (--adopt).

    First write its files, which changes nothing in Azure. Then adopt it; plan shows what the next apply changes.
    """
    for_files = {"--endpoint": endpoint, "--key": key, "--template": template}
    for_adopting = {"KEY": endpoints, "--from": owners, "--yes": yes, "--events": events}
    for_adopting["--lock-timeout"] = lock_timeout != "0s"
    if not (adopt or endpoint):
        cure = "Use --endpoint NAME to write files for an endpoint, or --adopt to manage endpoints of the files"
        raise UsageError("import", "neither --endpoint nor --adopt is used", cure, code="AML693")
    _refuse_both("--adopt" if adopt else "--endpoint", for_files if adopt else for_adopting)
    if adopt:
        invocation = Invocation(
            "adopt", environment, endpoints or (), yes=yes, events=events, lock_timeout=lock_timeout
        )
        runner.run_plan_command(
            invocation, output_format, lambda commands, common: commands.adopt(**common, owners=owners or ())
        )
    elif endpoint is not None:
        _write_files(environment, endpoint, key, template, output_format)


def _refuse_both(used: str, useless: Mapping[str, object]) -> None:
    """Raises UsageError if an option is given that has no effect together with `used`."""
    given = [name for name, value in useless.items() if value]
    if given:
        what, other = given[0], "--endpoint" if used == "--adopt" else "--adopt"
        cause = f"{what} has no effect with {used}" if what != other else f"{what} and {used} are two steps"
        cure = "Write the files with --endpoint first; then run import --adopt with the key"
        raise UsageError("import", cause, cure, code="AML693")


def _write_files(environment: str, endpoint: str, key: str | None, template: str | None, output_format: Output) -> None:
    """Generate files from an existing endpoint, and print what to do next."""
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
    words = f"-e {environment} {made.key}"
    console.print_message(f"Next: amldeploy plan {words}, then amldeploy import --adopt {words}{yes}")


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Schema; omit to list all.", autocompletion=completion.schemas)
    ] = None,
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
        written = runner.run(lambda commands, _: commands.write_schemas(write), root=Path())
        console.print_result("\n".join(written))
        return
    folder = Path(__file__).parents[1] / "schemas"
    names = sorted(path.stem for path in folder.glob("*.json"))
    if name is not None and name not in names:
        cure = f"Use one of {', '.join(names)}"
        raise UsageError(f"print schema {name}", "no schema has this name", cure, code="AML630")
    console.print_result((folder / f"{name}.json").read_text(encoding="utf-8") if name else "\n".join(names))
