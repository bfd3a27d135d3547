"""A client to kill: reads lines (`apply`, `prune`, `rollback`, `renew`, `in-place`, and a project's folder), runs
each in a child, and prints the process id and the exit of the child.

Heavy modules are imported before the first child starts, so a child starts fast.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient  # noqa: F401 - imported so that every child has it

from deploy import commands
from deploy.errors import DeployError


def apply(root: str, *, prune: bool = False) -> int:
    ways: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None, "prune": prune}
    done = commands.apply(commands.Project(Path(root)), "law", **ways)
    return int(done.report.exit)


def rollback(root: str) -> int:
    ways: dict[str, Any] = {"every": True, "approve": lambda *_: None, "emit": lambda _: None}
    return int(commands.rollback(commands.Project(Path(root)), "law", **ways).report.exit)


def renew(root: str, *, in_place: bool) -> int:
    ways = {"within": 24.0, "approve": lambda *_: None, "emit": lambda _: None, "show": lambda _: None}
    return int(commands.renew(commands.Project(Path(root)), "law", in_place=in_place, **ways).report.exit)


def asked(line: str) -> int:
    """The exit code of a command, also if it ends with an error before its plan runs."""
    try:
        return _run(line)
    except DeployError as error:
        return int(error.exit)


def _run(line: str) -> int:
    word, _, root = line.partition(" ")
    if word == "rollback":
        return rollback(root)
    if word in ("apply", "prune"):
        return apply(root, prune=word == "prune")
    return renew(root, in_place=word == "in-place")


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the SDK prints dots
            os._exit(asked(line.strip()))
        print(child, flush=True)  # noqa: T201 - the one who kills reads it
        _, status = os.waitpid(child, 0)
        print(status, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
