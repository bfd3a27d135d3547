"""The commands `amldeploy emulator ...`: start, stop and control the emulator of Azure ML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from deploy.cli import command_help, console, output, runner
from deploy.cli.options import Format, State, hours_of
from deploy.cli.output import Output, View
from deploy.errors import UsageError

app = command_help.group("emulator", "Run a local emulator of Azure ML.")
_POWERSHELL_QUOTE = re.compile("['\u2018-\u201b]")


class Profile(StrEnum):
    """How long operations take."""

    INSTANT = "instant"
    QUICK = "quick"
    REALISTIC = "realistic"


class Shell(StrEnum):
    """The language of `env`."""

    SH = "sh"
    POWERSHELL = "powershell"


def start(
    state: State,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port on 127.0.0.1; 0 for a free one.")
    ] = 0,
    profile: Annotated[Profile, typer.Option("--profile", help="Duration of operations.")] = Profile.QUICK,
    time_scale: Annotated[
        float | None,
        typer.Option("--time-scale", metavar="FACTOR", min=0, help="Clock speed (60 = one minute per second)."),
    ] = None,
    world: Annotated[
        Path | None, typer.Option("--world", metavar="FILE", help="File with the initial resources.")
    ] = None,
    faults: Annotated[Path | None, typer.Option("--faults", metavar="FILE", help="File with faults to inject.")] = None,
    throttle: Annotated[
        bool | None,
        typer.Option("--throttle/--no-throttle", help="Throttle requests as Azure does; on by default with realistic."),
    ] = None,
    output_format: Format = Output.TEXT,
) -> None:
    """Start the emulator in the background, or find the running one."""
    settings: dict[str, Any] = {"world": world, "faults": faults, "time_scale": time_scale, "throttle": throttle}
    found = _find(state)
    running = runner.run_emulator(lambda emulator: emulator.launch(state, port, profile.value, **settings))
    if found is not None and (port or profile is not Profile.QUICK or throttle is not None):
        console.print_message(
            "The emulator was already running: --port, --profile and --throttle have no effect. Stop it first."
        )
    _show(
        f"The emulator runs at {running.url} (pid {running.pid}).",
        {**_status(running), "started": not found},
        output_format,
    )
    if not output.is_machine_readable(output_format):
        console.print_message('Connect other programs with: eval "$(amldeploy emulator env)"')


def stop(state: State, output_format: Format = Output.TEXT) -> None:
    """Stop the emulator. Its data stays."""
    _find(state)
    stopped = runner.run_emulator(lambda emulator: emulator.stop(state))
    _show("The emulator is stopped." if stopped else "No emulator was running.", {"stopped": stopped}, output_format)


def status(state: State, output_format: Format = Output.TEXT) -> None:
    """Show whether the emulator runs, and its URL."""
    running = _find(state)
    text = f"The emulator runs at {running.url} (pid {running.pid})." if running else "No emulator is running."
    if running and running.stops_after:
        text += f" It stops after {running.stops_after / 60:g} minutes without a request."
    _show(text, _status(running), output_format)


def env(
    state: State,
    shell: Annotated[Shell, typer.Option("--shell", help="Language of the output.")] = Shell.SH,
    output_format: Format = Output.TEXT,
) -> None:
    """Print the environment variables with which other programs connect."""
    running = runner.run_emulator(lambda emulator: emulator.find(state))
    if running is None:
        cure = "Start it: amldeploy emulator start"
        raise UsageError("print the emulator's variables", "no emulator is running", cure, code="AML633")
    values = running.shell_variables()
    _show("\n".join(assignment(shell, name, value) for name, value in values.items()), values, output_format)


def reset(state: State, output_format: Format = Output.TEXT) -> None:
    """Reset the data to the world file, or to the default world."""
    broken = runner.run_emulator(lambda emulator: emulator.reset(state))
    if broken is not None:
        console.print_message(
            f"The data could not be read. It was moved to {broken}; the new data is the default world."
        )
    _show("The emulator's data is reset.", {"reset": True, "aside": broken and str(broken)}, output_format)


def clock(
    state: State,
    advance: Annotated[
        str | None,
        typer.Option("--advance", metavar="TIME", help="Move the clock forward, for example 90m, 24h or 7d."),
    ] = None,
    set_to: Annotated[
        str | None,
        typer.Option(
            "--set", metavar="TIME", help="Set the clock, for example 2027-01-31T12:00:00Z. Comes before --advance."
        ),
    ] = None,
    output_format: Format = Output.TEXT,
) -> None:
    """Show the emulator's clock, or change it. Operations and leases end by this clock."""
    change = {"set": set_to, "advance": 3600 * (hours_of(advance) or 0.0) if advance else None}
    given = {name: value for name, value in change.items() if value is not None}
    found = runner.run_emulator(lambda emulator: emulator.clock(state, **given))
    when = f"{datetime.fromtimestamp(found['seconds'], UTC):%Y-%m-%d %H:%M} UTC"
    hours = found["ahead"] / 3600
    offset = f"{abs(hours):.1f} h {'ahead of' if hours > 0 else 'behind'} real time"
    _show(f"Clock: {when}, {offset if abs(hours) >= 0.05 else 'no offset to real time'}.", found, output_format)


