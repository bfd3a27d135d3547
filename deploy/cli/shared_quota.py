"""Commands about leases: reap, renew, restore. The first two are made for a clock to call: too often does no harm."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import console, github_actions, runner, signals
from deploy.cli.console import aloud, noticing
from deploy.cli.options import Env, Events, Form, Jobs, Keys, Yes, hours_of
from deploy.cli.runner import Output
from deploy.errors import DeployError, Exit, UsageError


def reap(
    environments: Annotated[
        list[str],
        typer.Option("-e", "--environment", help="Files of environments/, without .yml; one or more.", metavar="NAME"),
    ],
    within: Annotated[
        str | None, typer.Option("--within", metavar="24h", help="Leases that end within this time, too.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="30d", help="Endpoints older than this, too.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", metavar="PATTERN", help="Names made by others; with --adopt.")
    ] = None,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take what --include names as ours.")] = False,
    most: Annotated[int, typer.Option("--max", min=1, help="Delete no more than this many in an environment.")] = 20,
    force: Annotated[bool, typer.Option("--force", help="Even if more than 30 % of all endpoints would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete. Without it nothing is changed.")] = False,
    output: Form = Output.TEXT,
    events: Events = None,
) -> None:
    """Delete endpoints whose lease is over, and idle slots. And what Azure left of them; a dry run unless --yes."""
    if bool(include) != adopt:
        raise UsageError("reap", "--include and --adopt go together", "Say both or neither", code="AML660")
    from deploy.planning.reaping import Rules

    rules = Rules(hours_of(within), hours_of(older_than), tuple(include or ()), adopt, most, force)
    told, worst = [], int(Exit.OK)
    with noticing() as warn:
        for number, name in enumerate(dict.fromkeys(environments)):
            asked = runner.Asked("reap", name, (), yes=True, events=events, goes_on=number > 0)
            try:
                reaped = _reap(asked, rules, yes, output, warn)
            except DeployError as error:  # the others are none the worse for it
                if len(environments) == 1:
                    raise
                told.append(_error_json(name, error))
                worst = max(worst, runner.explain(error, told=True))
                continue
            told.append(reaped_json(reaped))
            worst = max(worst, reaped.exit)
    if output is Output.JSON:
        console.show(json.dumps({"ok": worst == Exit.OK, "environments": told}, indent=2), done=True)
    raise SystemExit(worst)


def _reap(asked: runner.Asked, rules: Any, yes: bool, output: Output, warn: Any) -> Any:
    """One environment, judged and done; its words, unless it is JSON that is wanted."""
    with aloud(output) as show:

        def work(commands: Any, ways: dict[str, Any]) -> Any:
            taken = {key: ways[key] for key in ("project", "name", "emit", "approve")}
            return commands.reap(**taken, rules=rules, yes=yes, show=show, warn=warn)

        reaped = runner.carry(asked, work)
    from deploy import reporter

    if output is not Output.JSON:
        words = reporter.reap_text(reaped.judged, reaped.plan, reaped.done and reaped.done.report)
        console.show(words, done=reaped.done is not None)
    for words in reaped.told.failed:
        console.say(words)
    if reaped.done and reaped.done.report.stopped:
        console.say(signals.words("reap", reaped.environment))
    if reaped.refused:
        runner.explain(reaped.refused, told=True)
    if reaped.done:
        github_actions.done(reaped.done.plan, reaped.done.report)
    elif not reaped.refused:
        github_actions.planned(reaped.plan)
    return reaped


def renew(
    environment: Env,
    endpoints: Keys = None,
    within: Annotated[str, typer.Option("--within", metavar="24h", help="Renew what ends within this time.")] = "24h",
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Delete first: needs no second capacity, and callers meet an outage.")
    ] = False,
    yes: Yes = False,
    jobs: Jobs = 8,
    output: Form = Output.TEXT,
    events: Events = None,
) -> None:
    """Replace endpoints by successors before their leases end. Does what is due and nothing else."""
    asked = runner.Asked("renew", environment, endpoints or (), yes=yes, events=events)
    hours = hours_of(within)
    with aloud(output) as show, noticing() as warn:
        done = runner.carry(
            asked,
            lambda commands, ways: commands.renew(
                **ways, within=hours, in_place=in_place, jobs=jobs, show=show, warn=warn
            ),
        )
    runner.finish(done, output, asked)


def restore(
    environment: Env,
    folder: Annotated[Path, typer.Argument(help="One endpoint's folder of those that reap kept.")],
    yes: Yes = False,
    jobs: Jobs = 8,
    output: Form = Output.TEXT,
    events: Events = None,
) -> None:
    """Make again an endpoint that reap deleted. Deployments, traffic, tags and roles, from what was kept of it."""
    asked = runner.Asked("restore", environment, [str(folder)], yes=yes, events=events)
    done = runner.carry(
        asked,
        lambda commands, ways: commands.restore(
            ways["project"], ways["name"], folder, approve=ways["approve"], emit=ways["emit"], jobs=jobs
        ),
    )
    runner.finish(done, output, asked)


def reaped_json(reaped: Any) -> dict[str, Any]:
    """One environment as `schemas/reap.json` describes it."""
    from deploy import reporter

    return {
        "environment": reaped.environment,
        "dry_run": reaped.done is None,
        "ok": reaped.ok,
        "candidates": [asdict(each) for each in reaped.judged.candidates],
        "spared": [asdict(each) for each in reaped.judged.spared],
        "idle": [asdict(each) for each in reaped.judged.idle],
        "kept_idle": [asdict(each) for each in reaped.judged.kept],
        "report": reporter.report_json(reaped.done.report) if reaped.done else None,
        "notices": list(reaped.told.given),
        "failed_notices": list(reaped.told.failed),
        **(reporter.error_json(reaped.refused) if reaped.refused else {}),
    }


def _error_json(name: str, error: DeployError) -> dict[str, Any]:
    """An environment of several of which nothing can be said but this."""
    from deploy import reporter

    empty: dict[str, Any] = {
        part: [] for part in ("candidates", "spared", "idle", "kept_idle", "notices", "failed_notices")
    }
    told = {"environment": name, "dry_run": True, "ok": False, "report": None}
    return {**told, **empty, **reporter.error_json(error)}
