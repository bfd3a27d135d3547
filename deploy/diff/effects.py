"""What a PUT of a CLI v2 document leaves in Azure: which fields of a resource are not as the document makes them. Pure.

A PUT leaves every field that its document sets, and removes what its document does not contain. The tags that others
wrote are sent along, so they stay. Secrets are not compared: a plan file contains only their digests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from deploy import diff
from deploy.domain.arm import Json
from deploy.domain.plan import Difference, Step, Verb
from deploy.domain.put_merge import AZURE_VARIABLES, SERVERS_OWN
from deploy.redact import HIDDEN

Table = Sequence[diff.Field]
_FIELDS_WITHOUT_DEFAULT = {
    "description": "properties.description",
    "tags": "tags",
    "environment_variables": "properties.environmentVariables",
}
"""Field -> ARM path of fields that Azure leaves empty when a PUT does not set them."""


def unexplained_fields(step: Step, body: Json, table: Table) -> Iterator[str]:
    """ARM paths of a resource that are not as a step leaves them; none for a step that sends no document."""
    document = step.body.get("document")
    if not isinstance(document, Mapping):
        if "count" in step.body and at(body, "sku.capacity") != step.body["count"]:
            yield "sku.capacity"
        return
    document = _with_records(document, body)
    for arm, same, held in diff.compare_fields(document, body, table):
        if not same and not _is_hidden(held):
            yield arm
    if step.verb is Verb.CREATE:
        yield from _additions(document, body, table)


def is_written_by(step: Step, found: Difference, body: Json, table: Table) -> bool:
    """Whether a difference is what a PUT, PATCH or DELETE leaves. `body`: the resource now, None if it is deleted."""
    if step.verb is Verb.DELETE or body is None:
        return step.verb is Verb.DELETE and body is None
    if step.verb is Verb.CREATE:
        return not list(unexplained_fields(step, body, table))
    document = step.body.get("document")
    if not isinstance(document, Mapping):
        return found.path == "sku.capacity" and bool(found.after == step.body.get("count"))
    rows = [
        same or _is_hidden(held)
        for arm, same, held in diff.compare_fields(_with_records(document, body), body, table)
        if _covers(arm, found.path)
    ]
    return all(rows) if rows else found.after is None and not found.path.startswith("tags")


def is_server_property(path: str) -> bool:
    """Whether a path is that of a property that the service adds by itself."""
    return path.startswith("properties.properties.") and path.rpartition(".")[2].lower() in SERVERS_OWN


def at(body: Json, path: str) -> Json:
    """The value at a dotted path of a body; None if there is none."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


def _additions(document: Mapping[str, Json], body: Json, table: Table) -> Iterator[str]:
    """ARM paths of fields that a new resource has and its document does not set."""
    there = diff.to_document(body, table)
    for name, arm in _FIELDS_WITHOUT_DEFAULT.items():
        held, wrote = there.get(name) or {}, document.get(name) or {}
        if not isinstance(held, Mapping):
            yield from [] if wrote else [arm]
            continue
        known = {str(key).lower() for key in (*wrote, *AZURE_VARIABLES)}
        added = [key for key in held if str(key).lower() not in known and not key.startswith("amldeploy-")]
        yield from (f"{arm}.{key}" for key in added)


def _with_records(document: Mapping[str, Json], body: Json) -> dict[str, Json]:
    """The document with the tags that name the assets which Azure registered for it."""
    made = {row.yaml: at(body, row.arm) for row in diff.DEPLOYMENT if row.asset_tag}
    return {**document, "tags": {**(document.get("tags") or {}), **diff.records(document, made)}}


def _covers(arm: str, path: str) -> bool:
    """Whether one path is at or below the other; a star matches any name, and tags are not case-sensitive."""
    pairs = list(zip_longest(arm.lower().split("."), path.lower().split(".")))
    return all(a == b or a == "*" or None in (a, b) for a, b in pairs)


def _is_hidden(value: Json) -> bool:
    return isinstance(value, str) and HIDDEN in value
