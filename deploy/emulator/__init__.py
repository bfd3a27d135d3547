"""An emulator of Azure ML over HTTPS: online endpoints, deployments, quota, roles, registry models, scoring.

    with emulator.embed(Path(".amldeploy")) as running:
        os.environ.update(running.variables())
        MLClient(DefaultAzureCredential(), "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local")

All its state is in `<state>/world.sqlite`; several processes can share it. It binds 127.0.0.1 only and imports no other
module of `deploy`. Stand-ins answer for models. `http/routes.py` lists the requests that it answers.
"""

from __future__ import annotations

from deploy.emulator.process.manage import (
    WORLD,
    MissingExtra,
    addresses,
    begin,
    clock,
    durations,
    embed,
    launch,
    requests,
    reset,
    stop,
)
from deploy.emulator.process.pidfile import Running, find, has_unreadable_record, own_version
from deploy.emulator.runtime.interpreter import save_scoring_python, scoring_problem, scoring_python, scoring_variable
from deploy.emulator.runtime.scoring_environment import create as create_scoring_environment
from deploy.emulator.runtime.scoring_environment import missing_packages
from deploy.emulator.runtime.standins import why_unanswered
from deploy.emulator.world.problems import FileProblem, InvalidFile, WorldUnavailable

__all__ = [
    "WORLD",
    "FileProblem",
    "InvalidFile",
    "MissingExtra",
    "Running",
    "WorldUnavailable",
    "addresses",
    "begin",
    "clock",
    "create_scoring_environment",
    "durations",
    "embed",
    "find",
    "has_unreadable_record",
    "launch",
    "missing_packages",
    "own_version",
    "requests",
    "reset",
    "save_scoring_python",
    "scoring_problem",
    "scoring_python",
    "scoring_variable",
    "stop",
    "why_unanswered",
]
