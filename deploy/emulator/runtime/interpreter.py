"""Which Python runs a deployment's own score.py, and whether it has the inference server.

The variable AMLDEPLOY_SCORING_PYTHON of whichever command speaks to the emulator last is kept beside the world, so that
an emulator that runs already obeys it too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VARIABLE = "AMLDEPLOY_SCORING_PYTHON"
_FILE = "scoring-python"


def save_scoring_python(state: Path) -> None:
    """Keep what the variable of this process says, if it is set, for every emulator of a state folder."""
    if python := os.environ.get(VARIABLE):
        state.mkdir(parents=True, exist_ok=True)
        (state / _FILE).write_text(python, encoding="utf-8")


def scoring_python(state: Path) -> str:
    """What was kept last; else the variable of this process; else the Python of this process."""
    try:
        saved = (state / _FILE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        saved = ""
    return saved or os.environ.get(VARIABLE) or sys.executable


def scoring_problem(state: Path) -> str:
    """Why code of a deployment's own cannot run, with what to do; empty when it can."""
    from deploy.emulator.runtime.supervisor import MISSING, VERSION_CHECK  # not on Windows, where no server is kept

    python = scoring_python(state)
    try:
        checked = subprocess.run([python, "-c", VERSION_CHECK], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot run {python}: {getattr(error, 'strerror', None) or 'no answer'}. Set {VARIABLE} to a Python."
    return MISSING.format(python) if checked.returncode else ""
