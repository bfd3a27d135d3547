"""The time series of a metrics request, from the request log.

A request shows in the metrics `metrics_delay_seconds` after its answer, on the world's clock. Azure documents less than
a minute, and that the newest minutes can be incomplete. So the minute that the delay cuts has only a part of its
requests, and a later minute has a point without a value (inferred).

`metrics_no_data` is how the absence of requests shows. All three forms are documented or recorded; which of them Azure
uses when is not known.

* `zero` (recorded): an idle minute of `RequestsPerMinute` has `"average": 0.0`.
* `timestamp`: an idle minute has a point with `timeStamp` only.
* `empty`: a resource or deployment without any request in the time span has `"timeseries": []`; otherwise as `zero`.

An idle minute has no latency: a point with `timeStamp` only (inferred). A value of a dimension without requests in the
time span has no time series (documented), except that of an existing deployment with `zero` and `timestamp`.

Unknown in Azure: whether requests to a deployment of the same name that was deleted count (here they do), whether the
values of `deployment` have the case of the name (here lower case), what grains begin with (here the start of the time
span), and the value of a percentile for several deployments (see `scoring_log`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from deploy.emulator.monitor import metric_catalog, scoring_log
from deploy.emulator.monitor.metric_catalog import AGGREGATION, Metric
from deploy.emulator.monitor.metric_filter import Filter
from deploy.emulator.monitor.metric_query import Query, written
from deploy.emulator.monitor.scoring_log import MINUTE
from deploy.emulator.online import endpoints
from deploy.emulator.wire.responses import Json
from deploy.emulator.world import settings
from deploy.emulator.world.store import Resource, World

Key = tuple[tuple[str, str], ...]
"""The dimensions of a time series with their values, both in lower case."""
Minutes = Mapping[int, Sequence[float]]
"""Minute since 1970 -> milliseconds of its requests."""
_VALUE = AGGREGATION.lower()


class NotMeasured(Exception):
    """A request for a dimension that exists in Azure and has no values in the emulator."""


@dataclass
class Answers:
    """The answers to one query about one resource."""

    world: World
    resource: Resource
    query: Query
    _grouped: dict[Filter, dict[Key, Minutes]] = field(default_factory=dict)

    def metrics(self) -> list[dict[str, Json]]:
        """Each metric with its time series.

        Raises:
            ValueError: a metric or dimension does not exist.
            NotMeasured: see there.
        """
        identifier = self.resource.body["id"]
        return [
            {
                "id": f"{identifier}/providers/Microsoft.Insights/metrics/{metric.name}",
                "type": "Microsoft.Insights/metrics",
                "name": {"value": metric.name, "localizedValue": metric.title},
                "unit": metric.unit, "errorCode": "Success", "timeseries": self._timeseries(metric),
            }
            for metric in map(self._metric, self.query.names)
        ]  # fmt: skip

    def _metric(self, name: str) -> Metric:
        known = metric_catalog.of(self.resource.id)
        found = next((metric for metric in known if metric.name.lower() == name.lower()), None)
        if found is None:
            provider, _, kind = metric_catalog.namespace(self.resource.id).partition("/")
            raise ValueError(  # recorded
                f"Failed to find metric configuration for provider: {provider}, resource Type: {kind}, "
                f"metric: {name}, Valid metrics: {','.join(metric.name for metric in known)}"
            )
        return found

    def _timeseries(self, metric: Metric) -> list[dict[str, Json]]:
        found = self._series(self._filter(metric))
        series = [(key, self._points(metric.name.lower(), minutes)) for key, minutes in sorted(found.items())]
        if self.query.descending is not None:
            series.sort(key=lambda each: _average(each[1]), reverse=self.query.descending)
        return [
            {"metadatavalues": [_labelled(*each) for each in key], **({} if self.query.metadata else {"data": points})}
            for key, points in series[: self.query.top]
        ]

    def _filter(self, metric: Metric) -> Filter:
        """The filter for a metric, without dimensions that it does not have if they are to be ignored."""
        supported = {name.lower() for name in metric.dimensions}
        requested = self.query.filter
        unknown = [name for name in requested.dimensions if name not in supported]
        if unknown and not self.query.ignores_unknown_dimensions:
            raise ValueError(
                f"Metric: {metric.name} does not support requested dimension combination: "
                f"{','.join(requested.dimensions)}, supported ones are: {','.join(sorted(supported))}"
            )
        for name in metric.unmeasured:
            if name.lower() in requested.dimensions:
                raise NotMeasured(f"The emulator has no values of the dimension {name}: Azure does not document them")
        return requested.without(frozenset(unknown))

    def _series(self, wanted: Filter) -> Mapping[Key, Minutes]:
        found = self._grouped.get(wanted)
        if found is None:
            found = self._grouped[wanted] = _grouped(self._rows, wanted, self.query.rolled_up)
            if self._face != "empty":
                for key in self._idle(wanted):
                    found.setdefault(key, {})
        return found

    def _idle(self, wanted: Filter) -> Iterator[Key]:
        """The time series that exist without requests: of the resource, and of each deployment that matches."""
        if wanted.dimensions == ("deployment",) and "deployment" not in self.query.rolled_up:
            for child in self.world.children(self.resource.id, endpoints.DEPLOYMENT_KIND):
                if wanted.matches({"deployment": child.name}):
                    yield (("deployment", child.name),)
        elif not wanted.groups:
            yield ()

    @cached_property
    def _face(self) -> str:
        return str(settings.get(self.world, "metrics_no_data"))

    @cached_property
    def _visible(self) -> float:
        """The time from which on requests do not show yet."""
        return self.world.now() - settings.number(self.world, "metrics_delay_seconds")

    @cached_property
    def _rows(self) -> list[scoring_log.Row]:
        minutes = self.query.minutes
        before = min(minutes.stop * MINUTE, self._visible)
        return scoring_log.requests(self.world, self.resource.id.lower(), minutes.start * MINUTE, before)

    def _points(self, name: str, requests: Minutes) -> list[dict[str, Json]]:
        """One point for each grain, which begins at its `timeStamp`."""
        minutes, points = self.query.minutes, []
        reached = int(-(-self._visible // MINUTE))  # the first minute of which no request shows yet
        for start in range(minutes.start, minutes.stop, self.query.grain):
            shown = range(start, min(start + self.query.grain, minutes.stop, reached))
            values = scoring_log.values(name, self._samples(requests, shown))
            point: dict[str, Json] = {"timeStamp": written(start * MINUTE)}
            points.append({**point, _VALUE: scoring_log.mean(values)} if values else point)
        return points

    def _samples(self, requests: Minutes, shown: range) -> list[Sequence[float]]:
        """The requests of each minute that has a value."""
        if self._face == "timestamp":
            return [requests[minute] for minute in shown if minute in requests]
        return [requests.get(minute, ()) for minute in shown]


def _grouped(rows: Sequence[scoring_log.Row], wanted: Filter, rolled_up: frozenset[str]) -> dict[Key, Minutes]:
    """The requests that match a filter, by time series and minute."""
    split = [name for name in wanted.dimensions if name not in rolled_up]
    keys: dict[tuple[str, int], Key | None] = {}
    found: dict[Key, dict[int, list[float]]] = {}
    for moment, target, status, milliseconds in rows:
        kind = (target, status)
        if kind not in keys:
            values = {name: scoring_log.DIMENSIONS[name](*kind).lower() for name in wanted.dimensions}
            keys[kind] = tuple((name, values[name]) for name in split) if wanted.matches(values) else None
        key = keys[kind]
        if key is not None:
            found.setdefault(key, {}).setdefault(int(moment // MINUTE), []).append(milliseconds)
    return dict(found)


def _labelled(name: str, value: str) -> dict[str, Json]:
    return {"name": {"value": name, "localizedValue": name}, "value": value}


def _average(points: Sequence[Mapping[str, Json]]) -> float:
    values = [point[_VALUE] for point in points if _VALUE in point]
    return scoring_log.mean(values) if values else 0.0
