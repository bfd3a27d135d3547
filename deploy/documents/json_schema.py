"""The JSON Schema of each kind of file that users write; `scripts/schemas` writes them to deploy/schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.documents.cases import Case, CaseTable
from deploy.documents.endpoint_and_deployment import DeploymentDocument, EndpointDocument
from deploy.documents.environment import EnvironmentDocument
from deploy.documents.fields import (
    Document,
)
from deploy.documents.pipeline import Pipeline

_EXPRESSION = {
    "$comment": "A jinja2 expression. Its value replaces it and keeps its type.",  # a description would hide the key's
    "type": "string",
    "pattern": r"\{\{.*\}\}",
}


_NOTES = ("title", "description", "default", "examples")


MODELS: dict[str, type[Document]] = {
    "environment": EnvironmentDocument,
    "endpoint": EndpointDocument,
    "deployment": DeploymentDocument,
    "pipeline": Pipeline,
    "case": Case,
    "cases": CaseTable,
}


def schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a kind of file in MODELS, for editors.

    Template files can have `"{{ ... }}"` in place of a number, a list and so on. A top-level key without a value counts
    as absent. Raises KeyError for other names.
    """
    found = annotated(MODELS[name].model_json_schema())
    if name == "environment":
        overlay = _overlay()
        found["$defs"] |= overlay.pop("$defs")
        entry = found["$defs"]["EntryDocument"]["properties"]
        entry["pipeline"] = {**overlay, **{key: entry["pipeline"][key] for key in ("description", "examples")}}
    else:
        for part in (found, *found.get("$defs", {}).values()):
            part["properties"] = {key: _templated(value) for key, value in part.get("properties", {}).items()}
        found.setdefault("$defs", {})["Expression"] = _EXPRESSION
    for key in found["properties"].keys() - set(found.get("required", ())):
        found["properties"][key] = _either(found["properties"][key], {"type": "null"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": f"amldeploy {name} file"}


def annotated(found: dict[str, Any]) -> dict[str, Any]:
    """The schema with an example and a description for each key."""
    definitions = found.get("$defs", {})
    for part in (found, *definitions.values()):
        for value in part.get("properties", {}).values():
            value.setdefault("examples", _example(value))
            if "description" not in value:  # pydantic omits one that is also the docstring of the value's model
                (name,) = _references([value])
                value["description"] = definitions[name]["description"]
    return found


def _example(part: dict[str, Any]) -> list[Any]:
    """The example of a key without one of its own: its default, or the first of its values; empty if it has none."""
    if part.get("default") not in (None, "", [], {}):
        return [part["default"]]
    for branch in (part, *part.get("anyOf", ())):
        if "const" in branch or "enum" in branch:
            return [branch["const"] if "const" in branch else branch["enum"][0]]
    return []


def _overlay() -> dict[str, Any]:
    """The schema of `pipeline` in an entry: pipeline.yml without required keys, and null removes a key.

    Items of lists stay complete, because an entry replaces a list as a whole.
    """
    found = annotated(Pipeline.model_json_schema())
    whole = _references([part for part in _parts(found) if "items" in part])
    while more := _references([found["$defs"][name] for name in whole]) - whole:
        whole |= more
    for part in (found, *(part for name, part in found["$defs"].items() if name not in whole)):
        part.pop("required", None)
        part.pop("anyOf", None)  # one of several required keys
        part["properties"] = {key: _either(each, {"type": "null"}) for key, each in part.get("properties", {}).items()}
    return {key: value for key, value in found.items() if key != "title"}


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """All mappings inside a JSON value."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(item)


def _references(schemas: Sequence[Mapping[str, Any]]) -> set[str]:
    """The names of all definitions to which these schemas refer."""
    found = (part.get("$ref") for each in schemas for part in _parts(each))
    return {str(name).rpartition("/")[2] for name in found if name}


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
