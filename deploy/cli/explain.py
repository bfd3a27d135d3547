"""`explain`: what an error code means and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from deploy.cli import console
from deploy.cli.options import Form
from deploy.cli.runner import Output


def explain(
    code: Annotated[str | None, typer.Argument(help="Such as AML310; none lists all.")] = None,
    output: Form = Output.TEXT,
) -> None:
    """Print why an error comes about and what to do."""
    from deploy import error_codes as table

    if code is None:
        found = list(table.explanations().values())
        text = "\n".join(f"{row.code}  {row.title}" for row in found)
        console.show(json.dumps([asdict(row) for row in found], indent=2) if output is Output.JSON else text)
        return
    row = table.explain(code)
    console.show(json.dumps(asdict(row), indent=2) if output is Output.JSON else table.as_text(row))
