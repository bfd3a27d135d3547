"""The `scale` part of a pipeline file: an autoscale setting of Azure Monitor for the live deployment."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator

from deploy.documents.fields import Document, Duration, Flag, Whole

MOST_PROFILES = 20
"""Azure's limit; a profile with `days` is two of them: Azure needs another one for its end."""
Instances = Annotated[Whole, Field(ge=1, le=1000)]
Step = Annotated[Whole, Field(ge=1, le=1000)]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _one_of(*names: str) -> dict[str, JsonValue]:
    return {"oneOf": [{"required": [name]} for name in names]}


class ScaleRule(Document):
    """Adds or removes instances when a metric is above or below a threshold."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_one_of("above", "below"), _one_of("add", "remove")]})
    metric: str = Field(
        min_length=1,
        max_length=200,
        description="Metric of Azure Monitor: CpuUtilizationPercentage.",
        examples=["CpuUtilizationPercentage"],
    )
    of: Literal["deployment", "endpoint"] = Field(
        default="deployment", description="The resource with the metric; RequestLatency: endpoint."
    )
    above: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, description="The rule acts while the metric is above this value.", examples=[70]
    )
    below: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, description="The rule acts while the metric is below this value.", examples=[30]
    )
    window: Annotated[Duration, Field(ge=300, le=43_200)] = Field(
        default=300.0, description="Time over which the metric is combined: 5m to 12h.", examples=["5m"]
    )
    aggregation: Literal["average", "minimum", "maximum", "total", "count", "last"] = Field(
        default="average", description="How the values of the window are combined."
    )
    add: Step | None = Field(default=None, description="Instances to add.", examples=[1])
    remove: Step | None = Field(default=None, description="Instances to remove.", examples=[1])
    cooldown: Annotated[Duration, Field(ge=60, le=604_800)] = Field(
        default=300.0, description="Time until the next change: 1m to 168h.", examples=["5m"]
    )

    @model_validator(mode="after")
    def _is_one(self) -> ScaleRule:
        if (self.above is None) == (self.below is None):
            raise ValueError("must have exactly one of above and below")
        if (self.add is None) == (self.remove is None):
            raise ValueError("must have exactly one of add and remove")
        return self


class ScaleProfile(Document):
    """Other limits at certain times: on days of the week (`start: "08:00"`) or once (`start: 2026-12-01T08:00:00Z`)."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,79}$", description="Name of the profile.", examples=["office hours"]
    )
    min: Instances = Field(description="Smallest number of instances in this time.", examples=[2])
    max: Instances = Field(description="Largest number of instances in this time.", examples=[6])
    rules: tuple[ScaleRule, ...] | None = Field(
        default=None,
        max_length=10,
        description="Its rules; without it, those of scale.",
        examples=[[{"metric": "CpuUtilizationPercentage", "above": 70, "add": 1}]],
    )
    days: tuple[Day, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=7,
        description="Days of the week; without it the profile is used once.",
        examples=[["Monday", "Friday"]],
    )
    start: str = Field(
        description="With days: a time of day, 08:00. Else a date and time, 2026-12-01T08:00:00Z.", examples=["08:00"]
    )
    end: str = Field(description="Like start.", examples=["18:00"])
    time_zone: str = Field(
        default="UTC", min_length=1, max_length=80, description="Name of a time zone in Azure: W. Europe Standard Time."
    )

    @model_validator(mode="after")
    def _is_a_time(self) -> ScaleProfile:
        _require_ordered(self.min, self.max)
        if self.name.lower() == "default":
            raise ValueError("cannot have the name default: that is the name of the limits outside all profiles")
        if self.days is not None:
            if not (_TIME.fullmatch(self.start) and _TIME.fullmatch(self.end)) or self.start >= self.end:
                raise ValueError("needs start and end as times of day, such as 08:00, and end after start")
            return self
        try:
            ordered = datetime.fromisoformat(self.start) < datetime.fromisoformat(self.end)
        except (ValueError, TypeError):
            raise ValueError("needs days, or start and end as 2026-12-01T08:00:00Z") from None
        if not ordered:
            raise ValueError("needs an end after its start")
        return self


class Scale(Document):
    """The number of instances, which Azure Monitor changes within limits. The setting follows the live deployment."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["min", "max"]}, {"required": ["adopt"]}]})
    min: Instances | None = Field(default=None, description="Smallest number of instances.", examples=[1])
    max: Instances | None = Field(default=None, description="Largest number of instances.", examples=[4])
    rules: tuple[ScaleRule, ...] = Field(
        default=(),
        max_length=10,
        description="When instances are added or removed.",
        examples=[[{"metric": "CpuUtilizationPercentage", "above": 70, "add": 1}]],
    )
    profiles: tuple[ScaleProfile, ...] = Field(
        default=(),
        max_length=MOST_PROFILES - 1,
        description="Other limits at certain times.",
        examples=[[{"name": "night", "min": 1, "max": 1, "days": ["Saturday"], "start": "00:00", "end": "23:59"}]],
    )
    adopt: Flag = Field(
        default=False,
        description="Manage an autoscale setting that exists. Without min and max its content stays.",
    )

    @model_validator(mode="after")
    def _is_complete(self) -> Scale:
        if self.min is None or self.max is None:
            if self.min is not None or self.max is not None or self.rules or self.profiles or not self.adopt:
                raise ValueError("needs min and max, or only adopt: true")
            return self
        _require_ordered(self.min, self.max)
        if 1 + sum(2 if each.days else 1 for each in self.profiles) > MOST_PROFILES:
            raise ValueError(f"has too many profiles: Azure allows {MOST_PROFILES}, and one with days counts twice")
        names = [each.name.lower() for each in self.profiles]
        if len(names) != len(set(names)):
            raise ValueError("has two profiles with the same name")
        return self


def _require_ordered(least: int, most: int) -> None:
    if least > most:
        raise ValueError(f"has min {least}, which is more than max {most}")
