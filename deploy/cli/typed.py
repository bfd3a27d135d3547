"""What is typed the same way behind many verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.door import Output

Env = Annotated[str, typer.Option("-e", "--environment", help="A file of environments/, without .yml.", metavar="NAME")]
Keys = Annotated[list[str] | None, typer.Argument(help="Endpoints of the environment; all when none is named.")]
Form = Annotated[Output, typer.Option("-o", "--output", help="Form of the result on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, max=64, help="Endpoints worked on side by side.")]
Events = Annotated[
    Path | None, typer.Option("--events", help="Write every event to this file, one JSON object a line.")
]
Regions = Annotated[
    str, typer.Option("--regions", help="When quota is short: look for room there, too.", metavar="REGION,REGION...")
]


def regions_of(typed: str) -> list[str]:
    """The regions that were typed, each once, as Azure writes them."""
    return list(dict.fromkeys(word.replace(" ", "").lower() for word in typed.split(",") if word.strip()))
