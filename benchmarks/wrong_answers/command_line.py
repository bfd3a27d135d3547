"""`amldeploy apply` of a new release whose model answers wrongly, on an emulator.

Release 1 is deployed once for each template. For each kind its world is copied, release 2 is deployed to the deployment
green, and faults replace the answers of green: the first one is that to the sample, the others those to the cases.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.wrong_answers.kinds import SECONDS, Kind
from benchmarks.wrong_answers.templates import ROOT, template, write_environment, write_project
from deploy import commands, emulator
from deploy.errors import Exit

NEW = "green"


def problem_of_apply(kind: Kind, name: str, seed: int) -> str:
    """What went wrong: the release was not refused, or its traffic moved. "" if it was refused before any traffic."""
    with tempfile.TemporaryDirectory(prefix="amldeploy-") as made:
        folder = Path(made) / "project"
        shutil.copytree(_deployed(name), folder, symlinks=True)
        write_environment(folder, name, max_concurrent=2)
        project = commands.Project(folder)
        emulator.begin(project.state, faults=_faults(kind, name, seed))
        last = emulator.requests(project.state)[-1]["number"]
        done = _apply(folder)
        if done.returncode != Exit.STEP_FAILED:
            return f"exit code {done.returncode}: {done.stderr[-400:]}"
        return _moved(json.loads(done.stdout), project, int(last))


def _faults(kind: Kind, name: str, seed: int) -> list[dict[str, Any]]:
    """The answers of the new deployment; or the times of both, if only they differ."""
    if kind.seconds != SECONDS:
        times = {"blue": SECONDS, NEW: kind.seconds}  # in addition to the stand-in's own, which is multiplied, too
        return [
            {"kind": "delay", "deployment": slot, "seconds": each, "factor": each / SECONDS, "times": "always"}
            for slot, each in times.items()
        ]
    bodies = [kind.body(given, seed)[0].decode() for given in template(name).inputs]
    return [{"kind": "answer", "deployment": NEW, "number": n, "body": body} for n, body in enumerate(bodies, 1)]


def _moved(report: dict[str, Any], project: commands.Project, last: int) -> str:
    """Whether traffic moved, or another request than those of the probe reached the new deployment."""
    states = {each["address"]: each["state"] for each in report["outcomes"]}
    if {state for address, state in states.items() if address.startswith("traffic/")} != {"not_reached"}:
        return f"a traffic step was reached: {states}"
    [row] = commands.status(project, "local")
    traffic = {slot.name: slot.traffic for slot in row.slots}
    if traffic != {"blue": 100, NEW: 0}:
        return f"the traffic is {traffic}"
    scored = [each for each in emulator.requests(project.state, after=last) if each["target"].endswith(f"/{NEW}")]
    return "" if scored and all("fault" in each["note"] for each in scored) else f"{len(scored)} answers of {NEW}"


@cache
def _deployed(name: str) -> Path:
    """A project whose emulator has release 1 of a template."""
    folder = Path(_FOLDER.name) / name
    folder.mkdir()
    write_project(folder, name, max_concurrent=1)
    done = _apply(folder)
    if done.returncode:
        raise RuntimeError(f"release 1 of {name}: {done.stderr[-400:]}")
    return folder


_FOLDER = tempfile.TemporaryDirectory(prefix="amldeploy-")


def _apply(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy", "apply", "-e", "local", "--yes", "-o", "json"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "AMLDEPLOY_EMULATOR": "embedded"}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
