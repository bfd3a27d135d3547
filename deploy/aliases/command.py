"""An alias that a command of the user's moves: its arguments as they are, no shell, nothing guessed.

In each argument `{endpoint}`, `{scoring_uri}` and `{lease_ends}` stand for the target; the same three are in the
variables AMLDEPLOY_ENDPOINT, AMLDEPLOY_SCORING_URI and AMLDEPLOY_LEASE_ENDS. A command that ends with other than 0 has
moved nothing: that is its part of the bargain.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deploy.aliases.target import Context, Target
from deploy.errors import CloudError

_LONGEST = 300.0
_WORDS = 400


def read(alias: Mapping[str, Any], outside: Context) -> Target | None:  # noqa: ARG001 every kind has the same functions
    """A command keeps its knowledge to itself: it is told again, and that must do no harm."""
    return None


def write(alias: Mapping[str, Any], target: Target, outside: Context) -> None:
    """Run it in the project's folder and wait for its end."""
    told = asdict(target)
    words = [_filled(str(word), told) for word in alias["command"]]
    variables = {**outside.variables, **{f"AMLDEPLOY_{name.upper()}": value for name, value in told.items()}}
    what = f"move the alias with {words[0]}"
    cure = "The old endpoint goes on serving callers; mend the command in lease.alias and renew again"
    try:
        ran = subprocess.run(
            words, cwd=outside.root, env=variables, capture_output=True, timeout=_LONGEST, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise CloudError(what, str(error), cure, code="AML601") from error
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout)[-_WORDS:].decode(errors="replace").strip()
        raise CloudError(what, f"it ended with {ran.returncode}: {said or 'and said nothing'}", cure, code="AML601")


def clear(alias: Mapping[str, Any], outside: Context) -> None:
    """Nothing: the command knows only how to name an endpoint."""


def _filled(word: str, told: Mapping[str, str]) -> str:
    for name, value in told.items():
        word = word.replace("{" + name + "}", value)
    return word
