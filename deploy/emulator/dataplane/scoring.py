"""The scoring data plane: check the credential, choose the deployment, return its answer or an error.

Stand-ins compute the answers for registry models (`runtime.standins`). A deployment with its own code is answered by
its scoring server (`runtime.hosting`, `runtime.proxy`). A registry model itself never runs.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import h11

from deploy.emulator.dataplane import model_faults
from deploy.emulator.dataplane.swagger import document
from deploy.emulator.entra.access_tokens import SCORING_HOSTS, has_audience
from deploy.emulator.faults.schema import FaultSpec
from deploy.emulator.online.endpoints import KIND
from deploy.emulator.online.keys import SCORE_ACTION
from deploy.emulator.runtime import proxy, standins
from deploy.emulator.wire import traffic_rules
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal
from deploy.emulator.world import settings
from deploy.emulator.world.durations import seconds
from deploy.emulator.world.store import Resource

if TYPE_CHECKING:
    from deploy.emulator.runtime.hosting import Hosting

DEPLOYMENT_HEADER = "azureml-model-deployment"
SERVER = "azureml-frontdoor"


@dataclass(frozen=True)
class AdmittedRequest:
    """A request with a valid credential: the deployment that answers it, and its timeout in seconds.

    `server` is the key of the deployment's scoring server, or "" for a stand-in; `swagger` is a stand-in's document;
    `mirror` is the copy of the request for the mirror deployment.
    """

    deployment: str
    target: str
    model: str | None
    timeout: float
    payload: bytes
    mirror: AdmittedRequest | None = None
    server: str = ""
    method: str = "POST"
    route: str = "/score"
    headers: Mapping[str, str] = field(default_factory=dict)
    swagger: Json = None


def admit(call: Call, pending: Mapping[str, int]) -> AdmittedRequest:
    """Check the credential and choose the deployment. Part of a transaction. `pending` counts requests by deployment.

    Raises:
        Refusal: 401 without a valid credential; 404 when no deployment can answer; 429 with too many pending requests;
            status 0, which closes the connection, for a private endpoint from outside its network.
    """
    endpoint = _endpoint(call)
    _require_network(call, endpoint)
    _authorize(call, endpoint)
    requested, path = call.headers.get(DEPLOYMENT_HEADER), call.url_path.rstrip("/").rpartition("/")[2]
    scores = path == "score"
    request_number = call.world.next_number(f"requests of {endpoint.id}") if scores else 0
    name = requested if requested is not None else traffic_rules.choose(endpoint.properties["traffic"], request_number)
    found = call.world.get(f"{endpoint.id}/deployments/{name}") if name else None
    swagger = None if scores else document(call.base, endpoint)
    if found is None or not _can_answer(found):
        if not scores:
            return AdmittedRequest("", "", None, 5.0, b"", swagger=swagger)
        raise _no_deployment(requested)
    limits = found.properties["requestSettings"]
    # Azure allows twice as many pending requests as it processes at once.
    limit = 2 * int(limits["maxConcurrentRequestsPerInstance"]) * int(found.body["sku"]["capacity"])
    if pending.get(found.id, 0) >= limit:
        raise _refusal(429, "TooManyRequests", "too many pending requests", found.body["name"])
    mirrored = endpoint.properties["mirrorTraffic"] if requested is None and scores else {}
    mirror_name = traffic_rules.choose_mirror(mirrored, request_number)
    mirror = call.world.get(f"{endpoint.id}/deployments/{mirror_name}") if mirror_name else None
    admitted = _admitted(call, found, f"/{path}", swagger)
    if mirror is None or not _can_answer(mirror):
        return admitted
    return replace(admitted, mirror=_admitted(call, mirror, f"/{path}"))


def _can_answer(deployment: Resource) -> bool:
    return deployment.state not in ("Creating", "Failed", "Deleting")


def _admitted(call: Call, deployment: Resource, route: str, swagger: Json = None) -> AdmittedRequest:
    """The request as one deployment answers it."""
    timeout = seconds(str(deployment.properties["requestSettings"]["requestTimeout"]))
    return AdmittedRequest(
        deployment.body["name"], deployment.id, deployment.properties["model"], timeout, call.raw, None,
        deployment.private.get("server", ""), "POST" if route == "/score" else "GET",
        route + (f"?{call.search}" if call.search else ""), call.headers, swagger,
    )  # fmt: skip


async def answer(admitted: AdmittedRequest, hosting: Hosting, fault: FaultSpec | None = None) -> tuple[Answer, str]:
    """The deployment's answer, or an error after its timeout, and a note for the log.

    Outside any transaction; raises on a stand-in's bug. The latency of a fault counts for the timeout.
    """
    if not admitted.server and admitted.swagger is not None:
        return Answer(200, admitted.swagger, _headers(admitted.deployment)), ""
    try:
        # The timeout begins after the server has started.
        port = await hosting.port(admitted.server) if admitted.server else 0
        work = partial(_hosted, admitted, port) if admitted.server else partial(asyncio.to_thread, score, admitted)
        return await asyncio.wait_for(model_faults.changed(work, fault), admitted.timeout)
    except TimeoutError:
        return timed_out(admitted), ""
    except (RuntimeError, OSError, h11.ProtocolError) as error:
        return model_error(admitted, 503, f"the scoring server does not answer: {error}"), ""


async def _hosted(admitted: AdmittedRequest, port: int) -> Answer:
    identifier = admitted.headers.get("x-request-id") or str(uuid.uuid4())
    sent = {**admitted.headers, "x-request-id": identifier}
    reply = await proxy.exchange(port, admitted.method, admitted.route, sent, admitted.payload)
    headers = {**reply.headers, "Server": SERVER, DEPLOYMENT_HEADER: admitted.deployment, "x-request-id": identifier}
    if reply.status == 200:
        return Answer(200, reply.body, headers)
    reason = {
        "ms-azureml-model-error-statuscode": str(reply.status),
        "ms-azureml-model-error-reason": _header_text(_error_text(reply)),
    }
    return Answer(424, reply.body, {"x-ms-run-function-failed": "True", **headers, **reason})


def _error_text(reply: proxy.Reply) -> str:
    """The error of the server: the `message` of a JSON object, the text, or the reason of the status line."""
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return reply.body.decode("utf-8", "replace").strip() or reply.reason
    return str(value["message"]) if isinstance(value, dict) and "message" in value else json.dumps(value)


def score(admitted: AdmittedRequest) -> Answer:
    """The stand-in's answer. Runs in a thread, outside any transaction; raises only on a stand-in's bug."""
    started = time.perf_counter()
    try:
        request = json.loads(admitted.payload)
    except (ValueError, RecursionError):
        return model_error(admitted, 400, "the request is not JSON")
    if not isinstance(request, dict):
        return model_error(admitted, 400, "the request is not a JSON object")
    scorer = standins.find(admitted.model)
    if scorer is None:
        return model_error(admitted, 501, standins.why_unanswered(admitted.model))
    try:
        body = json.dumps(scorer(request)).encode()
    except standins.ScoringError as error:
        return model_error(admitted, error.status, str(error))
    milliseconds = f"{(time.perf_counter() - started) * 1000:.3f}"
    headers = {
        "x-ms-run-fn-exec-ms": milliseconds,
        "x-ms-run-function-failed": "False",
        "Content-Type": "application/json",
    }
    return Answer(200, body, _headers(admitted.deployment) | headers)


def model_error(admitted: AdmittedRequest, status: int, reason: str) -> Answer:
    """424: the container answered `status`; status and reason are in headers, too."""
    headers = {
        "ms-azureml-model-error-statuscode": str(status),
        "ms-azureml-model-error-reason": _header_text(reason),
        "x-ms-run-function-failed": "True",
    }
    return Answer(424, {"error": {"code": "ModelError", "message": reason}}, _headers(admitted.deployment) | headers)


def refused_by_fault(admitted: AdmittedRequest, refusal: Answer) -> Answer:
    """A fault's error in the form of this plane: 424 is an error of the container, others are of the front end.

    The container's status is 500, if the fault has no header with another one.
    """
    if refusal.status == 0:  # the connection is reset
        return refusal
    own = {name: text for name, text in refusal.headers.items() if name != "x-ms-failure-cause"}
    if refusal.status != 424:
        return Answer(refusal.status, refusal.body, _headers(admitted.deployment) | own)
    error = refusal.body.get("error") if isinstance(refusal.body, dict) else None
    reason = error.get("message", "") if isinstance(error, dict) else ""
    return Answer(424, refusal.body, {**model_error(admitted, 500, str(reason)).headers, **own})


def timed_out(admitted: AdmittedRequest) -> Answer:
    """408: the model took longer than `requestTimeout`."""
    message = f"The request took longer than the deployment's request timeout of {admitted.timeout:g} s."
    return Answer(408, {"error": {"code": "RequestTimeout", "message": message}}, _headers(admitted.deployment))


def _endpoint(call: Call) -> Resource:
    endpoint = call.world.find_by_name(KIND, call.route_params["location"].lower(), call.route_params["endpoint"])
    if endpoint is None or not endpoint.private["ready"] or endpoint.state == "Deleting":
        raise _refusal(
            404,
            "NotFound",
            f"There is no endpoint named {call.route_params['endpoint']} in {call.route_params['location']}.",
        )
    return endpoint


def _require_network(call: Call, endpoint: Resource) -> None:
    """Refuse a caller outside the network of a private endpoint. What Azure answers is unknown, only that the endpoint
    cannot be reached from public networks; here the connection is reset.
    """
    private = endpoint.properties["publicNetworkAccess"] == "Disabled"
    if private and settings.get(call.world, "caller_network") == "outside":
        raise Refusal(Answer(0), "private endpoint, caller outside")


def _authorize(call: Call, endpoint: Resource) -> None:
    scheme, _, secret = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise _denied("key_auth_bad_header_forbidden")
    match endpoint.properties["authMode"]:
        case "Key":
            good = secret in (endpoint.private["primaryKey"], endpoint.private["secondaryKey"])
            reason = "key_auth_access_denied"
        case "AMLToken":
            good, reason = _is_valid_token(call, endpoint, secret), "token_auth_access_denied"
        case _:
            good, reason = _may_score(call, endpoint, secret), "aad_auth_access_denied"
    if not good:
        raise _denied(reason)


def _is_valid_token(call: Call, endpoint: Resource, secret: str) -> bool:
    claims: Mapping[str, Json] | None = call.tokens.claims(secret)
    return claims is not None and claims.get("serviceId") == endpoint.id and claims["exp"] > call.world.now()


def _may_score(call: Call, endpoint: Resource, secret: str) -> bool:
    claims = call.tokens.claims(secret)
    if claims is None or not has_audience(claims, SCORING_HOSTS) or claims["exp"] <= time.time():
        return False
    return call.rights.allows(str(claims.get("oid", "")), SCORE_ACTION, endpoint.id)


def _denied(reason: str) -> Refusal:
    return Refusal(
        Answer(401, reason.encode(), {"Server": SERVER, "Content-Type": "text/plain", "WWW-Authenticate": "Bearer"})
    )


def _no_deployment(requested: str | None) -> Refusal:
    what = (
        f"There is no deployment named '{requested}' that can answer."
        if requested
        else "No valid deployment to route to."
    )
    return _refusal(
        404, "NotFound",
        f"{what} Please check that the endpoint has at least one deployment with positive weight values.",
    )  # fmt: skip


def _refusal(status: int, code: str, message: str, deployment: str = "") -> Refusal:
    return Refusal(Answer(status, {"error": {"code": code, "message": message}}, _headers(deployment)))


def _header_text(text: str) -> str:
    """Text made safe for a header: ASCII, at most 500 characters."""
    return re.sub(r"[^\x20-\x7e]", "?", text)[:500]


def _headers(deployment: str) -> dict[str, str]:
    find_by_name = {DEPLOYMENT_HEADER: deployment} if deployment else {}
    return {"Server": SERVER, "x-request-id": str(uuid.uuid4()), **find_by_name}
