"""Aliases: the record in which clients look up the current endpoint. A renewal moves it to the successor.

Each kind is a module with four functions:

    read(alias, context) -> Target | None      the current target; None if unknown
    write(alias, target, context) -> None      set the target. After a CloudError it has not changed
    clear(alias, context) -> None              delete the alias. Raises CloudError
    location(alias, context) -> tuple | None   what the alias writes to, in normal form; None if unknown

`context` contains the folder of the project and the variables of the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from deploy.aliases import command, file, github_variable
from deploy.aliases.target import Context, Target

KINDS: Mapping[str, ModuleType] = {"file": file, "github_variable": github_variable, "command": command}


def read(alias: Mapping[str, Any], context: Context) -> Target | None:
    """The current target; None if unknown."""
    return _kind(alias).read(alias, context)  # type: ignore[no-any-return]


def write(alias: Mapping[str, Any], target: Target, context: Context) -> None:
    """Set the target of the alias."""
    _kind(alias).write(alias, target, context)


def clear(alias: Mapping[str, Any], context: Context) -> None:
    """Delete the alias, before its endpoint is deleted."""
    _kind(alias).clear(alias, context)


def location(alias: Mapping[str, Any], context: Context) -> tuple[str, ...] | None:
    """What the alias writes to, in normal form; None if unknown. Two endpoints must not have the same."""
    return _kind(alias).location(alias, context)  # type: ignore[no-any-return]


def display_name(alias: Mapping[str, Any]) -> str:
    """The alias as text, such as `file live/mip.json`."""
    kind = next(kind for kind in KINDS if alias.get(kind))
    what = alias[kind]
    return f"{kind.replace('_', ' ')} {what[0] if isinstance(what, list) else what}"


def _kind(alias: Mapping[str, Any]) -> ModuleType:
    return next(module for kind, module in KINDS.items() if alias.get(kind))


__all__ = ["KINDS", "Context", "Target", "clear", "display_name", "location", "read", "write"]
