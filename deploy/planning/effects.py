"""What a step leaves in the world: whether that stands, and whether a difference is its doing. Pure; judges no plan.

A PUT leaves every field that its document sets, and takes away what its document does not know, except for the tags of
others, which it sends along. Secrets are compared nowhere here: a plan and its world hold none; the release does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

from deploy import diff
from deploy.domain import history
from deploy.domain.arm import Json, address
from deploy.domain.plan import Step, Verb
from deploy.domain.preserved import AZURE_VARIABLES, SERVERS_OWN
from deploy.domain.traffic_shares import positive, served, shares
from deploy.redact import HIDDEN
from deploy.steps import alias

World = Mapping[str, Json]
Moved = tuple[str, str, Json, Json]
"""An address, a path in its body, what was there, what is there now."""
_HISTORY = tuple(f"tags.{name}" for name in history.TAGS)
_TRAFFIC = ("properties.traffic", "properties.mirrorTraffic")
_NOBODYS = {
    "description": "properties.description",
    "tags": "tags",
    "environment_variables": "properties.environmentVariables",
}
"""Field -> ARM path of what stays empty where nobody fills it: the service has no default for it."""


def is_in_effect(step: Step, world: World) -> bool:
    """Whether the world is as this step makes it."""
    body = world.get(step.address)
    if step.verb is Verb.DELETE:
        return body is None
    if step.kind == "traffic":
        mirrored = shares(world.get(_target(step)) or {}, "mirrorTraffic")
        return bool(
            served(world, step.endpoint) == step.body["after"] and mirrored == step.body.get("mirror_after", mirrored)
        )
    if step.kind == "alias":
        return bool((body or {}).get("endpoint") == step.body["endpoint"])
    if step.kind == "role":
        return body is None if "id" in step.body else bool((body or {}).get("giver") == "us")
    return body is not None and not list(unexplained_fields(step, body))


def explains(step: Step, moved: Moved, world: World) -> bool:
    """Whether what is there now is what this step makes of it."""
    where, path, _, now = moved
    if path.startswith("properties.properties.") and path.rpartition(".")[2].lower() in SERVERS_OWN:
        return True
    if step.kind in ("traffic", "endpoint", "deployment") and where == _target(step):
        return _wrote(step, path, now, world)
    aside = _ASIDE.get(step.kind)
    if aside and aside(step, moved):
        return True
    return (
        where == step.address and step.kind not in ("traffic", "endpoint", "deployment") and is_in_effect(step, world)
    )


def unexplained_fields(step: Step, body: Json) -> Iterator[str]:
    """ARM paths of a resource that are not as the step makes them; none for a step that sends no document."""
    document, table = step.body.get("document"), _table(step)
    if not isinstance(document, Mapping):
        if "count" in step.body and at(body, "sku.capacity") != step.body["count"]:
            yield "sku.capacity"
        return
    document = _with_records(document, body)
    for arm, so, held in diff.compare_fields(document, body, table):
        if not so and not _is_hidden(held):
            yield arm
    if step.verb is Verb.CREATE:
        yield from _additions(document, body, table)


def _additions(document: Mapping[str, Json], body: Json, table: Sequence[diff.Field]) -> Iterator[str]:
    """ARM paths of what a new resource has and nobody of ours wrote."""
    there = diff.to_document(body, table)
    for name, arm in _NOBODYS.items():
        held, wrote = there.get(name) or {}, document.get(name) or {}
        if not isinstance(held, Mapping):
            yield from [] if wrote else [arm]
            continue
        ours = {str(key).lower() for key in (*wrote, *AZURE_VARIABLES)}
        added = [key for key in held if str(key).lower() not in ours and not key.startswith("amldeploy-")]
        yield from (f"{arm}.{key}" for key in added)


def _wrote(step: Step, path: str, now: Json, world: World) -> bool:
    """Of a PUT, PATCH or DELETE of endpoint or deployment: whether the difference at `path` is what it makes."""
    body = world.get(_target(step))
    if step.verb is Verb.DELETE or body is None:
        return step.verb is Verb.DELETE and body is None
    if path in _HISTORY:
        return step.kind == "traffic"
    if path.startswith(_TRAFFIC):
        return step.kind == "traffic" and _moved_callers(step, body)
    if step.verb is Verb.CREATE:
        return not list(unexplained_fields(step, body))
    document = step.body.get("document")
    if not isinstance(document, Mapping):
        return path == "sku.capacity" and now == step.body.get("count")
    rows = [
        so or _is_hidden(held)
        for arm, so, held in diff.compare_fields(_with_records(document, body), body, _table(step))
        if _covers(arm, path)
    ]
    return all(rows) if rows else now is None and not path.startswith("tags")


def _moved_callers(step: Step, body: Json) -> bool:
    mirrored = positive(step.body["document"].get("mirror_traffic") or {})
    return (shares(body), shares(body, "mirrorTraffic")) == (step.body["after"], mirrored)


def _given(step: Step, moved: Moved) -> bool:
    """Roles that Azure gives the identity of a new endpoint."""
    where, path, before, now = moved
    new = step.verb is Verb.CREATE and before is None and not path
    return new and where.startswith(address("role", step.endpoint, "")) and now.get("giver") == "azure"


def _recorded(step: Step, moved: Moved) -> bool:
    """A record stands in the description of a role assignment."""
    where, path, _, now = moved
    return where.startswith(address("role", step.endpoint, "")) and path == "marked" and now is True


def _noted(step: Step, moved: Moved) -> bool:
    """An alias that cannot be read is noted on the endpoint."""
    return moved[:2] == (address("endpoint", step.endpoint), f"tags.{alias.MOVED_TAG}")


_ASIDE: dict[str, Callable[[Step, Moved], bool]] = {"endpoint": _given, "identity": _recorded, "alias": _noted}


def _target(step: Step) -> str:
    return address("endpoint", step.endpoint) if step.kind == "traffic" else step.address


def _table(step: Step) -> tuple[diff.Field, ...]:
    return diff.DEPLOYMENT if step.kind == "deployment" else diff.ENDPOINT


def _with_records(document: Mapping[str, Json], body: Json) -> dict[str, Json]:
    """The document and the records that go with it, as they must be for the assets that are there."""
    made = {row.yaml: at(body, row.arm) for row in diff.DEPLOYMENT if row.record}
    return {**document, "tags": {**(document.get("tags") or {}), **diff.records(document, made)}}


def _covers(arm: str, path: str) -> bool:
    """Whether one is at or below the other; a star is any name, and tags have no case."""
    pairs = list(zip_longest(arm.lower().split("."), path.lower().split(".")))
    return all(a == b or a == "*" or None in (a, b) for a, b in pairs)


def _is_hidden(value: Json) -> bool:
    return isinstance(value, str) and HIDDEN in value


def at(body: Json, path: str) -> Json:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, Mapping) else None
    return body
