"""The JSON Schema of each kind of file that users write; `scripts/schemas` writes them to deploy/schemas."""

from __future__ import annotations

from typing import Any

from deploy.documents.endpoint_and_deployment import DeploymentDocument, EndpointDocument
from deploy.documents.environment import EnvironmentDocument
from deploy.documents.fields import (
    Document,
)
from deploy.documents.pipeline import Pipeline

_EXPRESSION = {
    "title": "Expression",
    "description": "A jinja2 expression. Its value replaces it and keeps its type.",
    "type": "string",
    "pattern": r"\{\{.*\}\}",
}


_NOTES = ("title", "description", "default")


MODELS: dict[str, type[Document]] = {
    "environment": EnvironmentDocument,
    "endpoint": EndpointDocument,
    "deployment": DeploymentDocument,
    "pipeline": Pipeline,
}


def schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `environment`, `endpoint`, `deployment` or `pipeline` files, for editors.

    Template files can have `"{{ ... }}"` in place of a number, a list and so on. A top-level key without a value counts
    as absent. Raises KeyError for other names.
    """
    found = MODELS[name].model_json_schema()
    if name != "environment":
        for part in (found, *found.get("$defs", {}).values()):
            part["properties"] = {key: _templated(value) for key, value in part.get("properties", {}).items()}
        found.setdefault("$defs", {})["Expression"] = _EXPRESSION
    for key in found["properties"].keys() - set(found.get("required", ())):
        found["properties"][key] = _either(found["properties"][key], {"type": "null"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": f"amldeploy {name} file"}


def _templated(part: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value, its items and its values, each extended by an expression."""
    if part.get("type") == "string" and not {"pattern", "enum", "const", "minLength"} & part.keys():
        return part
    return _either(_inside(part), {"$ref": "#/$defs/Expression"})


def _inside(part: dict[str, Any]) -> dict[str, Any]:
    """The schema with expressions allowed for the items of a list and the values of a mapping."""
    part = {**part}
    for inner in ("items", "additionalProperties"):
        if isinstance(part.get(inner), dict):
            part[inner] = _templated(part[inner])
    if "anyOf" in part:
        part["anyOf"] = [_inside(branch) for branch in part["anyOf"]]
    return part


def _either(part: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` both schemas; titles and defaults stay outside, where editors look for them."""
    notes = {key: part[key] for key in _NOTES if key in part}
    rest = {key: value for key, value in part.items() if key not in notes}
    branches = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {**notes, "anyOf": branches if other in branches else [*branches, other]}
