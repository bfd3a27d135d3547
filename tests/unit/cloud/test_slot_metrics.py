"""The minutes of two deployments from Azure's metrics, and which of them our own requests replace."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud.slot_metrics import MINUTE, SlotMetrics
from deploy.domain import leases
from deploy.gate import Latency, Minute, Sample

NAMES = ("RequestLatency_P50", "RequestLatency_P90", "RequestLatency_P95", "RequestLatency_P99")


class Answers:
    """Stands in place of the connection to Azure: each metric has the series that a test sets."""

    workspace_id = "/ws"

    def __init__(self, series: dict[tuple[str, str], list[Any]]) -> None:
        self.series, self.asked = series, list[dict[str, str]]()
        self.arm = self

    def get(self, _: str, __: str, ___: str, ____: object, **query: str) -> Any:
        self.asked.append(query)
        slot = query["$filter"].split("'")[1]
        names = query["metricnames"].split(",")
        return {"value": [{"name": {"value": n}, "timeseries": self.series.get((slot, n), [])} for n in names]}


def point(minute: int, value: float | None) -> dict[str, Any]:
    hours, minutes = divmod(20 * 60 + minute, 60)
    found: dict[str, Any] = {"timeStamp": f"2026-11-29T{hours:02}:{minutes:02}:00Z"}
    return found if value is None else {**found, "average": value}


def series(minutes: list[float | None], status: str = "") -> dict[str, Any]:
    split = [{"name": {"value": "statuscodeclass"}, "value": status}] if status else []
    return {"metadatavalues": split, "data": [point(n, value) for n, value in enumerate(minutes)]}


def began() -> float:
    at = leases.parse_time("2026-11-29T20:00:00Z")
    assert at
    return at.timestamp()


COUNTS = st.lists(st.none() | st.integers(0, 500).map(float), min_size=6, max_size=6)


@given(COUNTS, COUNTS, COUNTS)
def test_requests_are_counted_by_class(good: list[Any], client: list[Any], server: list[Any]) -> None:
    """What is not 2xx is an error. A minute without a value has no requests."""
    split = [series(good, "2xx"), series(client, "4xx"), series(server, "5xx")]
    found = read({("new", "RequestsPerMinute"): split})

    for number, minute in enumerate(found):
        errors = (client[number] or 0) + (server[number] or 0)
        assert (minute.new.requests, minute.new.errors) == ((good[number] or 0) + errors, errors)
        assert minute.live == Sample()


def read(found: dict[tuple[str, str], list[Any]], own: dict[int, Minute] | None = None) -> list[Minute]:
    """The first six minutes."""
    metrics = SlotMetrics(Answers(found), "mip", "live", "new", began())  # type: ignore[arg-type]
    metrics.read(began() + 8 * MINUTE)
    return metrics.minutes(began() + 8 * MINUTE, own or {})


def test_the_newest_two_minutes_are_ignored() -> None:
    """Azure may still count in them. The rollout begins with the first whole minute."""
    assert [minute.start for minute in read({})] == [began() + n * MINUTE for n in range(6)]


def test_a_minute_has_a_latency_only_with_all_percentiles() -> None:
    """A point that has only its time is no value."""
    rows: dict[tuple[str, str], list[Any]] = {("new", name): [series([float(n), 9.0])] for n, name in enumerate(NAMES)}
    rows["new", NAMES[3]] = [series([3.0, None])]
    rows["new", "RequestsPerMinute"] = [series([4.0, 4.0], "2xx")]
    first, second, *_ = read(rows)

    assert first.new == Sample(4, 0, Latency(0, 1, 2, 3))
    assert second.new == Sample(4, 0, None)


def test_our_own_requests_count_where_azure_knows_less() -> None:
    """Azure counts ours, too: with fewer, its metrics of the minute are missing or late."""
    one = Sample(3, 1)
    own = {int(began()) + n * MINUTE: Minute(began() + n * MINUTE, one, one, (0, 3), (1, 3)) for n in (0, 1)}
    rows: dict[tuple[str, str], list[Any]] = {
        (slot, "RequestsPerMinute"): [series([30.0, 2.0], "2xx")] for slot in ("live", "new")
    }
    first, second, *_ = read(rows, own)

    assert (first.new.requests, first.cases_new) == (30, (1, 3))
    assert second == own[int(began()) + MINUTE]


def test_the_live_deployment_before_the_rollout() -> None:
    """An hour of it is read, and later looks read only the last minutes again."""
    answers = Answers({("live", "RequestsPerMinute"): [series([7.0], "2xx")]})
    metrics = SlotMetrics(answers, "mip", "live", "new", began() + MINUTE)  # type: ignore[arg-type]
    metrics.read(began() + 2 * MINUTE)
    asked = [query["timespan"] for query in answers.asked]
    metrics.read(began() + 60 * MINUTE)

    assert metrics.before() == [Sample(7, 0)]
    assert asked == ["2026-11-29T19:01:00Z/2026-11-29T20:03:00Z"] * 4
    assert answers.asked[-1]["timespan"] == "2026-11-29T19:52:00Z/2026-11-29T21:01:00Z"
    assert {query["aggregation"] for query in answers.asked} == {"Average"}
