"""The life of an endpoint, as a program for any interpreter that has azure-ai-ml; variables point at the emulator.

    python life.py FOLDER        the folder is for the files it deploys; prints the SDK's version at the end

It knows nothing of the emulator: registry model and files of one's own, traffic, keys, scoring, logs, deletion.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from azure.ai.ml import MLClient, __version__
from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment, ManagedOnlineEndpoint, Model
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"


def main(folder: Path) -> None:
    client = MLClient(DefaultAzureCredential(), "00000000-0000-0000-0000-000000000001", "rg-local", "mlw-local")
    endpoints, deployments = client.online_endpoints, client.online_deployments
    made = endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="matrix", auth_mode="key", tags={"a": "b"}))
    assert made.result().provisioning_state == "Succeeded"
    size = {"endpoint_name": "matrix", "instance_type": "Standard_DS3_v2", "instance_count": 1}
    blue = deployments.begin_create_or_update(ManagedOnlineDeployment(name="blue", model=MODEL, **size)).result()
    assert blue.provisioning_state == "Succeeded", blue.provisioning_state
    deployments.begin_create_or_update(_own(folder, size)).result()
    assert {found.name for found in deployments.list("matrix")} == {"blue", "green"}
    endpoint = endpoints.get("matrix")
    endpoint.traffic = {"blue": 100}
    assert endpoints.begin_create_or_update(endpoint).result().traffic["blue"] == 100
    assert [found.name for found in endpoints.list()] == ["matrix"]
    request = folder / "request.json"
    request.write_text("{}")
    assert _status(lambda: endpoints.invoke("matrix", request_file=str(request))) == 424
    keys = endpoints.get_keys("matrix")
    endpoints.begin_regenerate_keys("matrix", key_type="secondary").result()
    assert endpoints.get_keys("matrix").primary_key == keys.primary_key
    assert endpoints.get_keys("matrix").secondary_key != keys.secondary_key
    assert "STAND-IN" in deployments.get_logs("blue", "matrix", 100)
    assert [usage.name["value"] for usage in client.compute.list_usage(location="eastus")]
    deployments.begin_delete("green", "matrix").result()
    endpoints.begin_delete("matrix").result()
    assert _status(lambda: endpoints.get("matrix")) == 404
    sys.stdout.write(f"{__version__}\n")


def _status(ask: Callable[[], object]) -> int | None:
    """The status that a refusal carries."""
    try:
        ask()
    except HttpResponseError as error:
        return error.status_code
    return None


def _own(folder: Path, size: dict[str, object]) -> ManagedOnlineDeployment:
    (folder / "code").mkdir()
    (folder / "code" / "score.py").write_text("def init(): pass\ndef run(data): return json.loads(data)\nimport json\n")
    (folder / "model.txt").write_text(json.dumps([1, 2]))
    return ManagedOnlineDeployment(
        name="green", model=Model(path=str(folder / "model.txt")), environment=Environment(image="mcr.example/x:1"),
        code_configuration=CodeConfiguration(code=str(folder / "code"), scoring_script="score.py"), **size,
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
