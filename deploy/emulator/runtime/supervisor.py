"""The supervisor of a user's scoring server: unpack, start, probe, restart, stop, like a container runtime.

    python supervisor.py FOLDER        reads FOLDER/spec.json, writes FOLDER/status.json

It is a separate program that needs only the standard library. It stops, with its server, when its standard input
closes: no process remains, however the emulator ends. It binds 127.0.0.1 only.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

VERSION_CHECK = (
    "import sys; sys.path[:] = filter(None, sys.path);"
    "import importlib.metadata as m; m.version('azureml-inference-server-http');"
    "print(m.version('gunicorn').split('.')[0])"
)
"""Run by the scoring interpreter: fails without the inference server, prints the major version of gunicorn.

`-c` searches the current folder first, and -P is unknown to Python 3.10: modules in the user's folder are left out.
"""
CONTROL_SOCKET = 25
"""Since this gunicorn version all servers of a user share one control socket by default."""
RESTARTS = 5
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables that a server inherits. A container has no others of the caller's shell."""
MISSING = (
    "azureml-inference-server-http is not installed for {}. Run amldeploy emulator scoring, or set "
    "AMLDEPLOY_SCORING_PYTHON to the interpreter of an environment that has it."
)


class ServerFailed(Exception):
    """The server does not start or stay up; the message is the reason."""


class Stopped(Exception):
    """The emulator ended, or stops this server."""


