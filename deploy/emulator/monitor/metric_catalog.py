"""The metrics of online endpoints and of their deployments, with the dimensions that Azure documents.

Only the metrics of requests are listed, because the emulator knows no machines and no connections. The documented
tables name one aggregation, Average, which is the default; whether Azure computes others (Total, Count) for these
metrics is unknown, so here they are not supported.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.emulator.monitor import scoring_log
from deploy.emulator.wire.responses import Json

AGGREGATION = "Average"
GRAINS = {
    "PT1M": 1, "PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60, "PT6H": 360, "PT12H": 720, "P1D": 1440,
}  # fmt: skip
"""The intervals of Azure Monitor, in minutes. `FULL` is the whole time span."""
RETENTION = "P93D"
_PROVIDER = "Microsoft.MachineLearningServices"
_TYPE = "workspaces/onlineEndpoints"


@dataclass(frozen=True)
class Metric:
    """One metric. `dimensions` in Azure's spelling; `unmeasured` are those without values in the emulator."""

    name: str
    unit: str = "MilliSeconds"
    dimensions: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The localized name. That of `RequestsPerMinute` is recorded, the others are inferred."""
        return {"RequestsPerMinute": "Requests Per Minute"}.get(
            self.name, self.name.replace("RequestLatency", "Request Latency").replace("_", " ")
        )


_PERCENTILES = tuple(f"RequestLatency_P{percent}" for percent in (50, 90, 95, 99))
OF_ENDPOINT = (
    # The values of modelStatusCode are not documented.
    Metric(
        "RequestsPerMinute", "Count", ("deployment", "statusCode", "statusCodeClass", "modelStatusCode"),
        ("modelStatusCode",),
    ),
    *(Metric(name, dimensions=("deployment",)) for name in ("RequestLatency", *_PERCENTILES)),
)  # fmt: skip
OF_DEPLOYMENT = (Metric("RequestsPerMinute", "Count", ("envoy_response_code",)), *map(Metric, _PERCENTILES))


def of(identifier: str) -> tuple[Metric, ...]:
    """The metrics of an endpoint or a deployment, by its id in any case."""
    return OF_DEPLOYMENT if scoring_log.is_deployment(identifier.lower()) else OF_ENDPOINT


def resource_type(identifier: str) -> str:
    """The type without its provider."""
    return f"{_TYPE}/deployments" if scoring_log.is_deployment(identifier.lower()) else _TYPE


def namespace(identifier: str) -> str:
    """The metric namespace."""
    return f"{_PROVIDER}/{resource_type(identifier)}"


def definition(identifier: str, metric: Metric) -> dict[str, Json]:
    """A metric in the form of metricDefinitions."""
    dimensions = [{"value": name, "localizedValue": name} for name in metric.dimensions]
    grains = [{"timeGrain": grain, "retention": RETENTION} for grain in GRAINS]
    return {
        "id": f"{identifier}/providers/microsoft.insights/metricdefinitions/{metric.name}", "resourceId": identifier,
        "namespace": namespace(identifier), "name": {"value": metric.name, "localizedValue": metric.title},
        "isDimensionRequired": False, "unit": metric.unit, "primaryAggregationType": AGGREGATION,
        "supportedAggregationTypes": [AGGREGATION], "metricAvailabilities": grains,
        **({"dimensions": dimensions} if dimensions else {}),
    }  # fmt: skip
