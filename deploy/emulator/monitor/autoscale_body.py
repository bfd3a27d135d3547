"""The body of an autoscale setting, and its validation.

Shapes and limits are those of the OpenAPI document of 2022-10-01. Keys that the engine does not use are not checked.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from deploy.emulator.world import durations
from deploy.emulator.world.parse import Strict

HIGHEST = 1000
"""The largest capacity of a profile. The limit of a deployment is lower."""
LONGEST_DATE = 365 * 86_400
"""Seconds of a `fixedDate`, as documented."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ZONES = {
    "UTC": "UTC", "GMT Standard Time": "Europe/London", "W. Europe Standard Time": "Europe/Berlin",
    "Central Europe Standard Time": "Europe/Budapest", "Central European Standard Time": "Europe/Warsaw",
    "Romance Standard Time": "Europe/Paris", "GTB Standard Time": "Europe/Bucharest",
    "FLE Standard Time": "Europe/Kiev", "E. Europe Standard Time": "Europe/Chisinau",
    "Turkey Standard Time": "Europe/Istanbul", "Israel Standard Time": "Asia/Jerusalem",
    "Arabian Standard Time": "Asia/Dubai", "South Africa Standard Time": "Africa/Johannesburg",
    "India Standard Time": "Asia/Calcutta", "Singapore Standard Time": "Asia/Singapore",
    "China Standard Time": "Asia/Shanghai", "Korea Standard Time": "Asia/Seoul", "Tokyo Standard Time": "Asia/Tokyo",
    "AUS Eastern Standard Time": "Australia/Sydney", "New Zealand Standard Time": "Pacific/Auckland",
    "E. South America Standard Time": "America/Sao_Paulo", "Atlantic Standard Time": "America/Halifax",
    "Eastern Standard Time": "America/New_York", "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver", "US Mountain Standard Time": "America/Phoenix",
    "Pacific Standard Time": "America/Los_Angeles", "Alaskan Standard Time": "America/Anchorage",
    "Hawaiian Standard Time": "Pacific/Honolulu",
}  # fmt: skip
"""The time zones that the emulator knows: Azure's name -> the name in the time zone database. Azure has more."""


def _zone(value: Any) -> Any:
    """Azure's spelling of a time zone, in any case."""
    found = next((name for name in ZONES if isinstance(value, str) and name.lower() == value.lower()), None)
    if found is None:
        raise ValueError(f"the emulator does not know the time zone {value!r}; it knows {', '.join(ZONES)}")
    try:
        zone(found)
    except ZoneInfoNotFoundError:
        raise ValueError(f"this machine has no data of the time zone {found!r}") from None
    return found


def zone(name: str) -> tzinfo:
    """The time zone with one of Azure's names."""
    return UTC if name == "UTC" else ZoneInfo(ZONES[name])


def _count(value: Any) -> Any:
    if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10):
        raise ValueError("expected a number as a string")
    return int(value)


def _seconds(value: Any) -> Any:
    if not (isinstance(value, str) and durations.readable(value)):
        raise ValueError("expected a duration such as PT5M")
    return durations.seconds(value)


def _day(value: Any) -> Any:
    low = value.lower() if isinstance(value, str) else value
    number = next((number for number, day in enumerate(DAYS) if day.lower() == low), None)
    if number is None:
        raise ValueError(f"expected a day, such as {DAYS[0]}")
    return number


def _moment(value: Any) -> Any:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("expected a time such as 2026-12-01T08:00:00Z") from None
    return value


