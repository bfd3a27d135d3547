"""Order control for tests: hold requests, show which are held, and release them one after the other.

A hold is a fault of the kind `hold`. While a request is held there is no transaction and no blocked thread, so other
requests are answered. The held requests are those of this process: runners whose order is controlled use one running
emulator.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from starlette.types import Receive

from deploy.emulator.faults import inject
from deploy.emulator.http.exchange import Exchange
from deploy.emulator.wire import request_log
from deploy.emulator.wire.responses import Answer, Json, arm_error
from deploy.emulator.world.store import World

LIST, RELEASE = "Emulator_Order", "Emulator_Release"
"""The names of the control routes."""
DEFAULT_SECONDS = 60.0
_TICK = 0.05
"""Seconds between looks whether a hold was removed, which another process can do."""
_PAUSE = 0.005
Found = TypeVar("Found")


class ClientLeft(Exception):
    """The client of a request that was held before it was handled has closed the connection."""


@dataclass(eq=False)
class Held:
    """A held request. `passed` is set once it was handled (`before`), or its answer sent (`after`)."""

    number: int
    fault: inject.Fault
    exchange: Exchange
    since: float = field(default_factory=time.monotonic)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    passed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def seconds(self) -> float:
        """How long it is held at most."""
        return DEFAULT_SECONDS if self.fault.spec.seconds is None else self.fault.spec.seconds

    def to_json(self) -> dict[str, Json]:
        """The held request in the control API."""
        route = self.exchange.route
        return {
            "number": self.number, "runner": self.exchange.runner, "point": self.fault.spec.point,
            "method": route.method, "path": self.exchange.path, "operation": route.name, "fault": self.fault.id,
            "seconds": round(time.monotonic() - self.since, 3),
        }  # fmt: skip


class Order:
    """The held requests of one emulator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: list[Held] = []
        self._last = 0
        self._closed = False

    def close(self) -> None:
        """Release every request, and hold no more."""
        self._closed = True
        for held in self._held:
            held.released.set()

    @contextlib.asynccontextmanager
    async def point(self, point: str, exchange: Exchange, receive: Receive) -> AsyncIterator[None]:
        """Hold the request here if a hold is due; the block handles it, or sends its answer.

        Raises:
            ClientLeft: the client left before the request was handled.
        """
        held = self._begin(point, exchange)
        if held is None:
            yield
            return
        try:
            left = await self._wait(held, receive)
            if left and point == "before":
                raise ClientLeft
            yield
        finally:
            held.passed.set()

    async def respond(self, name: str, asked: Json) -> Answer:
        """The answer to a control request that was checked (`control.api`); 409 if there is nothing to release."""
        until = time.monotonic() + asked["wait"]
        if name == LIST:
            found = await self._until(until, lambda: [each for each in self._waiting() if each.number > asked["after"]])
            return Answer(200, {"value": [held.to_json() for held in found]})
        done: list[Json] = []
        for wanted in asked["release"]:
            held = await self._until(until, partial(self._find, wanted))
            if held is None:
                text = f"No request of '{wanted}' is held. Released before it: {len(done)}."
                return arm_error(409, "NotHeld", text).answer
            done.append(held.to_json())
            held.released.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(held.passed.wait(), max(_PAUSE, until - time.monotonic()))
        return Answer(200, {"value": done})

    async def _until(self, until: float, look: Callable[[], Found]) -> Found:
        """What `look` finds, as soon as it finds something, or at the time `until`, or when the emulator ends."""
        while not (found := look()) and time.monotonic() < until and not self._closed:
            await asyncio.sleep(_PAUSE)
        return found

    def _begin(self, point: str, exchange: Exchange) -> Held | None:
        if exchange.route.plane == "control" or self._closed or not inject.any_active(self._world):
            return None
        fault = inject.match(self._world, exchange.seen(point=point))
        if fault is None:
            return None
        self._last += 1
        held = Held(self._last, fault, exchange)
        self._held.append(held)
        return held

    async def _wait(self, held: Held, receive: Receive) -> bool:
        """Wait for the release; returns whether the client has left."""
        released = asyncio.ensure_future(held.released.wait())
        client = asyncio.ensure_future(receive())
        left = False
        try:
            while not (left or released.done() or self._is_over(held)):
                pending = [task for task in (released, client) if not task.done()]
                await asyncio.wait(pending, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
                left = client.done() and client.result()["type"] == "http.disconnect"
        finally:
            self._held.remove(held)
            released.cancel()
            client.cancel()
        self._note(held, left)
        return left

    def _is_over(self, held: Held) -> bool:
        """Whether it was held for its longest time, or its hold was removed (by a reset, for example)."""
        return time.monotonic() - held.since >= held.seconds or not inject.is_registered(self._world, held.fault)

    def _note(self, held: Held, left: bool) -> None:
        ending = ""
        if left:
            ending = ", the client left"
        elif not held.released.is_set() and time.monotonic() - held.since >= held.seconds:
            ending = f", not released in {held.seconds:g} s"
        note = held.fault.note + ending
        if held.exchange.row:
            with self._world.transaction():
                request_log.add_note(self._world, held.exchange.row, note)
        else:
            held.exchange.hold = note

    def _find(self, wanted: str | int) -> Held | None:
        """The request that is held longest, of a runner or with a number."""
        return next((held for held in self._waiting() if wanted in (held.number, held.exchange.runner)), None)

    def _waiting(self) -> list[Held]:
        return [held for held in self._held if not held.released.is_set()]
