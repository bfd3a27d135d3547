"""The specification of a scoring server with the user's code: interpreter, files, variables, probes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deploy.emulator.runtime import interpreter
from deploy.emulator.storage import accounts
from deploy.emulator.wire.responses import Json
from deploy.emulator.workspace import registry
from deploy.emulator.world.durations import seconds
from deploy.emulator.world.store import Resource, World

_STORED = re.compile(r"https?://[^?]*?/([^/]+)\.blob\.core\.windows\.net/([^?]+?)/*(?:\?.*)?")
_APP = "/var/azureml-app"
SERVICE_VARIABLES = frozenset({"AZUREML_MODEL_DIR", "AZUREML_ENTRY_SCRIPT", "AML_APP_ROOT"})
_DATASTORE = re.compile(r"azureml://.*?/datastores/([^/]+)/paths/(.+?)/*", re.IGNORECASE)


def find_code(world: World, deployment: Resource) -> Resource | None:
    """The code asset of a deployment with its own scoring script; None without one, or when it is not in this world."""
    code = deployment.properties["codeConfiguration"] or {}
    return world.get(code["codeId"]) if code.get("codeId") and code.get("scoringScript") else None


def service_variables(world: World, deployment: Resource) -> dict[str, str]:
    """The environment variables that the service adds to a deployment with code when it succeeds (recorded).

    A value in the request wins, and without a model there is no AZUREML_MODEL_DIR: both are inferred.
    """
    code, properties = find_code(world, deployment), deployment.properties
    if code is None:
        return {}
    root = str(code.properties.get("codeUri") or "").partition("?")[0].rstrip("/").rpartition("/")[2]
    found = {"AZUREML_ENTRY_SCRIPT": properties["codeConfiguration"]["scoringScript"], "AML_APP_ROOT": f"{_APP}/{root}"}
    model = registry.resolve(world, properties["model"]) if properties["model"] else None
    if model is not None:
        mount = properties["modelMountPath"] or f"{_APP}/azureml-models"
        found["AZUREML_MODEL_DIR"] = f"{mount}/{_model_name(properties['model'])}/{model.body['name']}"
    return found


def _model_name(identifier: str) -> str:
    return identifier.rstrip("/").rsplit("/", 3)[-3]


def specification(world: World, deployment: Resource, folder: Path) -> dict[str, Any]:
    """The specification for `supervisor`: interpreter, files, variables, probes."""
    properties, code = deployment.properties, deployment.properties["codeConfiguration"]
    source = find_code(world, deployment)
    files = [["code", root := _blob_prefix(world, source, "codeUri"), root, str(folder / "code")]]
    model = registry.resolve(world, properties["model"]) if properties["model"] else None
    variables = dict(properties["environmentVariables"])
    if model is not None:
        mount = (properties["modelMountPath"] or "azureml-models").strip("/").replace("..", "_")
        name = _model_name(properties["model"])
        where = folder / "mount" / mount / name / model.body["name"]
        if root := _blob_prefix(world, model, "modelUri"):
            files.append([f"model {name}", root, root.rpartition("/")[0], str(where)])
        variables["AZUREML_MODEL_DIR"] = str(where)
    variables |= {
        "AML_APP_ROOT": str(folder / "code"), "AZUREML_ENTRY_SCRIPT": code["scoringScript"],
        "SERVICE_NAME": deployment.body["name"],
    }  # fmt: skip
    return {
        "deployment": deployment.id, "world": str(world.path), "python": interpreter.scoring_python(world.folder),
        "code": str(folder / "code"), "files": files, "environment": variables, "pace": world.timing.probe_pace,
        "liveness": _probe(properties["livenessProbe"]), "readiness": _probe(properties["readinessProbe"]),
    }  # fmt: skip


def _probe(settings: dict[str, Json]) -> dict[str, float]:
    waits = {name: seconds(str(settings[name])) for name in ("initialDelay", "period", "timeout")}
    return waits | {name: int(settings[name]) for name in ("failureThreshold", "successThreshold")}


def _blob_prefix(world: World, asset: Resource | None, field: str) -> str:
    """The prefix of an asset's blobs in this world; "" when they are elsewhere."""
    uri = str(asset.properties.get(field) or "") if asset else ""
    if match := _STORED.fullmatch(uri):
        return f"{match[1]}/{match[2]}"
    if asset is not None and (match := _DATASTORE.fullmatch(uri)):
        workspace, datastore = world.get(asset.parent), world.get(f"{asset.parent}/datastores/{match[1]}")
        if workspace is not None and datastore is not None and datastore.private["emulated"]:
            return f"{accounts.name_of(workspace)}/{datastore.properties['containerName']}/{match[2]}"
    return ""
