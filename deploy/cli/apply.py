"""Commands that carry out a plan. Each shows it, asks, calls one verb and leaves with the report's exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import runner
from deploy.cli.options import AllowExposure, Env, Events, Form, Jobs, Keys, RolledBack, Yes
from deploy.cli.runner import Output


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
    cleanup: Annotated[
        bool, typer.Option("--cleanup", help="Delete what was made for a release that fails; its logs are kept.")
    ] = False,
    allow_rolled_back: RolledBack = False,
    allow_exposure: AllowExposure = False,
) -> None:
    """Make it so: an environment's endpoints, or one plan file."""
    agreed = runner.call(lambda commands, project: commands.plan_file(project, environment, what or ()))
    asked = runner.Invocation(
        "apply", environment, (what or [])[1 if agreed else 0 :], yes=yes or agreed is not None, events=events
    )
    flags = {"cleanup": cleanup, "allow_rolled_back": allow_rolled_back, "allow_exposure": allow_exposure}
    done = runner.carry(asked, lambda commands, ways: commands.apply(**ways, jobs=jobs, plan_file=agreed, **flags))
    runner.finish(done, output, asked)


def teardown(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    yes: Yes = False,
    jobs: Jobs = 8,
    events: Events = None,
) -> None:
    """Delete roles, deployments and endpoints. Registered models, code and environments stay and are listed."""
    asked = runner.Invocation("teardown", environment, endpoints or (), yes=yes, events=events)
    runner.finish(runner.carry(asked, lambda commands, ways: commands.teardown(**ways, jobs=jobs)), output, asked)


def rollback(
    environment: Env,
    endpoints: Annotated[list[str] | None, typer.Argument(help="Endpoints of the environment.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Roll back all endpoints that have a previous release.")] = False,
    to: Annotated[
        str, typer.Option("--to", metavar="RELEASE|COMMIT", help="A release that was live and is still deployed.")
    ] = "",
    output: Form = Output.TEXT,
    yes: Yes = False,
    jobs: Jobs = 8,
    events: Events = None,
) -> None:
    """Move traffic back to the previous release. It is probed first. Running it twice changes nothing more."""
    asked = runner.Invocation("rollback", environment, endpoints or (), yes=yes, events=events)
    done = runner.carry(asked, lambda commands, ways: commands.rollback(**ways, every=every, to=to, jobs=jobs))
    runner.finish(done, output, asked)


def probe(
    environment: Env,
    endpoints: Keys = None,
    output: Form = Output.TEXT,
    save: Annotated[Path | None, typer.Option("--save", help="Write what was seen (pictures, JSON) here.")] = None,
    events: Events = None,
) -> None:
    """Run the probes now, against whatever serves callers."""
    asked = runner.Invocation("probe", environment, endpoints or (), yes=True, events=events)
    done = runner.carry(asked, lambda commands, ways: commands.probe(**ways, save=save))
    runner.finish(done, output, asked)
