"""`--help`: commands in groups, and an example and a docs page for each command.

Plain text by click's formatter: typer can group commands only with rich, which draws boxes and takes time to import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command that lists its arguments by their metavar, without Python types."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        parameters = self.get_params(ctx)
        arguments = [(str(p.metavar), str(p.help)) for p in parameters if isinstance(p, TyperArgument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        options = [p.get_help_record(ctx) for p in parameters if not isinstance(p, TyperArgument)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in options if record])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 click's signature
        formatter.write(f"\n{self.epilog}\n")


class Group(TyperGroup):
    """A group that lists its commands by help panel."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(len(name) for name in self.list_commands(ctx))
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            row = (name.ljust(width), command.get_short_help_str(formatter.width))
            panels.setdefault(command.rich_help_panel or "Commands", []).append(row)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def group(name: str | None, summary: str, **options: Any) -> typer.Typer:
    """A group of commands with plain help."""
    settings = {"help_option_names": ["-h", "--help"]}
    return typer.Typer(name=name, help=summary, cls=Group, context_settings=settings, rich_markup_mode=None, **options)


def add(app: typer.Typer, function: Callable[..., None], example: str, docs: str, *, panel: str | None = None) -> None:
    """Add a command, named after its function, with its example and its docs page."""
    epilog = f"Example: {example}\nDocs:    {docs}"
    app.command(function.__name__.rstrip("_").replace("_", "-"), cls=Command, rich_help_panel=panel, epilog=epilog)(
        function
    )
