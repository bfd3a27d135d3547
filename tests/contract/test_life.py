"""The whole life of an endpoint through the real azure-ai-ml SDK."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    CodeConfiguration,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
)  # fmt: skip
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from PIL import Image

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.seed import default_world
from tests.contract.own_code import needs_server

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"


@pytest.fixture(scope="module")
def client(running: Running) -> MLClient:  # noqa: ARG001 - asked for so that the variables are set
    return MLClient(DefaultAzureCredential(), default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE)


def _endpoint(client: MLClient, name: str, auth_mode: str = "key", **changes: Any) -> ManagedOnlineEndpoint:
    wanted = ManagedOnlineEndpoint(name=name, auth_mode=auth_mode, **changes)
    return client.online_endpoints.begin_create_or_update(wanted).result()


def _deployment(client: MLClient, endpoint: str, name: str = "blue", **changes: Any) -> ManagedOnlineDeployment:
    wanted = {"model": MODEL, "instance_type": "Standard_DS3_v2", "instance_count": 1, **changes}
    made = ManagedOnlineDeployment(name=name, endpoint_name=endpoint, **wanted)
    return client.online_deployments.begin_create_or_update(made).result()


def _traffic(client: MLClient, name: str, traffic: dict[str, int]) -> ManagedOnlineEndpoint:
    endpoint = client.online_endpoints.get(name)
    endpoint.traffic = traffic
    return client.online_endpoints.begin_create_or_update(endpoint).result()


def _picture() -> str:
    held = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 200, 200)).save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


def test_life(client: MLClient, tmp_path: Path) -> None:
    """Create, deploy, route, list, score, read keys and logs, delete; nothing is left."""
    made = _endpoint(client, "life", tags={"owner": "me"})
    assert made.provisioning_state == "Succeeded"
    assert made.identity.principal_id
    assert made.scoring_uri.endswith("/inference/eastus/life/score")
    deployed = _deployment(client, "life", environment_variables={"WORKER_COUNT": "1"})
    assert deployed.provisioning_state == "Succeeded"
    assert _traffic(client, "life", {"blue": 100}).traffic == {"blue": 100}
    assert "life" in [endpoint.name for endpoint in client.online_endpoints.list()]
    assert [found.name for found in client.online_deployments.list("life")] == ["blue"]
    request = tmp_path / "request.json"
    table = {"columns": ["image", "text"], "index": [0], "data": [[_picture(), "liver & spleen"]]}
    request.write_text(json.dumps({"input_data": table, "params": {}}))
    answer = json.loads(client.online_endpoints.invoke("life", request_file=str(request)))
    assert json.loads(answer[0]["image_features"])["shape"][0] == 2
    keys = client.online_endpoints.get_keys("life")
    client.online_endpoints.begin_regenerate_keys("life", key_type="secondary").result()
    renewed = client.online_endpoints.get_keys("life")
    assert renewed.primary_key == keys.primary_key
    assert renewed.secondary_key != keys.secondary_key
    for container in ("inference-server", "storage-initializer"):
        assert "stand-in" in client.online_deployments.get_logs("blue", "life", 100, container_type=container).lower()
    with pytest.raises(HttpResponseError, match="live traffic"):
        client.online_deployments.begin_delete("blue", "life").result()
    _traffic(client, "life", {"blue": 0})
    client.online_deployments.begin_delete("blue", "life").result()
    client.online_endpoints.begin_delete("life").result()
    with pytest.raises(ResourceNotFoundError):
        client.online_endpoints.get("life")


def test_the_other_auth_modes_score(client: MLClient, tmp_path: Path) -> None:
    """With a token of the service, and with one of the directory."""
    request = tmp_path / "request.json"
    request.write_text("{}")
    for mode in ("aml_token", "aad_token"):
        name = mode.replace("_", "-")
        _endpoint(client, name, mode)
        _deployment(client, name)
        _traffic(client, name, {"blue": 100})
        with pytest.raises(HttpResponseError) as caught:  # let in, and refused by the model
            client.online_endpoints.invoke(name, request_file=str(request))
        assert caught.value.status_code == 424
        client.online_endpoints.begin_delete(name).result()


def test_refusals_reach_the_caller_as_the_sdk_words_them(client: MLClient, state: Path) -> None:
    """Quota at once, a missing model after the operation, a busy endpoint as a conflict, a taken name."""
    _endpoint(client, "refused")
    with pytest.raises(HttpResponseError) as caught:
        _deployment(client, "refused", instance_type="Standard_NC24ads_A100_v4", instance_count=9)
    assert caught.value.status_code == 400
    assert re.search(r"Current usage/limit: 0/96\. Additional needed: 216", str(caught.value))
    with pytest.raises(HttpResponseError) as caught:
        _deployment(client, "refused", model=MODEL.replace("/17", "/99"))
    assert (caught.value.status_code, caught.value.error.code) == (200, "ResourceNotFound")
    assert client.online_deployments.get("blue", "refused").provisioning_state == "Failed"
    emulator.begin(state, time_scale=0)  # the update stays in progress
    begun = client.online_endpoints.begin_create_or_update(client.online_endpoints.get("refused"))
    with pytest.raises(ResourceExistsError, match="Updating provisioning state"):
        client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="refused", auth_mode="key"))
    emulator.begin(state, time_scale=1)
    begun.result()
    client.online_endpoints.begin_delete("refused").result()


@needs_server
def test_files_of_ones_own_are_uploaded_and_deployed(client: MLClient, state: Path, tmp_path: Path) -> None:
    """Model, code and environment travel; a second deployment of the same files uploads nothing again."""
    code, model = tmp_path / "code", tmp_path / "model.txt"
    code.mkdir()
    (code / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    model.write_text("weights")
    _endpoint(client, "own")
    uploads = []
    for name in ("blue", "green"):
        begun = len(emulator.requests(state))
        made = _deployment(
            client, "own", name, model=Model(path=str(model)), environment=Environment(image="mcr.example/x:1"),
            code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
        )  # fmt: skip
        assert made.provisioning_state == "Succeeded"
        uploads.append([r for r in emulator.requests(state, after=begun) if r["operation"] == "Blob_Put"])
    assert len(uploads[0]) > 0
    assert uploads[1] == []
    client.online_endpoints.begin_delete("own").result()


def test_usages_sizes_and_registry(client: MLClient) -> None:
    """What a quota check and a model check read."""
    names = [usage.name["value"] for usage in client.compute.list_usage(location="eastus")]
    assert names[:2] == ["TotalClusters", "TotalDedicatedCores"]
    assert "Standard_NC24ads_A100_v4" in [size.name for size in client.compute.list_sizes(location="eastus")]
    registry = MLClient(DefaultAzureCredential(), registry_name="azureml")
    assert registry.models.get("MedImageParse", label="latest").version == "17"
    assert {found.version for found in registry.models.list("CxrReportGen")} == {"6", "11", "12"}
    assert client.workspaces.get(default_world.WORKSPACE).location == "eastus"
    assert client.datastores.get_default().name == "workspaceblobstore"
