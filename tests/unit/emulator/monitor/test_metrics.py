"""Metrics of endpoints and deployments: laws over random logs, the forms of no data, the delay, errors, rights."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.emulator.entra import access_tokens
from deploy.emulator.monitor import metric_query, scoring_log
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.emulator.wire import request_log
from deploy.emulator.world.timing import PROFILES
from tests.unit.emulator.azure import Azure, Reply
from tests.unit.emulator.monitor.setting import BLUE, ENDPOINT

NOON = 1_780_315_200.0
"""2026-06-01, 12:00 UTC."""
LENGTH = 30
"""Minutes of the time span of `values`, before noon."""
SPAN = "2026-06-01T11:30:00Z/2026-06-01T12:00:00Z"
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
BATCH = f"/eastus.metrics.monitor.azure.com/subscriptions/{default_world.SUBSCRIPTION}/metrics:getBatch"
Logged = tuple[int, str, int, float]
"""A request: seconds before noon, deployment, status, milliseconds."""
LOG = st.lists(
    st.tuples(
        st.integers(1, LENGTH * 60), st.sampled_from(("blue", "green", "gone")),
        st.sampled_from((200, 200, 404, 424, 429, 500, 503)), st.floats(0.1, 9000),
    ),
    max_size=60,
)  # fmt: skip


@pytest.fixture
def mip(azure: Azure) -> Azure:
    """A world at noon and a minute, with the deployments blue and green; operations end at once."""
    azure.clock.time = NOON - 86_400
    azure.world.timing = PROFILES["instant"]
    azure.serving_endpoint(blue=50, green=50)
    azure.clock.time = NOON + 60
    return azure


def log(azure: Azure, requests: Sequence[Logged], operation: str = "Score") -> None:
    """Replace the scoring requests in the request log."""
    now = azure.clock.time
    with azure.world.transaction():
        azure.world.db.execute("DELETE FROM requests")
        for before, deployment, status, milliseconds in requests:
            azure.clock.time = NOON - before
            target = f"{ENDPOINT}/deployments/{deployment}".lower()
            entry = request_log.Entry(
                "POST", "/score", status, milliseconds, "scoring", "", operation, False, target=target
            )
            request_log.write(azure.world, entry)
    azure.clock.time = now


def read(azure: Azure, resource: str = ENDPOINT, version: str = "2024-02-01", **parameters: str) -> Reply:
    sent = {"metricnames": "RequestsPerMinute", "timespan": SPAN, "api-version": version, **parameters}
    if "filter" in sent:
        sent["$filter"] = sent.pop("filter")
    path = f"{resource}/providers/Microsoft.Insights/metrics"
    path = path.upper() if resource.isupper() else path
    return azure.send("GET", f"{path}?{urlencode(sent, quote_via=quote)}")


def series(azure: Azure, resource: str = ENDPOINT, **parameters: str) -> dict[tuple[str, ...], list[Any]]:
    """Values of dimensions -> the average of each point, None without one."""
    reply = read(azure, resource, **parameters)
    assert reply.status == 200, reply.content
    (metric,) = reply.json["value"]
    return {
        tuple(each["value"] for each in found["metadatavalues"]): [point.get("average") for point in found["data"]]
        for found in metric["timeseries"]
    }


def total(points: Sequence[Any]) -> float:
    return sum(filter(None, points))


each_log = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


@each_log
@given(LOG)
def test_the_sum_over_classes_and_deployments_is_the_log(mip: Azure, logged: list[Logged]) -> None:
    """Split by all dimensions and by none, at both scopes."""
    log(mip, logged)
    whole = Counter((name, f"{status // 100}xx", str(status)) for _, name, status, _ in logged)
    text = "deployment eq '*' and statusCodeClass eq '*' and statusCode eq '*'"
    found = {key: total(points) for key, points in series(mip, filter=text, top="100").items()}
    assert found == dict(whole)
    assert total(series(mip)[()]) == len(logged)
    codes = series(mip, BLUE, filter="envoy_response_code eq '*'")
    blue = Counter(str(status) for _, name, status, _ in logged if name == "blue")
    assert {key: total(points) for (key,), points in codes.items()} == blue


@each_log
@given(LOG, st.sampled_from(("2xx", "4xx", "5xx")), st.booleans())
def test_a_filter_is_the_same_as_filtering_the_log(mip: Azure, logged: list[Logged], kind: str, equals: bool) -> None:
    """Each minute of each series; the recorded filter of a gate has one series per class."""
    log(mip, logged)
    kept = [each for each in logged if each[1] == "green" and (f"{each[2] // 100}xx" == kind) is equals]
    text = f"deployment eq 'GREEN' and statusCodeClass {'eq' if equals else 'ne'} '{kind}'"
    expected: dict[tuple[str, ...], list[float]] = {}
    for before, name, status, _ in kept:
        points = expected.setdefault((name, f"{status // 100}xx"), [0.0] * LENGTH)
        points[(LENGTH * 60 - before) // 60] += 1
    assert series(mip, filter=text) == expected


@each_log
@given(LOG, st.sampled_from(("RequestsPerMinute", "RequestLatency", "RequestLatency_P50", "RequestLatency_P99")))
def test_a_longer_interval_is_the_mean_of_its_minutes(mip: Azure, logged: list[Logged], name: str) -> None:
    """Of the minutes with a value, in each form of no data."""
    log(mip, logged)
    for face in ("zero", "timestamp", "empty"):
        mip.send("PUT", "/emulator/settings", {"metrics_no_data": face})
        minutes = series(mip, metricnames=name).get((), [])
        for interval, size in (("PT5M", 5), ("PT15M", 15), ("FULL", LENGTH)):
            grains = [[v for v in minutes[at : at + size] if v is not None] for at in range(0, len(minutes), size)]
            expected = [pytest.approx(sum(each) / len(each)) if each else None for each in grains]
            assert series(mip, metricnames=name, interval=interval).get((), []) == expected
    mip.send("PUT", "/emulator/settings", {"metrics_no_data": None})


@each_log
@given(LOG)
def test_percentiles_are_latencies_of_the_minute(mip: Azure, logged: list[Logged]) -> None:
    """At most the share of requests is slower; at both scopes the same for one deployment."""
    log(mip, logged)
    for percent in (50, 90, 95, 99):
        name = f"RequestLatency_P{percent}"
        found = series(mip, metricnames=name, filter="deployment eq 'blue'").get(("blue",), [])
        for minute, value in enumerate(found):
            there = [ms for at, who, _, ms in logged if who == "blue" and (LENGTH * 60 - at) // 60 == minute]
            assert (value is None) == (not there)
            if value is not None:
                assert value in [pytest.approx(ms, abs=0.001) for ms in there]
                assert sum(ms > value + 0.001 for ms in there) <= len(there) * (1 - percent / 100)
        assert series(mip, BLUE, metricnames=name).get(()) == found


def test_an_answer_has_the_recorded_form(mip: Azure) -> None:
    """25 minutes are 25 points; any case of the path, the odd time format, both api-versions."""
    log(mip, [(35 * 60 - 1, "blue", 404, 5.0), (600, "blue", 200, 5.0)])
    parameters = {
        "timespan": "06-01-2026 11:25:00/06-01-2026 11:50:00", "metricnames": "requestsperminute",
        "aggregation": "average", "filter": "deployment eq 'blue' and statusCodeClass eq '4xx'",
    }  # fmt: skip
    for resource, version in ((ENDPOINT, "2018-01-01"), (ENDPOINT.upper(), "2024-02-01")):
        reply = read(mip, resource, version, **parameters)
        body = reply.json
        (metric,) = body.pop("value")
        assert body == {
            "cost": 24, "timespan": "2026-06-01T11:25:00Z/2026-06-01T11:50:00Z", "interval": "PT1M",
            "namespace": NAMESPACE, "resourceregion": "eastus",
        }  # fmt: skip
        assert "x-ms-ratelimit-remaining-subscription-reads" in reply.headers
        (found,) = metric.pop("timeseries")
        assert metric == {
            "id": f"{ENDPOINT}/providers/Microsoft.Insights/metrics/RequestsPerMinute",
            "type": "Microsoft.Insights/metrics", "unit": "Count", "errorCode": "Success",
            "name": {"value": "RequestsPerMinute", "localizedValue": "Requests Per Minute"},
        }  # fmt: skip
        assert found["metadatavalues"] == [
            {"name": {"value": "deployment", "localizedValue": "deployment"}, "value": "blue"},
            {"name": {"value": "statuscodeclass", "localizedValue": "statuscodeclass"}, "value": "4xx"},
        ]
        assert found["data"][0] == {"timeStamp": "2026-06-01T11:25:00Z", "average": 1.0}
        assert (len(found["data"]), found["data"][-1]["timeStamp"]) == (25, "2026-06-01T11:49:00Z")
    assert read(mip, metricnames="RequestLatency_P90").json["value"][0]["unit"] == "MilliSeconds"


def test_a_time_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the emulator runs, in each format."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "EST+5")
        time.tzset()
        found = {
            metric_query.read({"metricnames": "x", "timespan": f"{text}/2026-06-01T12:30:00Z"}, 0).start
            for text in (
                "06-01-2026 12:00:00", "2026-06-01 12:00:00", "2026-06-01T12:00:00.0000000Z",
                "2026-06-01T14:00:00+02:00",
            )
        }  # fmt: skip
    time.tzset()
    assert found == {NOON}


def test_no_data_has_three_forms(mip: Azure) -> None:
    """An idle minute, an idle resource, an idle deployment; a value without requests never has a series."""
    idle, none = [0.0] * LENGTH, [None] * LENGTH
    busy = [0.0] * (LENGTH - 1) + [1.0]
    forms: dict[str, tuple[Any, ...]] = {
        "zero": ({(): idle}, {("green",): idle}, {(): none}, busy),
        "timestamp": ({(): none}, {("green",): none}, {(): none}, [None] * (LENGTH - 1) + [1.0]),
        "empty": ({}, {}, {}, busy),
    }
    for form, (whole, green, latency, minutes) in forms.items():
        assert mip.send("PUT", "/emulator/settings", {"metrics_no_data": form}).status == 200
        log(mip, [])
        assert series(mip) == whole
        assert series(mip, metricnames="RequestLatency") == latency
        log(mip, [(1, "blue", 200, 1.0)])
        assert series(mip) == {(): minutes}
        assert series(mip, filter="deployment eq 'green'") == green
        assert series(mip, filter="deployment eq 'other'") == {}
        assert series(mip, filter="deployment eq 'green' and statusCodeClass eq '5xx'") == {}
    assert mip.send("PUT", "/emulator/settings", {"metrics_no_data": "null"}).code == "InvalidSetting"


def test_requests_show_after_the_delay(mip: Azure) -> None:
    """On the world's clock: first a minute without a value, then a part of it, then all of it."""
    log(mip, [(50, "blue", 200, 1.0), (10, "blue", 200, 1.0)])
    seen = []
    for after in (-40, -31, -29, -10, 19, 21):
        mip.clock.time = NOON + after
        seen.append(series(mip)[()][-1])
    assert seen == [None, None, 0.0, 1.0, 1.0, 2.0]
    mip.send("PUT", "/emulator/settings", {"metrics_delay_seconds": 0})
    mip.clock.time = NOON - 45
    assert series(mip)[()][-1] == 1.0


