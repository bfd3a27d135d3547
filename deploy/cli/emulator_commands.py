"""The commands of the local Azure ML: `amldeploy emulator ...`. They ask the emulator and show what it says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import console, runner
from deploy.cli.options import hours_of
from deploy.cli.runner import Output
from deploy.errors import UsageError

commands = typer.Typer(help="The local Azure ML.", rich_markup_mode=None)


class Profile(StrEnum):
    """How long Azure takes."""

    INSTANT = "instant"
    QUICK = "quick"
    REALISTIC = "realistic"


State = Annotated[Path, typer.Option("--state", help="Folder of the emulator's world.")]
Form = Annotated[Output, typer.Option("-o", "--output", help="Form of the result on stdout.")]
_HERE = Path(".amldeploy")


@commands.command("start")
def start(
    state: State = _HERE,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    profile: Annotated[Profile, typer.Option("--profile", help="How long operations take.")] = Profile.QUICK,
    time_scale: Annotated[
        float | None, typer.Option("--time-scale", min=0, help="Seconds that pass in its world in each second.")
    ] = None,
    world: Annotated[Path | None, typer.Option("--world", help="A file that says what there is at first.")] = None,
    faults: Annotated[Path | None, typer.Option("--faults", help="A file that says what shall go wrong.")] = None,
    throttle: Annotated[
        bool | None,
        typer.Option("--throttle/--no-throttle", help="Count requests as Azure does; by default if realistic."),
    ] = None,
    output: Form = Output.TEXT,
) -> None:
    """Start it in the background, or find the one that runs."""
    said: dict[str, Any] = {"world": world, "faults": faults, "time_scale": time_scale}
    found = _find(state)
    running = runner.emulator(lambda emulator: emulator.launch(state, port, profile.value, throttle=throttle, **said))
    if found is not None and (port or profile is not Profile.QUICK or throttle is not None):
        console.say("It ran already: port, profile and throttling stay as they are. Stop it first to change them.")
    if output is Output.JSON:
        console.show(json.dumps({**_told(running), "started": found is None}))
        return
    console.show(f"The emulator answers at {running.url} (pid {running.pid}).")
    console.say('Point a program at it: eval "$(amldeploy emulator env)"')


@commands.command("stop")
def stop(state: State = _HERE, output: Form = Output.TEXT) -> None:
    """Stop it. Its world stays."""
    _find(state)
    stopped = runner.emulator(lambda emulator: emulator.stop(state))
    text = "The emulator is stopped." if stopped else "No emulator was running."
    console.show(json.dumps({"stopped": stopped}) if output is Output.JSON else text)


@commands.command("status")
def status(state: State = _HERE, output: Form = Output.TEXT) -> None:
    """Say whether it runs, and where."""
    running = _find(state)
    told = _told(running)
    text = f"The emulator answers at {told['url']} (pid {told['pid']})." if running else "No emulator is running."
    console.show(json.dumps(told) if output is Output.JSON else text)


@commands.command("env")
def env(state: State = _HERE, output: Form = Output.TEXT) -> None:
    """Print the variables that point any other program at it."""
    running = runner.emulator(lambda emulator: emulator.find(state))
    if running is None:
        cure = "Start it: amldeploy emulator start"
        raise UsageError("print its variables", "no emulator is running", cure, code="AML633")
    values = running.variables()
    text = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
    console.show(json.dumps(values) if output is Output.JSON else text)


@commands.command("reset")
def reset(state: State = _HERE, output: Form = Output.TEXT) -> None:
    """Forget what was made in it. Back to its world file, or to the default world."""
    aside = runner.emulator(lambda emulator: emulator.reset(state))
    if aside is not None:
        console.say(f"The world could not be read. It is set aside as {aside}; the new one is the default world.")
    told = {"reset": True, "aside": aside and str(aside)}
    console.show(json.dumps(told) if output is Output.JSON else "The emulator's world is as new.")


@commands.command("clock")
def clock(
    state: State = _HERE,
    advance: Annotated[
        str | None, typer.Option("--advance", metavar="160h", help="Let this time pass: 90m, 24h, 7d.")
    ] = None,
    set_to: Annotated[
        str | None, typer.Option("--set", metavar="MOMENT", help="Such as 2027-01-31T12:00:00Z; before --advance.")
    ] = None,
    output: Form = Output.TEXT,
) -> None:
    """Say what time it is there, or turn its clock. What is over by then is gone."""
    turn = {"set": set_to, "advance": 3600 * (hours_of(advance) or 0.0) if advance else None}
    told = runner.emulator(lambda emulator: emulator.clock(state, **{k: v for k, v in turn.items() if v is not None}))
    when = f"{datetime.fromtimestamp(told['seconds'], UTC):%Y-%m-%d %H:%M} UTC"
    hours = f"{abs(told['ahead']) / 3600:.1f} h {'ahead of' if told['ahead'] >= 0 else 'behind'} the clock on the wall"
    console.show(json.dumps(told) if output is Output.JSON else f"It is {when} there, {hours}.")


@commands.command("requests")
def requests(
    state: State = _HERE,
    mutating: Annotated[bool, typer.Option("--mutating", help="Only those that change something.")] = False,
    after: Annotated[int, typer.Option("--after", min=0, help="Only those after this number.")] = 0,
    output: Form = Output.TEXT,
) -> None:
    """Show the requests it has answered, oldest first."""
    rows = runner.emulator(lambda emulator: emulator.requests(state, after=after, mutating=mutating or None))
    console.show(json.dumps(rows) if output is Output.JSON else table(rows))


def _find(state: Path) -> Any:
    """The emulator that runs. A record that cannot be read counts as none, and is told of."""
    if runner.emulator(lambda emulator: emulator.has_unreadable_record(state)):
        console.say(f"{state / 'emulator.json'} cannot be read: taken as if no emulator were running.")
    return runner.emulator(lambda emulator: emulator.find(state))


def _told(running: Any) -> dict[str, Any]:
    return {"running": running is not None, "url": running and running.url, "pid": running and running.pid}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Requests as lines under a heading; what the emulator noted of one stands at its end in brackets."""
    lines = [("number", "method", "status", "ms", "operation", "path")]
    for row in rows:
        path = row["path"] + (f"  [{row['note']}]" if row["note"] else "")
        took = f"{row['milliseconds']:.1f}"
        lines.append((str(row["number"]), row["method"], str(row["status"]), took, row["operation"], path))
    wide = [max(len(line[at]) for line in lines) for at in range(5)]
    return "\n".join(
        f"{number:>{wide[0]}}  {method:<{wide[1]}}  {answered:>{wide[2]}}  {took:>{wide[3]}}  {name:<{wide[4]}}  {path}"
        for number, method, answered, took, name, path in lines
    )
