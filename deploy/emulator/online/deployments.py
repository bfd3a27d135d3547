"""Managed online deployments: create, update, scale, read, list, delete, and their logs.

`quota.core_limits` reserves the cores, `workspace.registry` finds the model; the endpoint has the traffic.
"""

from __future__ import annotations

import math
from typing import Any

from deploy.emulator.online import deployment_body, endpoints, required_access, shared_quota
from deploy.emulator.quota import core_limits, limits
from deploy.emulator.runtime import container_logs, hosting
from deploy.emulator.runtime.code_spec import find_code, service_variables
from deploy.emulator.wire import fields, long_running, throttle, traffic_rules
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.paging import page
from deploy.emulator.wire.responses import (
    Answer,
    Json,
    arm_error,
    error_body,
    resource_not_found,
    timestamp,
    user_error,
)
from deploy.emulator.workspace import registry, workspaces
from deploy.emulator.world.store import Resource, World

KIND = endpoints.DEPLOYMENT_KIND
TYPE = f"{endpoints.TYPE}/deployments"
_COLLECTS = "2023-04-01-preview"
"""The first api-version with `dataCollector`; the published interface of older ones does not have it."""


def put(call: Call) -> Answer:
    """PUT: create or update. Always 201 and an operation, as on Azure."""
    endpoint, body = _parent(call), call.object()
    found = call.world.get(f"{endpoint.id}/deployments/{call.route_params['deployment']}")
    if endpoint.state != "Succeeded":
        verb = "create a deployment in" if found is None else "update a deployment of"
        endpoints.refuse_busy(endpoint, f"{verb} endpoint {endpoint.body['name']}")
        raise user_error(
            f"Cannot {verb} endpoint {endpoint.body['name']} because it is in {endpoint.state} provisioning state."
        )
    deployment = _create(call, endpoint, body) if found is None else _update(call.world, found, body)
    timing = call.world.timing
    _start(call, endpoint, deployment, timing.deployment_create if found is None else timing.deployment_update)
    headers = long_running.headers(call, deployment.private["operation"], deployment.location)
    where = f"{call.base}{deployment.body['id']}?api-version={call.version}"
    extra = {"Location": where, throttle.REQUESTS: "24"}
    return Answer(201, render(call, deployment), headers | extra)


def _create(call: Call, endpoint: Resource, body: dict[str, Json]) -> Resource:
    name = call.route_params["deployment"]
    if problem := traffic_rules.name_problem("deployment", name):
        raise user_error(problem)
    location = endpoints.region(body, endpoint.location)
    limits.check_deployment_limit(call.world, call.route_params["subscription"], endpoint)
    kind = (endpoint.body["identity"] or {}).get("type", "None")
    required_access.require_secret_store_access(call, workspaces.require(call), endpoint.properties["properties"], kind)
    properties = fields.mapping(body, "properties")
    size = deployment_body.supported_size(fields.text(properties, "instanceType"))
    if not core_limits.is_available(call.world, location, size):
        raise deployment_body.unsupported_size(size.name)
    requested, now = deployment_body.replaceable_properties(properties), timestamp(call.world.now())
    deployment_body.require_server(call.world, requested)
    identifier = f"{endpoint.body['id']}/deployments/{name}"
    return Resource(
        identifier, KIND, endpoint.id, name, location,
        {
            "id": identifier, "name": name, "type": TYPE,
            "properties": {
                "dataCollector": None, **requested, "instanceType": size.name, "provisioningState": "Creating",
                "properties": fields.texts(properties, "properties"),
            },
            "systemData": {"createdAt": now, "createdBy": call.caller.name, "lastModifiedAt": now},
            "tags": fields.texts(body, "tags"), "location": location, "kind": "Managed",
            "sku": deployment_body.sku(body, 1),
        },
        {},
    )  # fmt: skip


