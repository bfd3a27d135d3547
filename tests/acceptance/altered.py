"""An emulator that answers differently from the emulator on purpose, as Azure may: on the wire, after all its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from deploy.emulator.http import routes
from deploy.emulator.http.app import Emulator

Headers = dict[str, str]
Change = Callable[[int, Headers, Any], int]
"""Changes headers and body of an answer in place; returns the status."""


def _no_operation(status: int, headers: Headers, body: Any) -> int:
    headers.pop("azure-asyncoperation", None)
    body.pop("kind", None)
    return status


def _other_word(status: int, _: Headers, body: Any) -> int:
    body["properties"]["publicNetworkAccess"] = "enabled"
    return status


def _new_key(status: int, headers: Headers, body: Any) -> int:
    for item in body["value"]:
        item["properties"]["mirror"] = {"state": "Off"}
    headers["x-ms-cluster"] = "eu-7"
    return status


def _other_type(status: int, _: Headers, body: Any) -> int:
    for item in body["value"]:
        item["properties"]["conditionVersion"] = "2.0"
    return status


def _other_time(status: int, _: Headers, body: Any) -> int:
    body["systemData"]["createdAt"] = "2026-01-31T12:00:00Z"
    return status


def _other_status(_: int, headers: Headers, body: Any) -> int:
    headers["content-type"] = "text/json"
    del body
    return 203


CHANGES: dict[str, Change] = {
    "OnlineEndpoints_CreateOrUpdate": _no_operation,
    "OnlineEndpoints_Get": _other_word,
    "OnlineEndpoints_List": _new_key,
    "RoleAssignments_ListForScope": _other_type,
    "Workspaces_Get": _other_time,
    "Permissions_List": _other_status,
}
ROWS = {
    "OnlineEndpoints_CreateOrUpdate | header azure-asyncoperation | (absent)",
    'OnlineEndpoints_CreateOrUpdate | body.kind | (absent) | "Managed"',
    'OnlineEndpoints_Get | body.properties.publicNetworkAccess | "enabled" | "Enabled"',
    "OnlineEndpoints_List | body.value[].properties.mirror | object | (absent)",
    "OnlineEndpoints_List | header x-ms-cluster | present | (absent)",
    "RoleAssignments_ListForScope | body.value[].properties.conditionVersion | text | null",
    "Workspaces_Get | body.systemData.createdAt | timeZ | time.fraction",
    "Permissions_List | status | 203 | 200",
    "Permissions_List | header content-type | text/json | application/json;charset=utf-8",
}
"""The start of the row of each change."""


class Altered(Emulator):
    """Applies the changes of the operations in `on`."""

    on: set[str] = set()  # noqa: RUF012 - the same for all; a test fills and empties it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = routes.find(scope["method"], scope["raw_path"].decode(), {}) if scope["type"] == "http" else None
        name = found[0].name if found else ""
        if name not in self.on:
            await super().__call__(scope, receive, send)
            return
        sent: list[Message] = []

        async def collect(message: Message) -> None:
            sent.append(message)

        await super().__call__(scope, receive, collect)
        content = b"".join(message.get("body", b"") for message in sent)
        headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        status, body = sent[0]["status"], json.loads(content) if content else None
        if status < 400 and body is not None:
            status = CHANGES[name](status, headers, body)
            content = json.dumps(body).encode()
        headers["content-length"] = str(len(content))
        pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})
