"""Long-running operations. Each is a row with a start, a due time and an effect.

`World.transaction` applies the effects that are due; this module starts operations and returns their status.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, ml_error, timestamp
from deploy.emulator.world.store import Resource, World, dump

ENDPOINT, DEPLOYMENT, BATCH, WORKSPACE = "oeidp", "odidp", "bebes", ""
"""The prefix of an operation's id, by type of resource. Recorded; that of batch deployments is inferred."""
_TICKS_OF_1970 = 621_355_968_000_000_000
"""Ticks of 100 ns from year 1 to 1970."""
UNDECIDED = 253_370_764_800.0
"""The due time of an operation whose end is not known yet (year 9999); `finish` sets the real one."""


def begin(
    world: World,
    prefix: str,
    target: Resource,
    seconds: float,
    effect: Mapping[str, Any],
    error: Json = None,
    *,
    started: float | None = None,
) -> str:
    """Start an operation on `target`, now or at an earlier time; returns its id.

    `effect` is {"properties"?, "private"?} or {"remove": True}.

    With an `error` the operation ends as Failed, and the effect still applies. Faults can add to the effect: `outcome`
    (another final state) and `hidden` (its status answers 404).
    """
    parent = uuid.uuid5(uuid.NAMESPACE_URL, target.parent)
    operation = f"{prefix}:{parent}:{uuid.uuid4()}" if prefix else secrets.token_urlsafe(32)
    now, outcome = world.now() if started is None else started, dump(error) if error else None
    world.db.execute(
        "INSERT INTO operations VALUES (?, ?, ?, ?, 'Updating', ?, ?)",
        (operation, target.id.lower(), now, min(now + seconds, UNDECIDED), outcome, dump(effect)),
    )
    return operation


def undecided(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    """The operations without a known end: id, target, effect."""
    rows = world.db.execute(
        "SELECT id, target, effect FROM operations WHERE state = 'Updating' AND due >= ?", (UNDECIDED,)
    ).fetchall()
    return [(operation, target, json.loads(effect)) for operation, target, effect in rows]


def finish(world: World, operation: str, error: Json) -> None:
    """End an operation now, as Failed with an `error`; the next `apply_due` applies its effect."""
    error = dump(error) if error else None
    if error is not None:
        world.db.execute(
            "UPDATE operations SET due = ?, error = ?,"
            " effect = json_set(effect, '$.properties', json('{\"provisioningState\": \"Failed\"}')) WHERE id = ?",
            (world.now(), error, operation),
        )
        return
    world.db.execute("UPDATE operations SET due = ? WHERE id = ?", (world.now(), operation))


def failure_of(world: World, operation: str) -> tuple[Json, bool]:
    """The error of an operation (None without one), and whether it waited for a scoring server."""
    row = world.db.execute("SELECT error, effect FROM operations WHERE id = ?", (operation,)).fetchone()
    error, effect = row or (None, "{}")
    return json.loads(error) if error else None, "server" in json.loads(effect)


def cancel(world: World, target: str) -> None:
    """Cancel the operations in progress on a resource, without their effects."""
    world.db.execute(
        "UPDATE operations SET state = 'Canceled' WHERE state = 'Updating' AND target = ?", (target.lower(),)
    )


def url(call: Call, operation: str, location: str, kind: str = "mfeOperationsStatus") -> str:
    """The status URL of an operation, with the api-version of the current request."""
    return (
        f"{call.base}/subscriptions/{call.route_params['subscription']}/providers/Microsoft.MachineLearningServices"
        f"/locations/{location}/{kind}/{operation}?api-version={call.version}"
    )


def signature(world: World) -> str:
    """The end of an operation's URL in a header: time, certificate, signature, hash. They are not checked."""
    return f"&t={_TICKS_OF_1970 + int(world.now() * 10_000_000)}&c=emulator&s=emulator&h=emulator"


def headers(
    call: Call, operation: str, location: str, *, asynchronous: bool = True, result: bool = False
) -> dict[str, str]:
    """The headers of an answer that started an operation: Azure-AsyncOperation, Location, polling hint."""
    found = {"x-ms-async-operation-timeout": "PT30M", **polling_hint(call.world)}
    signed = signature(call.world)
    if asynchronous:
        found["Azure-AsyncOperation"] = url(call, operation, location) + signed
    if result:
        found["Location"] = url(call, operation, location, "mfeOperationResults") + signed
    return found


def polling_hint(world: World) -> dict[str, str]:
    """`retry-after-ms`, if the profile has one."""
    wait = world.timing.retry_after_ms
    return {} if wait is None else {"retry-after-ms": str(wait)}


def status(call: Call) -> Answer:
    """GET mfeOperationsStatus: 200 with `Updating`, `Succeeded`, `Failed` or `Canceled`."""
    row = read(call)
    return Answer(200, _body(call, row), polling_hint(call.world) if row["state"] == "Updating" else {})


def result(call: Call) -> Answer:
    """GET mfeOperationResults: 202 while it runs, then 200 with the same body as the status (recorded).

    400 with the error of an operation that failed is inferred.
    """
    row = read(call)
    if row["state"] == "Updating":
        again = f"{call.base}{call.url_path}?{call.search}"
        return Answer(202, b"null", {"Location": again, "Content-Type": "application/json", **polling_hint(call.world)})
    return Answer(400, {"error": row["error"]}) if row["error"] else Answer(200, _body(call, row))


def read(call: Call) -> dict[str, Any]:
    """The operation that a request's path names: id, target, started, due, state, error.

    Raises:
        Refusal: 404 without such an operation.
    """
    operation = call.route_params["operation"]
    found = call.world.db.execute(
        "SELECT id, target, started, due, state, error, effect FROM operations WHERE id = ?", (operation,)
    ).fetchone()
    effect = json.loads(found[-1]) if found else {}
    if found is None or effect.get("hidden"):
        last = operation.rsplit(":", 1)[-1]
        raise ml_error(
            404, "NotFound", "The specified resource was not found.",
            ("OperationNotFound", f"There is no operation with id {last}"),
        )  # fmt: skip
    row = dict(zip(("id", "target", "started", "due", "state", "error"), found[:-1], strict=True))
    # The row has the error from the start; it is shown only after the end.
    ended = row["state"] == effect.get("outcome", "Failed")
    row["error"] = json.loads(row["error"]) if row["error"] and ended else None
    return row


def _body(call: Call, row: Mapping[str, Any]) -> dict[str, Json]:
    """The status of an operation. `percentComplete` is always 0, and operations of batch endpoints have no times
    (recorded).
    """
    body: dict[str, Json] = {"id": unquote(call.url_path), "name": row["id"], "status": row["state"]}
    if not row["id"].startswith(BATCH):
        running = row["state"] == "Updating"
        body["startTime"] = timestamp(row["started"])
        body["endTime"] = "0001-01-01T00:00:00+00:00" if running else timestamp(row["due"])
        body["percentComplete"] = 0.0
    return body | ({"error": row["error"]} if row["error"] else {})