def test_top_order_and_rollup(mip: Azure) -> None:
    """Ten series with a filter, or `top`; by value; dimensions that do not split; values of dimensions only."""
    log(mip, [(60 + n, "blue", 400 + code, 1.0) for code in range(12) for n in range(code + 1)])
    by_code = "statusCode eq '*'"
    assert len(series(mip, filter=by_code)) == 10
    assert list(series(mip, filter=by_code, top="2", orderby="average desc")) == [("411",), ("410",)]
    assert list(series(mip, filter=by_code, top="1", orderby="Average asc")) == [("400",)]
    rolled = series(mip, filter="statusCode eq '411' or statusCode eq '400'", rollupby="statusCode")
    assert total(rolled[()]) == 13
    metadata = read(mip, filter=by_code, top="50", resultType="metadata").json
    assert "interval" not in metadata
    assert [each["metadatavalues"][0]["value"] for each in metadata["value"][0]["timeseries"]] == [
        str(400 + code) for code in range(12)
    ]
    assert all("data" not in each for each in metadata["value"][0]["timeseries"])


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"metricnames": "Ingress"}, "Failed to find metric configuration for provider: Microsoft.MachineLearning"),
        ({"metricnames": "CpuUtilizationPercentage"}, "Valid metrics: RequestsPerMinute,RequestLatency"),
        ({"metricnames": ""}, "metric names"),
        ({"metricnames": ",".join("abcdefghijklmnopqrstu")}, "found 21"),
        ({"filter": "apiname2 eq 'x'"}, "Metric: RequestsPerMinute does not support requested dimension combination"),
        ({"filter": "statusCode eq '*'", "metricnames": "RequestLatency"}, "supported ones are: deployment"),
        ({"filter": "deployment = 'x'"}, "Invalid filter"),
        ({"filter": "modelStatusCode eq '*'"}, "modelStatusCode"),
        ({"aggregation": "Total"}, "supported ones are: Average"),
        ({"interval": "PT2M"}, "Detected invalid time grain input"),
        ({"interval": "often", "AutoAdjustTimegrain": "true"}, "Detected invalid time grain input"),
        ({"timespan": "PT1H"}, "timespan"),
        ({"timespan": "yesterday/2026-06-01T12:00:00Z"}, "Invalid time"),
        ({"timespan": "2026-06-01T12:00:00Z/2026-06-01T12:00:00Z"}, "start before the end"),
        ({"timespan": "2025-06-01T12:00:00Z/2026-06-01T12:00:00Z"}, "93 days"),
        ({"metricnamespace": "Microsoft.Compute/virtualMachines"}, NAMESPACE),
        ({"top": "0", "filter": "deployment eq '*'"}, "Invalid top"),
        ({"orderby": "sum asc"}, "Invalid orderby"),
        ({"resultType": "all"}, "resultType"),
        ({"ValidateDimensions": "no"}, "validatedimensions"),
    ],
)
def test_errors_are_flat(mip: Azure, parameters: dict[str, str], text: str) -> None:
    """400 with code and message, not inside `error`."""
    reply = read(mip, **parameters)
    assert (reply.status, reply.json["code"], set(reply.json)) == (400, "BadRequest", {"code", "message"})
    assert text in reply.json["message"]


