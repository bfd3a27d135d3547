"""Answers and errors in Azure's form.

As on Azure, two layers have their own form of error: the Resource Manager (`arm_error`) and the Azure ML front end
(`ml_error`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = Any
"""A JSON value."""


@dataclass(frozen=True)
class Answer:
    """An answer. `body` is a JSON value, or bytes that are sent unchanged (b"" is no body)."""

    status: int = 200
    body: Json = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Raised to refuse a request with an answer; its changes are rolled back. `note` is for the request log."""

    def __init__(self, answer: Answer, note: str = "") -> None:
        super().__init__(answer.status, answer.body)
        self.answer, self.note = answer, note


def arm_error(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None, note: str = ""
) -> Refusal:
    """An error of the Resource Manager: `{"error": {code, message}}`."""
    body = {"error": {"code": code, "message": message}}
    return Refusal(Answer(status, body, {"x-ms-failure-cause": "gateway", **(headers or {})}), note)


def flat_error(status: int, code: str, message: str, note: str = "") -> Refusal:
    """An error of Azure Monitor behind the Resource Manager: `{code, message}`, without `error` around them."""
    return Refusal(Answer(status, {"code": code, "message": message}), note)


def resource_not_found(name: str, group: str) -> Refusal:
    """404 for a missing resource; `name` is its type and names, provider first."""
    return arm_error(
        404, "ResourceNotFound",
        f"The Resource '{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )  # fmt: skip


def location_required() -> Refusal:
    """400 for a body without a location."""
    return arm_error(400, "LocationRequired", "The location property is required for this definition.")


def other_location(name: str, location: str, requested: str) -> Refusal:
    """409 for a resource that exists in a location, and cannot be moved to the requested one."""
    return arm_error(
        409, "InvalidResourceLocation",
        f"The resource '{name}' already exists in location '{location}'. A resource with the same name cannot be "
        f"created in location '{requested}'. Please select a new resource name.",
    )  # fmt: skip


def ml_error(
    status: int, code: str, message: str, *inner: tuple[str, str], location: str = "eastus", inner_error: str = ""
) -> Refusal:
    """An error of the Azure ML front end; `inner` are the nested (code, message) pairs, `inner_error` is the code of an
    error of another service behind it.
    """
    error = error_body(code, message, *inner)
    error["additionalInfo"] = [
        {"type": "ComponentName", "info": {"value": "managementfrontend"}},
        {"type": "Correlation", "info": {"value": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]}}},
        {"type": "Environment", "info": {"value": location}},
        {"type": "Location", "info": {"value": location}},
        {"type": "Time", "info": {"value": timestamp(datetime.now(UTC).timestamp())}},
    ]
    if inner_error:
        error["additionalInfo"] += [
            {"type": "InnerError", "info": {"value": {"code": inner_error, "innerError": None}}}
        ]
    return Refusal(Answer(status, {"error": error}, {"x-ms-response-type": "error"}))


def set_time(answer: Answer, now: float) -> Answer:
    """Set the world's time in an error of the front end; it was created with real time."""
    if answer.headers.get("x-ms-response-type") == "error":
        for item in answer.body["error"]["additionalInfo"] or ():
            if item["type"] == "Time":
                item["info"]["value"] = timestamp(now)
    return answer


def error_body(code: str, message: str, *inner: tuple[str, str]) -> dict[str, Json]:
    """The error object, also used in the status of failed operations."""
    details = [{"code": c, "message": m, "details": [], "additionalInfo": []} for c, m in inner]
    return {"code": code, "message": message, "details": details, "additionalInfo": []}


def user_error(message: str) -> Refusal:
    """400 UserError of the front end."""
    return ml_error(400, "UserError", message)


def timestamp(moment: float) -> str:
    """Seconds since 1970 in Azure's spelling, seven decimals: `2026-03-03T20:17:59.3439606+00:00`."""
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0+00:00"


def standard_headers(plane: str, now: float, location: str = "eastus") -> dict[str, str]:
    """The headers of every control-plane answer; `now` is the world's time in seconds since 1970."""
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
