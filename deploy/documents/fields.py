"""The field types that the models of documents share."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_YEAR = 31_536_000
FOREVER = math.inf
NAME = r"^[a-z](-?[a-z0-9])*$"
WORKSPACE = r"^[a-zA-Z0-9][a-zA-Z0-9_-]{1,32}$"
RESOURCE_GROUP = r"^[\w.()-]{0,89}[\w()-]$"
SCOPE = (
    r"^(endpoint|workspace|workspace_storage|workspace_registry|workspace_keyvault|resource_group|/subscriptions/.+)$"
)
GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_WORKSPACE_ASSET = (
    r"/?subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/\s]+"
)
_REFERENCE = (
    r"^azureml:([^:@/\s]+:[^:@/\s]+|[^:@/\s]+@[^:@/\s]+"
    rf"|//registries/[^/\s]+/KIND/[^/\s]+/(versions|labels)/[^/\s]+|{_WORKSPACE_ASSET}/KIND/[^/\s]+/versions/[^/\s]+"
)
MODEL = _REFERENCE.replace("KIND", "models") + ")$"
ENVIRONMENT = _REFERENCE.replace("KIND", "environments") + r"|AzureML-[^:@/\s]+)$"
CODE = rf"^azureml:([^:@/\s]+:[^:@/\s]+|{_WORKSPACE_ASSET}/codes/[^/\s]+/versions/[^/\s]+)$"
"""References that azure-ai-ml can resolve; only an environment of Azure (`AzureML-...`) needs no version."""
DATA = r"^azureml://(subscriptions/[^/\s]+/resource[gG]roups/[^/\s]+/workspaces/[^/\s]+/)?datastores/[^/\s]+/paths/\S+$"
COLLECTION = r"^[a-zA-Z0-9._-]{1,100}$"
ASSET_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}$"
IDENTITY = (
    rf"^/subscriptions/{GUID[1:-1]}/resource[gG]roups/{RESOURCE_GROUP[1:-1]}"
    r"/providers/[mM]icrosoft\.[mM]anaged[iI]dentity/user[aA]ssigned[iI]dentities/[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}$"
)


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value.strip())
        if not match:
            raise ValueError("is not a duration: use a number and a unit, such as 90s, 5m or 1h")
        return float(match[1]) * _UNITS[match[2]]
    return value


def _retention(value: Any) -> Any:
    if value == "forever":
        return FOREVER
    try:
        seconds = _seconds(value)
    except ValueError:
        raise ValueError("is not a retention time: use a duration such as 24h, or 0, or forever") from None
    if isinstance(seconds, float | int) and seconds > _YEAR:
        raise ValueError("is longer than a year: use forever")
    return seconds


def _scalar(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    raise ValueError("must be text, a number or a boolean")


def union_tag(value: Any) -> str:
    return "inline" if isinstance(value, dict | BaseModel) else "reference"


Duration = Annotated[
    float,
    Strict(),
    BeforeValidator(_seconds),
    Field(ge=0, le=_YEAR),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": _YEAR},
                {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"},
            ]
        }
    ),
]
"""Seconds, at most a year; written `90s`, `5m`, `1h` or as a number."""
Retention = Annotated[
    float,
    Strict(),
    BeforeValidator(_retention),
    Field(ge=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": _YEAR},
                {"type": "string", "pattern": r"^(forever|\d+(\.\d+)?(ms|s|m|h))$"},
            ]
        }
    ),
]
"""Seconds, written as a duration; `forever` is FOREVER."""
Whole = Annotated[int, Strict()]
Count = Annotated[int, Strict(), Field(le=2**31 - 1)]
"""A number without a documented limit: int32, as in Azure's OpenAPI documents, and as azure-ai-ml's durations allow."""
Amount = Annotated[float, Strict(), Field(ge=0, le=2**31 - 1, allow_inf_nan=False)]
"""An amount of money."""
Flag = Annotated[bool, Strict()]
Percent = Annotated[int, Strict(), Field(ge=0, le=100)]
Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""Converted to text; a number or boolean as it was written."""
StringMap = dict[str, Scalar]
Name = Annotated[str, Field(pattern=NAME, min_length=3, max_length=32)]
ModelReference = Annotated[str, Field(pattern=MODEL)]
EnvironmentReference = Annotated[str, Field(pattern=ENVIRONMENT)]
AssetName = Annotated[str, Field(pattern=ASSET_NAME)]
Switch = Literal["enabled", "disabled"]


class Document(BaseModel):
    """Base model of all files that a user writes: unknown keys are errors, and instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
