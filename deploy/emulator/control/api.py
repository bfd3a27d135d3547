"""The control API of the emulator: status, request log, clock, faults. Loopback only, no token."""

from __future__ import annotations

import os
import re

from pydantic import Field

from deploy.emulator.control import clock_api
from deploy.emulator.faults import inject
from deploy.emulator.faults.schema import FaultFile, FaultSpec
from deploy.emulator.wire import paging, request_log
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, arm_error
from deploy.emulator.world import parse

LONGEST_WAIT = 60.0
"""Seconds that a control request waits at most."""


def status(call: Call) -> Answer:
    """GET the process id, the address, the number of requests, and the number of resources by kind."""
    kinds = call.world.db.execute("SELECT kind, COUNT(*) FROM resources GROUP BY kind").fetchall()
    requests = call.world.db.execute("SELECT COALESCE(MAX(number), 0) FROM requests").fetchone()[0]
    return Answer(200, {"pid": os.getpid(), "url": call.base, "requests": requests, "resources": dict(kinds)})


def requests(call: Call) -> Answer:
    """GET the request log; `after` is a request's number, `mutating` is true or false."""
    mutating = call.query.get("mutating", "")
    if mutating not in ("", "true", "false"):
        raise arm_error(400, "InvalidQueryParameter", "Write mutating=true or mutating=false.")
    after = paging.number(call, "after", 0)
    return Answer(200, {"value": request_log.read(call.world, after, mutating == "true" if mutating else None)})


def clock(call: Call) -> Answer:
    """GET the world's time and its speed."""
    return Answer(200, clock_api.status(call.world))


def change_clock(call: Call) -> Answer:
    """POST one or more of `set` (ISO 8601), `advance` (seconds), `scale` (world seconds per real second)."""
    clock_api.change(call.world, _validate(call, clock_api.ClockChange))
    return Answer(200, clock_api.status(call.world))


def list_faults(call: Call) -> Answer:
    """GET every registered fault, with how often it still applies."""
    return Answer(200, {"value": [fault.to_json() for fault in inject.registered(call.world)]})


def add_faults(call: Call) -> Answer:
    """POST one fault, or `{"faults": [...]}`. They count from the next request on."""
    many = "faults" in call.object()
    requested = _validate(call, FaultFile).faults if many else [_validate(call, FaultSpec)]
    return Answer(201, {"value": [fault.to_json() for fault in inject.register(call.world, requested)]})


def remove_faults(call: Call) -> Answer:
    """DELETE one fault by its id, or all of them."""
    fault_id = call.route_params.get("fault", "")
    if fault_id and not (fault_id.isascii() and fault_id.isdigit() and len(fault_id) < 10):
        raise arm_error(404, "FaultNotFound", f"There is no fault {fault_id}.")
    removed = inject.remove(call.world, int(fault_id) if fault_id else None)
    if fault_id and not removed:
        raise arm_error(404, "FaultNotFound", f"There is no fault {fault_id}.")
    return Answer(200, {"removed": removed})


class Release(parse.Strict):
    """Runners or numbers of held requests, in the order of their release; `wait` seconds at most for all of them."""

    release: list[str | int] = Field(min_length=1, max_length=1000)
    wait: float = Field(10, ge=0, le=LONGEST_WAIT)


def held(call: Call) -> Answer:
    """GET the held requests with a number above `after`; waits at most `wait` seconds for one. See `http.order`."""
    wait = call.query.get("wait", "0")
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,3})?", wait) or float(wait) > LONGEST_WAIT:
        raise arm_error(400, "InvalidQueryParameter", f"Write wait=SECONDS, at most {LONGEST_WAIT:g}.")
    return Answer(200, {"after": paging.number(call, "after", 0), "wait": float(wait)})


def release(call: Call) -> Answer:
    """POST what to release. The answer comes when the last one of them has been handled. See `http.order`."""
    return Answer(200, _validate(call, Release).model_dump())


def _validate(call: Call, model: type[parse.M]) -> parse.M:
    try:
        return parse.validate(call.object(), model)
    except parse.InvalidValue as error:
        raise arm_error(400, "InvalidRequestContent", str(error)) from None
