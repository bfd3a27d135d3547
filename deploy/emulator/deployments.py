"""Managed online deployments: create, update, scale, read, list, delete, and their logs.

It asks `capacity` for cores and `registry` for the model; who gets traffic is the endpoint's business.
"""

from __future__ import annotations

from typing import Any

from deploy.emulator import capacity, catalog, containers, endpoints, operations, registry, shapes, traffic, workspaces
from deploy.emulator.paging import page
from deploy.emulator.wire import Answer, Call, Json, failure, gateway, timestamp, user_error
from deploy.emulator.world import Resource

KIND = endpoints.DEPLOYMENT_KIND
TYPE = f"{endpoints.TYPE}/deployments"
INSTANCES = range(1, 51)
SHARED = "sharedcomputecapacityenabled"
_PROBE = {"failureThreshold": 30, "successThreshold": 1, "timeout": "PT2S", "period": "PT10S", "initialDelay": "PT10S"}
_REQUESTS = {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}


def put(call: Call) -> Answer:
    """PUT: create, or replace what may be replaced. Always 201 and an operation, as Azure answers."""
    endpoint, body = _parent(call), call.object()
    found = call.world.get(f"{endpoint.id}/deployments/{call.path['deployment']}")
    if endpoint.state != "Succeeded":
        verb = "create a deployment in" if found is None else "update a deployment of"
        endpoints.refuse_busy(endpoint, f"{verb} endpoint {endpoint.body['name']}")
        raise user_error(
            f"Cannot {verb} endpoint {endpoint.body['name']} because it is in {endpoint.state} provisioning state."
        )
    deployment = _create(call, endpoint, body) if found is None else _update(call, found, body)
    _start(call, endpoint, deployment, created=found is None)
    headers = operations.headers(call, deployment.private["operation"], deployment.location)
    where = f"{call.base}{deployment.body['id']}?api-version={call.query['api-version']}"
    extra = {"Location": where, "x-ms-ratelimit-remaining-subscription-resource-requests": "24"}
    return Answer(201, render(call, deployment), headers | extra)


def _create(call: Call, endpoint: Resource, body: dict[str, Json]) -> Resource:
    name = call.path["deployment"]
    if trouble := traffic.name_problem("deployment", name):
        raise user_error(trouble)
    location = endpoints.region(body, endpoint.location)
    properties = shapes.mapping(body, "properties")
    size = _size(shapes.text(properties, "instanceType"))
    wanted, now = _wanted(properties), timestamp(call.world.now())
    identifier = f"{endpoint.body['id']}/deployments/{name}"
    return Resource(
        identifier, KIND, endpoint.id, name, location,
        {
            "id": identifier, "name": name, "type": TYPE,
            "properties": {
                **wanted, "instanceType": size.name, "provisioningState": "Creating",
                "properties": shapes.texts(properties, "properties"),
            },
            "systemData": {"createdAt": now, "createdBy": call.caller.name, "lastModifiedAt": now},
            "tags": shapes.texts(body, "tags"), "location": location, "kind": "Managed", "sku": _sku(body, 1),
        },
        {},
    )  # fmt: skip


def _update(call: Call, deployment: Resource, body: dict[str, Json]) -> Resource:
    endpoints.refuse_busy(deployment, f"update deployment {deployment.body['name']}")
    endpoints.region(body, deployment.location, deployment)
    properties = shapes.mapping(body, "properties")
    # The service accepts another instance type and quietly keeps the one it has; properties are add-only likewise.
    kept = {**shapes.texts(properties, "properties"), **deployment.properties["properties"]}
    deployment.properties.update(_wanted(properties), properties=kept, provisioningState="Updating")
    deployment.body["tags"] = shapes.texts(body, "tags")
    deployment.body["sku"] = _sku(body, deployment.body["sku"]["capacity"])
    return deployment


def patch(call: Call) -> Answer:
    """PATCH: tags and `sku.capacity`, nothing else. 202 and an operation."""
    endpoint, deployment, body = endpoints.require(call), require(call), call.object()
    endpoints.refuse_busy(deployment, f"update deployment {deployment.body['name']}")
    deployment.body["tags"] = {**deployment.body["tags"], **shapes.texts(body, "tags")}
    deployment.body["sku"] = _sku(body, deployment.body["sku"]["capacity"])
    deployment.properties["provisioningState"] = "Updating"
    _start(call, endpoint, deployment, created=False)
    headers = operations.headers(call, deployment.private["operation"], deployment.location, result=True)
    return Answer(202, render(call, deployment), headers)


def get(call: Call) -> Answer:
    """GET one deployment."""
    return Answer(200, render(call, require(call)))


def listing(call: Call) -> Answer:
    """GET an endpoint's deployments, oldest first."""
    return page(call, call.world.children(endpoints.require(call).id, KIND), render)


def delete(call: Call) -> Answer:
    """DELETE: 202 and an operation; 204 when absent; refused while callers are served by it."""
    endpoint = call.world.get(_endpoint_id(call))
    deployment = endpoint and call.world.get(f"{endpoint.id}/deployments/{call.path['deployment']}")
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
    return Answer(202, b"", operations.headers(call, deployment.private["operation"], deployment.location, result=True))


def logs(call: Call) -> Answer:
    """POST getLogs of one container: `InferenceServer` or `StorageInitializer`, the last `tail` lines."""
    deployment, body = require(call), call.object()
    container = shapes.one_of(body, "containerType", containers.NAMES, containers.NAMES[0])
    lines = containers.lines(call.world, deployment, container)
    tail = shapes.number(body, "tail", len(lines))
    return Answer(200, {"content": "".join(line + "\n" for line in lines[max(0, len(lines) - tail) :])})


