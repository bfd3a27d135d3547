"""Online endpoints: create, update, read, list, delete."""

from __future__ import annotations

import secrets
from typing import Any

from deploy.emulator.online import endpoint_identity, shared_quota
from deploy.emulator.quota import limits
from deploy.emulator.wire import fields, long_running, traffic_rules
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.paging import page
from deploy.emulator.wire.responses import (
    Answer,
    Json,
    location_required,
    ml_error,
    other_location,
    resource_not_found,
    timestamp,
    user_error,
)
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource

KIND = "endpoint"
DEPLOYMENT_KIND = "deployment"
TYPE = f"{workspaces.WORKSPACE}/onlineEndpoints"
BUSY = ("Creating", "Updating", "Deleting")
AUTH_MODES = ("AMLToken", "Key", "AADToken")


def put(call: Call) -> Answer:
    """PUT: create or update. 201 and an operation.

    The 201 of a creation has neither identity nor region nor systemData (recorded with api-version 2024-04-01; one of
    azure-ai-ml with 2022-02-01-preview has them): clients read them with a GET.
    """
    workspace = workspaces.require(call)
    body = call.object()
    found = call.world.get(f"{workspace.id}/onlineEndpoints/{call.route_params['endpoint']}")
    endpoint = _create(call, workspace, body) if found is None else _update(call, found, body)
    operation = endpoint.private["operation"]
    where = {"Location": call.base + endpoint.body["id"] + f"?api-version={call.version}"}
    shown = render(call, endpoint)
    if found is None:
        shown = {key: value for key, value in shown.items() if key not in ("identity", "location")}
        shown["systemData"] = {}
        shown["properties"]["properties"].pop("azureml.onlineendpointid")
    return Answer(201, shown, long_running.headers(call, operation, endpoint.location) | where)


def _create(call: Call, workspace: Resource, body: dict[str, Json]) -> Resource:
    name = call.route_params["endpoint"]
    if problem := traffic_rules.name_problem("endpoint", name):
        raise user_error(problem)
    location = region(body, workspace.location)
    if call.world.find_by_name(KIND, location, name) is not None:
        raise user_error(
            f"An endpoint with this name already exists: {name}. Endpoint names must be unique in a region, {location}."
        )
    properties = fields.mapping(body, "properties")
    _refuse_kubernetes(properties, workspace)
    limits.check_endpoint_limit(call.world, call.route_params["subscription"], location)
    requested = _requested(body, properties)
    live, mirror = requested.pop("traffic"), requested.pop("mirrorTraffic")
    if problem := traffic_rules.traffic_problem(live, mirror, {}, {}):
        raise user_error(problem)
    now = timestamp(call.world.now())
    identifier = f"{workspace.body['id']}/onlineEndpoints/{name}"
    user_properties = shared_quota.supported_properties(call, fields.texts(properties, "properties"))
    identity = endpoint_identity.new_identity(
        call, identifier, workspace, fields.mapping(body, "identity"), user_properties
    )
    endpoint = Resource(
        identifier, KIND, workspace.id, name, location,
        {
            "id": identifier, "name": name, "type": TYPE,
            "properties": {
                **requested, "compute": None, "traffic": {}, "mirrorTraffic": {}, "provisioningState": "Creating",
                "properties": {**user_properties, "azureml.onlineendpointid": identifier.lower()},
            },
            "systemData": {"createdAt": now, "createdBy": call.caller.name, "lastModifiedAt": now},
            "tags": fields.texts(body, "tags"), "location": location, "kind": "Managed", "identity": identity,
        },
        {**_keys(properties), "ready": False},
    )  # fmt: skip
    effect = {"properties": {"provisioningState": "Succeeded"}, "private": {"ready": True}}
    shared_quota.schedule_deletion(call.world, endpoint)
    return _begin(call, endpoint, call.world.timing.endpoint_create, effect)