def _update(world: World, deployment: Resource, body: dict[str, Json]) -> Resource:
    endpoints.refuse_busy(deployment, f"update deployment {deployment.body['name']}")
    endpoints.region(body, deployment.location, deployment)
    properties = fields.mapping(body, "properties")
    # Azure ignores another instance type without an error. Properties can be added, not changed.
    merged = {**fields.texts(properties, "properties"), **deployment.properties["properties"]}
    requested = deployment_body.replaceable_properties(properties)
    deployment_body.require_server(world, requested)
    deployment.properties.update(requested, properties=merged, provisioningState="Updating")
    deployment.body["tags"] = fields.texts(body, "tags")
    deployment.body["sku"] = deployment_body.sku(body, deployment.body["sku"]["capacity"])
    return deployment


def patch(call: Call) -> Answer:
    """PATCH: tags and `sku.capacity`, nothing else. 202 and an operation; the answer is inferred from the endpoint's.

    `tags` replaces the whole map, as for an endpoint. Without a change of the capacity it takes the time of tags.
    """
    endpoint, deployment, body = endpoints.require(call), require(call), call.object()
    endpoints.refuse_busy(deployment, f"update deployment {deployment.body['name']}")
    if body.get("tags") is not None:
        deployment.body["tags"] = fields.texts(body, "tags")
    sku = deployment_body.sku(body, deployment.body["sku"]["capacity"])
    scaled, deployment.body["sku"] = sku != deployment.body["sku"], sku
    succeeded = deployment.state == "Succeeded"
    deployment.properties["provisioningState"] = "Updating"
    if scaled or not succeeded:
        _start(call, endpoint, deployment, call.world.timing.deployment_update)
    else:
        _begin(call, deployment, call.world.timing.tags, {"properties": {"provisioningState": "Succeeded"}})
    operation = deployment.private["operation"]
    headers = long_running.headers(call, operation, deployment.location, asynchronous=False, result=True)
    return Answer(202, headers=headers)


def get(call: Call) -> Answer:
    """GET one deployment."""
    return Answer(200, render(call, require(call)))


def listing(call: Call) -> Answer:
    """GET an endpoint's deployments, oldest first."""
    return page(call, call.world.children(endpoints.require(call).id, KIND), render)


def delete(call: Call) -> Answer:
    """DELETE: 202 and an operation; 204 when absent; refused while the deployment receives traffic."""
    endpoint = call.world.get(_endpoint_id(call))
    deployment = endpoint and call.world.get(f"{endpoint.id}/deployments/{call.route_params['deployment']}")
    if endpoint is None or deployment is None:
        workspaces.require(call)
        return Answer(204)
    if deployment.state != "Deleting":
        name = deployment.body["name"]
        endpoints.refuse_busy(endpoint, f"delete a deployment of endpoint {endpoint.body['name']}")
        endpoints.refuse_busy(deployment, f"delete deployment {name}")
        for kind in ("traffic", "mirrorTraffic"):
            if endpoint.properties[kind].get(name):
                share = endpoint.properties[kind][name]
                raise user_error(
                    f"Cannot delete deployment {name} because it receives {share} percent of the endpoint's "
                    f"{'live' if kind == 'traffic' else 'mirror'} traffic. Set its traffic to 0 first."
                )
        deployment.properties["provisioningState"] = "Deleting"
        _begin(call, deployment, call.world.timing.deployment_delete, {"remove": True})
    headers = long_running.headers(call, deployment.private["operation"], deployment.location, result=True)
    return Answer(202, b"", headers)


def logs(call: Call) -> Answer:
    """POST getLogs of one container: `InferenceServer` or `StorageInitializer`, the last `tail` lines."""
    deployment, body = require(call), call.object()
    container = fields.one_of(body, "containerType", container_logs.NAMES, container_logs.NAMES[0])
    lines = container_logs.lines(call.world, deployment, container)
    tail = fields.number(body, "tail", len(lines))
    return Answer(200, {"content": "".join(line + "\n" for line in lines[max(0, len(lines) - tail) :])})


def skus(call: Call) -> Answer:
    """GET skus: the range of the instance count."""
    deployment = require(call)
    capacity_range = {
        "minimum": deployment_body.INSTANCES.start,
        "maximum": deployment_body.INSTANCES.stop - 1,
        "default": deployment.body["sku"]["capacity"],
    }
    row = {
        "resourceType": "Microsoft.MachineLearning.Services/endpoints/deployments",
        "sku": {"name": "default", "tier": "Standard"},
        "capacity": {**capacity_range, "scaleType": "Automatic"},
    }
    return Answer(200, {"value": [row]})


