"""The street door: reads the command line, calls one verb, prints what it returns, leaves with its exit code.

Nothing about the domain is decided here. How a verb is called and left (progress, questions, errors) is `door`'s; what
is said leaves through `speech`.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from deploy.cli import (
    apply,
    console,
    doctor,
    emulator_commands,
    explain,
    github,
    import_endpoints,
    inspect,
    runner,
    shared_quota,
    signals,
)

app = typer.Typer(
    name="amldeploy",
    help="Plan, apply, probe and tear down Azure ML online endpoints. Start with: amldeploy apply -e local",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    inspect.render,
    inspect.validate,
    inspect.plan,
    apply.apply,
    apply.rollback,
    apply.teardown,
    apply.probe,
    shared_quota.reap,
    shared_quota.renew,
    shared_quota.restore,
    inspect.status,
    inspect.logs,
    doctor.doctor,
    inspect.schema,
    import_endpoints.adopt,
    explain.explain,
):
    app.command()(command)
app.command("import")(import_endpoints.import_)
app.add_typer(emulator_commands.commands, name="emulator")
app.add_typer(github.commands, name="github")


def main() -> NoReturn:
    """Everything ends here: a result, or an error in words, and an exit code."""
    console.begin()
    signals.Stopping().listen()
    sys.exit(runner.leave(lambda: app(sys.argv[1:] or ["--help"], prog_name="amldeploy", standalone_mode=False)))