def _keys(properties: dict[str, Json]) -> dict[str, Any]:
    """The keys in the body of a creation, or new ones. Source: the OpenAPI document (`keys` can be set at creation and
    are returned as null), not a recording.
    """
    assignments = fields.mapping(properties, "keys")
    return {part: fields.text(assignments, part) or secrets.token_hex(16) for part in ("primaryKey", "secondaryKey")}


def _update(call: Call, endpoint: Resource, body: dict[str, Json]) -> Resource:
    refuse_busy(endpoint, f"update endpoint {endpoint.body['name']}")
    region(body, endpoint.location, endpoint)
    properties = fields.mapping(body, "properties")
    requested = _requested(body, properties)
    if body.get("identity") is not None:
        endpoint_identity.same_identity(endpoint.body["identity"], fields.mapping(body, "identity"))
    live, mirror = _checked_traffic(call, endpoint, requested.pop("traffic"), requested.pop("mirrorTraffic"))
    # Properties can be added, not changed or removed: existing values win.
    merged = {**fields.texts(properties, "properties"), **endpoint.properties["properties"]}
    shared_quota.require_same(endpoint.properties["properties"], merged)
    endpoint.properties.update(requested, properties=merged, provisioningState="Updating")
    endpoint.body["tags"] = fields.texts(body, "tags")
    endpoint.body["systemData"]["lastModifiedAt"] = timestamp(call.world.now())
    # The old traffic applies, and is shown, until the end of the operation.
    effect = {
        "properties": {"provisioningState": "Succeeded", "traffic": live, "mirrorTraffic": mirror},
        "private": {"ready": True},
    }
    return _begin(call, endpoint, call.world.timing.endpoint_update, effect)


def patch(call: Call) -> Answer:
    """PATCH: tags only, as the published shape allows (the identity cannot change). 202 with Location only (recorded).

    `tags` replaces the whole map: that is the Resource Manager's contract, and not proved for this resource provider.
    The operation takes its recorded time, `Updating` meanwhile, and does not change `lastModifiedAt`.
    """
    endpoint = require(call)
    body = call.object()
    refuse_busy(endpoint, f"update endpoint {endpoint.body['name']}")
    if body.get("identity") is not None:
        endpoint_identity.same_identity(endpoint.body["identity"], fields.mapping(body, "identity"))
    if body.get("tags") is not None:
        endpoint.body["tags"] = fields.texts(body, "tags")
    endpoint.properties["provisioningState"] = "Updating"
    _begin(call, endpoint, call.world.timing.tags, {"properties": {"provisioningState": "Succeeded"}})
    operation = endpoint.private["operation"]
    return Answer(
        202, headers=long_running.headers(call, operation, endpoint.location, asynchronous=False, result=True)
    )


def get(call: Call) -> Answer:
    """GET one endpoint."""
    return Answer(200, render(call, require(call)))


def listing(call: Call) -> Answer:
    """GET the workspace's endpoints, newest first."""
    workspace = workspaces.require(call)
    found = call.world.children(workspace.id, KIND)[::-1]
    return page(call, found, render)


def delete(call: Call) -> Answer:
    """DELETE with everything below: 202 and an operation; 204 when there is nothing to delete."""
    workspace = workspaces.require(call)
    endpoint = call.world.get(f"{workspace.id}/onlineEndpoints/{call.route_params['endpoint']}")
    if endpoint is None:
        return Answer(204)
    if endpoint.state == "Deleting":
        operation = endpoint.private["operation"]
    else:
        refuse_busy(endpoint, f"delete endpoint {endpoint.body['name']}")
        for resource in (*call.world.children(endpoint.id, DEPLOYMENT_KIND), endpoint):
            long_running.cancel(call.world, resource.id)
            resource.properties["provisioningState"] = "Deleting"
            call.world.save(resource)
        _begin(call, endpoint, call.world.timing.endpoint_delete, {"remove": True})
        operation = endpoint.private["operation"]
    headers = long_running.headers(call, operation, endpoint.location, result=True)
    return Answer(202, b"null", headers | {"Content-Type": "application/json; charset=utf-8"})


