"""Lists in pages: `count` and `$skip`, with the filters that several lists share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error
from deploy.emulator.world.store import Resource

PAGE = 1000


def page(call: Call, found: Sequence[Resource], render: Callable[[Call, Resource], Json]) -> Answer:
    """One page of a list, with `nextLink` if there are more. `name` and `tags` (`key` or `key=value`) filter."""
    if name := call.query.get("name", "").lower():
        found = [item for item in found if item.name == name]
    if tags := call.query.get("tags", ""):
        found = [item for item in found if has_all(item.body.get("tags", {}), tags)]
    return part(call, found, render)


def part(call: Call, found: Sequence[Resource], render: Callable[[Call, Resource], Json]) -> Answer:
    """One page of a list that is already filtered."""
    size, start = number(call, "count", PAGE) or PAGE, number(call, "$skip", 0)
    body: dict[str, Json] = {"value": [render(call, item) for item in found[start : start + size]]}
    if start + size < len(found):
        query = {**call.query, "$skip": str(start + size)}
        body["nextLink"] = f"{call.base}{call.url_path}?{urlencode(query)}"
    return Answer(200, body)


def has_all(texts: Mapping[str, Json], wanted: str) -> bool:
    """Whether `texts` has every key, or key and value, of a filter `key,key=value`."""
    filters = [part.partition("=") for part in wanted.split(",")]
    return all(key in texts and (not sign or texts[key] == value) for key, sign, value in filters)


def number(call: Call, key: str, default: int) -> int:
    """An integer of the query string; `default` when it is missing."""
    value = call.query.get(key, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise arm_error(
            400, "InvalidQueryParameter", f"The value '{value}' of query parameter '{key}' is not a number."
        )
    return int(value)
