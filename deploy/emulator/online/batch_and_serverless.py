"""Batch endpoints, their deployments, and serverless endpoints: stored as written, with keys.

Bodies are not validated, no job starts, and their URLs do not answer. Batch endpoints and deployments change with
operations: the DELETE of an endpoint is recorded, the others are inferred from it. Serverless endpoints change at once.
"""

from __future__ import annotations

import secrets
from typing import Any

from deploy.emulator.online import endpoints
from deploy.emulator.quota import limits
from deploy.emulator.wire import fields, long_running
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, resource_not_found, timestamp
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource

_BATCH = ("batchEndpoints", "deployments")
_DEPLOYMENT_DEFAULTS: dict[str, Json] = {
    "description": None, "codeConfiguration": None, "environmentId": None, "environmentVariables": {},
    "deploymentConfiguration": None, "errorThreshold": -1, "retrySettings": {"maxRetries": 3, "timeout": "PT30S"},
    "miniBatchSize": 10, "loggingLevel": "Info", "model": None, "maxConcurrencyPerInstance": 1,
    "outputAction": "AppendRow", "outputFileName": "predictions.csv",
    "resources": {"instanceCount": 1, "instanceType": None, "properties": None},
}  # fmt: skip
"""The values that the service sets in a batch deployment (recorded)."""


def listing(call: Call) -> Answer:
    """GET the resources of a collection, oldest first. Lists of batch endpoints have an empty header (recorded)."""
    parent, kind, _ = _locate(call)
    found = [item.body for item in call.world.children(parent, kind)]
    return Answer(200, {"value": found}, {"x-ms-original-request-ids": ""} if kind == "batchEndpoints" else {})


def get(call: Call) -> Answer:
    """GET one resource."""
    return Answer(200, _require(call).body)


def put(call: Call) -> Answer:
    """PUT: 201 when new, 200 when it replaces one; with an operation for batch resources."""
    workspace, body = workspaces.require(call), call.object()
    parent, kind, name = _locate(call)
    found = call.world.get(f"{parent}/{kind}/{name}")
    if found is None and kind == "batchEndpoints":
        limits.check_endpoint_limit(call.world, call.route_params["subscription"], workspace.location)
    parent_resource = call.world.get(parent) or workspace
    if found is None and kind == "deployments":
        limits.check_deployment_limit(call.world, call.route_params["subscription"], parent_resource)
    if found is not None:
        endpoints.refuse_busy(found, f"update {name}")
    resource_id = f"{parent_resource.body['id']}/{kind}/{name}"
    created = _body(call, resource_id, kind, body, workspace.location)
    if found is not None:
        created["systemData"]["createdAt"] = found.body["systemData"]["createdAt"]
    private = found.private if found else {key: secrets.token_hex(16) for key in ("primaryKey", "secondaryKey")}
    resource = Resource(f"{parent}/{kind}/{name}", kind, parent, name, workspace.location, created, private)
    headers = {}
    if kind in _BATCH:
        resource.properties["provisioningState"] = "Updating" if found else "Creating"
        headers = _begin(call, resource, call.world.timing.endpoint_create, {"provisioningState": "Succeeded"})
        headers["Location"] = f"{call.base}{resource_id}?api-version={call.version}"
    call.world.save(resource)
    return Answer(200 if found else 201, created, headers)


def _body(call: Call, resource_id: str, kind: str, body: dict[str, Json], location: str) -> dict[str, Any]:
    now, name = timestamp(call.world.now()), resource_id.rpartition("/")[2]
    within = "batchEndpoints/" if kind == "deployments" else ""
    sent = {key: value for key, value in fields.mapping(body, "properties").items() if value is not None}
    added = _service_properties(call, kind, name, resource_id)
    for key in ("properties", "retrySettings", "resources"):
        if isinstance(added.get(key), dict) and isinstance(sent.get(key), dict):
            sent[key] = {**added[key], **sent[key]}
    return {
        "id": resource_id, "name": name, "type": f"{workspaces.WORKSPACE}/{within}{kind}",
        "location": fields.text(body, "location", location), "tags": fields.texts(body, "tags"),
        "properties": {**added, **sent, "provisioningState": "Succeeded"},
        **{key: body[key] for key in ("sku", "kind", "identity") if body.get(key)},
        "systemData": {"createdAt": now, "createdBy": call.caller.name, "lastModifiedAt": now},
    }  # fmt: skip


