"""Runs the application: one TLS port for everything, one plain-HTTP port for the identity endpoint, both on 127.0.0.1.

A server lives in one thread with its own event loop and world connection; `stop` ends it and leaves nothing open.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.http.app import Emulator
from deploy.emulator.seed.open_world import open_world
from deploy.emulator.world.certificates import prepare
from deploy.emulator.world.timing import QUICK, Timing

HOST = "127.0.0.1"


class Server:
    """A running emulator. `port` and `identity_port` are bound when the constructor returns, and it answers.

    `control_token` is new for each server.
    """

    def __init__(self, state: Path, port: int = 0, timing: Timing = QUICK) -> None:
        self._state, self._timing = state, timing
        self.certificates = prepare(state)
        self._sockets = (_bind(port), _bind(0))
        self.port, self.identity_port = (each.getsockname()[1] for each in self._sockets)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.control_token = ""
        self._application: Emulator | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="amldeploy-emulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.stop()
            raise self._failure

    @property
    def idle_seconds(self) -> float:
        """Real seconds since the last request; 0 while one is in progress."""
        found = self._application
        return 0.0 if found is None or found.active else time.monotonic() - found.last_request

    def stop(self) -> None:
        """End the server and wait for it."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._told.set)
        self._thread.join()
        for each in self._sockets:
            each.close()

    def _run(self) -> None:
        try:
            world = open_world(self._state / "world.sqlite", timing=self._timing)
            world.record_timing()
            application = Emulator(world, Tokens(self._state / "tls"))
            self._application, self.control_token = application, application.control_token
            try:
                asyncio.run(self._serve(application))
            finally:
                application.close()
                world.close()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the start
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self, application: Emulator) -> None:
        self._loop = asyncio.get_running_loop()
        certificate = str(self.certificates.server)
        servers = [_Listener(_config(application, each)) for each in (certificate, None)]
        running = [
            asyncio.create_task(server.serve(sockets=[each]))
            for server, each in zip(servers, self._sockets, strict=True)
        ]
        while not all(server.started for server in servers):
            for task in running:
                if task.done():
                    await task
            await asyncio.sleep(0.005)
        self._ready.set()
        await self._told.wait()
        for server in servers:
            server.exit.set()
        application.order.close()
        await _until(lambda: application.active == 0)
        await _hang_up(servers)
        await asyncio.gather(*running)
        await _hang_up(servers)


class _Listener(uvicorn.Server):
    """Stops at once: uvicorn checks for its end every 0.1 s and then waits 0.1 s for answers, which `_serve` does."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.exit = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)  # sets the default headers
        await self.exit.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()


async def _hang_up(servers: list[_Listener]) -> None:
    """Abort idle connections: an orderly TLS shutdown waits half a minute for clients that do not answer it.

    asyncio does not report the end of a connection with a TLS shutdown that had started, so the wait for that is short.
    """
    for server in servers:
        for connection in list(server.server_state.connections):
            connection.transport.abort()
    await _until(lambda: not any(server.server_state.connections for server in servers), 0.1)


async def _until(done: Callable[[], bool], seconds: float = 2.0) -> None:
    for _ in range(round(seconds * 100)):
        if done():
            return
        await asyncio.sleep(0.01)


def _config(application: Emulator, certificate: str | None) -> uvicorn.Config:
    return uvicorn.Config(
        application, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None,
        log_level="critical", access_log=False,
        proxy_headers=False,  # X-Forwarded-Proto would let plain HTTP pass as HTTPS
        server_header=False, date_header=False, ssl_certfile=certificate, timeout_graceful_shutdown=1, backlog=512,
    )  # fmt: skip


def _bind(port: int) -> socket.socket:
    # The protocol is named because asyncio turns off delays on small packets only where it reads "TCP".
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    return sock
