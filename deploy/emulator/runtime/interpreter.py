"""The Python that runs a deployment's score.py, and whether it has the inference server.

Each command that uses the emulator saves its variable AMLDEPLOY_SCORING_PYTHON in the state folder, so that a running
emulator also uses it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from deploy.emulator.world import private_files

VARIABLE = "AMLDEPLOY_SCORING_PYTHON"
_FILE = "scoring-python"


def save_scoring_python(state: Path) -> None:
    """Save the variable of this process, if it is set, for every emulator of a state folder."""
    if python := os.environ.get(VARIABLE):
        use(state, python)


def use(state: Path, python: str) -> None:
    """Save the interpreter for every emulator of a state folder. A set variable replaces it at the next command."""
    private_files.secure(private_files.folder(state) / _FILE).write_text(python, encoding="utf-8")


def scoring_variable() -> str:
    """The name of the variable, if this process has it; "" otherwise."""
    return VARIABLE if os.environ.get(VARIABLE) else ""


def scoring_python(state: Path) -> str:
    """The saved interpreter; else the variable of this process; else the Python of this process."""
    try:
        saved = (state / _FILE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        saved = ""
    return saved or os.environ.get(VARIABLE) or sys.executable


def scoring_problem(state: Path) -> str:
    """Why a scoring script cannot run, and the cure; "" when it can."""
    from deploy.emulator.runtime.supervisor import MISSING, VERSION_CHECK  # not on Windows, where no server can run

    python = scoring_python(state)
    try:
        checked = subprocess.run([python, "-c", VERSION_CHECK], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot run {python}: {getattr(error, 'strerror', None) or 'no answer'}. Set {VARIABLE} to a Python."
    return MISSING.format(python) if checked.returncode else ""