class Supervisor:
    """One server and its probes. `spec` is written by `hosting`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec: dict[str, Any] = json.loads((folder / "spec.json").read_text())
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self.socket.getsockname()[1])
        self.server: subprocess.Popen[bytes] | None = None
        self.delete_files = False
        self.umask = os.umask(0o077)
        """That of the user, for the server. The files of the supervisor are for their owner alone."""

    def write_status(self, state: str, reason: str = "") -> None:
        """Write the status file atomically."""
        draft = self.folder / "status.draft"
        draft.write_text(json.dumps({"state": state, "port": self.port, "reason": reason, "run": self.spec["run"]}))
        draft.replace(self.folder / "status.json")

    def run(self) -> None:
        """Run the server until it is stopped."""
        try:
            self.write_status("starting")
            unpack(self.spec, self.folder)
            has_control_socket = self._has_control_socket_option()
            for _ in range(RESTARTS):
                self._start(has_control_socket)
                self._wait_until_ready()
                self.write_status("ready")
                self._watch()
                self.write_status("starting")  # before the stop, so that no request is sent to a stopping server
                self._stop()
            raise ServerFailed(f"the server ended or stopped answering {RESTARTS} times")
        except ServerFailed as reason:
            self._log(f"amldeploy emulator: {reason}")
            self.write_status("failed", str(reason))
        except Stopped:
            self.write_status("ending")
        finally:
            self._stop()

    def _has_control_socket_option(self) -> bool:
        python = self.spec["python"]
        try:
            checked = subprocess.run(
                [python, "-c", VERSION_CHECK], capture_output=True, text=True, check=False, timeout=60
            )
        except OSError as error:
            raise ServerFailed(
                f"cannot run {python}: {error.strerror}. Set AMLDEPLOY_SCORING_PYTHON to a Python."
            ) from None
        if checked.returncode != 0:
            raise ServerFailed(MISSING.format(python))
        return int(checked.stdout) >= CONTROL_SOCKET

    def _start(self, has_control_socket: bool) -> None:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment = {**inherited, **self.spec["environment"], "PYTHONUNBUFFERED": "1"}
        command = [
            self.spec["python"], "-m", "gunicorn", *(["--no-control-socket"] if has_control_socket else []),
            "--bind", f"fd://{self.socket.fileno()}", "--workers", environment.get("WORKER_COUNT", "1"),
            "--timeout", environment.get("WORKER_TIMEOUT", "300"), "--access-logfile", "-", "--error-logfile", "-",
            "azureml_inference_server_http.server.entry:app",
        ]  # fmt: skip
        with (self.folder / "server.log").open("ab") as output:
            self.server = subprocess.Popen(
                command, cwd=self.spec["code"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=[self.socket.fileno()], start_new_session=True, umask=self.umask,
            )  # fmt: skip

    def _wait_until_ready(self) -> None:
        probe, pace = self.spec["readiness"], self.spec["pace"]
        # The profile shortens the wait between probes, not the time limit of the server.
        limit = time.monotonic() + probe["initialDelay"] + probe["failureThreshold"] * probe["period"]
        self._pause(probe["initialDelay"] * pace)
        successes = 0
        while successes < probe["successThreshold"]:
            successes = successes + 1 if self._is_healthy(probe["timeout"]) else 0
            if successes < probe["successThreshold"]:
                if time.monotonic() > limit:
                    raise ServerFailed("the readiness probe failed for longer than its settings allow")
                self._pause(max(0.02, probe["period"] * pace))
            self._require_alive()

    def _watch(self) -> None:
        """Return when the server needs a restart."""
        probe, failures = self.spec["liveness"], 0
        self._pause(probe["initialDelay"])
        while failures < probe["failureThreshold"]:
            if self.server is None or self.server.poll() is not None:
                self._log("amldeploy emulator: the server ended and is started again")
                return
            failures = 0 if self._is_healthy(probe["timeout"]) else failures + 1
            self._pause(max(0.02, probe["period"]))
        self._log("amldeploy emulator: the liveness probe failed; the server is started again")

    def _pause(self, seconds: float) -> None:
        """Wait; returns early when the server ends. Raises Stopped when the emulator ends or stops this server."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if select.select([0], [], [], max(0.0, min(left, 0.1)))[0]:
                self.delete_files = b"delete" in os.read(0, 100)
                raise Stopped
            if left <= 0 or (self.server is not None and self.server.poll() is not None):
                return

    def _is_healthy(self, timeout: float) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=max(0.05, timeout))
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _require_alive(self) -> None:
        if self.server is not None and (code := self.server.poll()) is not None:
            raise ServerFailed(f"the server ended with exit code {code} before it was ready")

    def _stop(self) -> None:
        if self.server is None:
            return
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.server.pid, signal_number)
                self.server.wait(2)
            except (ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
                continue

    def _log(self, text: str) -> None:
        with (self.folder / "server.log").open("a") as output:
            output.write(text + "\n")


def unpack(spec: dict[str, Any], folder: Path) -> None:
    """Write the blobs of code and model as files, with a log, like the storage initializer.

    Raises:
        ServerFailed: a blob's name points outside its folder.
    """
    world = sqlite3.connect(f"file:{spec['world']}?mode=ro", uri=True, timeout=30)
    try:
        with (folder / "storage.log").open("w") as output:
            for what, root, above, destination in spec["files"]:
                shutil.rmtree(destination, ignore_errors=True)
                Path(destination).mkdir(parents=True)
                rows = world.execute(
                    "SELECT path FROM blobs WHERE path = ? OR substr(path, 1, ?) = ?",
                    (root, len(root) + 1, f"{root}/"),
                )
                count = sum(
                    _write(world, Path(destination), path, path.removeprefix(above).strip("/")) for (path,) in rows
                )
                output.write(f"{what}: {count} files\n")
            output.write("Storage initializer finished.\n")
    finally:
        world.close()


def _write(world: sqlite3.Connection, destination: Path, path: str, name: str) -> int:
    if "\0" in name or ".." in name.split("/"):
        raise ServerFailed(f"the blob name {name!r} points outside its folder")
    target = destination / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as output:
        for (content,) in world.execute("SELECT content FROM parts WHERE path = ? ORDER BY start", (path,)):
            output.write(content)
    return 1


def _take_lock(folder: Path) -> int | None:
    """Take the lock of a folder; None when another supervisor has it."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(20):  # a status check holds it for an instant
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return lock
    return None


def main(folder: Path) -> NoReturn:
    """Supervise the server of one folder; exit code 0 also when another supervisor does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the emulator, whose end stops this process
    if _take_lock(folder) is not None:
        supervisor = Supervisor(folder)
        try:
            supervisor.run()
        except Exception as error:  # noqa: BLE001 - the status must contain every failure
            supervisor.write_status("failed", f"{type(error).__name__}: {error}")
        if supervisor.delete_files:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
