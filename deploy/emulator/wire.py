"""The envelope: what a request is to a room, what an answer is, and how Azure words a refusal.

Two layers refuse in two forms, as on Azure: the Resource Manager gateway (`gateway`) and the Azure ML front end
(`frontend`). This room never looks into the world.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from deploy.emulator.identity import Caller, Tokens
    from deploy.emulator.rights import Rights
    from deploy.emulator.world import World

Json = Any
"""A JSON value."""


@dataclass(frozen=True)
class Call:
    """One request, matched to its route. `path` holds the route's names, `base` is our own URL without a slash.

    `address` is the path as it was sent, still encoded; `search` what followed the question mark.
    """

    world: World
    tokens: Tokens
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    base: str
    address: str
    search: str
    caller: Caller
    rights: Rights

    @property
    def version(self) -> str:
        """The api-version as it may stand in an address."""
        return quote(self.query.get("api-version", ""), safe="")

    def object(self) -> dict[str, Json]:
        """The body as a JSON object.

        Raises:
            Refusal: 400 InvalidRequestContent when it is anything else.
        """
        try:
            value = json.loads(self.raw or b"{}", parse_constant=_no_constant)
            dump(value).encode()  # half of a surrogate pair can be written in JSON, but is no text
        except (ValueError, RecursionError) as error:
            raise gateway(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from None
        if not isinstance(value, dict):
            raise gateway(400, "InvalidRequestContent", "The request content must be a JSON object.")
        return value


@dataclass(frozen=True)
class Answer:
    """What is sent back. `body` is a JSON value, or bytes that are sent as they are (b"" is no body)."""

    status: int = 200
    body: Json = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request that is refused: an answer on its way up. Nothing it changed remains."""

    def __init__(self, answer: Answer, note: str = "") -> None:
        super().__init__(answer.status, answer.body)
        self.answer, self.note = answer, note


def gateway(status: int, code: str, message: str, headers: Mapping[str, str] | None = None, note: str = "") -> Refusal:
    """A refusal by the Resource Manager: `{"error": {code, message}}`."""
    body = {"error": {"code": code, "message": message}}
    return Refusal(Answer(status, body, {"x-ms-failure-cause": "gateway", **(headers or {})}), note)


def frontend(status: int, code: str, message: str, *inner: tuple[str, str], location: str = "eastus") -> Refusal:
    """A refusal by the Azure ML front end; `inner` are the nested (code, message) pairs."""
    error = failure(code, message, *inner)
    error["additionalInfo"] = [
        {"type": "ComponentName", "info": {"value": "managementfrontend"}},
        {"type": "Correlation", "info": {"value": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]}}},
        {"type": "Environment", "info": {"value": location}},
        {"type": "Location", "info": {"value": location}},
        {"type": "Time", "info": {"value": timestamp(datetime.now(UTC).timestamp())}},
    ]
    return Refusal(Answer(status, {"error": error}, {"x-ms-response-type": "error"}))


def stamp(answer: Answer, now: float) -> Answer:
    """Put the world's time into a refusal of the front end, which was worded without a look at the clock."""
    if answer.headers.get("x-ms-response-type") == "error":
        for item in answer.body["error"]["additionalInfo"]:
            if item["type"] == "Time":
                item["info"]["value"] = timestamp(now)
    return answer


def failure(code: str, message: str, *inner: tuple[str, str]) -> dict[str, Json]:
    """The error object itself, as an operation that failed later also carries it."""
    details = [{"code": c, "message": m, "details": [], "additionalInfo": []} for c, m in inner]
    return {"code": code, "message": message, "details": details, "additionalInfo": []}


def user_error(message: str) -> Refusal:
    """400 in the front end's words for what the caller got wrong."""
    return frontend(400, "UserError", message)


def timestamp(moment: float) -> str:
    """Seconds since 1970 in Azure's spelling, seven decimals: `2026-03-03T20:17:59.3439606+00:00`."""
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0+00:00"


def dump(value: Json) -> str:
    """JSON as it is stored and sent: short, text as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def standard_headers(plane: str, now: float, location: str = "eastus") -> dict[str, str]:
    """The headers that every control-plane answer carries at a moment of the world (seconds since 1970)."""
    identifier = str(uuid.uuid4())
    headers = {
        "x-ms-request-id": identifier,
        "x-ms-correlation-request-id": identifier,
        "x-ms-routing-request-id": f"{location.upper()}:{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}:{identifier}",
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    }
    if plane == "arm":
        headers |= {"x-ms-response-type": "standard", "azureml-served-by-cluster": f"vienna-{location}-01"}
    return headers
