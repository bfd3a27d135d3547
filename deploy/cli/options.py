"""The options and arguments that several commands share, and the conversion of their values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import completion, context
from deploy.cli.output import Output, StatusOutput, TextOrJson
from deploy.errors import UsageError

_ENVIRONMENT = "-e", "--environment"
_OUTPUT = "-o", "--output"
_OUTPUT_HELP = "Output format."
_ENVIRONMENT_HELP = "File in environments/, without .yml."

_ENVIRONMENT_SOURCES: dict[str, Any] = {"envvar": context.VARIABLE, "autocompletion": completion.environments}

Environment = Annotated[
    str, typer.Option(*_ENVIRONMENT, metavar="NAME", help=_ENVIRONMENT_HELP, **_ENVIRONMENT_SOURCES)
]
DeletingEnvironment = Annotated[
    str,
    typer.Option(*_ENVIRONMENT, metavar="NAME", help=_ENVIRONMENT_HELP, **_ENVIRONMENT_SOURCES, show_envvar=False),
]
"""Of a command that deletes: the environment variable is refused, see command_help.Command."""
DeletingEnvironments = Annotated[
    list[str],
    typer.Option(
        *_ENVIRONMENT,
        metavar="NAME",
        help=f"{_ENVIRONMENT_HELP} Repeatable.",
        **_ENVIRONMENT_SOURCES,
        show_envvar=False,
    ),
]
StatusEnvironments = Annotated[
    list[str],
    typer.Option(
        *_ENVIRONMENT, metavar="NAME", help=f"{_ENVIRONMENT_HELP} Repeatable with -o html.", **_ENVIRONMENT_SOURCES
    ),
]
OptionalEnvironment = Annotated[
    str | None,
    typer.Option(
        *_ENVIRONMENT,
        metavar="NAME",
        help=f"{_ENVIRONMENT_HELP} Omit with a plan file.",
        **_ENVIRONMENT_SOURCES,
    ),
]
Endpoints = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY", help="Endpoint keys. Default: all endpoints.", autocompletion=completion.keys),
]
Slot = Annotated[
    str | None,
    typer.Option(
        "--slot", metavar="DEPLOYMENT", help="Deployment; omit for the live one.", autocompletion=completion.slots
    ),
]
Format = Annotated[Output, typer.Option(*_OUTPUT, help=_OUTPUT_HELP)]
PlainFormat = Annotated[TextOrJson, typer.Option(*_OUTPUT, help=_OUTPUT_HELP)]
StatusFormat = Annotated[StatusOutput, typer.Option(*_OUTPUT, help=_OUTPUT_HELP)]
Yes = Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="NUMBER", min=1, help="Provision at most so many deployments at once."),
]
Events = Annotated[
    Path | None, typer.Option("--events", metavar="FILE", help="Write progress events to this file as JSON lines.")
]
AllowExposure = Annotated[
    bool,
    typer.Option(
        "--allow-exposure", help="In a protected environment, allow open network access or weaker authentication."
    ),
]
AllowRolledBack = Annotated[bool, typer.Option("--allow-rolled-back", help="Deploy a release that was rolled back.")]
Prune = Annotated[
    bool, typer.Option("--prune", help="Also delete orphans: endpoints of entries that are no longer in the file.")
]
Regions = Annotated[
    str, typer.Option("--regions", metavar="REGION,...", help="Other regions to check when quota is short.")
]
LockTimeout = Annotated[
    str, typer.Option("--lock-timeout", metavar="TIME", help="Wait so long for another run: 90s, 10m. Default: 0s.")
]
State = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="FOLDER",
        help="Folder with the emulator's data.",
        default_factory=context.state_folder,
        show_default=".amldeploy in the project",
    ),
]


def regions_of(text: str) -> list[str]:
    """The regions in a comma-separated list, each once, in Azure's form: `West US` is `westus`."""
    return list(dict.fromkeys(word.replace(" ", "").lower() for word in text.split(",") if word.strip()))


def hours_of(text: str | None) -> float | None:
    """`24h`, `7d`, `90m`, `30s` in hours."""
    if text is None:
        return None
    units = {"s": 1 / 3600, "m": 1 / 60, "h": 1.0, "d": 24.0}
    if text[-1:] not in units or not text[:-1].replace(".", "", 1).isdecimal():
        raise UsageError(f"read {text!r} as a time", "it has no number and unit", "Use 90m, 24h or 7d", code="AML661")
    return float(text[:-1]) * units[text[-1]]


def seconds_of(text: str) -> float:
    """`90s`, `10m`, `1h` in seconds."""
    return (hours_of(text) or 0.0) * 3600
