"""The ASGI application: find the route, admit, authenticate, run the handler in a transaction, log, answer.

Every request passes through `Emulator.__call__`. Handlers take a `Call` and return an `Answer`; they do not depend on
HTTP.
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

from deploy.emulator.control import token
from deploy.emulator.dataplane import scoring
from deploy.emulator.entra import access_tokens
from deploy.emulator.faults import inject
from deploy.emulator.http import admission, authorize, delivery, order, routes
from deploy.emulator.http.exchange import MIRRORED, UNKNOWN, Exchange, not_emulated, response_to
from deploy.emulator.monitor import autoscale_runs
from deploy.emulator.policy import assignments
from deploy.emulator.rbac import rights
from deploy.emulator.runtime.hosting import Hosting
from deploy.emulator.seed.open_world import CURE
from deploy.emulator.storage import access
from deploy.emulator.wire import request_log, throttle
from deploy.emulator.wire.call import Call, Caller
from deploy.emulator.wire.responses import Answer, Refusal, arm_error, set_time
from deploy.emulator.world import history
from deploy.emulator.world.store import World


class Emulator:
    """The ASGI application of one world; call it from the thread that opened the world."""

    def __init__(self, world: World, tokens: access_tokens.Tokens) -> None:
        self.world, self.tokens, self.rights = world, tokens, rights.Rights(world)
        self.hosting = Hosting(world)
        self.order = order.Order(world)
        self.control_token = token.create()
        """Requests to the control API need it."""
        self.active = 0
        """Requests in progress; a server that stops waits for them."""
        self.last_request = time.monotonic()
        """When the last request came or was answered."""
        self._pending: Counter[str] = Counter()
        """Scoring requests in progress, by deployment."""

    def close(self) -> None:
        """Stop the scoring servers that this process started."""
        self.hosting.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.last_request = time.monotonic()
        request, channel = Request(scope, receive), (scope, receive, send)
        exchange = self._exchange(request)
        try:
            raw = await admission.body_of(request, exchange.route.plane, self.control_token)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            await delivery.refuse(response_to(exchange, refusal.answer), channel)
            return
        exchange.call, exchange.started = replace(exchange.call, raw=raw), time.perf_counter()
        self.active += 1
        try:
            async with self.order.point("before", exchange, receive):
                answer = await self._answer(exchange)
            response = response_to(exchange, inject.replace_answer(exchange.fault, answer))
            spec = exchange.fault and exchange.fault.spec
            kind = "reset" if not answer.status else spec.kind if spec else ""
            async with self.order.point("after", exchange, receive):
                await delivery.send(kind, spec.seconds if spec else None, response, channel)
            if exchange.mirror is not None:
                await self._mirror(exchange, exchange.mirror)
        except order.ClientLeft:
            with self.world.transaction():
                self._log(exchange, 0)
        finally:
            self.active -= 1
            self.last_request = time.monotonic()

    def _exchange(self, request: Request) -> Exchange:
        """The request without its body."""
        path = request.scope["raw_path"].decode("ascii", "replace")
        headers = {name.lower(): value for name, value in request.headers.items()}
        found = routes.find(request.method, path, {**headers, **request.query_params})
        route, names = found or (replace(UNKNOWN, method=request.method), {})
        base = f"{request.scope['scheme']}://{headers.get('host', '127.0.0.1')}"
        search = request.scope["query_string"].decode("ascii", "replace")
        call = Call(
            self.world, self.tokens, names, dict(request.query_params), headers, b"", base, path, search,
            Caller(), self.rights,
        )  # fmt: skip
        return Exchange(route, call)

    async def _answer(self, exchange: Exchange) -> Answer:
        exchange.fault = self._match_fault(exchange)
        if exchange.route.plane == "scoring":
            return await self._score(exchange)
        answer = self._run(exchange)
        if exchange.route.name in (order.LIST, order.RELEASE) and answer.status == 200:
            return await self.order.respond(exchange.route.name, answer.body)
        return answer

    def _run(self, exchange: Exchange) -> Answer:
        """Run a handler, its effects and its log line in one transaction; a refusal rolls the effects back."""
        try:
            if exchange.route.name == "Emulator_Reset":
                self.world.reset()
                return Answer(200, {"reset": True})
            with self._transaction():
                self._admit(exchange)
                answer = self._handle(exchange)
                self._log(exchange, answer.status)
                return answer
        except Refusal as refusal:
            return self._refuse(exchange, refusal)
        except Exception as error:  # noqa: BLE001 - a bug answers 500, with its traceback in the log file
            return self._internal_error(exchange, error)

    def _match_fault(self, exchange: Exchange, deployment: str = "") -> inject.Fault | None:
        """Count the request for every fault that matches; the first one that is due applies."""
        if exchange.route.plane == "control" or not inject.any_active(self.world):
            return None
        return inject.match(self.world, exchange.seen(deployment=deployment))

    def _handle(self, exchange: Exchange) -> Answer:
        """The answer of the route's handler; a fault can change the world that it reads."""
        route = exchange.route
        if route.run is None:
            raise not_emulated(exchange)
        if route.mutating and route.plane == "arm" and route.method != "POST":
            history.save_previous(self.world, exchange.path, below=route.method == "DELETE")
        with inject.override_reads(self.world, exchange.fault, exchange.path):
            answer = route.run(exchange.call)
        exchange.note = inject.on_response(exchange.fault, self.world, answer)
        return answer

    async def _score(self, exchange: Exchange) -> Answer:
        try:
            with self._transaction():
                self._admit(exchange)
                admitted = scoring.admit(exchange.call, self._pending)
        except Refusal as refusal:
            return self._refuse(exchange, refusal)
        exchange.target = admitted.target
        exchange.mirror = admitted.mirror
        exchange.note = f"mirrored to {admitted.mirror.deployment}" if admitted.mirror else ""
        return await self._answer_by(exchange, admitted)

    async def _mirror(self, exchange: Exchange, admitted: scoring.AdmittedRequest) -> None:
        """Let the mirror deployment answer a request that was answered. Its answer is only in the request log.

        Unknown in Azure: when it gets the request, and whether the limit of pending requests applies; here it does not.
        """
        mirrored = Exchange(MIRRORED, exchange.call, admitted.target, caller=exchange.caller)
        await self._answer_by(mirrored, admitted)

    async def _answer_by(self, exchange: Exchange, admitted: scoring.AdmittedRequest) -> Answer:
        """The answer of a deployment, with its fault and its row in the request log."""
        try:
            self._apply_fault(exchange, admitted)
        except Refusal as refusal:
            return self._refuse(exchange, Refusal(scoring.refused_by_fault(admitted, refusal.answer)))
        self._pending[admitted.target] += 1
        try:
            answer, note = await scoring.answer(admitted, self.hosting, exchange.fault.spec if exchange.fault else None)
            exchange.add_note(note)
        except Exception as error:  # noqa: BLE001 - a bug of a stand-in is answered like a bug of a model
            traceback.print_exception(error, file=sys.stderr)
            answer = scoring.model_error(admitted, 500, "An unexpected error occurred in scoring script.")
        finally:
            self._pending[admitted.target] -= 1
        with self.world.transaction():
            self._log(exchange, answer.status)
        return answer

    def _apply_fault(self, exchange: Exchange, admitted: scoring.AdmittedRequest) -> None:
        """Apply the fault that was due on arrival, otherwise the one that is due for the chosen deployment.

        Raises:
            Refusal: with the fault's answer.
        """
        if exchange.fault is None and admitted.target and exchange.route.name in request_log.SCORED:
            chosen = f"{exchange.call.route_params['endpoint']}/{admitted.deployment}"
            exchange.fault = self._match_fault(exchange, chosen)
        if exchange.fault is not None:
            exchange.add_note(exchange.fault.note)
            inject.on_request(exchange.fault, self.world, exchange.subscription, exchange.caller.id)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction after the runs of autoscale that are due, and after the state of the scoring servers has been
        applied to the operations that wait for them.
        """
        with self.world.transaction():
            autoscale_runs.run_due(self.world)
            self.hosting.update()
            yield

    def _admit(self, exchange: Exchange) -> None:
        """Check token, api-version, throttling, faults, permissions and policies, in this order."""
        if exchange.route.plane in ("arm", "registry", "unknown"):
            # Registries are on the data plane; clients send a token for either audience.
            hosts = access_tokens.MANAGEMENT_HOSTS + (
                () if exchange.route.plane == "arm" else access_tokens.SCORING_HOSTS
            )
            exchange.caller = access_tokens.authenticate(
                self.tokens, exchange.call.headers.get("authorization", ""), hosts
            )
        elif exchange.route.plane == "metrics":
            authorization = exchange.call.headers.get("authorization", "")
            exchange.caller = access_tokens.authenticate(self.tokens, authorization, access_tokens.METRICS_HOSTS)
        elif exchange.route.plane == "blob":
            exchange.caller = access.authenticate(exchange.call)
        exchange.call = replace(exchange.call, caller=exchange.caller)
        if exchange.route.plane in ("arm", "metrics") and not exchange.call.query.get("api-version"):
            raise arm_error(
                400, "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )  # fmt: skip
        if self._is_throttled(exchange):
            throttle.check(self.world, exchange.route.method, exchange.subscription, exchange.caller.id)
        inject.on_request(exchange.fault, self.world, exchange.subscription, exchange.caller.id)
        if exchange.route.plane == "arm":
            authorize.allow(self.rights, exchange.route, exchange.call)
            assignments.enforce(exchange.route.name, exchange.call)
        elif exchange.route.plane == "blob":
            access.allow(exchange.route, exchange.call)

    def _is_throttled(self, exchange: Exchange) -> bool:
        """Whether this request takes from the token buckets."""
        known = exchange.route.plane == "arm" and exchange.subscription and exchange.caller.id
        return bool(self.world.timing.throttle and known)

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> Answer:
        exchange.note = exchange.note or refusal.note
        with self.world.transaction():
            self._log(exchange, refusal.answer.status)
        return set_time(refusal.answer, self.world.now())

    def _internal_error(self, exchange: Exchange, error: Exception) -> Answer:
        traceback.print_exception(error, file=sys.stderr)
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            # A world that cannot be read has no usable log.
            text = f"The world {self.world.path} is damaged: {error}. {CURE}."
            return arm_error(500, "InternalServerError", text).answer
        exchange.note = f"emulator bug: {type(error).__name__}"
        return self._refuse(
            exchange, arm_error(500, "InternalServerError", "The emulator has a bug. Its log has the traceback.")
        )

    def _log(self, exchange: Exchange, status: int) -> None:
        route, call = exchange.route, exchange.call
        if route.plane == "control":
            return
        path = unquote(call.url_path) + (f"?{call.search}" if call.search else "")
        client, agent = call.headers.get("x-ms-client-request-id", ""), call.headers.get("user-agent", "")
        if self._is_throttled(exchange):
            drawn = 0 if exchange.note == "throttled" else 1
            exchange.limits = throttle.take(self.world, route.method, exchange.subscription, exchange.caller.id, drawn)
        if exchange.fault is not None and not exchange.note and not exchange.fault.spec.kind.startswith("operation_"):
            exchange.note = exchange.fault.note
        note = "; ".join(filter(None, (exchange.hold, exchange.note)))
        entry = request_log.Entry(
            route.method, path, status, (time.perf_counter() - exchange.started) * 1000, route.plane,
            exchange.caller.id, route.name, route.mutating, client, agent[:200], exchange.target, note,
        )  # fmt: skip
        exchange.row = request_log.write(self.world, entry)
