"""Autoscale settings over TLS with real scoring requests and the clock; private endpoints from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from azure.identity import DefaultAzureCredential

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.seed import default_world

GROUP = default_world.WORKSPACE_ID.partition("/providers/")[0]
ENDPOINT = f"{default_world.WORKSPACE_ID}/onlineEndpoints/busy"
DEPLOYMENT = f"{ENDPOINT}/deployments/blue"
SETTING = f"{GROUP}/providers/microsoft.insights/autoscalesettings/busy-blue"
ML = "2023-04-01-preview"
MODEL = "azureml://registries/azureml/models/MedImageInsight/versions/13"


Arm = Callable[..., Any]


@pytest.fixture(scope="module")
def arm(running: Running) -> Arm:
    """Sends a request: method, path, body, api-version; returns status and body."""
    token = DefaultAzureCredential().get_token("https://management.azure.com/.default").token

    def send(method: str, path: str, body: Any = None, version: str = "2022-10-01") -> Any:
        reply = requests.request(
            method, f"{running.url}{path}?api-version={version}", json=body, verify=running.ca, timeout=20,
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        return reply.status_code, reply.json() if reply.content else None

    return send


def score(running: Running, key: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}", "azureml-model-deployment": "blue"}
    url = f"{running.url}/inference/eastus/busy/score"
    return requests.post(url, json={"input_data": {}}, headers=headers, verify=running.ca, timeout=20)


def begin(state: Path, access: str, network: str) -> None:
    """Reset the world: one endpoint with a deployment, and the network of this machine."""
    deployment = {"name": "blue", "model": MODEL, "instance_type": "Standard_DS3_v2"}
    endpoint = {"name": "busy", "public_network_access": access, "deployments": [deployment]}
    world = {"endpoints": [endpoint], "settings": {"caller_network": network}}
    (state / "given.yml").write_text(yaml.safe_dump(world))
    emulator.begin(state, world=state / "given.yml")


def key_of(arm: Arm) -> str:
    return str(arm("POST", f"{ENDPOINT}/listKeys", None, ML)[1]["primaryKey"])


def test_requests_scale_a_deployment_out_and_in(running: Running, state: Path, arm: Arm) -> None:
    """Ten answers in five minutes are more than one a minute; then none for an hour."""
    begin(state, "enabled", "inside")
    trigger = {
        "metricName": "RequestsPerMinute", "metricResourceUri": DEPLOYMENT, "timeGrain": "PT1M",
        "statistic": "Average", "timeWindow": "PT5M", "timeAggregation": "Average", "threshold": 1,
    }  # fmt: skip
    rules = [
        {
            "metricTrigger": {**trigger, "operator": operator},
            "scaleAction": {"direction": direction, "type": "ChangeCount", "value": "2", "cooldown": "PT5M"},
        }
        for operator, direction in (("GreaterThan", "Increase"), ("LessThan", "Decrease"))
    ]
    capacity = {"minimum": "1", "maximum": "4", "default": "1"}
    profile = {"name": "default", "capacity": capacity, "rules": rules}
    properties = {"enabled": True, "targetResourceUri": DEPLOYMENT, "profiles": [profile]}
    status, made = arm("PUT", SETTING, {"location": "eastus", "properties": properties})
    assert (status, made["properties"]["profiles"]) == (201, [profile])
    key = key_of(arm)
    for _ in range(10):
        assert score(running, key).headers["azureml-model-deployment"] == "blue"

    def count(seconds: float) -> int:
        emulator.clock(state, advance=seconds)
        return int(arm("GET", DEPLOYMENT, None, ML)[1]["sku"]["capacity"])

    assert [count(60), count(3600)] == [3, 1]
    assert arm("GET", SETTING.rpartition("/")[0])[1] == {"value": [made]}
    assert arm("PATCH", SETTING, {"properties": {"enabled": False}})[1]["properties"]["enabled"] is False
    assert [arm("DELETE", SETTING)[0] for _ in range(2)] == [200, 204]


def test_a_private_endpoint_cannot_be_reached_from_outside(running: Running, state: Path, arm: Arm) -> None:
    """Its connection is closed without an answer; the Resource Manager answers. Otherwise the model answers."""
    for access, network in (("disabled", "inside"), ("enabled", "outside")):
        begin(state, access, network)
        assert score(running, key_of(arm)).status_code == 424
    begin(state, "disabled", "outside")
    for key in (key_of(arm), "wrong"):
        with pytest.raises(requests.ConnectionError):
            score(running, key)
    assert arm("POST", f"{DEPLOYMENT}/getLogs", {}, ML)[0] == 200
    notes = {(row["operation"], row["status"], row["note"]) for row in emulator.requests(state)}
    assert ("Score", 0, "private endpoint, caller outside") in notes