Zone = Annotated[str, BeforeValidator(_zone)]
Count = Annotated[int, BeforeValidator(_count)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Moment = Annotated[str, BeforeValidator(_moment)]


class Part(Strict):
    """An object of the body. Words are accepted in any case; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)

    @field_validator("*", mode="before")
    @classmethod
    def _spell(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        words = get_args(cls.model_fields[str(info.field_name)].annotation)
        return next((word for word in words if isinstance(word, str) and word.lower() == value.lower()), value)


class Capacity(Part):
    """The limits of the instance count, and the count without metrics. All three are strings in the body."""

    minimum: Count
    maximum: Count
    default: Count

    @model_validator(mode="after")
    def _is_ordered(self) -> Capacity:
        if not self.minimum <= self.default <= self.maximum <= HIGHEST:
            raise ValueError(f"expected minimum <= default <= maximum <= {HIGHEST}")
        return self


class Dimension(Part):
    """A filter of a metric by a dimension. Its keys begin with capital letters."""

    name: str = Field(alias="DimensionName")
    operator: Literal["Equals", "NotEquals"] = Field(alias="Operator")
    values: list[str] = Field(alias="Values")


class Trigger(Part):
    """The condition of a rule. Each `time_grain` is combined by `statistic`, then the window by `time_aggregation`."""

    metric_name: str
    metric_resource_uri: str
    time_grain: Seconds = Field(ge=60, le=43_200)
    statistic: Literal["Average", "Min", "Max", "Sum", "Count"]
    time_window: Seconds = Field(ge=300, le=43_200)
    time_aggregation: Literal["Average", "Minimum", "Maximum", "Total", "Count", "Last"]
    operator: Literal["Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"]
    threshold: float = Field(allow_inf_nan=False)
    dimensions: list[Dimension] | None = None
    divide_per_instance: bool | None = None


class Action(Part):
    """What a rule does; `cooldown` in seconds."""

    direction: Literal["None", "Increase", "Decrease"]
    type: Literal["ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue"]
    value: Annotated[Count, Field(ge=1)] = 1
    cooldown: Seconds = Field(ge=60, le=604_800)


class Rule(Part):
    """One rule."""

    metric_trigger: Trigger
    scale_action: Action


class Schedule(Part):
    """The times of a week at which a profile begins: each hour with each minute on each day (0 is Monday)."""

    time_zone: Zone
    days: list[Annotated[int, BeforeValidator(_day)]] = Field(min_length=1, max_length=7)
    hours: list[Annotated[int, Field(ge=0, le=23)]] = Field(min_length=1, max_length=24)
    minutes: list[Annotated[int, Field(ge=0, le=59)]] = Field(min_length=1, max_length=60)

    @cached_property
    def starts(self) -> list[int]:
        """The beginnings, in minutes since Monday 00:00 of the time zone, in order."""
        return sorted({(d * 24 + h) * 60 + m for d in self.days for h in self.hours for m in self.minutes})


class Recurrence(Part):
    """The weekly beginnings of a profile."""

    frequency: Literal["Week"]
    schedule: Schedule


class FixedDate(Part):
    """The one time span of a profile. A time without an offset is in `time_zone`."""

    time_zone: Zone = "UTC"
    start: Moment
    end: Moment

    @cached_property
    def span(self) -> tuple[float, float]:
        """Beginning and end, in seconds since 1970."""
        first, last = (datetime.fromisoformat(text) for text in (self.start, self.end))
        return tuple(  # type: ignore[return-value]
            (each if each.tzinfo else each.replace(tzinfo=zone(self.time_zone))).timestamp() for each in (first, last)
        )

    @model_validator(mode="after")
    def _is_a_span(self) -> FixedDate:
        first, last = self.span
        if not 0 < last - first <= LONGEST_DATE:
            raise ValueError("expected start < end, and at most 365 days between them")
        return self


class Profile(Part):
    """Limits and rules, always or at certain times."""

    name: str
    capacity: Capacity
    rules: list[Rule] = Field(max_length=10)
    recurrence: Recurrence | None = None
    fixed_date: FixedDate | None = None

    @property
    def is_default(self) -> bool:
        """Whether it applies when no other profile does."""
        return self.recurrence is None and self.fixed_date is None


class Setting(Part):
    """The properties of a setting."""

    target_resource_uri: str = Field(min_length=1)
    enabled: bool = False
    profiles: list[Profile] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _has_one_default(self) -> Setting:
        if sum(profile.is_default for profile in self.profiles) > 1:
            raise ValueError("only one of the profiles can be without recurrence and fixedDate")
        return self
