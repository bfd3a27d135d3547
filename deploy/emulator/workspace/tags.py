"""Tags of any resource at `/providers/Microsoft.Resources/tags/default`; written at once, without an operation."""

from __future__ import annotations

from deploy.emulator.wire import fields
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error
from deploy.emulator.world.store import Resource

TYPE = "Microsoft.Resources/tags"
MAX_TAGS, MAX_NAME, MAX_VALUE = 50, 512, 256


def get(call: Call) -> Answer:
    """GET the tags."""
    return Answer(200, _show(_resource(call)))


def put(call: Call) -> Answer:
    """PUT: replace all tags."""
    resource = _resource(call)
    return _write(call, resource, _requested(call))


def patch(call: Call) -> Answer:
    """PATCH: `Merge` adds and changes, `Replace` replaces all, `Delete` removes tags with the same name and value."""
    resource, new_tags = _resource(call), _requested(call)
    old: dict[str, str] = resource.body.get("tags") or {}
    low = {key.lower(): value for key, value in new_tags.items()}
    match fields.one_of(call.object(), "operation", ("Merge", "Replace", "Delete")):
        case "Merge":
            unchanged = {key: value for key, value in old.items() if key.lower() not in low}
            return _write(call, resource, {**unchanged, **new_tags})
        case "Replace":
            return _write(call, resource, new_tags)
        case _:
            return _write(call, resource, {k: v for k, v in old.items() if low.get(k.lower()) != v})


def delete(call: Call) -> Answer:
    """DELETE: all tags."""
    _write(call, _resource(call), {})
    return Answer(200)


def _resource(call: Call) -> Resource:
    scope = "/" + call.route_params["scope"].strip("/")
    found = call.world.get(scope)
    if found is None or call.route_params["name"].lower() != "default":
        raise arm_error(404, "ResourceNotFound", f"The resource '{scope}' was not found.")
    return found


def _requested(call: Call) -> dict[str, str]:
    tags = fields.texts(fields.mapping(call.object(), "properties"), "tags")
    if any(len(name) > MAX_NAME or len(value) > MAX_VALUE for name, value in tags.items()):
        raise arm_error(
            400, "InvalidTagNameOrValue",
            f"A tag's name has at most {MAX_NAME} characters, its value {MAX_VALUE}.",
        )  # fmt: skip
    return tags


def _write(call: Call, resource: Resource, tags: dict[str, str]) -> Answer:
    if len(tags) > MAX_TAGS:
        raise arm_error(
            400, "TagsLimitExceeded", f"A resource has at most {MAX_TAGS} tags; these would be {len(tags)}."
        )
    resource.body["tags"] = tags
    call.world.save(resource)
    return Answer(200, _show(resource))


def _show(resource: Resource) -> dict[str, Json]:
    identifier = f"{resource.body['id']}/providers/{TYPE}/default"
    return {"id": identifier, "name": "default", "type": TYPE, "properties": {"tags": resource.body.get("tags") or {}}}
