"""A small Azure ML that speaks the wire: online endpoints, deployments, quota, roles, registry models, scoring.

    with emulator.embed(Path(".amldeploy")) as running:
        os.environ.update(running.variables())
        MLClient(DefaultAzureCredential(), "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local")

Everything the emulator knows is in `<state>/world.sqlite`; several processes can share it. It binds 127.0.0.1 only,
knows nothing of the rest of this package, and a stand-in never passes for a model. `routes.py` lists what it answers.
"""

from __future__ import annotations

from deploy.emulator.process.manage import MissingExtra, begin, clock, embed, launch, requests, reset, stop
from deploy.emulator.process.pidfile import Running, find, unreadable
from deploy.emulator.runtime.interpreter import lacks, remember
from deploy.emulator.world.problems import Trouble, Unopened, WrongFile

__all__ = [
    "MissingExtra",
    "Running",
    "Trouble",
    "Unopened",
    "WrongFile",
    "begin",
    "clock",
    "embed",
    "find",
    "lacks",
    "launch",
    "remember",
    "requests",
    "reset",
    "stop",
    "unreadable",
]
