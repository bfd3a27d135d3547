"""The command-line interface: reads the command line, runs one command, prints its result, exits with its code.

deploy_commands, call_commands, inspect_commands, keys_commands, lease_commands,
setup_commands, github_commands, emulator_commands        the commands, a module for each group of `--help`
options, output, command_help   shared options; the output formats (-o); `--help`
runner                     how a command runs: progress, confirmation, errors, exit code
console, signals           printing; Ctrl-C and SIGTERM
context, completion        the folder and the environment of a command; completion in the shell
github_actions             annotations, outputs and summaries in a job of GitHub Actions
"""

from __future__ import annotations

import functools
import sys
from typing import Annotated, Any, NoReturn

import typer

from deploy.cli import (
    call_commands,
    command_help,
    console,
    context,
    deploy_commands,
    emulator_commands,
    github_commands,
    inspect_commands,
    keys_commands,
    lease_commands,
    runner,
    setup_commands,
    signals,
)

_DEPLOY, _INSPECT, _SET_UP, _EMULATOR = "Deploy", "Inspect", "Set up", "Emulator"
app = command_help.group(
    "amldeploy",
    "Deploy Azure ML online endpoints from YAML files. Try it with the emulator: amldeploy apply -e local",
    pretty_exceptions_enable=False,
)
for panel, function, example, docs in (
    (_DEPLOY, deploy_commands.validate, "validate -e local", "docs/commands.md"),
    (_DEPLOY, deploy_commands.render, "render -e local --out rendered", "docs/template-functions.md"),
    (_DEPLOY, deploy_commands.plan, "plan -e prod --out prod.plan", "docs/preflight.md"),
    (_DEPLOY, deploy_commands.apply, "apply -e local", "docs/releases.md"),
    (_DEPLOY, deploy_commands.probe, "probe -e local mip --save results", "docs/medical-models.md"),
    (_DEPLOY, call_commands.invoke, "invoke -e local mip --save results", "docs/invoke.md"),
    (_DEPLOY, deploy_commands.rollback, "rollback -e prod mip", "docs/rollback.md"),
    (_DEPLOY, deploy_commands.force_unlock, "force-unlock -e prod mip LOCK_ID", "docs/locks.md"),
    (_DEPLOY, deploy_commands.teardown, "teardown -e local", "docs/rollback.md"),
    (_INSPECT, inspect_commands.status, "status -e prod --watch", "docs/releases.md"),
    (_INSPECT, inspect_commands.logs, "logs -e prod mip --lines 200", "docs/errors.md"),
    (_INSPECT, inspect_commands.doctor, "doctor -e prod", "docs/preflight.md"),
    (_INSPECT, inspect_commands.explain, "explain AML310", "docs/errors.md"),
    (_SET_UP, setup_commands.init, "init --template own-model", "docs/index.md"),
    (_SET_UP, setup_commands.import_, "import -e dev --endpoint my-endpoint", "docs/existing-endpoint.md"),
    (_SET_UP, setup_commands.schema, "schema pipeline", "docs/commands.md"),
):
    command_help.add(app, function, f"amldeploy {example}", docs, panel=panel)
app.add_typer(keys_commands.app, rich_help_panel=_INSPECT)
app.add_typer(lease_commands.app, rich_help_panel=_DEPLOY)
app.add_typer(github_commands.app, rich_help_panel=_SET_UP)
app.add_typer(emulator_commands.app, rich_help_panel=_EMULATOR)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        console.print_result(f"amldeploy {version('amldeploy')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 its callback prints it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    folders: Annotated[
        list[str] | None,
        typer.Option("-C", metavar="DIR", help="Run as if started in DIR; relative paths start there."),
    ] = None,
) -> None:
    """Deploy Azure ML online endpoints from YAML files. Try it with the emulator: amldeploy apply -e local"""
    context.enter(folders or ())


@functools.cache
def command() -> Any:
    """All commands, as one callable. It is made of the signatures of their functions, which takes a while."""
    return typer.main.get_command(app)


def main() -> NoReturn:
    """Run the command line and exit: without arguments, print the help."""
    console.install()
    signals.SignalHandler().install()
    words = sys.argv[1:] or ["--help"]
    sys.exit(runner.exit_code(lambda: command()(words, prog_name="amldeploy", standalone_mode=False)))
