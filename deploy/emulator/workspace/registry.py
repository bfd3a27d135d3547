"""Registries: discovery, and model versions on the registry's data plane. Read only.

`resolve` finds the model of a deployment, in a registry or in the workspace.
"""

from __future__ import annotations

import re

from deploy.emulator.wire import paging
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, ml_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.workspace.asset_body import KINDS
from deploy.emulator.world.store import Resource, World

_REGISTRY_MODEL = re.compile(r"azureml://registries/([^/]+)/models/([^/]+)/(versions|labels)/([^/]+)", re.IGNORECASE)


def discovery(call: Call) -> Answer:
    """GET discovery: the registry's group and subscription, with the emulator's address as its primary region."""
    registry = _registry(call)
    return Answer(
        200,
        {
            "registryName": registry.body["name"],
            "primaryRegion": registry.location,
            "primaryRegionResourceProviderUri": f"{call.base}/",
            "resourceGroup": registry.private["group"],
            "subscriptionId": registry.private["subscription"],
            "storageAccountName": registry.private["storage"],
            "additionalRegions": [registry.location],
        },
    )


def get(call: Call) -> Answer:
    """GET a registry."""
    return Answer(200, _registry(call).body)


def model(call: Call) -> Answer:
    """GET a model's container, with its latest and next version."""
    versions = _versions(call)
    latest = max(versions, key=_number)
    return Answer(
        200,
        {
            "id": latest.body["id"].rpartition("/versions/")[0],
            "name": call.route_params["model"],
            "type": f"{workspaces.PROVIDER}/registries/models",
            "properties": {
                "description": latest.properties["description"], "tags": {}, "properties": {}, "isArchived": False,
                "latestVersion": latest.body["name"], "nextVersion": str(_number(latest) + 1),
            },
            "systemData": latest.body["systemData"],
        },
    )  # fmt: skip


def models(call: Call) -> Answer:
    """GET the models of a registry."""
    registry = _registry(call)
    names = {found.private["model"]: found for found in call.world.children(registry.id, "model")}
    rows = [
        {
            "id": found.body["id"].rpartition("/versions/")[0], "name": name,
            "type": found.body["type"].removesuffix("/versions"), "systemData": found.body["systemData"],
            "properties": {"latestVersion": found.body["name"], "isArchived": False},
        }
        for name, found in sorted(names.items())
    ]  # fmt: skip
    return Answer(200, {"value": rows})


def version(call: Call) -> Answer:
    """GET one version of a model."""
    requested = call.route_params["version"]
    for found in _versions(call):
        if found.body["name"] == requested:
            return Answer(200, found.body)
    model = call.route_params["model"]
    raise _missing(f"The model {model} has no version {requested} in registry {call.route_params['registry']}.")


def versions(call: Call) -> Answer:
    """GET the versions of a model, newest first; `$top` limits."""
    found = sorted(_versions(call), key=_number, reverse=True)
    return Answer(200, {"value": [item.body for item in found[: paging.number(call, "$top", len(found))]]})


def resolve(world: World, identifier: str) -> Resource | None:
    """The asset that a deployment names: `azureml://registries/R/models/M/versions/V` (or a label), or the ARM id of a
    version in a workspace.
    """
    match = _REGISTRY_MODEL.fullmatch(identifier)
    if match is None:
        found_here = world.get(identifier)
        return found_here if found_here is not None and found_here.kind in KINDS else None
    registry, name, kind, which = match.groups()
    found = [
        item
        for item in world.children(f"/registries/{registry}", "model")
        if item.private["model"] == name and (kind.lower() == "labels" or item.body["name"] == which)
    ]
    if kind.lower() == "labels" and which.lower() != "latest":
        return None
    return max(found, key=_number, default=None)


def _registry(call: Call) -> Resource:
    found = call.world.get(f"/registries/{call.route_params['registry']}")
    if found is None:
        raise _missing(f"There is no registry with name {call.route_params['registry']}.")
    return found


def _versions(call: Call) -> list[Resource]:
    name = call.route_params["model"]
    found = [item for item in call.world.children(_registry(call).id, "model") if item.private["model"] == name]
    if not found:
        raise _missing(f"There is no model with name {name} in registry {call.route_params['registry']}.")
    return found


def _number(item: Resource) -> int:
    return int(item.body["name"])


def _missing(message: str) -> Exception:
    return ml_error(404, "NotFound", "The specified resource was not found.", ("ResourceNotFound", message))


def model_body(registry: str, group: str, subscription: str, name: str, number: int, facts: Json) -> dict[str, Json]:
    """The ARM body of a registry model version; `facts` are its description, tags and properties."""
    moment = "2026-07-23T00:00:00.0000000+00:00"
    return {
        "id": f"azureml://registries/{registry}/models/{name}/versions/{number}",
        "name": str(number),
        "type": f"{workspaces.PROVIDER}/registries/models/versions",
        "properties": {
            "description": facts["description"], "tags": facts["tags"], "properties": facts["properties"],
            "isArchived": False, "isAnonymous": False, "flavors": {}, "modelType": "mlflow_model",
            "modelUri": f"azureml://subscriptions/{subscription}/resourceGroups/{group}/registries/{registry}"
            f"/models/{name}/versions/{number}",
            "provisioningState": "Succeeded", "stage": None, "jobName": None,
        },
        "systemData": {"createdAt": moment, "createdBy": "Microsoft", "lastModifiedAt": moment},
    }  # fmt: skip
