"""One request with its state in the emulator, and its answer as an HTTP response."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cached_property
from urllib.parse import unquote

from starlette.responses import Response

from deploy.emulator.dataplane import scoring
from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.faults import inject, schema
from deploy.emulator.wire import request_log, throttle
from deploy.emulator.wire.call import Call, Caller
from deploy.emulator.wire.responses import Answer, Refusal, arm_error, standard_headers
from deploy.emulator.wire.routing import Route

_RUNNER = re.compile(r"(?:^|\s)runner/([\w.-]+)")
LOCATION = "eastus"
"""The region of the Resource Manager that answers."""
_NOT_IDENTIFIED = frozenset(
    f"{kind}_{verb}"
    for kind in ("Workspaces", "OnlineEndpoints", "OnlineDeployments", "BatchEndpoints", "BatchDeployments")
    for verb in ("Get", "List", "ListByResourceGroup", "ListBySubscription")
)
"""The operations whose answers have no `x-ms-operation-identifier`: reads of resources with a region. Recorded for
workspaces and batch endpoints, inferred for the others.
"""
UNKNOWN = Route("unknown", "*", "", "NotEmulated", None)
MIRRORED = Route("scoring", "POST", "", request_log.MIRRORED, None)
"""The route of mirrored requests, which no client sends."""


@dataclass
class Exchange:
    """One request in progress: route, call, caller, fault, and what the request log needs.

    `row` is its number in the request log, 0 before it is written there; `hold` the note of a hold before that.
    """

    route: Route
    call: Call
    target: str = ""
    note: str = ""
    caller: Caller = field(default_factory=Caller)
    started: float = field(default_factory=time.perf_counter)
    fault: inject.Fault | None = None
    hold: str = ""
    row: int = 0
    mirror: scoring.AdmittedRequest | None = None
    """What the mirror deployment gets after the answer was sent."""
    limits: dict[str, str] = field(default_factory=dict)
    """The rate-limit headers of a throttled caller."""

    @property
    def path(self) -> str:
        """The decoded path, without a slash at the end."""
        return unquote(self.call.url_path).rstrip("/")

    @property
    def subscription(self) -> str:
        """The subscription that the path names; "" without one."""
        parts = self.path.split("/")
        return parts[2] if len(parts) > 2 and parts[1].lower() == "subscriptions" else ""

    @cached_property
    def runner(self) -> str:
        """The sender's name: `a` if its user agent contains `runner/a`, else the object id of its token, or ""."""
        headers = self.call.headers
        if found := _RUNNER.search(headers.get("user-agent", "")):
            return found[1]
        claims = self.call.tokens.claims(headers.get("authorization", "").partition(" ")[2])
        return str((claims or {}).get("oid", ""))

    def add_note(self, note: str) -> None:
        """Add to the note for the request log."""
        self.note = "; ".join(filter(None, (self.note, note)))

    def seen(self, *, deployment: str = "", point: str = "") -> schema.Request:
        """The request as faults match it at one moment."""
        route = self.route
        return schema.Request(
            route.plane, route.method, self.path, route.name, route.mutating, self.runner, deployment, point
        )


def not_emulated(exchange: Exchange) -> Refusal:
    """404 in Azure's form, with the note `not emulated` for the log."""
    return arm_error(
        404, "ResourceNotFound",
        f"The emulator does not emulate {exchange.route.method} {unquote(exchange.call.url_path)}.",
        note="not emulated",
    )  # fmt: skip


def response_to(exchange: Exchange, answer: Answer) -> Response:
    """The HTTP response, with the headers that all answers of its plane have."""
    plane, now = exchange.route.plane, exchange.call.world.now()
    extra: Mapping[str, str] = {} if plane in ("scoring", "blob") else standard_headers(plane, now)
    limits = exchange.limits or (throttle.full_headers(exchange.route.method) if plane == "arm" else {})
    if throttle.REQUESTS in answer.headers:
        limits = {}
    if plane == "arm" and answer.status < 400 and exchange.route.name not in _NOT_IDENTIFIED:
        own = f"tenantId={TENANT},objectId={exchange.caller.id}/{LOCATION}/{uuid.uuid4()}"
        limits = {**limits, "x-ms-operation-identifier": own}
    headers = {"Date": formatdate(now, usegmt=True), **extra, **limits, **answer.headers}
    if client := exchange.call.headers.get("x-ms-client-request-id"):
        headers["x-ms-client-request-id"] = client
    if isinstance(answer.body, bytes):
        return Response(answer.body, answer.status, headers)
    headers.setdefault("Content-Type", "application/json; charset=utf-8")
    return Response(json.dumps(answer.body, separators=(",", ":"), ensure_ascii=False), answer.status, headers)
