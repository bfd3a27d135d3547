"""Aliases: the one place where callers look up which endpoint to ask. Renewal moves it in one stroke.

An alias is read and written here and nowhere else. Each kind is a module with three functions:

    read(alias, outside) -> Target | None      where callers are sent now; None when nobody knows
    write(alias, target, outside) -> None      send them there. Raises CloudError, and then nothing moved
    clear(alias, outside) -> None              delete what write wrote. Raises CloudError

`outside` is what an alias may use of the world: the folder of the project and the variables of the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from deploy.aliases import command, file, variable
from deploy.aliases.target import Context, Target

KINDS: Mapping[str, ModuleType] = {"file": file, "github_variable": variable, "command": command}


def read(alias: Mapping[str, Any], outside: Context) -> Target | None:
    """Where callers are sent now."""
    return _kind(alias).read(alias, outside)  # type: ignore[no-any-return]


def write(alias: Mapping[str, Any], target: Target, outside: Context) -> None:
    """Send callers to `target`."""
    _kind(alias).write(alias, target, outside)


def clear(alias: Mapping[str, Any], outside: Context) -> None:
    """Delete the alias, whose endpoint is about to be deleted."""
    _kind(alias).clear(alias, outside)


def named(alias: Mapping[str, Any]) -> str:
    """The alias in a few words: `file live/mip.json`."""
    kind = next(kind for kind in KINDS if alias.get(kind))
    what = alias[kind]
    return f"{kind.replace('_', ' ')} {what[0] if isinstance(what, list) else what}"


def _kind(alias: Mapping[str, Any]) -> ModuleType:
    return next(module for kind, module in KINDS.items() if alias.get(kind))


__all__ = ["KINDS", "Context", "Target", "clear", "named", "read", "write"]
