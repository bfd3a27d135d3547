"""Azure's clients for metrics, unmodified over TLS: azure-mgmt-monitor and azure-monitor-querymetrics."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.mgmt.monitor import MonitorManagementClient
from azure.monitor.querymetrics import MetricsClient

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.monitor import metric_catalog
from deploy.emulator.seed import default_world

ENDPOINT = f"{default_world.WORKSPACE_ID}/onlineEndpoints/busy"
MODEL = "azureml://registries/azureml/models/MedImageInsight/versions/13"
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
LATENCIES = ["RequestLatency", "RequestLatency_P50", "RequestLatency_P90", "RequestLatency_P95", "RequestLatency_P99"]
SENT = {"blue": 4, "green": 2}
IMAGE = {"input_data": {"columns": ["image", "text"], "index": [0], "data": [["", "a lung"]]}}


@pytest.fixture(scope="module")
def span(running: Running, state: Path) -> tuple[dt.datetime, dt.datetime]:
    """Six answers of two deployments, two of them errors of green; the ten minutes around them have passed."""
    deployments = [{"name": name, "model": MODEL, "instance_type": "Standard_DS3_v2"} for name in SENT]
    world = {"endpoints": [{"name": "busy", "deployments": deployments, "traffic": {"blue": 50, "green": 50}}]}
    (state / "given.yml").write_text(yaml.safe_dump(world))
    faults = [{"kind": "refuse", "deployment": "green", "status": 503, "times": "always"}]
    emulator.begin(state, world=state / "given.yml", faults=faults)
    token = DefaultAzureCredential().get_token("https://management.azure.com/.default").token
    keys = requests.post(
        f"{running.url}{ENDPOINT}/listKeys?api-version=2023-04-01-preview", verify=running.ca, timeout=20,
        headers={"Authorization": f"Bearer {token}"},
    ).json()  # fmt: skip
    for name, times in SENT.items():
        headers = {"Authorization": f"Bearer {keys['primaryKey']}", "azureml-model-deployment": name}
        for _ in range(times):
            url = f"{running.url}/inference/eastus/busy/score"
            requests.post(url, json=IMAGE, headers=headers, verify=running.ca, timeout=20)
    emulator.clock(state, advance=120)
    now = dt.datetime.fromtimestamp(emulator.clock(state)["seconds"] // 60 * 60, dt.UTC)
    return now - dt.timedelta(minutes=9), now + dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def management(running: Running) -> Iterator[MonitorManagementClient]:
    with MonitorManagementClient(
        DefaultAzureCredential(), default_world.SUBSCRIPTION, base_url=running.url,
        credential_scopes=["https://management.azure.com/.default"],
    ) as found:  # fmt: skip
        yield found


@pytest.fixture(scope="module")
def batches(running: Running) -> Iterator[MetricsClient]:
    endpoint = f"{running.url}/eastus.metrics.monitor.azure.com"
    with MetricsClient(endpoint, DefaultAzureCredential()) as found:
        yield found


def counts(series: Any) -> Counter[tuple[str, ...]]:
    """Values of dimensions -> requests; of either client."""
    found: Counter[tuple[str, ...]] = Counter()
    for each in series:
        values = getattr(each, "metadata_values", None)
        key = tuple(item.value for item in each.metadatavalues) if values is None else tuple(values.values())
        found[key] += round(sum(point.average or 0 for point in each.data))
    return found


def test_azure_mgmt_monitor_reads_metrics(
    management: MonitorManagementClient, span: tuple[dt.datetime, dt.datetime]
) -> None:
    """Counts by class, latencies of one deployment, definitions."""
    timespan = "/".join(f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in span)
    names = [each.name.value for each in management.metric_definitions.list(ENDPOINT)]
    assert names == [each.name for each in metric_catalog.OF_ENDPOINT]
    found = management.metrics.list(
        ENDPOINT, timespan=timespan, interval="PT1M", metricnames="RequestsPerMinute", aggregation="Average",
        filter="deployment eq '*' and statusCodeClass eq '*'",
    )  # fmt: skip
    assert (found.namespace, found.resourceregion, found.interval) == (NAMESPACE, "eastus", "PT1M")
    (metric,) = found.value
    assert (metric.unit, metric.error_code, {len(each.data) for each in metric.timeseries}) == (
        "Count",
        "Success",
        {10},
    )
    assert counts(metric.timeseries) == Counter({("blue", "2xx"): 4, ("green", "5xx"): 2})
    latency = management.metrics.list(
        ENDPOINT, timespan=timespan, metricnames=",".join(LATENCIES), filter="deployment eq 'green'"
    )
    assert [each.name.value for each in latency.value] == LATENCIES
    for metric in latency.value:
        values = [point.average for point in metric.timeseries[0].data]
        assert metric.unit == "MilliSeconds"
        assert 1 <= sum(value is not None and value > 0 for value in values) <= 2
    with pytest.raises(HttpResponseError, match="Failed to find metric configuration"):
        management.metrics.list(ENDPOINT, timespan=timespan, metricnames="Ingress")


def test_azure_monitor_querymetrics_reads_batches(
    batches: MetricsClient, span: tuple[dt.datetime, dt.datetime]
) -> None:
    """The endpoint, then both deployments."""
    (whole,) = batches.query_resources(
        resource_ids=[ENDPOINT], metric_namespace=NAMESPACE, metric_names=["RequestsPerMinute"], timespan=span,
        granularity=dt.timedelta(minutes=1), aggregations=["Average"],
        filter="deployment eq '*' and statusCodeClass eq '*'",
    )  # fmt: skip
    assert (whole.granularity, whole.resource_region) == (dt.timedelta(minutes=1), "eastus")
    assert counts(whole.metrics[0].timeseries) == Counter({("blue", "2xx"): 4, ("green", "5xx"): 2})
    identifiers = [f"{ENDPOINT}/deployments/{name}" for name in SENT]
    found = batches.query_resources(
        resource_ids=identifiers, metric_namespace=f"{NAMESPACE}/deployments", metric_names=["RequestsPerMinute"],
        timespan=span,
    )  # fmt: skip
    assert [counts(each.metrics[0].timeseries)[()] for each in found] == list(SENT.values())
    with pytest.raises(HttpResponseError, match="Failed to find metric configuration"):
        batches.query_resources(resource_ids=[ENDPOINT], metric_namespace=NAMESPACE, metric_names=["Ingress"])


@pytest.mark.usefixtures("span")
def test_clients_repeat_throttled_reads(
    state: Path, management: MonitorManagementClient, batches: MetricsClient
) -> None:
    """A GET is sent again after 529; a batch only after 429 with a time to wait."""

    def throttle(**fault: Any) -> None:
        emulator.begin(state, faults=[fault])

    def read() -> Any:
        return batches.query_resources(
            resource_ids=[ENDPOINT], metric_namespace=NAMESPACE, metric_names=["RequestsPerMinute"]
        )

    throttle(kind="refuse", operation="Metrics_List", status=529)
    assert management.metrics.list(ENDPOINT, metricnames="RequestsPerMinute").value
    throttle(kind="throttle", operation="MetricsBatch_Batch", retry_after=0)
    assert read()
    throttle(kind="throttle", operation="MetricsBatch_Batch", form="none")
    with pytest.raises(HttpResponseError) as refused:
        read()
    assert refused.value.status_code == 429
    operations = Counter(row["operation"] for row in emulator.requests(state) if row["status"] in (429, 529))
    assert operations == {"Metrics_List": 1, "MetricsBatch_Batch": 2}
