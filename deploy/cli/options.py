"""What is typed the same way behind many commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.runner import Output, TextOrJson
from deploy.errors import UsageError

Env = Annotated[str, typer.Option("-e", "--environment", help="A file of environments/, without .yml.", metavar="NAME")]
Keys = Annotated[list[str] | None, typer.Argument(help="Endpoints of the environment; all when none is named.")]
Form = Annotated[Output, typer.Option("-o", "--output", help="Form of the result on stdout.")]
PlainForm = Annotated[TextOrJson, typer.Option("-o", "--output", help="Form of the result on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AllowExposure = Annotated[
    bool, typer.Option("--allow-exposure", help="Open network access or weaken authentication, though protected.")
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, max=64, help="Endpoints worked on side by side.")]
Events = Annotated[
    Path | None, typer.Option("--events", help="Write every event to this file, one JSON object a line.")
]
RolledBack = Annotated[bool, typer.Option("--allow-rolled-back", help="Deploy a release again that was rolled back.")]
Regions = Annotated[
    str, typer.Option("--regions", help="When quota is short: look for room there, too.", metavar="REGION,REGION...")
]


def regions_of(typed: str) -> list[str]:
    """The regions that were typed, each once, as Azure writes them."""
    return list(dict.fromkeys(word.replace(" ", "").lower() for word in typed.split(",") if word.strip()))


def hours_of(text: str | None) -> float | None:
    """`24h`, `7d`, `90m` as hours."""
    if text is None:
        return None
    units = {"m": 1 / 60, "h": 1.0, "d": 24.0}
    if text[-1:] not in units or not text[:-1].replace(".", "", 1).isdecimal():
        cure = "Write 90m, 24h or 7d"
        raise UsageError(f"read {text!r} as a time", "it is not a number and a unit", cure, code="AML661")
    return float(text[:-1]) * units[text[-1]]
