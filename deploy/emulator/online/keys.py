"""The credentials of an endpoint: its two keys, or a token that is valid for 24 hours."""

from __future__ import annotations

import json
import secrets
import uuid

from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.online import endpoints
from deploy.emulator.wire import fields, long_running
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, user_error

SCORE_ACTION = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"
TOKEN_SECONDS, REFRESH_SECONDS = 86_400, 43_200


def list_keys(call: Call) -> Answer:
    """POST listKeys; null until the endpoint has been created."""
    endpoint = endpoints.require(call)
    if endpoint.properties["authMode"] != "Key":
        raise user_error(f"Keys can only be listed when authMode is Key; here it is {endpoint.properties['authMode']}.")
    ready = endpoint.private["ready"]
    return Answer(200, {which: endpoint.private[which] if ready else None for which in ("primaryKey", "secondaryKey")})


def regenerate_keys(call: Call) -> Answer:
    """POST regenerateKeys: 202 and Location only. A `keyValue` equal to the current key requests a new one."""
    endpoint = endpoints.require(call)
    body = call.object()
    endpoints.refuse_busy(endpoint, f"regenerate keys of endpoint {endpoint.body['name']}")
    which = "primaryKey" if fields.one_of(body, "keyType", ("Primary", "Secondary")) == "Primary" else "secondaryKey"
    value = fields.text(body, "keyValue")
    if value is None or value == endpoint.private[which]:
        value = secrets.token_hex(16)
    operation = long_running.begin(
        call.world, long_running.ENDPOINT, endpoint, call.world.timing.keys, {"private": {which: value}}
    )
    headers = long_running.headers(call, operation, endpoint.location, asynchronous=False, result=True)
    return Answer(202, b"null", headers | {"Content-Type": "application/json; charset=utf-8"})


def token(call: Call) -> Answer:
    """POST token: a signed AML token of 24 hours, to be renewed after 12."""
    endpoint = endpoints.require(call)
    if endpoint.properties["authMode"] != "AMLToken":
        mode = endpoint.properties["authMode"]
        raise user_error(f"Tokens can only be issued when authMode is AMLToken; here it is {mode}.")
    now = int(call.world.now())
    claims = {
        "canRefresh": "False", "workspaceId": str(uuid.uuid5(uuid.NAMESPACE_URL, endpoint.parent)), "tid": TENANT,
        "oid": call.caller.id, "actions": json.dumps([SCORE_ACTION]), "endpointName": endpoint.name,
        "serviceId": endpoint.id, "exp": now + TOKEN_SECONDS, "iss": "azureml", "aud": "azureml",
    }  # fmt: skip
    return Answer(
        200,
        {
            "accessToken": call.tokens.sign(claims), "tokenType": "Bearer",
            "expiryTimeUtc": now + TOKEN_SECONDS, "refreshAfterTimeUtc": now + REFRESH_SECONDS,
        },
    )  # fmt: skip
