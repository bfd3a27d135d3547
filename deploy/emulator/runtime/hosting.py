"""Scoring servers of deployments with their own code: start, check and stop them.

A supervisor process (`supervisor.py`) runs each server in a folder `<state>/servers/<key>`. The key is a digest of
everything that the server depends on: a change of tags keeps the server, a change of code needs another one. The
operation of a deployment waits for its server; its status is read at each request, without a thread. In a shared world,
an emulator that needs a server without a supervisor starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.emulator.runtime.code_spec import SERVICE_VARIABLES, specification
from deploy.emulator.wire import long_running
from deploy.emulator.wire.responses import Json, error_body
from deploy.emulator.world import private_files
from deploy.emulator.world.store import Resource, World, dump

_KEY_PROPERTIES = ("model", "environmentId", "codeConfiguration", "environmentVariables", "modelMountPath")
_KEY_PROBES = ("livenessProbe", "readinessProbe")
_STOP_SECONDS = 10


@dataclass(frozen=True)
class Status:
    """The status of a server: `starting`, `ready` or `failed` with its reason; `run` identifies the start."""

    state: str
    port: int
    reason: str
    run: str


def server_key(deployment: Resource) -> str:
    """The key of the server that a deployment needs. The variables that the service adds do not change it."""
    key_properties = {name: deployment.properties[name] for name in (*_KEY_PROPERTIES, *_KEY_PROBES)}
    variables = deployment.properties["environmentVariables"]
    key_properties["environmentVariables"] = {k: v for k, v in variables.items() if k not in SERVICE_VARIABLES}
    created_at = deployment.body["systemData"]["createdAt"]
    return hashlib.sha256(dump([deployment.id.lower(), created_at, key_properties]).encode()).hexdigest()[:24]


def effect(deployment: Resource, earliest: float) -> dict[str, Any]:
    """The part of an operation's effect that makes it wait for a server and then stores the server's key."""
    return {"server": server_key(deployment), "earliest": earliest, "private": {"server": server_key(deployment)}}


def folder(world: World, name: str) -> Path:
    """The folder of a server's files and logs."""
    return world.folder / "servers" / name


def status(path: Path) -> Status | None:
    """The last status that the supervisor of a folder wrote."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Status(**json.loads((path / "status.json").read_text()))
    return None


def is_supervised(path: Path) -> bool:
    """Whether a supervisor runs for a folder."""
    import fcntl  # not on Windows; the rest of the emulator does not need it

    with contextlib.suppress(OSError), (path / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Hosting:
    """The servers that this process started; call `update` inside each transaction, `close` at the end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._supervisors: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
        self._stopping: list[subprocess.Popen[bytes]] = []

    def update(self) -> None:
        """End operations with a ready or failed server, start the servers that others wait for, stop unused servers."""
        now, ended = self.world.now(), False
        for operation, target, effect in long_running.undecided(self.world):
            if "server" not in effect:
                continue  # it does not wait for a server
            deployment = self.world.get(target)
            if deployment is None or now < effect["earliest"]:
                self._start_for(deployment, operation)
                continue
            path = folder(self.world, effect["server"])
            found = status(path)
            if found is not None and (found.state, found.run) == ("failed", operation):
                long_running.finish(self.world, operation, _not_ready_error(found.reason))
            elif not is_supervised(path):
                self._start_for(deployment, operation)
                continue
            elif found is not None and found.state == "ready":
                long_running.finish(self.world, operation, None)
            else:
                continue
            ended = True
        if ended:
            self.world.apply_due()
        self._stop_unused()

    async def port(self, name: str) -> int:
        """The port of a server; starts it when it has no supervisor.

        Raises:
            RuntimeError: it does not start; the message is the reason.
        """
        path, run = folder(self.world, name), f"score:{uuid.uuid4()}"
        while True:
            found = status(path)
            if found is not None and (found.state, found.run) == ("failed", run):
                raise RuntimeError(found.reason)
            if not is_supervised(path):
                if not self._is_starting(name):
                    self._restart(path, run)
            elif found is not None and found.state == "ready":
                return found.port
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Stop the servers that this process started, and wait for their end."""
        for name in list(self._supervisors):
            self._stop(name, delete_files=False)
        for process in self._stopping:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._stopping.clear()

    def _start_for(self, deployment: Resource | None, run: str) -> None:
        if deployment is None:
            return
        name = server_key(deployment)
        path = folder(self.world, name)
        found = status(path)
        if (
            is_supervised(path)
            or self._is_starting(name)
            or (found is not None and found.run == run and found.state == "failed")
        ):
            return
        private_files.folder(path.parent)
        private_files.folder(path)
        self._spawn(path, specification(self.world, deployment, path) | {"run": run}, deployment.id)

    def _restart(self, path: Path, run: str) -> None:
        try:
            spec = json.loads((path / "spec.json").read_text())
        except (OSError, ValueError):
            raise RuntimeError("the server's files no longer exist; deploy it again") from None
        self._spawn(path, spec | {"run": run, "world": str(self.world.path)}, spec["deployment"])

    def _is_starting(self, name: str) -> bool:
        """Whether a supervisor of this process runs; it may not have its lock yet."""
        entry = self._supervisors.get(name)
        return entry is not None and entry[0].poll() is None

    def _spawn(self, path: Path, spec: dict[str, Any], deployment: str) -> None:
        if path.name in self._supervisors:
            self._stop(path.name, delete_files=False)
        private_files.secure(path / "spec.json").write_text(json.dumps(spec))
        (path / "status.json").unlink(missing_ok=True)
        with private_files.secure(path / "server.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py")), str(path)],
                stdin=subprocess.PIPE, stdout=output, stderr=output,
            )  # fmt: skip
        self._supervisors[path.name] = (process, deployment)

    def _stop_unused(self) -> None:
        self._stopping = [process for process in self._stopping if process.poll() is None]
        for name, (_, identifier) in list(self._supervisors.items()):
            deployment = self.world.get(identifier)
            if deployment is None or name not in (server_key(deployment), deployment.private.get("server")):
                self._stop(name, delete_files=True)

    def _stop(self, name: str, *, delete_files: bool) -> None:
        process, _ = self._supervisors.pop(name)
        if delete_files and process.poll() is not None:
            shutil.rmtree(folder(self.world, name), ignore_errors=True)
        with contextlib.suppress(BrokenPipeError):
            if process.stdin is not None:
                process.stdin.write(b"delete" if delete_files else b"")
                process.stdin.close()
        self._stopping.append(process)


def _not_ready_error(reason: str) -> Json:
    sentence = f" {reason[:1].upper()}{reason[1:]}" + ("" if reason.endswith(".") else ".")
    return error_body(
        "ResourceNotReady",
        f"User container has crashed or terminated.{sentence} Please see troubleshooting guide, available here: "
        "https://aka.ms/oe-tsg#error-resourcenotready",
    )
