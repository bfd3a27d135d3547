"""`--help`: commands in groups, and an example and a docs page for each command.

Plain text by click's formatter: typer can group commands only with rich, which draws boxes and takes time to import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from deploy.cli import context


class Command(TyperCommand):
    """A command that lists its arguments by their metavar, without Python types, and checks where its environment is
    from: one -e, or the environment variable except for commands that delete.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = list(args)
        rest: list[str] = super().parse_args(ctx, args)
        option: Any = next((p for p in self.params if p.name in ("environment", "environments")), None)
        if option is None or ctx.resilient_parsing:
            return rest
        _, _, order = self.make_parser(ctx).parse_args(words[:])
        if not option.multiple and order.count(option) > 1:
            context.refuse_several(words)
        source: Any = ctx.get_parameter_source(option.name)
        if source is not None and source.name == "ENVIRONMENT":
            name = ctx.params[option.name]
            deleting = "--prune" if ctx.params.get("prune") else "" if option.show_envvar else ctx.info_name
            context.use_variable(name if option.multiple else [name], deleting)
        return rest

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
