"""The parameters of a metrics request, read and checked. Pure.

Names of parameters and of metrics are read in any case. Defaults from the specifications: the interval PT1M, ten time
series with a filter; the last hour without a time span, which only that of `getBatch` states. Without `metricnames`
Azure's answer is unknown; here it is an error. The time span can have the format of Azure Monitor's answers, any ISO
8601 format, or `02-21-2021 21:14:00` (recorded); a time without a zone is UTC. A time span of more than 93 days, for
which Azure keeps metrics, is an error (inferred).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.emulator.monitor import metric_catalog, metric_filter
from deploy.emulator.monitor.metric_catalog import AGGREGATION, GRAINS
from deploy.emulator.monitor.metric_filter import Filter
from deploy.emulator.monitor.scoring_log import MINUTE
from deploy.emulator.world import durations

HOUR, LONGEST = 3600, 93 * 86_400
MOST_METRICS = 20
_FULL = "FULL"


@dataclass(frozen=True)
class Query:
    """A request. `start` and `end` are seconds since 1970; `grain` is in minutes, and `interval` its name.

    `top` is the maximum number of time series, None for all of them; `rolled_up` are dimensions that do not split the
    result; `metadata` requests the values of dimensions without data.
    """

    start: float
    end: float
    grain: int
    interval: str
    names: tuple[str, ...]
    filter: Filter
    ignores_unknown_dimensions: bool
    rolled_up: frozenset[str]
    top: int | None
    descending: bool | None
    metadata: bool

    @property
    def minutes(self) -> range:
        """The minutes since 1970 of the time span. The end is exclusive; a minute counts as a whole."""
        return range(int(self.start // MINUTE), math.ceil(self.end / MINUTE))


def read(parameters: Mapping[str, str], now: float) -> Query:
    """The query in the parameters of a request, at a time.

    Raises:
        ValueError: with the text for the client.
    """
    given = {name.lower().removeprefix("$"): value for name, value in parameters.items() if value}
    start, end = _span(given, now)
    interval, grain = _interval(given, end - start)
    _check_aggregation(given.get("aggregation", ""))
    names = tuple(name.strip() for name in given.get("metricnames", "").split(",") if name.strip())
    if not 1 <= len(names) <= MOST_METRICS:
        raise ValueError(f"Expected 1 to {MOST_METRICS} metric names in 'metricnames', found {len(names)}")
    found = metric_filter.parse(given.get("filter", ""))
    return Query(
        start, end, grain, interval, tuple(dict.fromkeys(names)), found,
        not _flag(given, "validatedimensions", default=True),
        frozenset(name.strip().lower() for name in given.get("rollupby", "").split(",") if name.strip()),
        _top(given, found), _descending(given), _is_metadata(given),
    )  # fmt: skip


def namespace(parameters: Mapping[str, str]) -> str:
    """The metric namespace that the parameters name, or ""."""
    return next((value for name, value in parameters.items() if name.lower() == "metricnamespace"), "")


def check_namespace(parameters: Mapping[str, str], identifier: str) -> None:
    """Check `metricnamespace` against the resource.

    Raises:
        ValueError: it is of another type.
    """
    found, expected = namespace(parameters), metric_catalog.namespace(identifier)
    if found and found.lower() != expected.lower():
        raise ValueError(f"The metric namespace of the resource is {expected}, found '{found}'")


def written(moment: float) -> str:
    """A time as Azure Monitor writes it: `2021-02-21T21:14:00Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _span(given: Mapping[str, str], now: float) -> tuple[float, float]:
    if "timespan" in given:
        first, slash, last = given["timespan"].partition("/")
        if not slash:
            raise ValueError(f"Invalid timespan, expected START/END: '{given['timespan']}'")
    else:
        first, last = given.get("starttime", ""), given.get("endtime", "")
        if last and not first:
            raise ValueError("'endtime' needs 'starttime'")
    end = _moment(last) if last else now
    start = _moment(first) if first else now - HOUR
    if not 0 < end - start <= LONGEST:
        raise ValueError("Expected a start before the end, and at most 93 days between them")
    return start, end


def _moment(text: str) -> float:
    try:
        return _parsed(text.strip()).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"Invalid time: '{text}'") from None


def _parsed(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.strptime(text, "%m-%d-%Y %H:%M:%S")  # noqa: DTZ007 - UTC, see below
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _interval(given: Mapping[str, str], span: float) -> tuple[str, int]:
    """The interval and its minutes. `AutoAdjustTimegrain` takes the nearest one instead of an error."""
    text = given.get("interval", "PT1M").upper()
    if text == _FULL:
        return text, math.ceil(span / MINUTE) + 1
    if text in GRAINS:
        return text, GRAINS[text]
    minutes = _minutes(text)
    if minutes is None or not _flag(given, "autoadjusttimegrain", default=False):
        supported = ",".join(GRAINS)
        raise ValueError(f"Detected invalid time grain input: {text}, supported ones are: {supported}")
    return min(GRAINS.items(), key=lambda item: abs(item[1] - minutes))


def _minutes(text: str) -> float | None:
    return durations.seconds(text) / MINUTE if durations.readable(text) else None


def _check_aggregation(text: str) -> None:
    for name in filter(None, (each.strip() for each in text.split(","))):
        if name.lower() != AGGREGATION.lower():
            raise ValueError(f"The metrics do not support the aggregation '{name}', supported ones are: {AGGREGATION}")


def _top(given: Mapping[str, str], found: Filter) -> int | None:
    text = given.get("top", "10")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise ValueError(f"Invalid top: '{text}'")
    return int(text) if found.groups else None


def _descending(given: Mapping[str, str]) -> bool | None:
    """The order by the average over the whole time span; None for the order of the dimensions' values."""
    words = given.get("orderby", "").lower().split()
    if not words:
        return None
    if words[0] != AGGREGATION.lower() or words[1:] not in ([], ["asc"], ["desc"]):
        raise ValueError(f"Invalid orderby, expected '{AGGREGATION.lower()} asc' or '{AGGREGATION.lower()} desc'")
    return words[1:] == ["desc"]


def _is_metadata(given: Mapping[str, str]) -> bool:
    text = given.get("resulttype", "data").lower()
    if text not in ("data", "metadata"):
        raise ValueError(f"Invalid resultType: '{text}'")
    return text == "metadata"


def _flag(given: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = given.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise ValueError(f"Invalid {name}: '{text}'")
    return text == "true"
