"""Azure's metrics of the two deployments that a rollout compares: requests, errors and latency of each minute.

Read from Azure Monitor at the endpoint, as only its metrics have the dimensions `deployment` and `statusCodeClass`
(Microsoft Learn, "Supported metrics for Microsoft.MachineLearningServices/workspaces/onlineEndpoints"). The newest
minutes can be incomplete for some minutes (Microsoft Learn, "Troubleshoot Azure Monitor metrics").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path
from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.gate import Latency, Minute, Sample

VERSION = "2024-02-01"
MINUTE = 60
IGNORED = 2 * MINUTE
"""Seconds for which a minute that has ended counts as incomplete."""
BEFORE = 60 * MINUTE
"""Seconds before a rollout that show what is usual of the live deployment."""
_SETTLED = 10 * MINUTE
"""Seconds after which a minute is not read again."""
_REQUESTS = ("RequestsPerMinute",)
_PERCENTILES = ("RequestLatency_P50", "RequestLatency_P90", "RequestLatency_P95", "RequestLatency_P99")
Minutes = dict[int, Sample]
"""Start of a minute (seconds since 1970) -> what a deployment did in it."""


@dataclass
class SlotMetrics:
    """The minutes of the live and the new deployment of an endpoint since a rollout `began`, as far as they were read.

    `began`: seconds since 1970.
    """

    cloud: Cloud
    endpoint: str
    live: str
    new: str
    began: float
    _read: dict[str, Minutes] = field(default_factory=dict)
    _until: float = 0.0

    def read(self, now: float) -> None:
        """Read what was added since the last time: four requests. Raises CloudError."""
        start = max(self.began - BEFORE, self._until - _SETTLED)
        end = minute_start(now) + MINUTE
        for slot in (self.live, self.new):
            counts = self._ask(slot, _REQUESTS, " and statusCodeClass eq '*'", start, end)
            percentiles = self._ask(slot, _PERCENTILES, "", start, end)
            self._read.setdefault(slot, {}).update(_samples(counts, percentiles))
        self._until = now

    def minutes(self, now: float, own: Mapping[int, Minute]) -> list[Minute]:
        """The complete minutes of the rollout. Those in which Azure knows less than our own requests are theirs."""
        first, end = -(-int(self.began) // MINUTE) * MINUTE, minute_start(now - IGNORED)
        return [self._minute_of(start, own.get(start)) for start in range(first, end, MINUTE)]

    def before(self) -> list[Sample]:
        """The live deployment in the minutes before the rollout."""
        there = self._read.get(self.live, {})
        return [there[start] for start in sorted(there) if start + MINUTE <= self.began]

    def _minute_of(self, start: int, own: Minute | None) -> Minute:
        live, new = (self._read.get(slot, {}).get(start, Sample()) for slot in (self.live, self.new))
        if own is None:
            return Minute(start, live, new)
        if live.requests < own.live.requests or new.requests < own.new.requests:
            return own
        return Minute(start, live, new, own.cases_live, own.cases_new)

    def _ask(self, slot: str, names: Sequence[str], split: str, start: float, end: float) -> Sequence[Json]:
        path = f"{endpoint_path(self.cloud, self.endpoint)}/providers/Microsoft.Insights/metrics"
        query = {
            "timespan": f"{_iso(start)}/{_iso(end)}",
            "interval": "PT1M",
            "metricnames": ",".join(names),
            "aggregation": "Average",
            "$filter": f"deployment eq '{slot}'{split}",
        }
        what = f"read the metrics of {slot} of {self.endpoint}"
        answer = self.cloud.arm.get(path, VERSION, what, response_schemas.Metrics, **query)
        return list((answer or {}).get("value") or ())


def _samples(counts: Sequence[Json], percentiles: Sequence[Json]) -> Minutes:
    requests: Counter[int] = Counter()
    errors: Counter[int] = Counter()
    for series, start, value in _points(counts):
        requests[start] += round(value)
        errors[start] += 0 if _class_of(series) == "2xx" else round(value)
    latencies: dict[int, dict[str, float]] = {}
    for metric in percentiles:
        for _, start, value in _points([metric]):
            latencies.setdefault(start, {})[str(metric["name"]["value"]).lower()] = value
    return {start: Sample(requests[start], errors[start], _latency(latencies.get(start))) for start in requests}


def _latency(values: Mapping[str, float] | None) -> Latency | None:
    """None unless all four percentiles are known."""
    found = [(values or {}).get(name.lower()) for name in _PERCENTILES]
    return Latency(*(each for each in found if each is not None)) if None not in found else None


def _points(metrics: Sequence[Json]) -> Iterator[tuple[Json, int, float]]:
    """Series, start of the minute, value. A point without a value is a minute without data."""
    for metric in metrics:
        for series in metric.get("timeseries") or ():
            for point in series.get("data") or ():
                at = leases.parse_time(point["timeStamp"])
                if at is not None and point.get("average") is not None:
                    yield series, minute_start(at.timestamp()), float(point["average"])


def _class_of(series: Json) -> str:
    """`2xx`, `4xx`, `5xx`; dimension names come in lower case."""
    pairs = {str(each["name"]["value"]).lower(): str(each["value"]).lower() for each in series["metadatavalues"] or ()}
    return pairs.get("statuscodeclass", "")


def minute_start(at: float) -> int:
    """The start of the minute of a time, both in seconds since 1970."""
    return int(at // MINUTE) * MINUTE


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(minute_start(at), UTC):%Y-%m-%dT%H:%M:%SZ}"
