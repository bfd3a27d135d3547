"""Batch endpoints, their deployments, and serverless endpoints: stored as written, with keys.

Bodies are not validated, no job starts, and their URLs do not answer.
"""

from __future__ import annotations

import secrets
from typing import Any

from deploy.emulator.quota import limits
from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, timestamp
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource


def listing(call: Call) -> Answer:
    """GET the resources of a collection, oldest first."""
    parent, kind, _ = _locate(call)
    return Answer(200, {"value": [item.body for item in call.world.children(parent, kind)]})


def get(call: Call) -> Answer:
    """GET one resource."""
    return Answer(200, _require(call).body)


def put(call: Call) -> Answer:
    """PUT: 201 when new, 200 when it replaces one; Succeeded at once."""
    workspace, body = workspaces.require(call), call.object()
    parent, kind, name = _locate(call)
    found = call.world.get(f"{parent}/{kind}/{name}")
    if found is None and kind == "batchEndpoints":
        limits.check_endpoint_limit(call.world, call.route_params["subscription"], workspace.location)
    parent_resource = call.world.get(parent) or workspace
    if found is None and kind == "deployments":
        limits.check_deployment_limit(call.world, call.route_params["subscription"], parent_resource)
    now = timestamp(call.world.now())
    within = "batchEndpoints/" if kind == "deployments" else ""
    resource_id = f"{parent_resource.body['id']}/{kind}/{name}"
    properties = {
        **_service_properties(call, kind, name),
        **fields.mapping(body, "properties"),
        "provisioningState": "Succeeded",
    }
    created: dict[str, Any] = {
        "id": resource_id, "name": name, "type": f"{workspaces.WORKSPACE}/{within}{kind}",
        "location": fields.text(body, "location", workspace.location),
        "tags": fields.texts(body, "tags"), "properties": properties,
        **{key: body[key] for key in ("sku", "kind", "identity") if body.get(key)},
        "systemData": {"createdAt": now, "createdBy": call.caller.name, "lastModifiedAt": now},
    }  # fmt: skip
    private = found.private if found else {key: secrets.token_hex(16) for key in ("primaryKey", "secondaryKey")}
    call.world.save(Resource(f"{parent}/{kind}/{name}", kind, parent, name, workspace.location, created, private))
    return Answer(200 if found else 201, created)


def delete(call: Call) -> Answer:
    """DELETE: 200 with everything below it, or 204 when absent."""
    parent, kind, name = _locate(call)
    if call.world.get(f"{parent}/{kind}/{name}") is None:
        return Answer(204)
    call.world.remove(f"{parent}/{kind}/{name}")
    return Answer(200)


def list_keys(call: Call) -> Answer:
    """POST listKeys: both keys."""
    return Answer(200, _require(call).private)


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


def _service_properties(call: Call, kind: str, name: str) -> dict[str, Json]:
    """The properties that the service adds to a body. Its URLs do not answer."""
    if kind == "batchEndpoints":
        where = f"{call.base}/batch/{name}"
        return {"scoringUri": f"{where}/jobs", "swaggerUri": f"{where}/swagger.json", "properties": {}}
    if kind == "serverlessEndpoints":
        return {"inferenceEndpoint": {"uri": f"{call.base}/serverless/{name}"}, "endpointState": "Online"}
    return {"properties": {}}


def _require(call: Call) -> Resource:
    parent, kind, name = _locate(call)
    found = call.world.get(f"{parent}/{kind}/{name}")
    if found is None:
        raise _missing(call, f"{parent}/{kind}/{name}"[len(workspaces.require(call).id) + 1 :])
    return found


def _missing(call: Call, name: str) -> Refusal:
    return workspaces.not_found(
        f"{workspaces.WORKSPACE}/{call.route_params['workspace']}/{name}", call.route_params["group"]
    )
