"""The process that keeps a user's scoring server, as a container runtime does: unpack, start, probe, restart, end.

    python keeper.py FOLDER        FOLDER/spec.json says what to run; FOLDER/status.json says how it stands

It is a program of its own, of the standard library alone, run by path. It ends, and its server with it, when its
standard input closes: however the emulator dies, nothing is left running. It binds 127.0.0.1 only.
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

FACTS = (
    "import importlib.metadata as m; m.version('azureml-inference-server-http');"
    "print(m.version('gunicorn').split('.')[0])"
)
"""Run by the scoring interpreter: fails without the server, and tells which gunicorn there is."""
CONTROL_SOCKET = 25
"""From this gunicorn on every server of a user shares one control socket unless told not to."""
RESTARTS = 5
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""A container does not see the caller's shell; these are what a program on this machine cannot do without."""
MISSING = (
    'azureml-inference-server-http is not installed for {}. Install "amldeploy[local-scoring]", or set '
    "AMLDEPLOY_SCORING_PYTHON to the interpreter of an environment that has it."
)


class GaveUp(Exception):
    """The server does not come up; the message is the reason."""


class Over(Exception):
    """The emulator is gone, or wants this server gone."""


class Keeper:
    """One server and its probes. `spec` is written by `hosting`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec: dict[str, Any] = json.loads((folder / "spec.json").read_text())
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self.socket.getsockname()[1])
        self.server: subprocess.Popen[bytes] | None = None
        self.forget = False

    def tell(self, state: str, reason: str = "") -> None:
        """Write how it stands; readers never see half of it."""
        draft = self.folder / "status.draft"
        draft.write_text(json.dumps({"state": state, "port": self.port, "reason": reason, "run": self.spec["run"]}))
        draft.replace(self.folder / "status.json")

    def run(self) -> None:
        """Keep the server until told to end."""
        try:
            self.tell("starting")
            unpack(self.spec, self.folder)
            modern = self._facts()
            for _ in range(RESTARTS):
                self._start(modern)
                self._wait_until_ready()
                self.tell("ready")
                self._watch()
                self.tell("starting")  # before the end, so that nobody is sent to a server that goes
                self._end()
            raise GaveUp(f"the server ended or stopped answering {RESTARTS} times")
        except GaveUp as reason:
            self._say(f"amldeploy emulator: {reason}")
            self.tell("failed", str(reason))
        except Over:
            self.tell("ending")
        finally:
            self._end()

    def _facts(self) -> bool:
        python = self.spec["python"]
        try:
            asked = subprocess.run([python, "-c", FACTS], capture_output=True, text=True, check=False, timeout=60)
        except OSError as error:
            raise GaveUp(f"cannot run {python}: {error.strerror}. Set AMLDEPLOY_SCORING_PYTHON to a Python.") from None
        if asked.returncode != 0:
            raise GaveUp(MISSING.format(python))
        return int(asked.stdout) >= CONTROL_SOCKET

    def _start(self, modern: bool) -> None:
        given = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment = {**given, **self.spec["environment"], "PYTHONUNBUFFERED": "1"}
        command = [
            self.spec["python"], "-m", "gunicorn", *(["--no-control-socket"] if modern else []),
            "--bind", f"fd://{self.socket.fileno()}", "--workers", environment.get("WORKER_COUNT", "1"),
            "--timeout", environment.get("WORKER_TIMEOUT", "300"), "--access-logfile", "-", "--error-logfile", "-",
            "azureml_inference_server_http.server.entry:app",
        ]  # fmt: skip
        with (self.folder / "server.log").open("ab") as output:
            self.server = subprocess.Popen(
                command, cwd=self.spec["code"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=[self.socket.fileno()], start_new_session=True,
            )  # fmt: skip

    def _wait_until_ready(self) -> None:
        probe, pace = self.spec["readiness"], self.spec["pace"]
        # The profile shortens how long is waited between probes, never how long a server may take.
        limit = time.monotonic() + probe["initialDelay"] + probe["failureThreshold"] * probe["period"]
        self._pause(probe["initialDelay"] * pace)
        good = 0
        while good < probe["successThreshold"]:
            good = good + 1 if self._answers(probe["timeout"]) else 0
            if good < probe["successThreshold"]:
                if time.monotonic() > limit:
                    raise GaveUp("the readiness probe failed for longer than its settings allow")
                self._pause(max(0.02, probe["period"] * pace))
            self._require_alive()

    def _watch(self) -> None:
        """Return when the server has to be started again."""
        probe, bad = self.spec["liveness"], 0
        self._pause(probe["initialDelay"])
        while bad < probe["failureThreshold"]:
            if self.server is None or self.server.poll() is not None:
                self._say("amldeploy emulator: the server ended and is started again")
                return
            bad = 0 if self._answers(probe["timeout"]) else bad + 1
            self._pause(max(0.02, probe["period"]))
        self._say("amldeploy emulator: the liveness probe failed; the server is started again")

    def _pause(self, seconds: float) -> None:
        """Wait, unless the emulator goes or the server ends."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if select.select([0], [], [], max(0.0, min(left, 0.1)))[0]:
                self.forget = b"forget" in os.read(0, 100)
                raise Over
            if left <= 0 or (self.server is not None and self.server.poll() is not None):
                return

    def _answers(self, timeout: float) -> bool:
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
            raise GaveUp(f"the server ended with exit code {code} before it was ready")

    def _end(self) -> None:
        if self.server is None:
            return
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.server.pid, signal_number)
                self.server.wait(2)
            except (ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
                continue

    def _say(self, words: str) -> None:
        with (self.folder / "server.log").open("a") as output:
            output.write(words + "\n")


def unpack(spec: dict[str, Any], folder: Path) -> None:
    """Write the code's and the model's blobs as files, and a log of it: what a storage initializer does.

    Raises:
        GaveUp: a blob's name leads out of its folder.
    """
    world = sqlite3.connect(f"file:{spec['world']}?mode=ro", uri=True, timeout=30)
    try:
        with (folder / "storage.log").open("w") as output:
            for what, root, above, place in spec["files"]:
                shutil.rmtree(place, ignore_errors=True)
                Path(place).mkdir(parents=True)
                rows = world.execute(
                    "SELECT path FROM blobs WHERE path = ? OR substr(path, 1, ?) = ?",
                    (root, len(root) + 1, f"{root}/"),
                )
                count = sum(_write(world, Path(place), path, path.removeprefix(above).strip("/")) for (path,) in rows)
                output.write(f"{what}: {count} files\n")
            output.write("Storage initializer finished.\n")
    finally:
        world.close()


def _write(world: sqlite3.Connection, place: Path, path: str, name: str) -> int:
    if "\0" in name or ".." in name.split("/"):
        raise GaveUp(f"the blob name {name!r} leads out of its folder")
    target = place / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as output:
        for (content,) in world.execute("SELECT content FROM parts WHERE path = ? ORDER BY start", (path,)):
            output.write(content)
    return 1


def _alone(folder: Path) -> int | None:
    """The lock that says somebody keeps this folder; None when somebody else does."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(20):  # whoever only looks holds it for an instant
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return lock
    return None


def main(folder: Path) -> NoReturn:
    """Keep the server of one folder; exit code 0 also when another keeper does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the emulator, whose end ends this
    if _alone(folder) is not None:
        keeper = Keeper(folder)
        try:
            keeper.run()
        except Exception as error:  # noqa: BLE001 - whoever waits for the status must learn of it
            keeper.tell("failed", f"{type(error).__name__}: {error}")
        if keeper.forget:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
