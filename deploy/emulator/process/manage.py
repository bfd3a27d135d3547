"""Start, find and stop emulators. Light to import: server and TLS packages are imported at the start of one.

A server in the background writes `<state>/emulator.json`; an embedded one writes only the world.
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

from deploy.emulator.process.pidfile import Running, find, is_recorded, keep, remove, running_here
from deploy.emulator.runtime import interpreter
from deploy.emulator.world import private_files

WORLD = "world.sqlite"
LOG = "emulator.log"
START_SECONDS = 30.0


class WorldOptions(TypedDict, total=False):
    """Options of a world: the world file, the faults (a file or a list), and the speed of the clock."""

    world: Path | None
    faults: Path | Sequence[Mapping[str, Any]] | None
    time_scale: float | None


class MissingExtra(RuntimeError):
    """A package that the server needs is not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(f'cannot start the emulator: {missing} is not installed. Install "amldeploy[local]".')


def launch(
    state: Path,
    port: int = 0,
    profile: str = "quick",
    *,
    throttle: bool | None = None,
    stops_after: float = 0.0,
    **options: Unpack[WorldOptions],
) -> Running:
    """The running server, or a new one in a background process that outlives this one.

    `stops_after`: seconds without a request after which it ends by itself; 0 for never, also for one that runs already.

    The `options` (see `begin`) also apply to a server that runs already; the other parameters only to a new one.

    Raises:
        MissingExtra: a package is not installed.
        InvalidFile: a file is invalid (a ValueError; lists every problem with its line).
        RuntimeError: it did not start; the message ends with the last line of its log.
    """
    _require_packages()
    state = state.resolve()
    begin(state, **options)
    if (running := find(state)) is not None:
        return keep(state, running) if running.stops_after and not stops_after else running
    process = _spawn(state, port, profile, throttle, stops_after)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (running := find(state)) is not None:
            process.returncode = 0  # it runs on by intent; without this, Popen warns when it is collected
            return running
        if process.poll() is not None and find(state) is None:
            break
        time.sleep(0.02)
    lines = (state / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise RuntimeError(f"cannot start the emulator: {lines[-1] if lines else 'its log is empty'}. See {state / LOG}.")


@contextlib.contextmanager
def embed(
    state: Path, profile: str = "quick", *, throttle: bool | None = None, **options: Unpack[WorldOptions]
) -> Iterator[Running]:
    """An emulator inside this process, on free ports and the same world file; it stops when the block ends."""
    _require_packages()
    begin(state.resolve(), **options)
    from deploy.emulator.http.server import Server
    from deploy.emulator.world.timing import timing_for

    server = Server(state.resolve(), timing=timing_for(profile, throttle))
    try:
        yield running_here(server.port, server.identity_port, str(server.certificates.ca), server.control_token)
    finally:
        server.stop()


def stop(state: Path) -> bool:
    """Stop the running server and wait for its end; False when none was running."""
    running = find(state)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    if sys.platform == "win32":  # it ends the process at once, so the server does not remove its record
        remove(state, running)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and is_recorded(state, running):
        time.sleep(0.02)
    return True


def begin(state: Path, **options: Unpack[WorldOptions]) -> None:
    """Write the options into the world. They apply to every server of it, running or started later.

    Raises:
        InvalidFile: an option is invalid (a ValueError; lists every problem with its line).
    """
    interpreter.save_scoring_python(state)
    if any(value is not None for value in options.values()):
        from deploy.emulator.process import start

        start.begin(state / WORLD, options.get("world"), options.get("faults"), options.get("time_scale"))


def reset(state: Path) -> Path | None:
    """Reset the world to its world file, or to the default world; a running server continues with it.

    A world that cannot be read is moved aside and replaced by a new one; returns its new path, None otherwise.

    Raises:
        RuntimeError: the world cannot be read and an emulator still uses it.
    """
    from deploy.emulator.seed import open_world

    state = state.resolve()
    if find(state) is None:
        return open_world.recreate(state / WORLD)
    try:
        world = open_world.open_world(state / WORLD)
    except open_world.UnreadableWorld as broken:
        raise RuntimeError(f"{broken} An emulator uses it: stop it first.") from None
    try:
        world.reset()
    finally:
        world.close()
    return None


def requests(state: Path, *, after: int = 0, mutating: bool | None = None) -> list[dict[str, Any]]:
    """The request log of a state folder, oldest first; a row has the keys of `request_log.COLUMNS`."""
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
    """The world's time, after an optional change: `set` (ISO 8601), `advance` (seconds), `scale`.

    Raises:
        InvalidFile: the change is invalid (a ValueError).
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


def durations(state: Path) -> dict[str, float]:
    """Seconds that operations take in this world, by the names of `Timing`; empty before its first start."""
    from deploy.emulator.seed.open_world import open_world

    world = open_world(state / WORLD)
    try:
        recorded = world.controls.get("timing") or {}
    finally:
        world.close()
    return {name: float(value) for name, value in recorded.items() if type(value) in (int, float)}


def addresses(state: Path, host: str) -> list[str]:  # noqa: ARG001 every private host is on this machine
    """What the name server of the caller's network answers for a private host, by the setting `caller_network`.

    Inside the virtual network it is the address on which the emulator listens, outside it a public one.
    """
    from deploy.emulator.seed.open_world import open_world
    from deploy.emulator.world import settings

    world = open_world(state / WORLD)
    try:
        return ["20.62.128.0" if settings.get(world, "caller_network") == "outside" else "127.0.0.1"]
    finally:
        world.close()


def _spawn(state: Path, port: int, profile: str, throttle: bool | None, stops_after: float) -> subprocess.Popen[bytes]:
    private_files.folder(state)
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    # -P: a package named `deploy` in the user's folder is neither found nor run.
    command = [sys.executable, "-P", "-m", "deploy.emulator"]
    command += ["--state", str(state), "--port", str(port), "--profile", profile]
    command += ["--stop-after", str(stops_after)] if stops_after else []
    if throttle is not None:
        command.append("--throttle" if throttle else "--no-throttle")
    with private_files.secure(state / LOG).open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
        )


def _require_packages() -> None:
    for name in ("starlette", "uvicorn", "trustme"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtra(name)
