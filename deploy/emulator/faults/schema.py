"""The schema of a fault, for fault files and `/emulator/faults`.

A fault matches requests by `plane`, `method`, `path`, `operation` and `mutating`, skips the first `number - 1` of them,
and then applies `times` times.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from deploy.emulator.world.parse import Strict

ALWAYS = 2**31
KINDS: dict[str, frozenset[str]] = {
    "refuse": frozenset({"status", "code", "message", "headers", "body", "effect"}),
    "throttle": frozenset({"retry_after", "form"}),
    "unauthorized": frozenset({"code", "message"}),
    "reset": frozenset(),
    "lose": frozenset(),
    "truncate": frozenset(),
    "html": frozenset({"status", "effect"}),
    "drip": frozenset({"seconds"}),
    "stale": frozenset(),
    "ghost": frozenset(),
    "operation_failed": frozenset({"code", "message"}),
    "operation_canceled": frozenset({"code", "message"}),
    "operation_stuck": frozenset({"seconds"}),
    "operation_vanished": frozenset(),
}
"""Every kind of fault, and the keys that only it takes."""
DETAIL_KEYS = frozenset().union(*KINDS.values())
_OPERATIONS = ("OnlineEndpoints_", "OnlineDeployments_")

Plane = Literal["arm", "scoring", "registry", "blob", "metadata", "identity", "any"]
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]


def _always(value: Any) -> Any:
    return ALWAYS if value == "always" else value


def _known_kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"expected one of {', '.join(KINDS)}, found {value!r}")
    return value


@dataclass(frozen=True)
class Request:
    """The request as faults match it. `path` is decoded, without query; `operation` is the route's name."""

    plane: str
    method: str
    path: str
    operation: str
    mutating: bool


class FaultSpec(Strict):
    """One fault."""

    kind: Annotated[str, AfterValidator(_known_kind)]
    number: int = Field(1, ge=1)
    """The first matching request that the fault changes; not the id of the fault."""
    times: Annotated[int, BeforeValidator(_always)] = Field(1, ge=1)
    plane: Plane | None = None
    method: str | None = None
    path: str | None = None
    operation: str | None = None
    mutating: bool | None = None
    status: int | None = Field(None, ge=200, le=599)
    code: str | None = None
    message: str | None = None
    headers: dict[str, Text] = Field({})
    body: Any = None
    effect: bool = False
    """Whether the request still has its effect; only the answer is replaced."""
    retry_after: float = Field(1, ge=0)
    form: Literal["seconds", "date", "milliseconds", "none"] = "seconds"
    """The format of `retry_after` in the answer."""
    seconds: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _check_detail_keys(self) -> FaultSpec:
        for name in sorted(self.model_fields_set & DETAIL_KEYS - KINDS[self.kind]):
            fitting = ", ".join(sorted(KINDS[self.kind])) or "nothing"
            raise ValueError(f"'{name}' is not a key of the kind {self.kind}, which takes {fitting}")
        return self

    def matches(self, request: Request) -> bool:
        """Whether this fault counts a request. Without `plane`, `path` and `operation` it counts every ARM request."""
        return (
            self._matches_plane(request.plane)
            and self._matches_kind(request)
            and self.mutating in (None, request.mutating)
            and (self.method or request.method).upper() == request.method.upper()
            and fnmatchcase(request.path.lower(), (self.path or "*").lower())
            and fnmatchcase(request.operation.lower(), (self.operation or "*").lower())
        )

    def _matches_plane(self, plane: str) -> bool:
        anywhere = "any" if self.path or self.operation else "arm"
        return (self.plane or anywhere) in ("any", plane)

    def _matches_kind(self, request: Request) -> bool:
        if self.kind in ("stale", "ghost"):
            return request.plane == "arm" and request.method == "GET"
        if self.kind.startswith("operation_"):
            return request.mutating and request.operation.startswith(_OPERATIONS)
        return True


class FaultFile(Strict):
    """A file of faults."""

    faults: list[FaultSpec] = Field([])
