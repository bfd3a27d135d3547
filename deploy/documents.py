"""What users write: the pydantic models of environment, endpoint, deployment and pipeline files.

The validator checks files against these models and `deploy/schemas/*.json` is generated from them, so an editor and the
tool can never disagree. Only shapes and single-field rules live here; rules that span fields or files are the
validator's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value.strip())
        if not match:
            raise ValueError("is not a duration: write a number and a unit, such as 90s, 5m or 1h")
        return float(match[1]) * _UNITS[match[2]]
    return value


Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"}]}
    ),
]
"""Seconds; written `90s`, `5m`, `1h` or as a bare number."""


class Written(BaseModel):
    """Base of everything a user writes: unknown keys are errors, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Quota(Written):
    """Where the cores come from."""

    capacity: Literal["dedicated", "shared"] = "dedicated"


class Principal(Written):
    """Somebody who is given a role, by object id."""

    object_id: str = Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    type: Literal["User", "Group", "ServicePrincipal"]


class Role(Written):
    """One role assignment. `role` is a built-in role's name or GUID; `scope` a word below or a full ARM id."""

    role: str = Field(min_length=1)
    scope: str = Field(
        pattern=r"^(endpoint|workspace|workspace_storage|workspace_registry|workspace_keyvault|resource_group|/subscriptions/.+)$"
    )
    principal: Literal["endpoint"] | Principal = "endpoint"


class Probe(Written):
    """A real scoring request with an expected answer. `image` and `body` are paths inside the template folder."""

    type: Literal["http", "medimageparse", "medimageparse3d", "medimageinsight", "cxrreportgen", "gigapath"]
    image: str | None = None
    text: str | None = None
    body: str | None = None
    status: int = 200
    attempts: int = Field(5, ge=1, le=100)
    timeout: Duration = 90.0


class Rollout(Written):
    """How callers move from one release to the next."""

    strategy: Literal["blue_green", "in_place"] = "blue_green"
    stages: tuple[int, ...] = (100,)
    bake: Duration = 0.0


class RetryPolicy(Written):
    """How long slow truths (a role not yet effective, a busy endpoint) are waited for."""

    attempts: int = Field(6, ge=1, le=100)
    deadline: Duration = 1800.0


class Pipeline(Written):
    """`pipeline.yml`: what the CLI v2 files have no word for. Every key is optional."""

    quota: Quota = Quota()
    roles: tuple[Role, ...] = ()
    probe: Probe | None = None
    rollout: Rollout = Rollout()
    retry: RetryPolicy = RetryPolicy()
