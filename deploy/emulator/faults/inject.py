"""Things that go wrong by order: which fault a request meets, and what it does to the answer. Shared by all processes.

How a spoilt answer leaves is `delivery`'s; what can be ordered is `orders`'.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.faults.schema import ALWAYS, Order, Request
from deploy.emulator.wire import throttle
from deploy.emulator.wire.responses import Answer, Json, Refusal, failure, gateway
from deploy.emulator.world import history
from deploy.emulator.world.store import World, dump

CODES = {
    400: "BadRequest", 401: "AuthenticationFailed", 403: "AuthorizationFailed", 404: "ResourceNotFound",
    408: "RequestTimeout", 409: "Conflict", 412: "PreconditionFailed", 429: "TooManyRequests",
    500: "InternalServerError", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout",
}  # fmt: skip
"""The usual code of a status, when the order names none."""
PAGE = b"<html><head><title>%d %s</title></head><body><center><h1>%d %s</h1></center></body></html>\r\n"
NEVER = 9e15
"""When an operation that never ends is due: in 285 million years."""
_OPERATION = re.compile(r"/mfeOperation(?:sStatus|Results)/([^?]+)")


@dataclass(frozen=True)
class Fault:
    """An order with its number and how it stands: requests `seen` that fit, times `applied`."""

    number: int
    order: Order
    since: int
    seen: int
    applied: int

    @property
    def note(self) -> str:
        """What the request log says of a request that met it."""
        return f"fault {self.number}: {self.order.kind}"

    def shown(self) -> dict[str, Json]:
        """The fault as the control API tells of it."""
        order = self.order.model_dump(exclude_unset=True)
        if self.order.times == ALWAYS:
            order["times"] = "always"
        left = "always" if self.order.times == ALWAYS else max(0, self.order.times - self.applied)
        return {"fault": self.number, "seen": self.seen, "applied": self.applied, "left": left, **order}


def place(world: World, orders: Sequence[Order]) -> list[Fault]:
    """Order faults; they count from the next request on. Must run inside a transaction."""
    since = world.db.execute("SELECT COALESCE(MAX(number), 0) FROM resources").fetchone()[0]
    placed = []
    for order in orders:
        rule = dump(order.model_dump(exclude_unset=True))
        row = world.db.execute(
            "INSERT INTO faults (rule, times, since) VALUES (?, ?, ?) RETURNING number", (rule, order.times, since)
        ).fetchone()
        placed.append(Fault(row[0], order, since, 0, 0))
    world.controls.forget()
    return placed


def standing(world: World) -> list[Fault]:
    """Every fault that was ordered, oldest first, also those that are used up."""
    return list(_read(world, "1"))


def remove(world: World, number: int | None = None) -> int:
    """Take back one fault, or all; returns how many there were. Must run inside a transaction."""
    found = world.db.execute("DELETE FROM faults WHERE ?1 IS NULL OR number = ?1", (number,))
    world.controls.forget()
    return found.rowcount


def meet(world: World, request: Request) -> Fault | None:
    """Count a request, and return the fault that strikes it. Costs nothing to speak of while none is ordered."""
    world.controls.refresh()
    if not world.controls.armed:
        return None
    with world.transaction():
        fitting = [f for f in _read(world, "applied < times") if f.order.fits(request) and _ripe(world, f, request)]
        world.db.executemany("UPDATE faults SET seen = seen + 1 WHERE number = ?", [(f.number,) for f in fitting])
        striking = next((f for f in fitting if f.seen + 1 >= f.order.number), None)
        if striking is not None and not striking.order.kind.startswith("operation_"):
            _struck(world, striking)
        return striking


def sight(world: World, fault: Fault | None, path: str) -> AbstractContextManager[None]:
    """The world as a handler sees it: as it is, as it was, or without the resource that is asked for."""
    match fault and fault.order.kind:
        case "stale":
            return history.shown(world, path)
        case "ghost":
            return history.gone(world, path)
    return nullcontext()


def before(fault: Fault | None, world: World, subscription: str, caller: str) -> None:
    """Refuse a request whose effect must not happen.

    Raises:
        Refusal: with the answer that was ordered; status 0 when the connection is cut instead.
    """
    if fault is None:
        return
    order = fault.order
    match order.kind:
        case "refuse" | "html" if not order.effect:
            raise Refusal(_spoilt(fault), fault.note)
        case "throttle":
            body = throttle.refusal("write", subscription, caller, math.ceil(order.retry_after)).answer.body
            raise Refusal(Answer(429, body, _again(order, world.now())), fault.note)
        case "unauthorized":
            words = order.message or "The access token expiry UTC time is in the past."
            challenge = f'Bearer authorization_uri="https://login.windows.net/{TENANT}", error="invalid_token"'
            refusal = gateway(401, order.code or "ExpiredAuthenticationToken", words, {"WWW-Authenticate": challenge})
            raise Refusal(refusal.answer, fault.note)
        case "reset":
            raise Refusal(Answer(0), fault.note)


def after(fault: Fault | None, world: World, answer: Answer) -> str:
    """Spoil the operation that a request has begun, and say so; a request that began none has not met the fault."""
    if fault is None or not fault.order.kind.startswith("operation_"):
        return ""
    match = _OPERATION.search(answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location") or "")
    if match is None:
        return ""
    _spoil(world, fault, match[1])
    _struck(world, fault)
    return fault.note


def alter(fault: Fault | None, answer: Answer) -> Answer:
    """The answer to a request whose effect stands, when another one was ordered."""
    if fault is not None and fault.order.effect and answer.status:
        return _spoilt(fault)
    return answer


def _spoilt(fault: Fault) -> Answer:
    order = fault.order
    if order.kind == "html":
        status = order.status or 502
        title = CODES.get(status, "OK" if status < 300 else "Error")
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).encode()
        return Answer(status, PAGE % (status, words, status, words), {"Content-Type": "text/html"})
    status = order.status or 400
    body = order.body
    if body is None:
        code = order.code or CODES.get(status, "BadRequest")
        body = {"error": {"code": code, "message": order.message or f"Refused by order ({fault.note})."}}
    if isinstance(body, str):
        return Answer(status, body.encode(), {"Content-Type": "text/plain; charset=utf-8", **order.headers})
    return Answer(status, body, {"x-ms-failure-cause": "gateway", **order.headers})


def _again(order: Order, now: float) -> dict[str, str]:
    match order.form:
        case "seconds":
            return {"Retry-After": str(math.ceil(order.retry_after))}
        case "date":
            return {"Retry-After": formatdate(math.ceil(now + order.retry_after), usegmt=True)}
        case "milliseconds":
            return {"retry-after-ms": str(math.ceil(order.retry_after * 1000))}
    return {}


def _spoil(world: World, fault: Fault, operation: str) -> None:
    order = fault.order
    target, text = world.db.execute("SELECT target, effect FROM operations WHERE id = ?", (operation,)).fetchone()
    effect: dict[str, Any] = json.loads(text)
    match order.kind:
        case "operation_vanished":
            _rewrite(world, operation, effect={**effect, "hidden": True})
        case "operation_stuck":
            _rewrite(world, operation, due=NEVER if order.seconds is None else world.now() + order.seconds)
        case kind:
            outcome = "Failed" if kind == "operation_failed" else "Canceled"
            default = "InternalServerError" if outcome == "Failed" else "OperationCanceled"
            error = failure(order.code or default, order.message or f"{outcome} by order ({fault.note}).")
            if effect.get("remove"):
                _keep_children(world, target)
            ends = {"properties": {"provisioningState": outcome}, "outcome": outcome}
            _rewrite(world, operation, effect=ends, error=error)
            if "earliest" in effect:  # it waited for a server, which nobody starts now
                _rewrite(world, operation, due=float(effect["earliest"]))


def _keep_children(world: World, target: str) -> None:
    """A deletion that will fail leaves what is below as it was before."""
    below = [row[0] for row in world.db.execute("SELECT id FROM resources WHERE parent = ?", (target,))]
    for child in below:
        history.restore(world, child)


def _rewrite(world: World, operation: str, **columns: Any) -> None:
    for name, value in columns.items():
        held = value if isinstance(value, float) else dump(value)
        world.db.execute(f"UPDATE operations SET {name} = ? WHERE id = ?", (held, operation))  # noqa: S608 - ours


def _ripe(world: World, fault: Fault, request: Request) -> bool:
    """Whether the world holds what a kind needs: something written for `stale`, somebody new for `ghost`."""
    match fault.order.kind:
        case "stale":
            return history.known(world, request.path)
        case "ghost":
            row = world.db.execute("SELECT number FROM resources WHERE id = ?", (request.path.lower(),)).fetchone()
            return row is not None and row[0] > fault.since
    return True


def _struck(world: World, fault: Fault) -> None:
    world.db.execute("UPDATE faults SET applied = applied + 1 WHERE number = ?", (fault.number,))
    world.controls.forget()


def _read(world: World, where: str) -> Iterator[Fault]:
    rows = world.db.execute(
        f"SELECT number, rule, since, seen, applied FROM faults WHERE {where} ORDER BY number"  # noqa: S608 - ours
    ).fetchall()
    for number, rule, since, seen, applied in rows:
        yield Fault(number, Order.model_validate_json(rule), since, seen, applied)