def test_lenient_parameters(mip: Azure) -> None:
    """The nearest interval in place of an error; an unknown dimension is ignored."""
    log(mip, [(1, "blue", 200, 1.0)])
    assert read(mip, interval="PT4M", AutoAdjustTimegrain="true").json["interval"] == "PT5M"
    assert total(series(mip, filter="color eq 'red'", ValidateDimensions="false")[()]) == 1


def test_metrics_that_do_not_exist_at_a_scope(mip: Azure) -> None:
    """The definitions are what can be read; a deployment has percentiles only, without dimensions."""
    found = {}
    for resource in (ENDPOINT, BLUE):
        path = f"{resource}/providers/microsoft.insights/metricDefinitions?api-version=2018-01-01"
        listed = mip.send("GET", path).json["value"]
        found[resource] = {each["name"]["value"] for each in listed}
        for each in listed:
            name = each["name"]["value"]
            assert each["supportedAggregationTypes"] == ["Average"]
            assert each["metricAvailabilities"][0] == {"timeGrain": "PT1M", "retention": "P93D"}
            for dimension in each.get("dimensions", []):
                known = dimension["value"] != "modelStatusCode"
                reply = read(mip, resource, metricnames=name, filter=f"{dimension['value']} eq '*'")
                assert reply.status == (200 if known else 400)
            assert read(mip, resource, metricnames=name).json["value"][0]["unit"] == each["unit"]
    assert found[ENDPOINT] - found[BLUE] == {"RequestLatency"}
    assert read(mip, BLUE, metricnames="RequestLatency").status == 400
    assert read(mip, f"{ENDPOINT}2").code == "ResourceNotFound"


