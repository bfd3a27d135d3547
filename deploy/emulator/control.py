"""The emulator's own door, beside Azure's: is it there, what was asked of it, begin anew. Loopback only, no token."""

from __future__ import annotations

import os

from deploy.emulator import log, paging
from deploy.emulator.wire import Answer, Call, gateway


def status(call: Call) -> Answer:
    """GET who answers here and how much the world holds."""
    kinds = call.world.db.execute("SELECT kind, COUNT(*) FROM resources GROUP BY kind").fetchall()
    requests = call.world.db.execute("SELECT COALESCE(MAX(number), 0) FROM requests").fetchone()[0]
    return Answer(200, {"pid": os.getpid(), "url": call.base, "requests": requests, "resources": dict(kinds)})


def requests(call: Call) -> Answer:
    """GET the request log; `after` is a request's number, `mutating` is true or false."""
    mutating = call.query.get("mutating", "")
    if mutating not in ("", "true", "false"):
        raise gateway(400, "InvalidQueryParameter", "Write mutating=true or mutating=false.")
    after = paging.number(call, "after", 0)
    return Answer(200, {"value": log.read(call.world, after, mutating == "true" if mutating else None)})
