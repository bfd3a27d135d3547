"""The body of a deployment: validate a request body and add the service's defaults."""

from __future__ import annotations

from typing import Any

from deploy.emulator.quota import vm_sizes
from deploy.emulator.wire import fields
from deploy.emulator.wire.responses import Json, Refusal, ml_error, user_error
from deploy.emulator.workspace.asset_body import KINDS
from deploy.emulator.world import durations
from deploy.emulator.world.store import World

INSTANCES = range(1, 51)
_PROBE = {"failureThreshold": 30, "successThreshold": 1, "timeout": "PT2S", "period": "PT10S", "initialDelay": "PT10S"}
_WHOLE = ("failureThreshold", "successThreshold")
_REQUESTS = {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}


def replaceable_properties(properties: dict[str, Json]) -> dict[str, Any]:
    """The properties that an update replaces. A missing one gets its default."""
    model, environment = fields.text(properties, "model"), fields.text(properties, "environmentId")
    if not model and not environment:
        raise user_error("A deployment needs a model, or an environment with its own server.")
    if fields.one_of(properties, "endpointComputeType", ("Managed", "Kubernetes"), "Managed") == "Kubernetes":
        raise user_error(
            "The endpointComputeType 'Kubernetes' does not match the endpoint's, which is 'Managed'. "
            "A Kubernetes deployment needs an endpoint on an attached Kubernetes compute."
        )
    code, scale = fields.mapping(properties, "codeConfiguration"), fields.mapping(properties, "scaleSettings")
    return {
        "description": fields.text(properties, "description"),
        "model": model,
        "environmentId": environment,
        "codeConfiguration": {k: fields.text(code, k) for k in ("codeId", "scoringScript")} if code else None,
        "environmentVariables": fields.texts(properties, "environmentVariables"),
        "appInsightsEnabled": fields.flag(properties, "appInsightsEnabled", False),
        "scaleSettings": {"scaleType": fields.one_of(scale, "scaleType", ("Default",), "Default")},
        "requestSettings": {**_REQUESTS, **_group(properties, "requestSettings")},
        "livenessProbe": {**_PROBE, **_group(properties, "livenessProbe")},
        "readinessProbe": {**_PROBE, **_group(properties, "readinessProbe")},
        "endpointComputeType": "Managed",
        "egressPublicNetworkAccess": fields.one_of(
            properties, "egressPublicNetworkAccess", ("Enabled", "Disabled"), "Enabled"
        ),
        "modelMountPath": fields.text(properties, "modelMountPath"),
        **{key: fields.mapping(properties, key) for key in ("dataCollector",) if properties.get(key)},
    }


def require_server(world: World, properties: dict[str, Json]) -> None:
    """Refuse a deployment without a scoring server. The answer is published for a custom model with an environment
    without inference_config; that to code without an environment is unknown.

    Assets that are missing here are not judged: those of registries, and those that make the operation fail.
    """
    code = (properties["codeConfiguration"] or {}).get("codeId")
    model, environment = (_asset(world, properties[key]) for key in ("model", "environmentId"))
    if code:
        serves = bool(properties["environmentId"])
    elif properties["model"] and (model is None or model.get("modelType") != "custom_model"):
        serves = True
    else:
        found = properties["environmentId"] and environment is None
        serves = bool(found or (environment or {}).get("inferenceConfig"))
    if not serves:
        missing = ("MissingDriverProgram", "Could not find driver program in the request.")
        raise ml_error(400, "BadRequest", "The request is invalid.", missing)


def _asset(world: World, identifier: str | None) -> dict[str, Json] | None:
    """The properties of an asset of the workspace; None if it is elsewhere or missing."""
    found = world.get(identifier) if identifier else None
    return found.properties if found and found.kind in KINDS else None


def _group(properties: dict[str, Json], key: str) -> dict[str, Json]:
    """A validated group of settings: integers of at least 1, and durations."""
    group = {name: value for name, value in fields.mapping(properties, key).items() if value is not None}
    for name, value in group.items():
        if name in (*_WHOLE, "maxConcurrentRequestsPerInstance"):
            if fields.number(group, name, 1) < 1:
                raise user_error(f"The value of '{name}' in '{key}' is {value}; it must be at least 1.")
        elif name in (*_PROBE, *_REQUESTS) and not durations.readable(fields.text(group, name) or ""):
            raise user_error(f"The value '{value}' of '{name}' in '{key}' is not a duration such as PT5S.")
    return group


def sku(body: dict[str, Json], default: int) -> dict[str, Json]:
    """`sku` with its capacity, the number of instances: 1 to 50."""
    count = fields.number(fields.mapping(body, "sku"), "capacity", default)
    if count not in INSTANCES:
        raise user_error(f"The instance count {count} is invalid. It must be between 1 and {INSTANCES.stop - 1}.")
    return {"name": "Default", "tier": "Standard", "capacity": count}


def supported_size(name: str | None) -> vm_sizes.Size:
    """The VM size of an `instanceType`; refused when managed online endpoints do not support it."""
    if name is None:
        raise user_error("The field 'instanceType' is required.")
    size = vm_sizes.find(name)
    if size is None or not size.supports_endpoints:
        raise unsupported_size(name)
    return size


def unsupported_size(name: str) -> Refusal:
    """400 for a VM size that managed online endpoints or the region do not support."""
    return user_error(
        f"The instance type '{name}' is not supported by managed online endpoints. "
        "See https://aka.ms/managed-online-endpoints-vm-sku-list."
    )
