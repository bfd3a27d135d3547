"""A second emulator in the role of Azure, and `scripts/acceptance` against it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy import emulator
from deploy.emulator.process import pidfile
from deploy.emulator.seed.open_world import open_world
from tests.contract.own_code import interpreter
from tests.fork_server import ForkServer
from tests.project import ROOT

SUBSCRIPTION = "5ab0e1f2-77aa-4c1d-9d1e-3f00c0ffee01"
GROUP, WORKSPACE, OTHER = "rg-northwind-sandbox", "mlw-northwind", "northwind-triage"
PATIENCE = 280.0
WORLD = {
    "workspaces": [{"name": WORKSPACE, "subscription": SUBSCRIPTION, "resource_group": GROUP, "region": "westus3"}],
    "endpoints": [
        {
            "name": OTHER, "workspace": WORKSPACE, "traffic": {"blue": 100}, "tags": {"owner": "Jo Northwind"},
            "deployments": [
                {
                    "name": "blue", "model": "azureml://registries/azureml/models/MedImageParse/versions/17",
                    "instance_type": "Standard_NC24ads_A100_v4",
                }
            ],
        }
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """The end of a run: exit code, the table, the messages, and the folder of the run (None if nothing was started)."""

    code: int
    table: str
    messages: str
    folder: Path | None

    @property
    def recording(self) -> str:
        assert self.folder
        return (self.folder / "recording.jsonl").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Stage:
    """`root` is the user's project. The emulator in it has the role of Azure."""

    root: Path
    program: Path
    start: Path
    steps: int

    @property
    def state(self) -> Path:
        return self.root / ".amldeploy"

    def begin(self, *faults: Mapping[str, Any]) -> None:
        """Reset Azure, with these faults."""
        emulator.reset(self.state)
        emulator.begin(self.state, faults=faults)

    def open(self, *words: str) -> subprocess.Popen[str]:
        """Start a run; its messages are in a pipe."""
        command = [self.start, str(self.root), str(self.program), str(self.steps), "-e", "sandbox", *words]
        variables = {**os.environ, "AMLDEPLOY_SCORING_PYTHON": interpreter()}
        return subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str) -> Ended:
        """A whole run."""
        with self.open(*words) as process:
            return self.end(process)

    def end(self, process: subprocess.Popen[str], before: str = "") -> Ended:
        """The end of a run; `before` are the messages that were read already."""
        output, messages = process.communicate(timeout=PATIENCE)
        folders = sorted((self.state / "acceptance").glob("*"), key=lambda path: path.stat().st_mtime)
        return Ended(process.returncode, output, before + messages, folders[-1] if folders else None)

    def endpoints(self) -> list[str]:
        """The names of the endpoints in Azure."""
        world = open_world(self.state / "world.sqlite")
        try:
            with world.transaction():
                world.apply_due()
            return [each.name for each in world.children(_workspace_id(), "endpoint")]
        finally:
            world.close()

    def sent(self, operation: str) -> list[dict[str, Any]]:
        """The requests of an operation that Azure received."""
        return [row for row in emulator.requests(self.state) if row["operation"] == operation]

    def wait_for(self, operation: str) -> None:
        """Wait until Azure has received a request of this operation."""
        until = time.monotonic() + PATIENCE
        while not self.sent(operation):
            assert time.monotonic() < until, f"no {operation}"
            time.sleep(0.02)  # another process works meanwhile


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """The messages of a run up to a line with these words."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"{words!r} is not in {''.join(lines)}")


def _workspace_id() -> str:
    return (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
    )


@contextlib.contextmanager
def azure(root: Path, server: ForkServer, steps: int) -> Iterator[Stage]:
    """The user's project in `root`, with an emulator in the role of Azure as long as the block lasts.

    `steps`: how many steps a run has.
    """
    environment = {
        "cloud": "local", "project": "sandbox", "subscription_id": SUBSCRIPTION, "resource_group": GROUP,
        "workspace": WORKSPACE,
    }  # fmt: skip
    (root / "environments").mkdir(parents=True)
    (root / "environments" / "sandbox.yml").write_text(yaml.safe_dump(environment))
    (root / "world.yml").write_text(json.dumps(WORLD))
    state = root / ".amldeploy"
    stage = Stage(root, root / "recorded", root / "acceptance", steps)
    server.write_command(stage.program, str(ROOT / "scripts/acceptance_run/record.py"))
    server.write_command(stage.start, str(ROOT / "tests/acceptance/run_script.py"))
    with emulator.embed(state, world=root / "world.yml") as running:
        assert pidfile.write(state, running)
        yield stage
        pidfile.remove(state, running)
