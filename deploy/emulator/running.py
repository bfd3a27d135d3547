"""Starting, finding and stopping emulators. Light to import: servers and TLS are loaded when one is started.

A server in the background writes `<state>/emulator.json`; an embedded one writes nothing but the world.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

RECORD = "emulator.json"
WORLD = "world.sqlite"
LOG = "emulator.log"
START_SECONDS = 30.0
CLOUD = "AmlEmulator"


class Said(TypedDict, total=False):
    """What can be said of a world: its file, what shall go wrong, and world seconds that pass in each second."""

    world: Path | None
    faults: Path | Sequence[Mapping[str, Any]] | None
    time_scale: float | None


class MissingExtra(RuntimeError):
    """The packages that a server needs are not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(f'cannot start the emulator: {missing} is not installed. Install "amldeploy[local]".')


@dataclass(frozen=True)
class Running:
    """A live emulator: its address, its identity endpoint, the file with its certificate authority, its process."""

    url: str
    identity_url: str
    ca: str
    pid: int

    def variables(self) -> dict[str, str]:
        """The environment variables that point any program that uses the Azure SDKs at this emulator."""
        return {
            "ARM_CLOUD_METADATA_URL": f"{self.url}/metadata/endpoints",
            "AZUREML_CURRENT_CLOUD": CLOUD,
            "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{self.url}/",
            "REQUESTS_CA_BUNDLE": self.ca,
            "IDENTITY_ENDPOINT": self.identity_url,
            "IDENTITY_HEADER": "amldeploy-emulator",
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "AZURE_CLIENT_ID": "",  # one that is set for Azure would ask for an identity that this world does not have
            "NO_PROXY": "127.0.0.1,localhost",
        }


def find(state: Path) -> Running | None:
    """The live server that is recorded in a state folder; a record without one is removed."""
    record = state / RECORD
    try:
        held = json.loads(record.read_text())
        running = Running(held["url"], held["identity_url"], held["ca"], held["pid"])
    except (OSError, ValueError, KeyError):
        return None
    if _answers(running):
        return running
    record.unlink(missing_ok=True)
    return None


def launch(
    state: Path, port: int = 0, profile: str = "quick", *, throttle: bool | None = None, **said: Unpack[Said]
) -> Running:
    """The recorded server, or a new one in a process of its own that outlives this one.

    What is `said` of the world (see `begin`) reaches a server that runs already; the rest is for a new one.

    Raises:
        MissingExtra: the packages are not there.
        WrongFile: a file cannot be obeyed (a ValueError; every trouble with its place).
        RuntimeError: it did not start; the message ends with its log's last line.
    """
    _require_packages()
    state = state.resolve()
    begin(state, **said)
    if (running := find(state)) is not None:
        return running
    process = _spawn(state, port, profile, throttle)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (running := find(state)) is not None:
            process.returncode = 0  # it lives on by intent; without this Popen warns when it is collected
            return running
        if process.poll() is not None and find(state) is None:
            break
        time.sleep(0.02)
    lines = (state / LOG).read_text(errors="replace").strip().splitlines()
    raise RuntimeError(f"cannot start the emulator: {lines[-1] if lines else 'it said nothing'}. See {state / LOG}.")


@contextlib.contextmanager
def embed(
    state: Path, profile: str = "quick", *, throttle: bool | None = None, **said: Unpack[Said]
) -> Iterator[Running]:
    """An emulator inside this process, on free ports, over the same world file; gone when the block ends."""
    _require_packages()
    begin(state.resolve(), **said)
    from deploy.emulator.server import Server
    from deploy.emulator.timing import profiled

    server = Server(state.resolve(), timing=profiled(profile, throttle))
    try:
        yield describe(server.port, server.identity_port, str(server.certificates.ca))
    finally:
        server.stop()


def describe(port: int, identity_port: int, ca: str) -> Running:
    """What a server of this process is called."""
    return Running(f"https://127.0.0.1:{port}", f"http://127.0.0.1:{identity_port}/msi/token", ca, os.getpid())


def record(state: Path, running: Running) -> bool:
    """Write down who serves a state folder; False when another live server was first."""
    held = {
        "pid": running.pid, "port": int(running.url.rpartition(":")[2]), "url": running.url,
        "identity_url": running.identity_url, "ca": running.ca, "started": time.time(),
    }  # fmt: skip
    handle, draft = tempfile.mkstemp(dir=state)
    with os.fdopen(handle, "w") as stream:
        json.dump(held, stream)
    try:
        for _ in range(2):
            with contextlib.suppress(FileExistsError):
                os.link(draft, state / RECORD)
                return True
            if find(state) is not None:  # otherwise the record was stale and is gone now
                return False
        return False
    finally:
        Path(draft).unlink()


def stop(state: Path) -> bool:
    """End the recorded server and wait until it is gone; False when there was none."""
    running = find(state)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (state / RECORD).exists():
        time.sleep(0.02)
    return True


def begin(state: Path, **said: Unpack[Said]) -> None:
    """Write into the world what is said of it; whoever serves it, now or later, obeys.

    Raises:
        WrongFile: it cannot be obeyed (a ValueError; every trouble with its place).
    """
    if any(value is not None for value in said.values()):
        from deploy.emulator import starting

        starting.begin(state / WORLD, said.get("world"), said.get("faults"), said.get("time_scale"))


def reset(state: Path) -> None:
    """Back to the world file, or to the default world; a running server goes on with the new one."""
    from deploy.emulator.world import World

    world = World(state / WORLD)
    try:
        world.reset()
    finally:
        world.close()


def requests(state: Path, *, after: int = 0, mutating: bool | None = None) -> list[dict[str, Any]]:
    """The request log of a state folder, oldest first; a row has the keys of `log.COLUMNS`."""
    from deploy.emulator import log
    from deploy.emulator.world import World

    if not (state / WORLD).exists():
        return []
    world = World(state / WORLD)
    try:
        return log.read(world, after, mutating)
    finally:
        world.close()


def _spawn(state: Path, port: int, profile: str, throttle: bool | None) -> subprocess.Popen[bytes]:
    state.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    command = [
        sys.executable,
        "-m",
        "deploy.emulator",
        "--state",
        str(state),
        "--port",
        str(port),
        "--profile",
        profile,
    ]
    if throttle is not None:
        command.append("--throttle" if throttle else "--no-throttle")
    with (state / LOG).open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
        )


def _answers(running: Running) -> bool:
    import http.client
    import ssl
    from urllib.parse import urlsplit

    address = urlsplit(running.url)
    try:
        context = ssl.create_default_context(cafile=running.ca)
        connection = http.client.HTTPSConnection(str(address.hostname), address.port, timeout=5, context=context)
        try:
            connection.request("GET", "/emulator/status")
            return bool(json.loads(connection.getresponse().read()).get("pid") == running.pid)
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _require_packages() -> None:
    for name in ("starlette", "uvicorn", "trustme"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtra(name)
