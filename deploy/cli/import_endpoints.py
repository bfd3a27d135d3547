"""Commands for endpoints that are there already: import and adopt."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from deploy.cli import console, runner
from deploy.cli.options import Env, Events, Form, Jobs, Keys, Yes
from deploy.cli.runner import Output


def import_(
    environment: Env,
    endpoint: Annotated[str, typer.Option("--endpoint", metavar="NAME", help="The endpoint's name in Azure.")],
    key: Annotated[str | None, typer.Option("--key", help="How to call it here; its name when not given.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", help="The folder to make; the key if not given.")
    ] = None,
    output: Form = Output.TEXT,
) -> None:
    """Write the files that say what a live endpoint is. Changes nothing in Azure."""
    made = runner.call(
        lambda commands, project: commands.import_endpoint(project, environment, endpoint, key=key, template=template)
    )
    if output is Output.JSON:
        console.show(json.dumps({"key": made.key, "files": list(made.files), "hidden": dict(made.hidden)}, indent=2))
        return
    console.show("\n".join(made.files))
    for name, where in made.hidden.items():
        cure = f"Set values.{name}, or name a Key Vault secret there"
        console.say(f"Not written, it looks like a secret: {where}. {cure}.")
    yes = " --yes" if runner.needs_yes(environment) else ""
    console.say(
        f"Next: amldeploy plan -e {environment} {made.key}, then amldeploy adopt -e {environment} {made.key}{yes}"
    )


def adopt(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    yes: Yes = False,
    jobs: Jobs = 8,
    events: Events = None,
    owners: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="OWNER", help="Also take it from this owner, as the tag names it. Repeatable."),
    ] = None,
) -> None:
    """Manage existing endpoints with amldeploy (changes tags only)."""
    asked = runner.Invocation("adopt", environment, endpoints or (), yes=yes, events=events)
    done = runner.carry(asked, lambda commands, ways: commands.adopt(**ways, owners=owners or (), jobs=jobs))
    runner.finish(done, output, asked)