def require(call: Call) -> Resource:
    """The endpoint a request's path names; 404 otherwise."""
    workspace = workspaces.require(call)
    found = call.world.get(f"{workspace.id}/onlineEndpoints/{call.route_params['endpoint']}")
    if found is None:
        name = (
            f"{workspaces.WORKSPACE}/{call.route_params['workspace']}/onlineEndpoints/{call.route_params['endpoint']}"
        )
        raise resource_not_found(name, call.route_params["group"])
    return found


def render(call: Call, endpoint: Resource) -> dict[str, Json]:
    """An endpoint as returned to clients; its URLs are those of the server that answers."""
    properties = endpoint.properties
    where = f"{call.base}/inference/{endpoint.location}/{endpoint.body['name']}" if endpoint.private["ready"] else None
    uri = long_running.url(call, endpoint.private["operation"], endpoint.location)
    shown = {
        **properties,
        "scoringUri": where and f"{where}/score",
        "swaggerUri": where and f"{where}/swagger.json",
        "properties": {**properties["properties"], "AzureAsyncOperationUri": uri},
    }
    return {**endpoint.body, "properties": shown}


def region(body: dict[str, Json], location: str, existing: Resource | None = None) -> str:
    """The location in a body; it must be that of the parent, or of the resource itself."""
    requested = fields.text(body, "location")
    if requested is None:
        raise location_required()
    if requested.replace(" ", "").lower() == location:
        return location
    if existing is None:
        raise user_error(f"The location '{requested}' is not that of the workspace, '{location}'.")
    raise other_location(existing.body["name"], location, requested)


def refuse_busy(resource: Resource, what: str) -> None:
    """409 while an operation is in progress on a resource."""
    if resource.state in BUSY:
        raise ml_error(409, "Conflict", f"Cannot {what} because it is in {resource.state} provisioning state.")


def _refuse_kubernetes(properties: dict[str, Json], workspace: Resource) -> None:
    """Refuse a Kubernetes endpoint: its compute cannot exist here."""
    if compute := fields.text(properties, "compute"):
        raise user_error(
            f"The Kubernetes compute '{compute.rpartition('/')[2]}' was not found in workspace "
            f"'{workspace.body['name']}'. Attach it to the workspace first."
        )


def _requested(body: dict[str, Json], properties: dict[str, Json]) -> dict[str, Any]:
    fields.texts(body, "tags")
    fields.texts(properties, "properties")
    return {
        "description": fields.text(properties, "description"),
        "authMode": fields.one_of(properties, "authMode", AUTH_MODES),
        "publicNetworkAccess": fields.one_of(properties, "publicNetworkAccess", ("Enabled", "Disabled"), "Enabled"),
        "traffic": fields.shares(properties, "traffic"),
        "mirrorTraffic": fields.shares(properties, "mirrorTraffic"),
    }


def _checked_traffic(
    call: Call, endpoint: Resource, live: dict[str, int], mirror: dict[str, int]
) -> tuple[dict[str, int], ...]:
    deployments = {found.name: found for found in call.world.children(endpoint.id, DEPLOYMENT_KIND)}
    ready = {name: found.state == "Succeeded" for name, found in deployments.items()}
    current = {name.lower(): share for name, share in endpoint.properties["traffic"].items()}
    served = {key: current.get(key.lower(), 0) for key in live if ready.get(key.lower()) is False}
    served = {key: share for key, share in served.items() if deployments[key.lower()].state == "Updating"}
    if problem := traffic_rules.traffic_problem(live, mirror, ready, served):
        raise user_error(problem)
    return tuple(
        {deployments[n.lower()].body["name"]: share for n, share in shares.items()} for shares in (live, mirror)
    )


def _begin(call: Call, endpoint: Resource, seconds: float, effect: dict[str, Any]) -> Resource:
    endpoint.private["operation"] = long_running.begin(call.world, long_running.ENDPOINT, endpoint, seconds, effect)
    call.world.save(endpoint)
    return endpoint
