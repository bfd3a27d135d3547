"""An alias that the user's own command moves. The command runs without a shell.

In each argument `{endpoint}`, `{scoring_uri}` and `{lease_ends}` are replaced by the target's values; the variables
AMLDEPLOY_ENDPOINT, AMLDEPLOY_SCORING_URI and AMLDEPLOY_LEASE_ENDS contain the same values. A command that exits with a
code other than 0 must not have moved the alias.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deploy.aliases.target import Context, Target
from deploy.errors import CloudError

_LONGEST = 300.0
_OUTPUT = 400
"""Characters of the command's output in a message."""


def read(alias: Mapping[str, Any], context: Context) -> Target | None:  # noqa: ARG001 every kind has the same functions
    """None: a command cannot be read, so it runs again in each renewal and must be idempotent."""
    return None


def write(alias: Mapping[str, Any], target: Target, context: Context) -> None:
    """Run the command in the project folder and wait for its end, at most 300 s."""
    values = asdict(target)
    words = [_filled(str(word), values) for word in alias["command"]]
    variables = {**context.variables, **{f"AMLDEPLOY_{name.upper()}": value for name, value in values.items()}}
    what = f"move the alias with {words[0]}"
    cure = "Fix the command in lease.alias and renew again; until then, traffic still goes to the old endpoint"
    try:
        ran = subprocess.run(
            words, cwd=context.root, env=variables, capture_output=True, timeout=_LONGEST, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise CloudError(what, str(error), cure, code="AML601") from error
    if ran.returncode != 0:
        output = (ran.stderr or ran.stdout)[-_OUTPUT:].decode(errors="replace").strip()
        raise CloudError(what, f"it exited with {ran.returncode}: {output or 'no output'}", cure, code="AML601")


def clear(alias: Mapping[str, Any], context: Context) -> None:
    """Does nothing: the command can only set a target."""


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace("{" + name + "}", value)
    return word


def location(alias: Mapping[str, Any], context: Context) -> None:
    """Unknown: the command decides what it writes to."""