def require(call: Call) -> Resource:
    """The deployment a request's path names; 404 otherwise."""
    endpoint = endpoints.require(call)
    found = call.world.get(f"{endpoint.id}/deployments/{call.route_params['deployment']}")
    if found is None:
        names = call.route_params
        endpoint_name = f"{workspaces.WORKSPACE}/{names['workspace']}/onlineEndpoints/{names['endpoint']}"
        raise resource_not_found(f"{endpoint_name}/deployments/{names['deployment']}", names["group"])
    return found


def render(call: Call, deployment: Resource) -> dict[str, Json]:
    """A deployment as returned to clients."""
    uri = long_running.url(call, deployment.private["operation"], deployment.location)
    properties = deployment.properties
    if call.version < _COLLECTS and properties["dataCollector"] is None:
        properties = {key: value for key, value in properties.items() if key != "dataCollector"}
    return {
        **deployment.body,
        "properties": {**properties, "properties": {**properties["properties"], "AzureAsyncOperationUri": uri}},
    }


def _parent(call: Call) -> Resource:
    workspaces.require(call)
    endpoint = call.world.get(_endpoint_id(call))
    if endpoint is None:
        raise arm_error(
            404, "ParentResourceNotFound",
            "Failed to perform 'write' on resource(s) of type 'workspaces/onlineEndpoints/deployments', because the "
            f"parent resource '{_endpoint_id(call)}' could not be found.",
        )  # fmt: skip
    return endpoint


def _endpoint_id(call: Call) -> str:
    names = call.route_params
    return (
        f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}/providers/{workspaces.WORKSPACE}"
        f"/{names['workspace']}/onlineEndpoints/{names['endpoint']}"
    )


def _start(call: Call, endpoint: Resource, deployment: Resource, seconds: float) -> None:
    """Reserve the cores and start the operation. Its result is decided now and visible at its end."""
    if not shared_quota.reserve(call.world, endpoint, deployment):  # shared quota does not count against a family
        size = deployment_body.supported_size(deployment.properties["instanceType"])
        subscription = call.route_params["subscription"]
        core_limits.reserve(
            call.world, subscription, deployment.location, deployment.id, size, deployment.body["sku"]["capacity"]
        )
    error = _failure(call, deployment) or required_access.access_error(
        call, workspaces.require(call), endpoint, deployment
    )
    effect: dict[str, Any] = {"properties": {"provisioningState": "Failed" if error else "Succeeded"}}
    if error is None:
        variables = service_variables(call.world, deployment) | deployment.properties["environmentVariables"]
        effect["properties"]["environmentVariables"] = variables
    now = call.world.now()
    deployment.body["systemData"]["lastModifiedAt"] = timestamp(now)
    deployment.private["pod"] = [now, now + seconds]
    if error is None and find_code(call.world, deployment) is not None:
        effect |= hosting.effect(deployment, now + seconds)
        seconds = math.inf
    _begin(call, deployment, seconds, effect, error)


def _failure(call: Call, deployment: Resource) -> Json:
    """The error of the operation: the first missing asset. Environments in registries are not checked."""
    properties = deployment.properties
    code = (properties["codeConfiguration"] or {}).get("codeId")
    for kind, asset in (("model", properties["model"]), ("environment", properties["environmentId"]), ("code", code)):
        local = asset is not None and asset.startswith("/subscriptions/")
        if asset is not None and (local or kind == "model") and registry.resolve(call.world, asset) is None:
            return error_body(
                "ResourceNotFound",
                f"The {kind} '{asset}' was not found. Please see troubleshooting guide, available here: "
                "https://aka.ms/oe-tsg#error-resourcenotfound",
            )
    return None


def _begin(call: Call, deployment: Resource, seconds: float, effect: dict[str, Any], error: Json = None) -> None:
    deployment.private["operation"] = long_running.begin(
        call.world, long_running.DEPLOYMENT, deployment, seconds, effect, error
    )
    call.world.save(deployment)
