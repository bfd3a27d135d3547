"""The data plane: who may score, which deployment answers, and what a refusal looks like.

Stand-ins compute the answers (`scorers`); real models and users' own code are never run here.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.emulator import scorers, traffic
from deploy.emulator.endpoints import KIND
from deploy.emulator.identity import SCORING_HOSTS, meant_for
from deploy.emulator.keys import SCORE_ACTION
from deploy.emulator.wire import Answer, Call, Json, Refusal
from deploy.emulator.world import Resource

DEPLOYMENT_HEADER = "azureml-model-deployment"
SERVER = "azureml-frontdoor"
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


@dataclass(frozen=True)
class Turn:
    """A request that has been let in: the deployment that answers it, and how long it may take (seconds)."""

    deployment: str
    target: str
    model: str | None
    timeout: float
    payload: bytes
    shadow: str | None = None


def admit(call: Call) -> Turn:
    """Check the credential and choose the deployment. Part of a transaction; quick.

    Raises:
        Refusal: 401 without a valid credential; 404 when nobody is to answer.
    """
    endpoint = _endpoint(call)
    _authorize(call, endpoint)
    wanted = call.headers.get(DEPLOYMENT_HEADER)
    turn = call.world.count(f"turn of {endpoint.id}")
    name = wanted if wanted is not None else traffic.choose(endpoint.properties["traffic"], turn)
    found = call.world.get(f"{endpoint.id}/deployments/{name}") if name else None
    if found is None or found.state in ("Creating", "Failed", "Deleting"):
        what = (
            f"There is no deployment named '{wanted}' that can answer."
            if wanted
            else "No valid deployment to route to."
        )
        raise _refusal(
            404, f"{what} Please check that the endpoint has at least one deployment with positive weight values."
        )
    shadow = traffic.mirrored(endpoint.properties["mirrorTraffic"], turn) if wanted is None else None
    timeout = seconds(str(found.properties["requestSettings"].get("requestTimeout", "PT5S")))
    return Turn(found.body["name"], found.id, found.properties["model"], timeout, call.raw, shadow)


def score(turn: Turn) -> Answer:
    """Let the stand-in answer. Runs in a thread, outside any transaction; raises only where a stand-in is broken."""
    started = time.perf_counter()
    try:
        request = json.loads(turn.payload)
    except (ValueError, RecursionError):
        return model_error(turn, 400, "the request is not JSON")
    if not isinstance(request, dict):
        return model_error(turn, 400, "the request is not a JSON object")
    scorer = scorers.find(turn.model)
    if scorer is None:
        return model_error(
            turn, 501, f"the emulator has no stand-in for {turn.model or 'a deployment without a model'}"
        )
    try:
        body = json.dumps(scorer(request)).encode()
    except scorers.ScoringError as error:
        return model_error(turn, error.status, str(error))
    milliseconds = f"{(time.perf_counter() - started) * 1000:.3f}"
    headers = {
        "x-ms-run-fn-exec-ms": milliseconds,
        "x-ms-run-function-failed": "False",
        "Content-Type": "application/json",
    }
    return Answer(200, body, _headers(turn.deployment) | headers)


def model_error(turn: Turn, status: int, reason: str) -> Answer:
    """424: the container answered `status`; its words travel in headers too."""
    plain = re.sub(r"[^\x20-\x7e]", "?", reason)[:500]
    headers = {
        "ms-azureml-model-error-statuscode": str(status),
        "ms-azureml-model-error-reason": plain,
        "x-ms-run-function-failed": "True",
    }
    return Answer(424, {"error": {"code": "ModelError", "message": reason}}, _headers(turn.deployment) | headers)


def timed_out(turn: Turn) -> Answer:
    """408: the model took longer than `requestTimeout`."""
    message = f"The request took longer than the deployment's request timeout of {turn.timeout:g} s."
    return Answer(408, {"error": {"code": "RequestTimeout", "message": message}}, _headers(turn.deployment))


def swagger(call: Call) -> Answer:
    """GET swagger.json: what the scoring route takes. Any valid credential of the endpoint reads it."""
    endpoint = _endpoint(call)
    _authorize(call, endpoint)
    value = {"content": {"application/json": {"schema": {"type": "object"}}}}
    operation = {
        "operationId": "RunMLService",
        "security": [{"Bearer": []}],
        "requestBody": value,
        "responses": {"200": {"description": "The answer of the model.", **value}},
    }
    document = {
        "openapi": "3.0.3",
        "info": {
            "title": endpoint.body["name"],
            "version": "1.0",
            "description": "Stand-in of the amldeploy emulator.",
        },
        "servers": [{"url": f"{call.base}/inference/{endpoint.location}/{endpoint.body['name']}"}],
        "paths": {"/score": {"post": operation}},
        "components": {"securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}}},
    }
    return Answer(200, document, {"Server": SERVER})


def seconds(duration: str) -> float:
    """An ISO 8601 duration of hours, minutes and seconds; 5 s, the service's default, for anything else."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        return 5.0
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


def _endpoint(call: Call) -> Resource:
    endpoint = call.world.named(KIND, call.path["location"].lower(), call.path["endpoint"])
    if endpoint is None or not endpoint.private["ready"] or endpoint.state == "Deleting":
        raise _refusal(404, f"There is no endpoint named {call.path['endpoint']} in {call.path['location']}.")
    return endpoint


def _authorize(call: Call, endpoint: Resource) -> None:
    scheme, _, secret = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise _denied("key_auth_bad_header_forbidden")
    match endpoint.properties["authMode"]:
        case "Key":
            good = secret in (endpoint.private["primaryKey"], endpoint.private["secondaryKey"])
            reason = "key_auth_access_denied"
        case "AMLToken":
            good, reason = _good_token(call, endpoint, secret), "token_auth_access_denied"
        case _:
            good, reason = _may_score(call, endpoint, secret), "aad_auth_access_denied"
    if not good:
        raise _denied(reason)


def _good_token(call: Call, endpoint: Resource, secret: str) -> bool:
    claims: Mapping[str, Json] | None = call.tokens.claims(secret)
    return claims is not None and claims.get("serviceId") == endpoint.id and claims["exp"] > call.world.now()


def _may_score(call: Call, endpoint: Resource, secret: str) -> bool:
    claims = call.tokens.claims(secret)
    if claims is None or not meant_for(claims, SCORING_HOSTS) or claims["exp"] <= time.time():
        return False
    return call.rights.allows(str(claims.get("oid", "")), SCORE_ACTION, endpoint.id)


def _denied(reason: str) -> Refusal:
    return Refusal(
        Answer(401, reason.encode(), {"Server": SERVER, "Content-Type": "text/plain", "WWW-Authenticate": "Bearer"})
    )


def _refusal(status: int, message: str) -> Refusal:
    return Refusal(Answer(status, {"error": {"code": "NotFound", "message": message}}, _headers("")))


def _headers(deployment: str) -> dict[str, str]:
    named = {DEPLOYMENT_HEADER: deployment} if deployment else {}
    return {"Server": SERVER, "x-request-id": str(uuid.uuid4()), **named}
