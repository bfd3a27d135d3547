"""A script that knows nothing of an emulator works when the variables are set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from deploy import emulator
from deploy.emulator import Running

SCRIPT = """
import json, sys
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.identity import DefaultAzureCredential

client = MLClient(DefaultAzureCredential(), "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local")
client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="plain", auth_mode="key")).result()
client.online_deployments.begin_create_or_update(ManagedOnlineDeployment(
    name="blue", endpoint_name="plain", model="azureml://registries/azureml/models/MedImageParse/versions/17",
    instance_type="Standard_NC24ads_A100_v4", instance_count=1)).result()
endpoint = client.online_endpoints.get("plain")
endpoint.traffic = {"blue": 100}
client.online_endpoints.begin_create_or_update(endpoint).result()
json.dump(client.online_endpoints.get("plain").traffic, sys.stderr)
"""


def test_an_unmodified_script_creates_deploys_and_routes(running: Running, state: Path) -> None:
    """`get`, change the traffic, `begin_create_or_update`: as notebooks do it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AZURE", "ARM_", "IDENTITY", "REQUESTS_"))}
    environment = {**clean, **running.variables()}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr[done.stderr.rindex("{") :]) == {"blue": 100}
    rows = emulator.requests(state)
    assert [row for row in rows if row["status"] >= 400] == []
    assert [row["operation"] for row in rows if row["mutating"]] == [
        "OnlineEndpoints_CreateOrUpdate",
        "OnlineDeployments_CreateOrUpdate",
        "OnlineEndpoints_CreateOrUpdate",
    ]
