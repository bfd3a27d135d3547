"""Where a command runs and for which environment: -C, the project folder, and AMLDEPLOY_ENVIRONMENT."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from deploy.config import project_folder
from deploy.errors import DeployError, SpecError, UsageError

VARIABLE = "AMLDEPLOY_ENVIRONMENT"
"""The environment variable that replaces -e."""


@dataclass
class _CommandLine:
    """`folders`: those of -C. `environment`: its name, if VARIABLE and not -e names it."""

    folders: Sequence[str] = ()
    environment: str = ""


_line = _CommandLine()


def enter(folders: Sequence[str]) -> None:
    """Change to the folders of -C, each relative to the one before. Raises UsageError if that is not possible."""
    _line.folders, _line.environment = folders, ""
    for folder in folders:
        try:
            os.chdir(folder)
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"run in {folder}", cause, "Use -C with an existing folder", code="AML690") from None


def project_root(*, required: bool = True) -> Path:
    """The folder of the project: the current one, or one above it.

    If there is none, the current folder: the error that a file is missing there follows. With -C it is an error here,
    if a project is `required`: UsageError.
    """
    found = project_folder.find()
    if found is None and _line.folders and required:
        folder = os.path.join(*_line.folders)  # noqa: PTH118 an absolute path replaces those before it
        cause = f"neither it nor a folder above it contains {project_folder.ENVIRONMENTS}/"
        cure = f"Use -C with a folder of a project, or create one: {shlex.join(['amldeploy', '-C', folder, 'init'])}"
        raise UsageError(f"find a project in {folder}", cause, cure, code="AML690")
    return found or Path()


def state_folder() -> Path:
    """The folder of the emulator's data."""
    return project_root(required=False) / ".amldeploy"


def refuse_several(words: Sequence[str]) -> None:
    """Raises UsageError: a command for one environment was given several."""
    given = [f"-e {value}" for value in option_values(words, "-e", "--environment")]
    cause = f"the command is for one environment, and {len(given)} are named: {', '.join(given)}"
    raise UsageError("read the command line", cause, "Use -e once", code="AML691")


def use_variable(names: Sequence[str], deleting: str) -> None:
    """Note that VARIABLE names the environment. Raises UsageError if the command deletes, with `deleting`: a command or
    an option; empty if it does not.
    """
    if deleting:
        cause = f"-e is required, because {deleting} deletes; {VARIABLE}, which names {', '.join(names)}, is ignored"
        cure = f"Name the environment: {shlex.join(word for name in names for word in ('-e', name))}"
        raise UsageError("select the environment", cause, cure, code="AML692")
    _line.environment = names[0]


def is_from_variable() -> bool:
    """Whether VARIABLE, and not -e, names the environment of this command."""
    return bool(_line.environment)


def ignore_variable() -> None:
    """Note that the environment of this command has another source: a plan file."""
    _line.environment = ""


def hints(error: DeployError) -> list[str]:
    """Where the names in an error come from: where the environment's name is from, and where its paths start."""
    root, name = project_root(required=False), _line.environment
    lines = [f"Environment {name} is from {VARIABLE}."] if name else []
    if isinstance(error, SpecError) and root != Path():
        lines.append(f"Paths of the project's files start in {root}{os.sep} (the project folder).")
    return lines


def environment_name(words: Sequence[str]) -> str:
    """The environment of a command line, also of an invalid one; empty if none is named."""
    return next(iter([*option_values(words, "-e", "--environment"), _line.environment]))


def option_values(words: Sequence[str], short: str, long: str) -> list[str]:
    """The values of an option, also on an invalid command line."""
    found = []
    for word, after in pairwise([*words, ""]):
        if word in (short, long):
            found.append(after)
        elif word.startswith(f"{long}="):
            found.append(word.removeprefix(f"{long}="))
        elif word.startswith(short) and not word.startswith("--"):
            found.append(word.removeprefix(short))
    return found