def test_mirrored_requests_count_for_the_mirror_deployment(mip: Azure) -> None:
    """With their own status and latency; the client gets the answer of the live deployment."""
    mip.endpoint(traffic={"blue": 100}, mirrorTraffic={"green": 50})
    fault = {"kind": "refuse", "deployment": "green", "status": 503, "times": 3}
    assert mip.send("POST", "/emulator/faults", fault).status == 201
    for _ in range(20):
        assert mip.score({}).headers["azureml-model-deployment"] == "blue"
    rows = [row for row in request_log.read(mip.world) if row["operation"] == "MirroredScore"]
    live = [row["note"] for row in request_log.read(mip.world) if row["operation"] == "Score"]
    assert len(rows) == live.count("mirrored to green") > 3
    assert {row["target"] for row in rows} == {f"{ENDPOINT}/deployments/green".lower()}
    assert [row["status"] for row in rows][:4] == [503, 503, 503, 424]
    mip.clock.advance(60)
    span = f"{metric_query.written(NOON)}/{metric_query.written(NOON + 120)}"
    found = series(mip, filter="deployment eq '*' and statusCodeClass eq '*'", timespan=span)
    assert {key: total(points) for key, points in found.items()} == {
        ("blue", "4xx"): 20, ("green", "4xx"): len(rows) - 3, ("green", "5xx"): 3
    }  # fmt: skip
    assert series(mip, metricnames="RequestLatency", filter="deployment eq 'green'", timespan=span)[("green",)][1]


