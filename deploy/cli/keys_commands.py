"""The commands `amldeploy keys ...`: show and rotate the keys of an endpoint."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from deploy.cli import command_help, console, output, runner
from deploy.cli.call_commands import Endpoint
from deploy.cli.options import Environment, Format, LockTimeout, Yes, seconds_of
from deploy.cli.output import Output, View
from deploy.errors import UsageError

app = command_help.group("keys", "Show or rotate the keys of an endpoint.")


class Key(StrEnum):
    """The two keys of an endpoint; both are always valid."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


def show(
    environment: Environment,
    endpoint: Endpoint = None,
    key: Annotated[Key, typer.Option("--key", help="Which key.")] = Key.PRIMARY,
    show_it: Annotated[bool, typer.Option("--show", help="Print it also where the output is not a terminal.")] = False,
    output_format: Format = Output.TEXT,
) -> None:
    """Print a key of an endpoint; with -o json both. Only on a terminal, or with --show."""
    if not (show_it or (sys.stdout is not None and sys.stdout.isatty())):
        raise UsageError("show the keys", "the output is not a terminal", "Use --show", code="AML682")
    found = runner.run(lambda commands, project: commands.show_keys(project, environment, endpoint))
    output.show(View(lambda: getattr(found, key), lambda: asdict(found), indent=None), output_format)


def rotate(
    environment: Environment,
    key: Annotated[Key, typer.Option("--key", help="The key to replace; the other one stays.")],
    endpoint: Endpoint = None,
    yes: Yes = False,
    lock_timeout: LockTimeout = "0s",
    output_format: Format = Output.TEXT,
) -> None:
    """Replace one key of an endpoint by a new one. Each run makes another new key.

    Clients that use this key must switch to the other one before, or to the new one after.
    """
    err = sys.stderr

    def approve(what: str, needed: bool) -> None:
        if needed and not yes:
            err.write(f"Clients that use the {key} key must switch to the other key first, or fail.\n")
            runner.confirm(what, err)

    made = runner.run(
        lambda commands, project: commands.rotate_key(
            project,
            environment,
            endpoint,
            key.value,
            approve=approve,
            emit=lambda event: err.write(f"{event.text}\n"),
            lock_timeout=seconds_of(lock_timeout),
        )
    )
    document = {**asdict(made), "ok": True, "clients": _clients(environment, made)}
    output.show(View(lambda: _text(environment, made), lambda: document, indent=None), output_format, done=True)
    if made.note:
        console.print_message(f"Note: {made.note}")


for command, example in ((show, "show -e local mip"), (rotate, "rotate -e prod mip --key secondary")):
    command_help.add(app, command, f"amldeploy keys {example}", "docs/invoke.md")


def _text(environment: str, made: Any) -> str:
    stays = f"The {made.other} key is unchanged."
    if not made.other_is_unchanged:
        stays = f"The {made.other} key has changed, too, which this command did not request."
    return f"The {made.rotated} key of {made.endpoint} is new. {stays}\n\n{_clients(environment, made)}"


def _clients(environment: str, made: Any) -> str:
    """Which clients must switch, in which order."""
    words = f"-e {environment} {made.key} --key"
    lines = [f"Clients that use the {made.rotated} key need the new one: amldeploy keys show {words} {made.rotated}"]
    if made.rotated == Key.SECONDARY:
        lines.append("To replace the primary key, too: let all clients that use it switch to the secondary key,")
        lines.append(f"and only then run: amldeploy keys rotate {words} primary")
    else:
        lines.append("amldeploy itself reads the primary key before each request.")
    return "\n".join(lines)
