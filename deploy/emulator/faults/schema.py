"""The schema of a fault, for fault files and `/emulator/faults`.

A fault matches requests by `plane`, `method`, `path`, `operation`, `mutating`, `runner` and `deployment`, skips the
first `number - 1` of them, and then applies `times` times, or to a share of them.
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
    "delay": frozenset({"seconds", "factor"}),
    "answer": frozenset({"body", "transform"}),
    "hold": frozenset({"point", "seconds"}),
}
"""Every kind of fault, and the keys that only it takes."""
DETAIL_KEYS = frozenset().union(*KINDS.values())
OF_MODELS = ("delay", "answer")
"""The kinds that change a model's answer: they match scoring requests after the deployment was chosen."""
LONGEST_HOLD = 600.0
_NOT_OF_DEPLOYMENTS = ("stale", "ghost", "hold")
_OPERATIONS = ("OnlineEndpoints_", "OnlineDeployments_", "BatchEndpoints_", "BatchDeployments_", "Workspaces_")
_GOLDEN = 0.6180339887498949
"""The golden ratio's fraction: its multiples, without their whole part, are spread evenly over 0 to 1."""

Plane = Literal["arm", "scoring", "registry", "blob", "metrics", "metadata", "identity", "any"]
Transform = Literal["shift_mask", "empty_mask", "swap_labels", "scale_numbers", "nan"]
Point = Literal["before", "after"]
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]


def _always(value: Any) -> Any:
    return ALWAYS if value == "always" else value


def _known_kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"expected one of {', '.join(KINDS)}, found {value!r}")
    return value


@dataclass(frozen=True)
class Request:
    """The request as faults match it. `path` is decoded, without query; `operation` is the route's name.

    `runner` is the sender's name. A request is matched up to four times: when it arrives, after its deployment was
    chosen (`deployment` is `endpoint/deployment`), and for holds before and after it is handled (`point`).
    """

    plane: str
    method: str
    path: str
    operation: str
    mutating: bool
    runner: str = ""
    deployment: str = ""
    point: str = ""


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
    runner: str | None = None
    deployment: str | None = None
    share: float | None = Field(None, gt=0, le=1)
    """The share of the matching requests that the fault changes."""
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
    factor: float = Field(1, ge=1, le=1000)
    """The latency of the answer in multiples of its own."""
    transform: Transform | None = None
    point: Point = "before"

    @model_validator(mode="after")
    def _check_detail_keys(self) -> FaultSpec:
        for name in sorted(self.model_fields_set & DETAIL_KEYS - KINDS[self.kind]):
            fitting = ", ".join(sorted(KINDS[self.kind])) or "nothing"
            raise ValueError(f"'{name}' is not a key of the kind {self.kind}, which takes {fitting}")
        return self

    @model_validator(mode="after")
    def _check_kind(self) -> FaultSpec:
        written = self.model_fields_set
        if self.kind == "delay" and not written & {"seconds", "factor"}:
            raise ValueError("delay needs 'seconds', 'factor' or both")
        if self.kind == "answer" and len(written & {"body", "transform"}) != 1:
            raise ValueError("answer needs 'body' or 'transform'")
        if self.kind == "hold" and (self.seconds or 0) > LONGEST_HOLD:
            raise ValueError(f"a hold lasts at most {LONGEST_HOLD:g} seconds")
        if self.deployment is not None and self.kind.startswith((*_NOT_OF_DEPLOYMENTS, "operation_")):
            raise ValueError(f"'deployment' matches scoring requests, which the kind {self.kind} does not change")
        return self

    @property
    def limit(self) -> int:
        """How many requests the fault changes: `times`, but without it no limit for a share."""
        return ALWAYS if self.share is not None and "times" not in self.model_fields_set else self.times

    def is_due(self, seen: int, applied: int) -> bool:
        """Whether the fault changes the request that is the `seen`-th match; it has changed `applied` before.

        Of n matches after the first `number - 1`, a share changes n * share, rounded up or down. The gaps between them
        are uneven, so that a client that alternates between two requests does not meet the fault with the same one.
        """
        counted = seen - (self.number - 1)
        if counted < 1 or self.share is None:
            return counted >= 1
        return applied + (applied + 1) * _GOLDEN % 1 < self.share * counted

    def matches(self, request: Request) -> bool:
        """Whether this fault counts a request. Without `plane`, `path` and `operation` it counts every ARM request."""
        return (
            self._matches_moment(request)
            and self._matches_plane(request.plane)
            and self._matches_kind(request)
            and self.mutating in (None, request.mutating)
            and (self.method or request.method).upper() == request.method.upper()
            and _fits(self.path, request.path)
            and _fits(self.operation, request.operation)
            and _fits(self.runner, request.runner)
        )

    def _matches_moment(self, request: Request) -> bool:
        """Whether a request is at the moment when this fault applies, and its deployment matches."""
        if self.kind == "hold" or request.point:
            return self.kind == "hold" and request.point == self.point
        if self.deployment is None and self.kind not in OF_MODELS:
            return not request.deployment
        pattern = self.deployment or "*"
        return _fits(pattern if "/" in pattern else f"*/{pattern}", request.deployment)

    def _matches_plane(self, plane: str) -> bool:
        anywhere = self.path or self.operation or self.deployment or self.kind in OF_MODELS
        return (self.plane or ("any" if anywhere else "arm")) in ("any", plane)

    def _matches_kind(self, request: Request) -> bool:
        if self.kind in ("stale", "ghost"):
            return request.plane == "arm" and request.method == "GET"
        if self.kind.startswith("operation_"):
            return request.mutating and request.operation.startswith(_OPERATIONS)
        return True


def _fits(pattern: str | None, text: str) -> bool:
    return fnmatchcase(text.lower(), (pattern or "*").lower())


class FaultFile(Strict):
    """A file of faults."""

    faults: list[FaultSpec] = Field([])