def test_reading_needs_the_right(mip: Azure) -> None:
    """Any role with `*/read`: Monitoring Reader, but not AzureML Data Scientist."""
    for role, status in (
        (builtin_roles.DATA_SCIENTIST, 403), (builtin_roles.MONITORING_READER, 200), (builtin_roles.READER, 200)
    ):  # fmt: skip
        who = mip.sign_in(f"reader of {role}")
        assert mip.assign_role(who, role, ENDPOINT).status == 201
        assert read(mip).status == status
        definitions = mip.send("GET", f"{BLUE}/providers/microsoft.insights/metricDefinitions")
        assert definitions.status == status
        assert batch(mip, [ENDPOINT]).status == 401  # not on the subscription
        if status == 403:  # the scope in the message is the resource, in any case of the path
            assert f"over scope '{ENDPOINT.upper()}'" in read(mip, ENDPOINT.upper()).message
    scope = f"/subscriptions/{default_world.SUBSCRIPTION}"
    assert mip.assign_role(who, builtin_roles.MONITORING_READER, scope).status == 201
    assert batch(mip, [ENDPOINT]).status == 200


def batch(
    azure: Azure, resources: Any, audience: str = "https://metrics.monitor.azure.com", **parameters: str
) -> Reply:
    sent = {
        "api-version": "2024-02-01", "metricnamespace": NAMESPACE, "metricnames": "RequestsPerMinute",
        "starttime": "2026-06-01T11:30:00.000Z", "endtime": "2026-06-01T12:00:00.000Z", **parameters,
    }  # fmt: skip
    claims = azure.tokens.claims(azure.token)
    assert claims is not None
    token = azure.tokens.sign({**claims, "aud": audience, "exp": int(time.time()) + 600})
    headers = {"authorization": f"Bearer {token}"}
    return azure.send("POST", f"{BATCH}?{urlencode(sent)}", {"resourceids": resources}, headers)


@each_log
@given(LOG)
def test_a_batch_has_the_values_of_each_resource(mip: Azure, logged: list[Logged]) -> None:
    """As the Resource Manager returns them, in the order of the request."""
    log(mip, logged)
    deployments = [BLUE, f"{ENDPOINT}/deployments/green"[1:]]
    names = "RequestsPerMinute,RequestLatency_P90"
    reply = batch(mip, deployments, metricnamespace=f"{NAMESPACE}/deployments", metricnames=names)
    assert reply.status == 200, reply.content
    for identifier, found in zip(deployments, reply.json["values"], strict=True):
        one = read(mip, "/" + identifier.strip("/"), metricnames=names).json
        assert (found["resourceid"], found["value"]) == (identifier, one["value"])
        assert (found["starttime"], found["endtime"]) == ("2026-06-01T11:30:00Z", "2026-06-01T12:00:00Z")
        assert {key: found[key] for key in ("interval", "namespace", "resourceregion")} == {
            key: one[key] for key in ("interval", "namespace", "resourceregion")
        }