def delete(call: Call) -> Answer:
    """DELETE with everything below: 202 and an operation for batch resources, 200 for others, 204 when absent."""
    parent, kind, name = _locate(call)
    found = call.world.get(f"{parent}/{kind}/{name}")
    if found is None:
        return Answer(204)
    if kind not in _BATCH:
        call.world.remove(found.id)
        return Answer(200)
    if found.state == "Deleting":
        return Answer(202, headers=long_running.headers(call, found.private["operation"], found.location, result=True))
    long_running.cancel(call.world, found.id)
    found.properties["provisioningState"] = "Deleting"
    headers = _begin(call, found, call.world.timing.endpoint_delete, None)
    call.world.save(found)
    return Answer(202, headers=headers)


def _begin(call: Call, found: Resource, seconds: float, after: dict[str, Json] | None) -> dict[str, str]:
    """Start an operation and return its headers; `after`: the properties at its end, None for a deletion."""
    effect = {"remove": True} if after is None else {"properties": after}
    found.private["operation"] = long_running.begin(call.world, long_running.BATCH, found, seconds, effect)
    return long_running.headers(call, found.private["operation"], found.location, result=after is None)


def list_keys(call: Call) -> Answer:
    """POST listKeys: both keys."""
    found = _require(call).private
    return Answer(200, {key: found[key] for key in ("primaryKey", "secondaryKey")})


def regenerate_keys(call: Call) -> Answer:
    """POST regenerateKeys: both keys; the one in `keyType` is new."""
    found = _require(call)
    which = fields.one_of(call.object(), "keyType", ("Primary", "Secondary"), "Primary")
    found.private[f"{which.lower()}Key"] = secrets.token_hex(16)
    call.world.save(found)
    return Answer(200, found.private)


_KINDS = {"batchendpoints": "batchEndpoints", "serverlessendpoints": "serverlessEndpoints"}


def _locate(call: Call) -> tuple[str, str, str]:
    """The parent's id, the kind and the name ("" for a collection) in the address.

    Raises:
        Refusal: 404 when the parent does not exist.
    """
    workspace = workspaces.require(call)
    parts = call.url_path.strip("/").split("/")[8:]  # after the workspace's id
    kind, name = _KINDS[parts[0].lower()], call.route_params.get("endpoint", "")
    if len(parts) < 3 or parts[2].lower() != "deployments":
        return workspace.id, kind, name.lower()
    parent = f"{workspace.id}/{kind}/{name}".lower()
    if call.world.get(parent) is None:
        raise _missing(call, f"{kind}/{name}")
    return parent, "deployments", call.route_params.get("deployment", "").lower()


def _service_properties(call: Call, kind: str, name: str, resource_id: str) -> dict[str, Json]:
    """The properties that the service adds to a body. Its URLs do not answer."""
    if kind == "batchEndpoints":
        added = {"BatchEndpointCreationApiVersion": call.version, "azureml.onlineendpointid": resource_id}
        scoring = f"{call.base}/batch/{name}/jobs"
        return {
            "description": None, "properties": added, "scoringUri": scoring, "swaggerUri": None, "authMode": "AADToken",
            "defaults": {"deploymentName": None},
        }  # fmt: skip
    if kind == "serverlessEndpoints":
        return {"inferenceEndpoint": {"uri": f"{call.base}/serverless/{name}"}, "endpointState": "Online"}
    return {**_DEPLOYMENT_DEFAULTS, "properties": {}}


def _require(call: Call) -> Resource:
    parent, kind, name = _locate(call)
    found = call.world.get(f"{parent}/{kind}/{name}")
    if found is None:
        raise _missing(call, f"{parent}/{kind}/{name}"[len(workspaces.require(call).id) + 1 :])
    return found


def _missing(call: Call, name: str) -> Refusal:
    return resource_not_found(
        f"{workspaces.WORKSPACE}/{call.route_params['workspace']}/{name}", call.route_params["group"]
    )
