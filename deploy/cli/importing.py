"""Commands for endpoints that are there already: import and adopt."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from deploy.cli import door, speech
from deploy.cli.door import Output
from deploy.cli.typed import Env, Events, Form, Jobs, Keys, Yes


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
    made = door.call(
        lambda verbs, project: verbs.import_endpoint(project, environment, endpoint, key=key, template=template)
    )
    if output is Output.JSON:
        speech.show(json.dumps({"key": made.key, "files": list(made.files), "hidden": dict(made.hidden)}, indent=2))
        return
    speech.show("\n".join(made.files))
    for name, where in made.hidden.items():
        cure = f"Set values.{name}, or name a Key Vault secret there"
        speech.say(f"Not written, it looks like a secret: {where}. {cure}.")
    yes = " --yes" if door.needs_yes(environment) else ""
    speech.say(
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
    asked = door.Asked("adopt", environment, endpoints or (), yes=yes, events=events)
    done = door.carry(asked, lambda verbs, ways: verbs.adopt(**ways, owners=owners or (), jobs=jobs))
    door.finish(done, output, asked)