def skus(call: Call) -> Answer:
    """GET skus: how far the deployment can be scaled."""
    deployment = require(call)
    capacity_range = {
        "minimum": INSTANCES.start,
        "maximum": INSTANCES.stop - 1,
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
    found = call.world.get(f"{endpoint.id}/deployments/{call.path['deployment']}")
    if found is None:
        names = call.path
        name = f"{workspaces.WORKSPACE}/{names['workspace']}/onlineEndpoints/{names['endpoint']}/deployments/{names['deployment']}"
        raise workspaces.not_found(name, names["group"])
    return found


def render(call: Call, deployment: Resource) -> dict[str, Json]:
    """A deployment as callers see it."""
    uri = operations.url(call, deployment.private["operation"], deployment.location)
    properties = deployment.properties
    return {
        **deployment.body,
        "properties": {**properties, "properties": {**properties["properties"], "AzureAsyncOperationUri": uri}},
    }


def _parent(call: Call) -> Resource:
    workspaces.require(call)
    endpoint = call.world.get(_endpoint_id(call))
    if endpoint is None:
        raise gateway(
            404, "ParentResourceNotFound",
            "Failed to perform 'write' on resource(s) of type 'workspaces/onlineEndpoints/deployments', because the "
            f"parent resource '{_endpoint_id(call)}' could not be found.",
        )  # fmt: skip
    return endpoint


def _endpoint_id(call: Call) -> str:
    names = call.path
    return (
        f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}/providers/{workspaces.WORKSPACE}"
        f"/{names['workspace']}/onlineEndpoints/{names['endpoint']}"
    )


def _wanted(properties: dict[str, Json]) -> dict[str, Any]:
    model, environment = shapes.text(properties, "model"), shapes.text(properties, "environmentId")
    if not model and not environment:
        raise user_error("A deployment needs a model, or an environment with its own server.")
    code = shapes.mapping(properties, "codeConfiguration")
    return {
        "description": shapes.text(properties, "description"),
        "model": model,
        "environmentId": environment,
        "codeConfiguration": {k: shapes.text(code, k) for k in ("codeId", "scoringScript")} if code else None,
        "environmentVariables": shapes.texts(properties, "environmentVariables"),
        "appInsightsEnabled": shapes.flag(properties, "appInsightsEnabled", False),
        "scaleSettings": {"scaleType": _scale_type(shapes.mapping(properties, "scaleSettings"))},
        "requestSettings": {**_REQUESTS, **_given(properties, "requestSettings")},
        "livenessProbe": {**_PROBE, **_given(properties, "livenessProbe")},
        "readinessProbe": {**_PROBE, **_given(properties, "readinessProbe")},
        "endpointComputeType": shapes.one_of(properties, "endpointComputeType", ("Managed",), "Managed"),
        "egressPublicNetworkAccess": shapes.one_of(
            properties, "egressPublicNetworkAccess", ("Enabled", "Disabled"), "Enabled"
        ),
        "privateNetworkConnection": shapes.flag(properties, "privateNetworkConnection", False),
        "modelMountPath": shapes.text(properties, "modelMountPath"),
    }


def _given(properties: dict[str, Json], key: str) -> dict[str, Json]:
    return {name: value for name, value in shapes.mapping(properties, key).items() if value is not None}


def _scale_type(settings: dict[str, Json]) -> str:
    return shapes.one_of(settings, "scaleType", ("Default",), "Default")


def _sku(body: dict[str, Json], default: int) -> dict[str, Json]:
    count = shapes.number(shapes.mapping(body, "sku"), "capacity", default)
    if count not in INSTANCES:
        raise user_error(f"The instance count {count} is invalid. It must be between 1 and {INSTANCES.stop - 1}.")
    return {"name": "Default", "tier": "Standard", "capacity": count}


def _size(name: str | None) -> catalog.Size:
    if name is None:
        raise user_error("The field 'instanceType' is required.")
    size = catalog.find(name)
    if size is None or not size.served:
        raise user_error(
            f"The instance type '{name}' is not supported by managed online endpoints. "
            "See https://aka.ms/managed-online-endpoints-vm-sku-list."
        )
    return size


def _start(call: Call, endpoint: Resource, deployment: Resource, *, created: bool) -> None:
    """Hold the cores and begin the operation, whose end is decided now and seen later."""
    timing = call.world.timing
    shared = any(k.lower() == SHARED and v.lower() == "true" for k, v in endpoint.properties["properties"].items())
    if not shared:  # shared quota is a pool of its own and never counts against a family
        size = _size(deployment.properties["instanceType"])
        subscription = call.path["subscription"]
        capacity.reserve(
            call.world, subscription, deployment.location, deployment.id, size, deployment.body["sku"]["capacity"]
        )
    error = _failure(call, deployment)
    effect = {"properties": {"provisioningState": "Failed" if error else "Succeeded"}}
    deployment.body["systemData"]["lastModifiedAt"] = timestamp(call.world.now())
    _begin(call, deployment, timing.deployment_create if created else timing.deployment_update, effect, error)


def _failure(call: Call, deployment: Resource) -> Json:
    model = deployment.properties["model"]
    if model is None or registry.resolve(call.world, model) is not None:
        return None
    return failure(
        "ResourceNotFound",
        f"The model '{model}' was not found. Please see troubleshooting guide, available here: "
        "https://aka.ms/oe-tsg#error-resourcenotfound",
    )


def _begin(call: Call, deployment: Resource, seconds: float, effect: dict[str, Any], error: Json = None) -> None:
    deployment.private["operation"] = operations.begin(
        call.world, operations.DEPLOYMENT, deployment, seconds, effect, error
    )
    call.world.save(deployment)
