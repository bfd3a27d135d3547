"""Fault injection: which fault applies to a request, and how it changes the answer or the operation.

Faults are stored in the world, so all processes that serve it share them. `http.delivery` has the faults of the
connection (`lose`, `reset`, `drip`, `truncate`), `dataplane.model_faults` those of a model's answer (`delay`,
`answer`), and `http.order` the holds.
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
from deploy.emulator.faults.schema import ALWAYS, FaultSpec, Request
from deploy.emulator.wire import throttle
from deploy.emulator.wire.responses import Answer, Json, Refusal, arm_error, error_body
from deploy.emulator.world import history
from deploy.emulator.world.store import World, dump

DEFAULT_CODES = {
    400: "BadRequest", 401: "AuthenticationFailed", 403: "AuthorizationFailed", 404: "ResourceNotFound",
    408: "RequestTimeout", 409: "Conflict", 412: "PreconditionFailed", 424: "ModelError", 429: "TooManyRequests",
    500: "InternalServerError", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout",
    529: "Throttled",
}  # fmt: skip
"""Error codes of a status, for faults without `code`. That of 529, with which Azure Monitor throttles, is unknown."""
PAGE = b"<html><head><title>%d %s</title></head><body><center><h1>%d %s</h1></center></body></html>\r\n"
NEVER = 9e15
"""The due time of an operation that never ends: 285 million years from 1970."""
_OPERATION = re.compile(r"/(?:mfeOperation(?:sStatus|Results)|workspaceOperationsStatus)/([^?]+)")


@dataclass(frozen=True)
class Fault:
    """A registered fault.

    `seen` counts the requests that matched, `applied` those that it changed. `since` is the number of the newest
    resource when the fault was registered.
    """

    id: int
    spec: FaultSpec
    since: int
    seen: int
    applied: int

    @property
    def note(self) -> str:
        """The note in the request log of a request that it applied to."""
        return f"fault {self.id}: {self.spec.kind}"

    def to_json(self) -> dict[str, Json]:
        """The fault in the control API."""
        spec = self.spec.model_dump(exclude_unset=True)
        if self.spec.limit == ALWAYS:
            spec["times"] = "always"
        left = "always" if self.spec.limit == ALWAYS else max(0, self.spec.limit - self.applied)
        return {"fault": self.id, "seen": self.seen, "applied": self.applied, "left": left, **spec}


def register(world: World, specs: Sequence[FaultSpec]) -> list[Fault]:
    """Add faults. They count from the next request on. Must run inside a transaction."""
    since = world.db.execute("SELECT COALESCE(MAX(number), 0) FROM resources").fetchone()[0]
    added = []
    for spec in specs:
        rule = dump(spec.model_dump(exclude_unset=True))
        row = world.db.execute(
            "INSERT INTO faults (rule, times, since) VALUES (?, ?, ?) RETURNING number", (rule, spec.limit, since)
        ).fetchone()
        added.append(Fault(row[0], spec, since, 0, 0))
    world.controls.invalidate()
    return added


def registered(world: World) -> list[Fault]:
    """Every registered fault, oldest first, used ones included."""
    return list(_read(world, "1"))


def remove(world: World, fault_id: int | None = None) -> int:
    """Remove one fault, or all; returns how many were removed. Must run inside a transaction."""
    found = world.db.execute("DELETE FROM faults WHERE ?1 IS NULL OR number = ?1", (fault_id,))
    world.controls.invalidate()
    return found.rowcount


def is_registered(world: World, fault: Fault) -> bool:
    """Whether a fault that has applied is still registered; after a reset, a new fault can have its id."""
    row = world.db.execute("SELECT 1 FROM faults WHERE number = ? AND applied > 0", (fault.id,)).fetchone()
    return row is not None


def any_active(world: World) -> bool:
    """Whether any fault can still apply. Cheap."""
    world.controls.refresh()
    return world.controls.has_active_faults


def match(world: World, request: Request) -> Fault | None:
    """Count a request for every fault that matches it; returns the fault that applies."""
    if not any_active(world):
        return None
    if not any(fault.spec.matches(request) for fault in _read(world, "applied < times")):
        return None
    with world.transaction():
        matching = [
            f for f in _read(world, "applied < times") if f.spec.matches(request) and _is_due(world, f, request)
        ]
        world.db.executemany("UPDATE faults SET seen = seen + 1 WHERE number = ?", [(f.id,) for f in matching])
        due = next((f for f in matching if f.spec.is_due(f.seen + 1, f.applied)), None)
        if due is not None and not due.spec.kind.startswith("operation_"):
            _count_applied(world, due)
        return due


def override_reads(world: World, fault: Fault | None, path: str) -> AbstractContextManager[None]:
    """The world that a handler reads: current, before the last write (`stale`), or without the resource (`ghost`)."""
    match fault and fault.spec.kind:
        case "stale":
            return history.previous_state(world, path)
        case "ghost":
            return history.hidden(world, path)
    return nullcontext()


def on_request(fault: Fault | None, world: World, subscription: str, caller: str) -> None:
    """Stop a request before it has an effect, if the fault requires it.

    Raises:
        Refusal: with the fault's answer; status 0 for `reset`.
    """
    if fault is None:
        return
    spec = fault.spec
    match spec.kind:
        case "refuse" | "html" if not spec.effect:
            raise Refusal(_faulty_answer(fault), fault.note)
        case "throttle":
            body = throttle.refusal("write", subscription, caller, math.ceil(spec.retry_after)).answer.body
            raise Refusal(Answer(429, body, _retry_headers(spec, world.now())), fault.note)
        case "unauthorized":
            message = spec.message or "The access token expiry UTC time is in the past."
            challenge = f'Bearer authorization_uri="https://login.windows.net/{TENANT}", error="invalid_token"'
            refusal = arm_error(
                401, spec.code or "ExpiredAuthenticationToken", message, {"WWW-Authenticate": challenge}
            )
            raise Refusal(refusal.answer, fault.note)
        case "reset":
            raise Refusal(Answer(0), fault.note)


def on_response(fault: Fault | None, world: World, answer: Answer) -> str:
    """Change the operation that a request started; returns the note for the log, "" without a fault or an operation."""
    if fault is None or not fault.spec.kind.startswith("operation_"):
        return ""
    match = _OPERATION.search(answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location") or "")
    if match is None:
        return ""
    _change_operation(world, fault, match[1])
    _count_applied(world, fault)
    return fault.note


def replace_answer(fault: Fault | None, answer: Answer) -> Answer:
    """The fault's answer in place of the real one, for faults with `effect: true`."""
    if fault is not None and fault.spec.effect and answer.status:
        return _faulty_answer(fault)
    return answer


