"""Published OpenAPI documents as closed JSON Schemas: every key that is not in the document is an error."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("AMLDEPLOY_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
MAY_BE_NULL = {
    "description", "compute", "scoringUri", "swaggerUri", "codeConfiguration", "environmentId", "modelMountPath",
    "livenessProbe", "readinessProbe", "createdBy", "updatedBy", "condition", "conditionVersion", "model",
    "delegatedManagedIdentityResourceId", "primaryKey", "secondaryKey", "dataCollector",
}  # fmt: skip
"""Fields that the service answers as null although the documents do not say so."""


@cache
def _document(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def published() -> dict[str, tuple[str, str]]:
    """Operation id -> method and path, as the newest document has them. Examples are not read."""
    found = {}
    for file in sorted(FOLDER.rglob("*.json"), key=lambda path: path.parent.name):
        if "examples" not in file.parts:
            for path, methods in _document(file).get("paths", {}).items():
                for method, operation in methods.items():
                    if isinstance(operation, dict) and "operationId" in operation:
                        found[operation["operationId"]] = method.upper(), path
    return found


def schema(document: Path, operation: str, status: str) -> dict[str, Any]:
    """What one operation answers with one status."""
    for methods in _document(document)["paths"].values():
        for description in methods.values():
            if isinstance(description, dict) and description.get("operationId") == operation:
                return closed(description["responses"][status]["schema"], document)
    raise LookupError(f"{document.name} has no operation {operation}")


def closed(node: dict[str, Any], document: Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """A schema with its references and its ancestors written out; of a schema with kinds, one of the kinds."""
    if "$ref" in node:
        found, where, key = _target(node["$ref"], document)
        if key in seen:
            return {}
        kinds = _kinds(where, key) if "discriminator" in found else {}
        if kinds:
            return {"anyOf": [_kind(kind, name, found, where, (*seen, key)) for name, kind in kinds.items()]}
        return closed(found, where, (*seen, key))
    if node.get("type") == "array":
        return {"type": "array", "items": closed(node["items"], document, seen)}
    properties, required = _fields(node, document, seen)
    if properties:
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    kept = {key: node[key] for key in ("type", "pattern", "minLength") if key in node}
    if "enum" in node and not node.get("x-ms-enum", {}).get("modelAsString"):
        kept["enum"] = node["enum"]
    if isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = closed(node["additionalProperties"], document, seen)
    return kept


def _target(reference: str, document: Path) -> tuple[dict[str, Any], Path, str]:
    """What a reference means, its document, and a key for both."""
    file, _, pointer = reference.partition("#/")
    where = (document.parent / file).resolve() if file else document
    found = _document(where)
    for step in pointer.split("/"):
        found = found[step]
    return found, where, f"{where}#{pointer}"


def _kinds(document: Path, key: str) -> dict[str, dict[str, Any]]:
    """The value of the discriminator -> the definition of that kind, for the definition with this key."""
    definitions = _document(document)["definitions"].items()
    return {
        each.get("x-ms-discriminator-value", name): each
        for name, each in definitions
        if any("$ref" in above and _target(above["$ref"], document)[2] == key for above in each.get("allOf", []))
    }


def _kind(kind: dict[str, Any], name: str, base: dict[str, Any], where: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    found = closed(kind, where, seen[:-1])
    found["properties"][base["discriminator"]] = {"const": name}
    return found


def _fields(node: dict[str, Any], document: Path, seen: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for ancestor in node.get("allOf", []):
        above, where, key = _target(ancestor["$ref"], document) if "$ref" in ancestor else (ancestor, document, "")
        inherited, needed = _fields(above, where, (*seen, key))
        properties |= inherited
        required += needed
    for name, field in node.get("properties", {}).items():
        found = closed(field, document, seen)
        nullable = field.get("x-nullable") or name in MAY_BE_NULL
        properties[name] = {"anyOf": [found, {"type": "null"}]} if nullable else found
    return properties, sorted({*required, *node.get("required", [])})
