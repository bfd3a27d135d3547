"""Starting, finding and stopping emulators. Light to import: servers and TLS are loaded when one is started.

A server in the background writes `<state>/emulator.json`; an embedded one writes nothing but the world.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from deploy.emulator.process.pidfile import Running, find, is_recorded, running_here
from deploy.emulator.runtime import interpreter

WORLD = "world.sqlite"
LOG = "emulator.log"
START_SECONDS = 30.0


class WorldOptions(TypedDict, total=False):
    """What can be said of a world: its file, what shall go wrong, and world seconds that pass in each second."""

    world: Path | None
    faults: Path | Sequence[Mapping[str, Any]] | None
    time_scale: float | None


class MissingExtra(RuntimeError):
    """The packages that a server needs are not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(f'cannot start the emulator: {missing} is not installed. Install "amldeploy[local]".')


def launch(
    state: Path, port: int = 0, profile: str = "quick", *, throttle: bool | None = None, **options: Unpack[WorldOptions]
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
    begin(state, **options)
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
    raise RuntimeError(f"cannot start the emulator: {lines[-1] if lines else 'it options nothing'}. See {state / LOG}.")


@contextlib.contextmanager
def embed(
    state: Path, profile: str = "quick", *, throttle: bool | None = None, **options: Unpack[WorldOptions]
) -> Iterator[Running]:
    """An emulator inside this process, on free ports, over the same world file; gone when the block ends."""
    _require_packages()
    begin(state.resolve(), **options)
    from deploy.emulator.http.server import Server
    from deploy.emulator.world.timing import timing_for

    server = Server(state.resolve(), timing=timing_for(profile, throttle))
    try:
        yield running_here(server.port, server.identity_port, str(server.certificates.ca))
    finally:
        server.stop()


def stop(state: Path) -> bool:
    """End the recorded server and wait until it is gone; False when there was none."""
    running = find(state)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and is_recorded(state, running):
        time.sleep(0.02)
    return True


def begin(state: Path, **options: Unpack[WorldOptions]) -> None:
    """Write into the world what is said of it; whoever serves it, now or later, obeys.

    Raises:
        WrongFile: it cannot be obeyed (a ValueError; every trouble with its place).
    """
    interpreter.save_scoring_python(state)
    if any(value is not None for value in options.values()):
        from deploy.emulator.process import start

        start.begin(state / WORLD, options.get("world"), options.get("faults"), options.get("time_scale"))


def reset(state: Path) -> Path | None:
    """Back to the world file, or to the default world; a running server goes on with the new one.

    A world that cannot be read is set aside, and a new one begins; returns where it is then.

    Raises:
        RuntimeError: the world cannot be read and a server still holds it.
    """
    from deploy.emulator.seed import open_world

    state = state.resolve()
    if find(state) is None:
        return open_world.recreate(state / WORLD)
    try:
        world = open_world.open_world(state / WORLD)
    except open_world.UnreadableWorld as broken:
        raise RuntimeError(f"{broken} An emulator holds it: stop it first.") from None
    try:
        world.reset()
    finally:
        world.close()
    return None


def requests(state: Path, *, after: int = 0, mutating: bool | None = None) -> list[dict[str, Any]]:
    """The request log of a state folder, oldest first; a row has the keys of `log.COLUMNS`."""
    from deploy.emulator.seed.open_world import open_world
    from deploy.emulator.wire import request_log

    if not (state / WORLD).exists():
        return []
    world = open_world(state / WORLD)
    try:
        return request_log.read(world, after, mutating)
    finally:
        world.close()


def clock(state: Path, **change: Any) -> dict[str, Any]:
    """What time it is in the world, after turning its clock if that is asked: `set`, `advance` (seconds), `scale`.

    Raises:
        WrongFile: the clock cannot be turned so (a ValueError).
    """
    from deploy.emulator.control import clock_api
    from deploy.emulator.process import start
    from deploy.emulator.seed.open_world import open_world

    world = open_world(state / WORLD)
    try:
        if change:
            start.change_clock(world, change)
        return clock_api.status(world)
    finally:
        world.close()


def _spawn(state: Path, port: int, profile: str, throttle: bool | None) -> subprocess.Popen[bytes]:
    state.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).parents[3])
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


def _require_packages() -> None:
    for name in ("starlette", "uvicorn", "trustme"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtra(name)