def _faulty_answer(fault: Fault) -> Answer:
    spec = fault.spec
    if spec.kind == "html":
        status = spec.status or 502
        title = DEFAULT_CODES.get(status, "OK" if status < 300 else "Error")
        message = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).encode()
        return Answer(status, PAGE % (status, message, status, message), {"Content-Type": "text/html"})
    status = spec.status or 400
    body = spec.body
    if body is None:
        code = spec.code or DEFAULT_CODES.get(status, "BadRequest")
        body = {"error": {"code": code, "message": spec.message or f"Refused by a fault ({fault.note})."}}
    if isinstance(body, str):
        return Answer(status, body.encode(), {"Content-Type": "text/plain; charset=utf-8", **spec.headers})
    return Answer(status, body, {"x-ms-failure-cause": "gateway", **spec.headers})


def _retry_headers(spec: FaultSpec, now: float) -> dict[str, str]:
    match spec.form:
        case "seconds":
            return {"Retry-After": str(math.ceil(spec.retry_after))}
        case "date":
            return {"Retry-After": formatdate(math.ceil(now + spec.retry_after), usegmt=True)}
        case "milliseconds":
            return {"retry-after-ms": str(math.ceil(spec.retry_after * 1000))}
    return {}


def _change_operation(world: World, fault: Fault, operation: str) -> None:
    spec = fault.spec
    target, text = world.db.execute("SELECT target, effect FROM operations WHERE id = ?", (operation,)).fetchone()
    effect: dict[str, Any] = json.loads(text)
    match spec.kind:
        case "operation_vanished":
            _update_operation(world, operation, effect={**effect, "hidden": True})
        case "operation_stuck":
            _update_operation(world, operation, due=NEVER if spec.seconds is None else world.now() + spec.seconds)
        case kind:
            outcome = "Failed" if kind == "operation_failed" else "Canceled"
            default = "InternalServerError" if outcome == "Failed" else "OperationCanceled"
            error = error_body(spec.code or default, spec.message or f"{outcome} by a fault ({fault.note}).")
            if effect.get("remove"):
                _restore_children(world, target)
            ends = {"properties": {"provisioningState": outcome}, "outcome": outcome}
            _update_operation(world, operation, effect=ends, error=error)
            if "earliest" in effect:  # it waited for a scoring server, which does not start now
                _update_operation(world, operation, due=float(effect["earliest"]))


def _restore_children(world: World, target: str) -> None:
    """Restore the children of a resource, because its deletion will fail."""
    below = [row[0] for row in world.db.execute("SELECT id FROM resources WHERE parent = ?", (target,))]
    for child in below:
        history.restore(world, child)


def _update_operation(world: World, operation: str, **columns: Any) -> None:
    for name, value in columns.items():
        stored = value if isinstance(value, float) else dump(value)
        world.db.execute(f"UPDATE operations SET {name} = ? WHERE id = ?", (stored, operation))  # noqa: S608 - constant names


def _is_due(world: World, fault: Fault, request: Request) -> bool:
    """Whether `stale` has an earlier state to show, and `ghost` a resource created after the fault was registered."""
    match fault.spec.kind:
        case "stale":
            return history.has_previous(world, request.path)
        case "ghost":
            row = world.db.execute("SELECT number FROM resources WHERE id = ?", (request.path.lower(),)).fetchone()
            return row is not None and row[0] > fault.since
    return True


def _count_applied(world: World, fault: Fault) -> None:
    world.db.execute("UPDATE faults SET applied = applied + 1 WHERE number = ?", (fault.id,))
    world.controls.invalidate()


def _read(world: World, where: str) -> Iterator[Fault]:
    rows = world.db.execute(
        f"SELECT number, rule, since, seen, applied FROM faults WHERE {where} ORDER BY number"  # noqa: S608 - constant names
    ).fetchall()
    for fault_id, rule, since, seen, applied in rows:
        yield Fault(fault_id, FaultSpec.model_validate_json(rule), since, seen, applied)
