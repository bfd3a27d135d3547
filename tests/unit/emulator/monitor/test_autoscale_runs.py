"""The engine on the world's clock: limits, rules on requests and latency, quota, busy deployments, skipped runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.emulator.monitor import autoscale_runs
from deploy.emulator.wire import request_log
from deploy.emulator.world.timing import PROFILES
from tests.unit.emulator.azure import HOST, LOCATION, WORKSPACE, Azure
from tests.unit.emulator.monitor.setting import BLUE, ENDPOINT, SCALE, profile, rule, setting, weekly

MONDAY = 1_780_272_000.0
"""2026-06-01, 00:00 UTC."""
HOUR, DAY = 3600, 86_400
ONE = f"{SCALE}/mip-blue"


@pytest.fixture
def blue(azure: Azure) -> Azure:
    """A world on a Monday, with a deployment of one instance; operations end at once."""
    azure.clock.time = MONDAY - DAY
    azure.world.timing = PROFILES["instant"]
    azure.serving_endpoint(blue=100)
    azure.clock.time = MONDAY
    return azure


def scale(azure: Azure, *profiles: Any, **properties: Any) -> None:
    assert azure.send("PUT", ONE, setting(*profiles, **properties)).status in (200, 201)


def count(azure: Azure, *, after: float = 0) -> int:
    """The instances of blue, some seconds later."""
    azure.clock.advance(after)
    return int(azure.get("mip/deployments/blue")["sku"]["capacity"])


def answer(azure: Azure, times: int, status: int = 200, milliseconds: float = 10, deployment: str = BLUE) -> None:
    """Log scoring requests that were answered now."""
    entry = request_log.Entry(
        "POST", "/score", status, milliseconds, "scoring", "", "Score", False, target=deployment.lower()
    )
    with azure.world.transaction():
        for _ in range(times):
            request_log.write(azure.world, entry)


def cores(azure: Azure) -> int:
    rows = azure.send("GET", f"{LOCATION}/usages").json["value"]
    return int(next(row for row in rows if row["name"]["value"] == "standardDSv2Family")["currentValue"])


def test_a_count_outside_the_limits_is_moved_inside_at_the_next_run(blue: Azure) -> None:
    """It takes the cores of its instances; manual scaling is temporary."""
    before = cores(blue)
    scale(blue, profile(3, 5))
    assert count(blue, after=59) == 1
    assert count(blue, after=1) == 3
    assert cores(blue) == before * 2  # Azure keeps a fifth: one instance counts as two, three as four
    blue.send("PATCH", BLUE, {"sku": {"capacity": 9}})
    assert count(blue) == 9
    assert count(blue, after=60) == 5
    assert blue.get("mip/deployments/blue")["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"targetResourceUri": f"{BLUE}2"}, {"targetResourceUri": ENDPOINT}]
)
def test_other_settings_scale_nothing(blue: Azure, change: dict[str, Any]) -> None:
    """Disabled ones, and those without a deployment."""
    scale(blue, profile(3, 5), **change)
    assert count(blue, after=HOUR) == 1


def test_a_setting_waits_for_its_deployment(blue: Azure) -> None:
    """It applies to a deployment that is created later."""
    scale(blue, profile(3, 5), targetResourceUri=f"{ENDPOINT}/deployments/green")
    blue.clock.advance(HOUR)
    blue.deployment("green")
    blue.clock.advance(HOUR)
    assert blue.get("mip/deployments/green")["sku"]["capacity"] == 3


def test_scaling_is_an_operation(blue: Azure) -> None:
    """It takes as long as an update. A deployment that is not Succeeded is not scaled."""
    blue.world.timing = PROFILES["realistic"]
    scale(blue, profile(3, 5))
    assert count(blue, after=60) == 3
    found = blue.get("mip/deployments/blue")["properties"]
    assert found["provisioningState"] == "Updating"
    status = blue.send("GET", found["properties"]["AzureAsyncOperationUri"].partition(HOST)[2]).json
    assert status["status"] == "Updating"
    assert blue.send("PATCH", BLUE, {"sku": {"capacity": 2}}).status == 409
    scale(blue, profile(4, 5))
    assert count(blue, after=420) == 3
    assert count(blue, after=60) == 4
    blue.clock.advance(DAY)
    assert blue.get("mip/deployments/blue")["properties"]["provisioningState"] == "Succeeded"


def test_a_failed_deployment_is_not_scaled(blue: Azure) -> None:
    """Nor is one that is being deleted."""
    blue.deployment("green", model="azureml://registries/azureml/models/None/versions/1")
    scale(blue, profile(3, 5), targetResourceUri=f"{ENDPOINT}/deployments/green")
    blue.clock.advance(HOUR)
    found = blue.get("mip/deployments/green")
    assert (found["properties"]["provisioningState"], found["sku"]["capacity"]) == ("Failed", 1)


def test_requests_scale_out_and_idleness_scales_in(blue: Azure) -> None:
    """With a cooldown of five minutes between steps, in both directions; down to the minimum."""
    scale(blue, profile(1, 3, None, rule("Increase", "GreaterThan", 8), rule("Decrease", "LessThan", 2)))
    found = []
    for _ in range(15):
        answer(blue, 10)
        found.append(count(blue, after=60))
    assert found == [1, 1, 1, 1, *[2] * 5, *[3] * 6]  # the window has five minutes
    found = [count(blue, after=60) for _ in range(16)]
    assert found == [*[3] * 4, *[2] * 5, *[1] * 7]  # below 2 a minute, and below 8 after a step, from the fifth on


def test_all_steps_of_a_long_time_are_made_up_for(blue: Azure) -> None:
    """One request after a week: one step per cooldown has been made."""
    blue.send("PATCH", BLUE, {"sku": {"capacity": 9}})
    scale(blue, profile(2, 9, None, rule("Decrease", "LessThan", 2, cooldown="PT12H")))
    assert count(blue, after=2.1 * DAY) == 4
    assert count(blue, after=7 * DAY) == 2


def test_requests_leave_the_window_while_no_request_arrives(blue: Azure) -> None:
    """Ten requests are at least two a minute for five minutes; then there is a step every five minutes."""
    blue.send("PATCH", BLUE, {"sku": {"capacity": 9}})
    scale(blue, profile(1, 9, None, rule("Decrease", "LessThan", 2)))
    answer(blue, 10)
    assert count(blue, after=12 * 60) == 7


def test_latency_of_the_endpoint_and_its_percentiles(blue: Azure) -> None:
    """The average exists for endpoints only, filtered by deployment; the percentiles for both."""
    blue.deployment("green")
    blue.clock.advance(HOUR)

    def scales(metric: str, threshold: float, **more: Any) -> bool:
        """Whether a rule fires with 19 answers of blue in 10 ms, one in 1000 ms, and one of green in 5000 ms."""
        blue.send("DELETE", ONE)
        blue.send("PATCH", BLUE, {"sku": {"capacity": 1}})
        blue.clock.advance(HOUR)
        scale(blue, profile(1, 9, 1, rule("Increase", "GreaterThan", threshold, metricName=metric, **more)))
        answer(blue, 19)
        answer(blue, 1, milliseconds=1000)
        answer(blue, 1, milliseconds=5000, deployment=f"{ENDPOINT}/deployments/green")
        return count(blue, after=60) == 2

    only_blue = [{"DimensionName": "Deployment", "Operator": "Equals", "Values": ["BLUE"]}]
    not_green = [{"DimensionName": "deployment", "Operator": "NotEquals", "Values": ["green"]}]
    assert scales("RequestLatency", 290, metricResourceUri=ENDPOINT)
    assert not scales("RequestLatency", 60, metricResourceUri=ENDPOINT, dimensions=only_blue)
    assert scales("RequestLatency", 59, metricResourceUri=ENDPOINT, dimensions=not_green)
    assert not scales("RequestLatency", 0)
    assert scales("RequestLatency_P99", 999)
    assert not scales("RequestLatency_P95", 10)
    assert scales("requestlatency_p99", 4999, metricResourceUri=ENDPOINT.upper())
    assert scales("RequestLatency_P50", 9)
    assert not scales("CpuUtilizationPercentage", -1)
    assert not scales("RequestLatency_P50", 0, metricResourceUri=f"{WORKSPACE}/datastores/x")


def test_requests_by_status(blue: Azure) -> None:
    """Status and class of an endpoint, the status of a deployment; a dimension that is not emulated never fires."""
    cases = {
        ("statusCodeClass", "Equals", "5xx"): 4, ("statusCode", "Equals", "200"): 3,
        ("statusCode", "NotEquals", "200"): 4, ("modelStatusCode", "NotEquals", "200"): 0,
    }  # fmt: skip
    for (name, operator, value), found in cases.items():
        filters = [{"DimensionName": name, "Operator": operator, "Values": [value]}]
        fires = rule(
            "Increase", "Equals", found, metricResourceUri=ENDPOINT, timeAggregation="Total", dimensions=filters
        )
        blue.send("DELETE", ONE)
        blue.send("PATCH", BLUE, {"sku": {"capacity": 1}})
        blue.clock.advance(HOUR)
        scale(blue, profile(1, 9, None, fires))
        answer(blue, 3)
        answer(blue, 4, status=503)
        assert count(blue, after=60) == (2 if found else 1)


def test_without_latency_it_scales_out_to_the_default(blue: Azure) -> None:
    """An idle deployment has no latency."""
    rules = [rule("Decrease", "LessThan", 100, metricName="RequestLatency_P50")]
    scale(blue, profile(1, 9, 3, *rules))
    assert count(blue, after=60) == 3
    answer(blue, 1)
    assert count(blue, after=60) == 2


def test_grains_and_aggregations(blue: Azure) -> None:
    """3, 0, 9, 1 and 0 requests a minute before a run: first by grain, then over the window."""
    cases = [
        ("PT1M", "Average", "Average", 2.6), ("PT1M", "Average", "Maximum", 9), ("PT1M", "Sum", "Total", 13),
        ("PT1M", "Average", "Last", 0), ("PT1M", "Count", "Count", 5), ("PT1M", "Max", "Minimum", 0),
        ("PT2M", "Sum", "Last", 1), ("PT2M", "Max", "Minimum", 1), ("PT2M", "Min", "Maximum", 0),
        ("PT10M", "Sum", "Average", 13),
    ]  # fmt: skip
    for grain, statistic, aggregation, value in cases:
        blue.send("DELETE", ONE)
        blue.send("PATCH", BLUE, {"sku": {"capacity": 1}})
        blue.clock.advance(HOUR)
        for times in (3, 0, 9, 1):
            answer(blue, times)
            blue.clock.advance(60)
        fires = rule("Increase", "Equals", value, timeGrain=grain, statistic=statistic, timeAggregation=aggregation)
        scale(blue, profile(1, 9, None, fires))
        assert count(blue, after=60) == 2, (grain, statistic, aggregation)


def test_without_quota_it_does_not_scale_out(blue: Azure) -> None:
    """It tries again at each run, and begins no cooldown; nor does it scale beyond the limit of a deployment."""
    scale(blue, profile(30, 40))
    assert count(blue, after=HOUR) == 1
    scale(blue, profile(60, 70))
    assert count(blue, after=HOUR) == 1
    blue.deployment("green", instances=18)
    blue.clock.advance(HOUR)
    scale(blue, profile(3, 5))
    assert count(blue, after=HOUR) == 1
    blue.send("DELETE", f"{ENDPOINT}/deployments/green")
    assert count(blue, after=120) == 3


def test_profiles_follow_the_week(blue: Azure) -> None:
    """More instances on weekends, and a fixed date before both."""
    date = {"timeZone": "UTC", "start": "2026-06-03T08:00:00Z", "end": "2026-06-03T20:00:00Z"}
    scale(
        blue,
        profile(1, 1),
        profile(3, 3, name="weekend", recurrence=weekly("Saturday")),
        profile(1, 1, name='{"name":"default","for":"weekend"}', recurrence=weekly("Monday")),
        profile(5, 5, name="launch", fixedDate=date),
    )
    assert [count(blue, after=DAY / 2) for _ in range(14)] == [1, 1, 1, 1, 5, 1, 1, 1, 1, 3, 3, 3, 3, 1]


def test_a_clock_that_is_set_back_starts_again(blue: Azure) -> None:
    """Neither the runs nor a cooldown wait for the old time."""
    scale(blue, profile(1, 9, None, rule("Increase", "LessThan", 1, cooldown="P7D")))
    assert count(blue, after=60) == 2
    assert count(blue, after=60) == 2
    blue.clock.advance(-DAY)
    assert count(blue) == 2
    assert count(blue, after=60) == 3


def _statements(azure: Azure, part: str, seconds: float) -> int:
    """How many SQL statements with a text are run for one request after some time."""
    seen: list[str] = []
    azure.clock.advance(seconds)
    azure.world.db.set_trace_callback(seen.append)
    azure.send("GET", f"{WORKSPACE}/onlineEndpoints")
    azure.world.db.set_trace_callback(None)
    return sum(part in statement for statement in seen)


def test_runs_without_effect_are_skipped(blue: Azure) -> None:
    """A week of 10,080 minutes needs only those in which a request can leave the window; then none at all."""
    scale(blue, profile(1, 9, None, rule("Increase", "GreaterThan", 5000, metricName="RequestLatency_P50")))
    answer(blue, 1)
    assert 1 < _statements(blue, f"id = '{BLUE.lower()}'", 7 * DAY) <= 20
    assert _statements(blue, f"id = '{BLUE.lower()}'", 7 * DAY) <= 5


def test_a_century_is_bounded(blue: Azure) -> None:
    """Even with a profile that begins each minute, at most 1,000 runs are made; the last one is at the end."""
    schedule = {
        "timeZone": "UTC", "days": ["Monday", "Tuesday"], "hours": list(range(24)), "minutes": list(range(0, 60, 2)),
    }  # fmt: skip
    later = {**schedule, "minutes": list(range(1, 60, 2))}
    unfired = rule("Increase", "GreaterThan", 5000)
    bodies = [{"frequency": "Week", "schedule": each} for each in (schedule, later)]
    profiles = [profile(1, 9, None, unfired, name=str(n), recurrence=body) for n, body in enumerate(bodies)]
    last = profile(7, 7, name="last", fixedDate={"start": "2070-01-01T00:00:00Z", "end": "2070-12-31T00:00:00Z"})
    scale(blue, *profiles, last)
    found = _statements(blue, f"id = '{BLUE.lower()}'", 44 * 365 * DAY)
    assert autoscale_runs.LIMIT <= found <= autoscale_runs.LIMIT + 20
    assert count(blue) == 7


def test_without_settings_a_request_costs_one_query(blue: Azure) -> None:
    """Which changes nothing; also after the last setting was deleted."""
    for _ in range(2):
        assert _statements(blue, "counters", DAY) == 1
        assert _statements(blue, "kind = 'autoscale'", DAY) == 1
        scale(blue, profile(3, 5))
        blue.send("DELETE", ONE)


TRAFFIC = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 60)), max_size=4)
"""Minute, number of requests."""
MOMENTS = st.lists(st.integers(1, 170), max_size=8)
RULES = st.sampled_from([
    rule("Increase", "GreaterThan", 2, cooldown="PT3M"), rule("Increase", "GreaterThan", 9, value="2"),
    rule("Decrease", "LessThan", 1), rule("Increase", "GreaterThan", 50, metricName="RequestLatency_P90"),
])  # fmt: skip


def _trail(blue: Azure, start: sqlite3.Connection, wanted: Any, traffic: Any, reads: Iterable[int]) -> Any:
    """The scale operations and the end of a world: traffic of some requests at some minutes, reads at others."""
    start.backup(blue.world.db)
    blue.world.controls.invalidate()
    blue.clock.time = MONDAY
    scale(blue, *wanted)
    events = sorted([(minute * 60 + 20, n) for minute, n in traffic] + [(minute * 60 + 5, 0) for minute in reads])
    for moment, times in events:
        blue.clock.time = MONDAY + moment
        answer(blue, times, milliseconds=100)
        count(blue)
    blue.clock.time = MONDAY + 3 * HOUR
    count(blue)
    made = blue.world.db.execute("SELECT started, due, state FROM operations WHERE started >= ?", (MONDAY,)).fetchall()
    return made, blue.get("mip/deployments/blue")["sku"], blue.world.get(ONE).private  # type: ignore[union-attr]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(RULES, max_size=3), st.integers(1, 3), TRAFFIC, MOMENTS, st.sampled_from(["quick", "realistic"]),
)  # fmt: skip
def test_the_result_does_not_depend_on_when_requests_arrive(
    blue: Azure, rules: list[Any], least: int, traffic: list[tuple[int, int]], reads: list[int], timing: str
) -> None:
    """A world that is read often scales at the same times as one that is read only with its traffic."""
    start, usual = sqlite3.connect(":memory:"), blue.world.timing
    blue.world.timing = PROFILES[timing]
    blue.world.db.backup(start)
    bodies = (
        profile(least, 5, None, *rules, name="a", recurrence=weekly("Monday", 0)),
        profile(least + 1, 6, None, *rules, name="b", recurrence=weekly("Monday", 1)),
    )
    often = _trail(blue, start, bodies, traffic, reads)
    assert _trail(blue, start, bodies, traffic, ()) == often
    start.backup(blue.world.db)
    start.close()
    blue.world.timing = usual
