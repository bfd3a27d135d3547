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


def schema(document: Path, operation: str, status: str) -> dict[str, Any]:
    """What one operation answers with one status."""
    for methods in _document(document)["paths"].values():
        for description in methods.values():
            if isinstance(description, dict) and description.get("operationId") == operation:
                return closed(description["responses"][status]["schema"], document)
    raise LookupError(f"{document.name} has no operation {operation}")


def closed(node: dict[str, Any], document: Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """A schema with its references and its ancestors written out."""
    if "$ref" in node:
        file, _, pointer = node["$ref"].partition("#/")
        where = (document.parent / file).resolve() if file else document
        if (key := f"{where}#{pointer}") in seen:
            return {}
        found = _document(where)
        for step in pointer.split("/"):
            found = found[step]
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


def _fields(node: dict[str, Any], document: Path, seen: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for ancestor in node.get("allOf", []):
        above = closed(ancestor, document, seen)
        properties |= above.get("properties", {})
        required += above.get("required", [])
    for name, field in node.get("properties", {}).items():
        found = closed(field, document, seen)
        nullable = field.get("x-nullable") or name in MAY_BE_NULL
        properties[name] = {"anyOf": [found, {"type": "null"}]} if nullable else found
    return properties, sorted({*required, *node.get("required", [])})