def requests(
    state: State,
    mutating: Annotated[bool, typer.Option("--mutating", help="Only mutating requests.")] = False,
    after: Annotated[
        int, typer.Option("--after", metavar="NUMBER", min=0, help="Only requests after this number.")
    ] = 0,
    output_format: Format = Output.TEXT,
) -> None:
    """List the requests that the emulator answered, oldest first."""
    rows = runner.run_emulator(lambda emulator: emulator.requests(state, after=after, mutating=mutating or None))
    output.show(View(lambda: table(rows), lambda: rows, indent=None), output_format)


def scoring(
    state: State,
    python: Annotated[
        str | None, typer.Option("--python", metavar="FILE", help="Python for score.py; that of amldeploy by default.")
    ] = None,
    output_format: Format = Output.TEXT,
) -> None:
    """Install what runs your score.py.

    That is the inference server of Azure ML, and the pip packages of your conda files, in the folder of the data.
    """
    packages = runner.run(lambda commands, project: commands.scoring_packages(project))

    def create(emulator: ModuleType) -> bool:
        made: bool = emulator.create_scoring_environment(state, packages, console.print_message, python)
        return made

    installed = runner.run_emulator(create)
    path = runner.run_emulator(lambda emulator: emulator.scoring_python(state))
    text = f"The emulator runs score.py with {path}."
    _show(text, {"python": path, "packages": packages, "installed": installed}, output_format)
    if variable := runner.run_emulator(lambda emulator: emulator.scoring_variable()):
        console.print_message(f"{variable} is set, and comes first. Unset it to use this interpreter.")


for command, example in (
    (start, "start --time-scale 60"),
    (stop, "stop"),
    (status, "status"),
    (env, "env"),
    (reset, "reset"),
    (clock, "clock --advance 160h"),
    (requests, "requests --mutating"),
    (scoring, "scoring"),
):
    command_help.add(app, command, f"amldeploy emulator {example}", "docs/emulator.md")


def assignment(shell: Shell, name: str, value: str) -> str:
    """The line that sets an environment variable."""
    if shell is Shell.SH:
        return f"export {name}={shlex.quote(value)}"
    # PowerShell: in single quotes only a quote is special, and is doubled. The typographic ones count as quotes, too.
    quoted = _POWERSHELL_QUOTE.sub(r"\g<0>\g<0>", value)
    return f"$env:{name} = '{quoted}'"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The requests as lines below a heading; a note of the emulator is at the end in brackets."""
    lines = [("number", "method", "status", "ms", "operation", "path")]
    for row in rows:
        path = row["path"] + (f"  [{row['note']}]" if row["note"] else "")
        time = f"{row['milliseconds']:.1f}"
        lines.append((str(row["number"]), row["method"], str(row["status"]), time, row["operation"], path))
    wide = [max(len(line[at]) for line in lines) for at in range(5)]
    return "\n".join(
        f"{number:>{wide[0]}}  {method:<{wide[1]}}  {status:>{wide[2]}}  {time:>{wide[3]}}  {name:<{wide[4]}}  {path}"
        for number, method, status, time, name, path in lines
    )


def _find(state: Path) -> Any:
    """The running emulator. An unreadable record of one counts as none, with a message."""
    if runner.run_emulator(lambda emulator: emulator.has_unreadable_record(state)):
        console.print_message(
            f"{state / 'emulator.json'} cannot be read. It is ignored, as if no emulator were running."
        )
    return runner.run_emulator(lambda emulator: emulator.find(state))


def _status(running: Any) -> dict[str, Any]:
    return {"running": running is not None, "url": running and running.url, "pid": running and running.pid}


def _show(text: str, document: dict[str, Any], output_format: Output) -> None:
    output.show(View(lambda: text, lambda: document, indent=None), output_format)
