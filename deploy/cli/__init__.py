"""The street door: reads the command line, calls one verb, prints what it returns, leaves with its exit code.

Nothing about the domain is decided here. How a verb is called and left (progress, questions, errors) is `door`'s; what
is said leaves through `speech`.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from deploy.cli import (
    changing,
    doctor,
    door,
    explaining,
    federating,
    importing,
    leasing,
    looking,
    machine,
    speech,
    stopping,
)

app = typer.Typer(
    name="amldeploy",
    help="Plan, apply, probe and tear down Azure ML online endpoints. Start with: amldeploy apply -e local",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    looking.render,
    looking.validate,
    looking.plan,
    changing.apply,
    changing.rollback,
    changing.teardown,
    changing.probe,
    leasing.reap,
    leasing.renew,
    leasing.restore,
    looking.status,
    looking.logs,
    doctor.doctor,
    looking.schema,
    importing.adopt,
    explaining.explain,
):
    app.command()(command)
app.command("import")(importing.import_)
app.add_typer(machine.commands, name="emulator")
app.add_typer(federating.commands, name="github")


def main() -> NoReturn:
    """Everything ends here: a result, or an error in words, and an exit code."""
    speech.begin()
    stopping.Stopping().listen()
    sys.exit(door.leave(lambda: app(sys.argv[1:] or ["--help"], prog_name="amldeploy", standalone_mode=False)))
