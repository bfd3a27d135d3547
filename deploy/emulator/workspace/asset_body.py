"""The properties of an asset version: what a client sets, what Azure writes by itself, and what cannot change.

Unless stated otherwise the answers are those of recordings. The content of a version is fixed: another one is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from deploy.emulator.wire import fields
from deploy.emulator.wire.responses import Json, ml_error, user_error
from deploy.emulator.world.store import Resource

KINDS = ("models", "environments", "codes", "data", "components")
_CONTENT = {
    "models": ("modelUri",), "codes": ("codeUri",), "data": ("dataUri",),
    "environments": ("image", "condaFile", "build"), "components": (),
}  # fmt: skip
"""The properties that cannot change. It is unknown what of a component can change: here all of it."""
_OWN_ADDRESS = re.compile(r"^https://127\.0\.0\.1:\d+")
_LARGEST_CONDA_FILE = 1 << 20
"""Characters of a conda file as JSON; YAML's aliases can make it many times larger than the request."""


def properties(
    workspace: Resource, kind: str, name: str, requested: Mapping[str, Json], existing: Mapping[str, Json] | None
) -> dict[str, Json]:
    """The properties after a PUT with `requested` ones. A missing value gets its default, as in a new version."""
    stage, archived = _stage(requested)
    shared = {
        "description": fields.text(requested, "description"), "tags": fields.texts(requested, "tags"),
        "properties": fields.texts(requested, "properties"),
        "isArchived": archived, "isAnonymous": fields.flag(requested, "isAnonymous", False),
    }  # fmt: skip
    match kind:
        case "models":
            # Azure reads the flavors of a model without them from its files (recorded); the emulator does not.
            flavors = fields.mapping(requested, "flavors") or (existing or {}).get("flavors", {})
            own = {
                "flavors": flavors, "modelType": fields.text(requested, "modelType"),
                "modelUri": _model_uri(fields.text(requested, "modelUri")),
                "jobName": fields.text(requested, "jobName"), "provisioningState": "Succeeded", "stage": stage,
            }  # fmt: skip
        case "environments":
            own = {**_environment(name, requested), "provisioningState": "Succeeded", "stage": stage}
        case "codes":
            own = {"codeUri": fields.text(requested, "codeUri"), "provisioningState": "Succeeded"}
        case "data":
            own = {"dataUri": _data_uri(workspace, fields.text(requested, "dataUri"))}
        case _:
            own = {"provisioningState": "Succeeded"}
    found = {**shared, **own}
    return found | {key: value for key, value in requested.items() if key not in found and value is not None}


def require_same_content(
    kind: str, name: str, version: str, before: Mapping[str, Json], after: Mapping[str, Json]
) -> None:
    """Raise the refusal of a PUT that changes the content of a version.

    The texts are published. That of environments is a 409: azure-ai-ml takes the next version after it. The status of
    the others is unknown; here it is 400, as for most errors with this code.
    """
    if all(_comparable(key, before.get(key)) == _comparable(key, after.get(key)) for key in _CONTENT[kind]):
        return
    if kind == "environments":
        message = f"Environment {name} with version {version} is already registered and cannot be changed."
        raise ml_error(409, "UserError", message)
    if kind == "data":
        raise user_error(
            "A data version with this name and version already exists. If you are trying to create a new data version,"
            " use a different name or version. If you are trying to update an existing data version, the existing"
            " asset's data uri cannot be changed. Only tags, description, and isArchived can be updated."
        )
    raise user_error("Asset paths cannot be updated.")


def _stage(requested: Mapping[str, Json]) -> tuple[str, bool]:
    """The stage, and whether the version is archived. A stage in the request decides, also against `isArchived`."""
    archived = fields.flag(requested, "isArchived", False)
    stage = fields.text(requested, "stage") or ("Archived" if archived else "Development")
    return stage, stage == "Archived"


def _environment(name: str, requested: Mapping[str, Json]) -> dict[str, Json]:
    shown: dict[str, Json] = {"environmentType": "Curated" if name.startswith("AzureML-") else "UserCreated"}
    if image := fields.text(requested, "image"):
        shown["image"] = image
    shown["condaFile"] = conda_as_json(fields.text(requested, "condaFile", "") or "")
    if build := fields.mapping(requested, "build"):
        shown["build"] = {"dockerfilePath": "Dockerfile", **build}
    shown["osType"] = fields.one_of(requested, "osType", ("Linux", "Windows"), "Linux")
    shown["autoRebuild"] = fields.text(requested, "autoRebuild", "Disabled")
    return shown


def conda_as_json(text: str) -> str:
    """A conda file as Azure returns it: JSON with an indent of two; "" without one.

    Raises:
        Refusal: 400 when it is not a mapping in YAML or JSON. Azure's answer is unknown.
    """
    if not text.strip():
        return ""
    try:
        found = _parsed(text)
        if not isinstance(found, dict):
            raise TypeError("not a mapping")
        pieces, size = [], 0
        for piece in json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False, default=str).iterencode(found):
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST_CONDA_FILE:
                raise ValueError("too large")
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise user_error("The field 'condaFile' must be a conda environment in YAML or JSON.") from None
    return "".join(pieces)


def _parsed(text: str) -> Any:
    """JSON first: not every JSON text means the same in YAML."""
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)


def _comparable(key: str, value: Json) -> Json:
    """A value to compare. An address of the emulator counts without its port, which is another after a restart."""
    if key == "condaFile" and value:
        return json.loads(value)
    if isinstance(value, dict):
        return {part: _comparable(part, text) for part, text in value.items()}
    return _OWN_ADDRESS.sub("", value) if isinstance(value, str) else value or None


def _model_uri(uri: str | None) -> str | None:
    return uri and re.sub(r"^(azureml://subscriptions/[^/]+)/resourcegroups/", r"\1/resourceGroups/", uri)


def _data_uri(workspace: Resource, uri: str | None) -> str | None:
    """The long form of a path in a datastore."""
    if uri is None or not uri.startswith("azureml://datastores/"):
        return uri
    _, _, subscription, _, group, *_ = workspace.body["id"].split("/")
    where = f"azureml://subscriptions/{subscription}/resourcegroups/{group}/workspaces/{workspace.body['name']}"
    return where + uri.removeprefix("azureml:/")