def test_errors_of_a_batch_are_wrapped(mip: Azure) -> None:
    """Too many ids, another type, region, subscription or audience, an unknown metric."""
    other_region = BATCH.replace("eastus", "westus")
    assert batch(mip, [ENDPOINT] * 50).status == 200
    for reply in (
        batch(mip, [ENDPOINT] * 51), batch(mip, []), batch(mip, ENDPOINT), batch(mip, [ENDPOINT, BLUE]),
        batch(mip, [ENDPOINT], metricnames="Ingress"), batch(mip, [ENDPOINT], metricnamespace=""),
        batch(mip, [ENDPOINT], filter="color eq 'red'"),
    ):  # fmt: skip
        assert (reply.status, reply.code) == (400, "BadRequest")
    assert batch(mip, [f"{ENDPOINT}2"]).code == "ResourceNotFound"
    wrong = batch(mip, [ENDPOINT], audience="https://management.azure.com")
    assert (wrong.status, wrong.code) == (401, "InvalidAuthenticationTokenAudience")
    assert "'https://metrics.monitor.azure.com'" in wrong.message
    token = access_tokens.issue(mip.tokens, "https://metrics.monitor.azure.com", time.time())
    headers = {"authorization": f"Bearer {token}"}
    query = f"?api-version=2024-02-01&metricnamespace={NAMESPACE}&metricnames=RequestsPerMinute"
    assert mip.send("POST", other_region + query, {"resourceids": [ENDPOINT]}, headers).code == "BadRequest"
    assert mip.send("POST", BATCH, {"resourceids": [ENDPOINT]}, headers).code == "MissingApiVersionParameter"


def test_a_batch_is_of_one_subscription(mip: Azure) -> None:
    """Also for a caller with the right on both."""
    with mip.world.transaction():
        mip.world.db.execute(
            "INSERT INTO role_assignments SELECT id || '2', name, '/subscriptions/other', principal, role, body"
            " FROM role_assignments WHERE principal = ?",
            (access_tokens.SIGNED_IN,),
        )
    token = access_tokens.issue(mip.tokens, "https://metrics.monitor.azure.com", time.time())
    path = f"{BATCH.replace(default_world.SUBSCRIPTION, 'other')}?api-version=2024-02-01&metricnamespace={NAMESPACE}"
    headers = {"authorization": f"Bearer {token}"}
    reply = mip.send("POST", f"{path}&metricnames=RequestsPerMinute", {"resourceids": [ENDPOINT]}, headers)
    assert reply.code == "BadRequest"
    assert "subscription 'other'" in reply.message


def test_only_answers_count(mip: Azure) -> None:
    """Not a connection that was reset, nor another operation of a deployment."""
    log(mip, [(1, "blue", 0, 1.0)])
    assert total(series(mip)[()]) == 0
    log(mip, [(1, "blue", 200, 1.0)], operation="Swagger_Get")
    assert total(series(mip)[()]) == 0
    log(mip, [(1, "blue", 200, 1.0)], operation="MirroredScore")
    assert total(series(mip)[()]) == 1


@pytest.mark.parametrize("operation", ["Metrics_List", "MetricDefinitions_List", "MetricsBatch_Batch"])
def test_reads_can_be_throttled(mip: Azure, operation: str) -> None:
    """529, and 429 with and without a time to wait."""
    faults = [
        {"kind": "refuse", "operation": operation, "status": 529},
        {"kind": "throttle", "operation": operation, "retry_after": 7},
        {"kind": "throttle", "operation": operation, "form": "none"},
    ]
    assert mip.send("POST", "/emulator/faults", {"faults": faults}).status == 201
    path = f"{ENDPOINT}/providers/microsoft.insights/metricDefinitions"
    send = {
        "Metrics_List": lambda: read(mip), "MetricDefinitions_List": lambda: mip.send("GET", path),
        "MetricsBatch_Batch": lambda: batch(mip, [ENDPOINT]),
    }[operation]  # fmt: skip
    replies = [send() for _ in range(4)]
    assert [(reply.status, reply.headers.get("retry-after")) for reply in replies] == [
        (529, None), (429, "7"), (429, None), (200, None)
    ]  # fmt: skip


def test_reading_uses_the_index_for_target_and_time(mip: Azure) -> None:
    """So the cost does not grow with the requests of other times."""
    plans: list[str] = []
    db = mip.world.db
    for sql, values in (
        (scoring_log._ROWS, (BLUE.lower(), 0, 1)), (scoring_log._OF_ENDPOINT, ("a", "b"))
    ):  # fmt: skip
        plans += [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert isinstance(db, sqlite3.Connection)
    assert [plan for plan in plans if plan.startswith("SCAN requests")] == []
    assert any("requests_of_target (target=? AND time>? AND time<?)" in plan for plan in plans)
