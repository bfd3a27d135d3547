"""The one ASGI application: finds the route, checks the caller, opens the transaction, logs, answers.

Every request passes through `Emulator.__call__` and nowhere else. Rooms take a `Call` and return an `Answer`; they
know nothing of HTTP.
"""

from __future__ import annotations

import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from deploy.emulator.dataplane import scoring
from deploy.emulator.entra import access_tokens
from deploy.emulator.faults import inject, schema
from deploy.emulator.http import authorize, delivery, routes
from deploy.emulator.http.exchange import UNKNOWN, Visit, not_emulated, response_to
from deploy.emulator.rbac import rights
from deploy.emulator.runtime.hosting import Hosting
from deploy.emulator.seed.open_world import CURE
from deploy.emulator.wire import request_log, throttle
from deploy.emulator.wire.call import Call, Caller
from deploy.emulator.wire.responses import Answer, Refusal, gateway, stamp
from deploy.emulator.world import history
from deploy.emulator.world.store import World


class Emulator:
    """The ASGI application over one world; call it from the thread that owns the world."""

    def __init__(self, world: World, tokens: access_tokens.Tokens) -> None:
        self.world, self.tokens, self.rights = world, tokens, rights.Rights(world)
        self.hosting = Hosting(world)
        self.active = 0
        """Requests under way; a server that ends waits for them."""
        self._pending: Counter[str] = Counter()
        """Scoring requests under way, by deployment."""

    def close(self) -> None:
        """End what this process started; the world stays."""
        self.hosting.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return
        self.active += 1
        try:
            visit = self._visit(request, raw)
            self._meet(visit)
            answer = await self._score(visit) if visit.route.plane == "scoring" else self._run(visit)
            response = response_to(visit, inject.alter(visit.fault, answer))
            order = visit.fault and visit.fault.order
            door = (scope, receive, send)
            await delivery.send(order.kind if order else "", order.seconds if order else None, response, door)
        finally:
            self.active -= 1

    def _visit(self, request: Request, raw: bytes) -> Visit:
        path = request.scope["raw_path"].decode("ascii", "replace")
        found = routes.find(request.method, path)
        route, names = found or (replace(UNKNOWN, method=request.method), {})
        headers = {name.lower(): value for name, value in request.headers.items()}
        base = f"{request.scope['scheme']}://{headers.get('host', '127.0.0.1')}"
        search = request.scope["query_string"].decode("ascii", "replace")
        call = Call(
            self.world, self.tokens, names, dict(request.query_params), headers, raw, base, path, search,
            Caller(), self.rights,
        )  # fmt: skip
        return Visit(route, call)

    def _run(self, visit: Visit) -> Answer:
        """Run a handler, its effects and its log line in one transaction; a refusal takes back the effects."""
        try:
            if visit.route.name == "Emulator_Reset":
                self.world.reset()
                return Answer(200, {"reset": True})
            with self._transaction():
                self._let_in(visit)
                answer = self._handle(visit)
                self._log(visit, answer.status)
                return answer
        except Refusal as refusal:
            return self._refused(visit, refusal)
        except Exception as error:  # noqa: BLE001 - the last line of defence: a bug answers 500 and is told in the log file
            return self._broken(visit, error)

    def _meet(self, visit: Visit) -> None:
        """Count the request for every fault that waits for such a one; the first that is due strikes it."""
        route = visit.route
        if route.plane != "control":
            seen = schema.Request(route.plane, route.method, visit.path, route.name, route.mutating)
            visit.fault = inject.meet(self.world, seen)

    def _handle(self, visit: Visit) -> Answer:
        """What the route's room answers, on the world as an ordered fault lets it be seen."""
        route = visit.route
        if route.run is None:
            raise not_emulated(visit)
        if route.mutating and route.plane == "arm" and route.method != "POST":
            history.remember(self.world, visit.path, below=route.method == "DELETE")
        with inject.sight(self.world, visit.fault, visit.path):
            answer = route.run(visit.call)
        visit.note = inject.after(visit.fault, self.world, answer)
        return answer

    async def _score(self, visit: Visit) -> Answer:
        try:
            with self._transaction():
                self._let_in(visit)
                turn = scoring.admit(visit.call, self._pending)
        except Refusal as refusal:
            return self._refused(visit, refusal)
        visit.target = turn.target
        visit.note = f"mirrored to {turn.shadow}" if turn.shadow else ""
        self._pending[turn.target] += 1
        try:
            answer = await scoring.answer(turn, self.hosting)
        except Exception as error:  # noqa: BLE001 - a stand-in that breaks is a model that breaks
            traceback.print_exception(error, file=sys.stderr)
            answer = scoring.model_error(turn, 500, "An unexpected error occurred in scoring script.")
        finally:
            self._pending[turn.target] -= 1
        with self.world.transaction():
            self._log(visit, answer.status)
        return answer

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction of the world in which servers that operations wait for have been looked at."""
        with self.world.transaction():
            self.hosting.settle()
            yield

    def _let_in(self, visit: Visit) -> None:
        """Who may come in at all: a plane's form of authentication and the api-version."""
        if visit.call.base.startswith("http:") and visit.route.plane != "identity":
            raise gateway(403, "HttpsRequired", "HTTPS is required.")
        if visit.route.plane in ("arm", "registry", "unknown"):
            # Registries live on the data plane, and clients come with a token for either audience.
            hosts = access_tokens.MANAGEMENT_HOSTS + (() if visit.route.plane == "arm" else access_tokens.SCORING_HOSTS)
            visit.caller = access_tokens.caller_of(self.tokens, visit.call.headers.get("authorization", ""), hosts)
            visit.call = replace(visit.call, caller=visit.caller)
        if visit.route.plane == "arm" and not visit.call.query.get("api-version"):
            raise gateway(
                400, "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )  # fmt: skip
        if self._counted(visit):
            throttle.check(self.world, visit.route.method, visit.subscription, visit.caller.id)
        inject.before(visit.fault, self.world, visit.subscription, visit.caller.id)
        if visit.route.plane == "arm":
            authorize.allow(self.rights, visit.route, visit.call)

    def _counted(self, visit: Visit) -> bool:
        """Whether the Resource Manager counts this request against its buckets."""
        known = visit.route.plane == "arm" and visit.subscription and visit.caller.id
        return bool(self.world.timing.throttle and known)

    def _refused(self, visit: Visit, refusal: Refusal) -> Answer:
        visit.note = visit.note or refusal.note
        with self.world.transaction():
            self._log(visit, refusal.answer.status)
        return stamp(refusal.answer, self.world.now())

    def _broken(self, visit: Visit, error: Exception) -> Answer:
        traceback.print_exception(error, file=sys.stderr)
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            # Nothing can be logged in a world that cannot be read.
            words = f"The world {self.world.path} is damaged: {error}. {CURE}."
            return gateway(500, "InternalServerError", words).answer
        visit.note = f"emulator bug: {type(error).__name__}"
        return self._refused(
            visit, gateway(500, "InternalServerError", "The emulator has a bug; its log holds the traceback.")
        )

    def _log(self, visit: Visit, status: int) -> None:
        route, call = visit.route, visit.call
        if route.plane == "control":
            return
        path = unquote(call.address) + (f"?{call.search}" if call.search else "")
        client = call.headers.get("x-ms-client-request-id", "")
        if self._counted(visit):
            drawn = 0 if visit.note == "throttled" else 1
            visit.limits = throttle.draw(self.world, route.method, visit.subscription, visit.caller.id, drawn)
        if visit.fault is not None and not visit.note and not visit.fault.order.kind.startswith("operation_"):
            visit.note = visit.fault.note
        entry = request_log.Entry(
            route.method, path, status, (time.perf_counter() - visit.started) * 1000, route.plane, visit.caller.id,
            route.name, route.mutating, client, visit.target, visit.note,
        )  # fmt: skip
        request_log.write(self.world, entry)
