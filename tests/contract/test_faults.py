"""Ordered faults as the real SDK meets them: what it raises, what it heals by itself, what remains in the world."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import DefaultAzureCredential

from deploy import emulator
from deploy.diagnosis.diagnose import diagnose
from deploy.emulator import Running
from deploy.emulator.seed import default_world

CREATE = {"operation": "OnlineEndpoints_CreateOrUpdate"}
READ = {"operation": "OnlineEndpoints_Get"}


class Door:
    """Orders faults over the wire, as any program can."""

    def __init__(self, running: Running) -> None:
        self._url, self._session = f"{running.url}/emulator/faults", requests.Session()
        self._session.headers.update(running.control_headers)

    def order(self, **rule: Any) -> None:
        reply = self._session.post(self._url, json=rule, timeout=10)
        assert reply.status_code == 201, reply.text

    def clear(self) -> None:
        self._session.delete(self._url, timeout=10)
        self._session.close()


@pytest.fixture
def door(running: Running) -> Iterator[Door]:
    found = Door(running)
    yield found
    found.clear()


@pytest.fixture(scope="module")
def client(running: Running) -> MLClient:  # noqa: ARG001 - asked for so that the variables are set
    found = MLClient(
        DefaultAzureCredential(),
        default_world.SUBSCRIPTION,
        default_world.GROUP,
        default_world.WORKSPACE,
        retry_backoff_factor=0.01,
    )
    _create(found, "there")
    return found


def _create(client: MLClient, name: str) -> ManagedOnlineEndpoint:
    return client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()


def _asked(state: Path, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in emulator.requests(state) if all(row[key] == value for key, value in wanted.items())]


def test_refused(client: MLClient, door: Door) -> None:
    """The SDK raises what was ordered; the next try succeeds."""
    door.order(kind="refuse", status=409, code="Conflict", message="Not now.", **CREATE)
    with pytest.raises(HttpResponseError, match=r"Not now\.") as caught:
        _create(client, "refused")
    assert (caught.value.status_code, caught.value.error.code) == (409, "Conflict")
    assert _create(client, "refused").provisioning_state == "Succeeded"


def test_the_nth_mutating_request_is_refused(client: MLClient, door: Door) -> None:
    """Reads in between, of which the SDK sends many, do not count."""
    door.order(kind="refuse", status=400, number=2, mutating=True)
    _create(client, "second")
    with pytest.raises(HttpResponseError):
        client.online_endpoints.begin_delete("second").result()
    client.online_endpoints.begin_delete("second").result()


def test_a_lost_answer_is_asked_for_again(client: MLClient, door: Door, state: Path) -> None:
    """The SDK sends the PUT again, four times at most, and then gives up; the effect of the first one is there."""
    door.order(kind="lose", times=4, **CREATE)
    with pytest.raises((ServiceResponseError, ServiceRequestError)):
        _create(client, "lost")
    sent = [row for row in _asked(state, operation=CREATE["operation"]) if "onlineEndpoints/lost?" in row["path"]]
    assert (sent[0]["status"], sent[0]["note"][-4:], len(sent)) == (201, "lose", 4)
    time.sleep(0.15)
    assert client.online_endpoints.get("lost").provisioning_state == "Succeeded"


def test_a_reset_leaves_no_effect(client: MLClient, door: Door) -> None:
    """Once is healed by the SDK's own retries; more often it gives up, and nothing was made."""
    door.order(kind="reset", **CREATE)
    assert _create(client, "mended").provisioning_state == "Succeeded"
    door.order(kind="reset", times=4, **CREATE)
    with pytest.raises(AzureError):
        _create(client, "reset")
    with pytest.raises(ResourceNotFoundError):
        client.online_endpoints.get("reset")


def test_a_stale_read(client: MLClient, door: Door) -> None:
    """The first look after a write shows the tags of before, the second those of now."""
    _create(client, "stale")
    changed = ManagedOnlineEndpoint(name="stale", auth_mode="key", tags={"now": "1"})
    client.online_endpoints.begin_create_or_update(changed).result()
    door.order(kind="stale", **READ)
    assert client.online_endpoints.get("stale").tags == {}
    assert client.online_endpoints.get("stale").tags == {"now": "1"}


def test_a_ghost(client: MLClient, door: Door) -> None:
    """Not there although it was created, and then there."""
    door.order(kind="ghost", number=2, **READ)  # the first look is the SDK's own, at the end of the creation
    _create(client, "ghost")
    with pytest.raises(ResourceNotFoundError):
        client.online_endpoints.get("ghost")
    assert client.online_endpoints.get("ghost").provisioning_state == "Succeeded"


@pytest.mark.parametrize("word", ["failed", "canceled"])
def test_an_operation_ends_badly(client: MLClient, door: Door, word: str) -> None:
    """The SDK raises the operation's error, with the status of the poll."""
    door.order(kind=f"operation_{word}", code="OutOfCapacity", message="No machine.", **CREATE)
    with pytest.raises(HttpResponseError, match=r"No machine\.") as caught:
        _create(client, f"ends-{word}")
    assert (caught.value.status_code, caught.value.error.code) == (200, "OutOfCapacity")
    assert client.online_endpoints.get(f"ends-{word}").provisioning_state.lower() == word


MODEL = "azureml://registries/azureml/models/MedImageInsight/versions/13"
STOCK = "User container has crashed or terminated."
ENDINGS: list[tuple[str, str, str, str, str, str]] = [
    ("ResourceNotReady", STOCK, "UserContainerStart", "Traceback (most recent call last):", "finished", "init_failed"),
    ("UserScriptInitFailed", "It failed.", "UserContainerStart", "Traceback", "finished", "init_failed"),
    ("ResourceNotReady", f"{STOCK} OOMKilled", "UserContainerStart", "exit code 137", "finished", "out_of_memory"),
    ("PodOutOfMemory", "It is full.", "UserContainerStart", "OOMKilled", "finished", "out_of_memory"),
    ("ResourceNotReady", f"{STOCK} Liveness probe failed", "UserContainerStart", "Name: LivenessProbeFailed",
     "finished", "probe_too_early"),
    ("ResourceNotReady", f"{STOCK} Readiness probe failed", "UserContainerStart", "Name: ReadinessProbeFailed",
     "finished", "probe_too_early"),
    ("ImagePullLoopBackOff", "It waits.", "UserContainerImagePull", "Failed to pull image", "finished", "image_pull"),
    ("BadArgument", "Unable to download user container image", "UserContainerImagePull", "Name: BackOff", "finished",
     "image_pull"),
    ("BadArgument", "The identity needs AcrPull.", "UserContainerImagePull", "unauthorized", "finished", "role"),
    ("BadArgument", "The identity needs Storage Blob Data Reader.", "ModelDownload", "never started",
     "AuthorizationPermissionMismatch", "role"),
    ("BadArgument", "Unable to download user model", "ModelDownload", "never started", f"ERROR: {MODEL} was not found",
     "model_download"),
    ("ResourceNotFound", f"The model '{MODEL}' was not found.", "ModelDownload", "never started", "was not found",
     "model_download"),
    ("ResourceNotFound", "The environment '/e/model-env/versions/1' was not found.", "SystemSetup", "", "", "unknown"),
    ("OutOfCapacity", "No machine.", "SystemSetup", "", "", "unknown"),
    ("ImageBuildFailure", "It could not be built.", "SystemSetup", "", "", "unknown"),
    ("InternalServerError", "It broke.", "SystemSetup", "", "", "unknown"),
]  # fmt: skip
"""Code and words of a failure; the status that is not reached; what each container says; what that tells by itself."""


def _logs_fit(client: MLClient, door: Door, wanted: ManagedOnlineDeployment) -> None:
    name = str(wanted.endpoint_name)
    _create(client, name)
    for code, message, stopped, served, stored, cause in ENDINGS:
        door.order(kind="operation_failed", operation="OnlineDeployments_CreateOrUpdate", code=code, message=message)
        with pytest.raises(HttpResponseError):
            client.online_deployments.begin_create_or_update(wanted).result(30)
        logs = {
            container: client.online_deployments.get_logs("blue", name, 100, container_type=kind)
            for container, kind in (("InferenceServer", None), ("StorageInitializer", "storage-initializer"))
        }

        assert f"\n{stopped}: Failed\n\nContainer events:" in logs["InferenceServer"]
        assert served in logs["InferenceServer"].split("Container events:")[1]
        assert stored in logs["StorageInitializer"]
        assert stored or logs["StorageInitializer"] == ""
        assert diagnose("AML300", "", logs).cause == cause, message


def test_the_logs_fit_the_failure(client: MLClient, door: Door) -> None:
    """Whatever is ordered, both containers say what goes with that and nothing else; mended, they say nothing of it."""
    wanted = ManagedOnlineDeployment(
        name="blue", endpoint_name="logs", model=MODEL, instance_type="Standard_DS3_v2", instance_count=1
    )
    _logs_fit(client, door, wanted)
    assert client.online_deployments.begin_create_or_update(wanted).result().provisioning_state == "Succeeded"
    assert "Failed" not in client.online_deployments.get_logs("blue", "logs", 100)


def test_the_logs_fit_the_failure_of_own_code(client: MLClient, door: Door, tmp_path: Path) -> None:
    """No server of its own is started for what fails by order, so none is waited for."""
    (tmp_path / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    wanted = ManagedOnlineDeployment(
        name="blue", endpoint_name="logs-own", model=MODEL, instance_type="Standard_DS3_v2", instance_count=1,
        code_configuration=CodeConfiguration(code=str(tmp_path), scoring_script="score.py"),
        environment=Environment(image="mcr.example/x:1"),
    )  # fmt: skip
    _logs_fit(client, door, wanted)


def test_an_operation_that_is_never_done(client: MLClient, door: Door) -> None:
    """The poller waits as long as it is let."""
    door.order(kind="operation_stuck", seconds=2, **CREATE)
    wanted = ManagedOnlineEndpoint(name="stuck", auth_mode="key")
    poller = client.online_endpoints.begin_create_or_update(wanted)
    poller.wait(0.5)
    assert poller.done() is False
    assert poller.result().provisioning_state == "Succeeded"


def test_an_operation_that_vanishes(client: MLClient, door: Door) -> None:
    """Its status is not found."""
    door.order(kind="operation_vanished", **CREATE)
    with pytest.raises(HttpResponseError) as caught:
        _create(client, "vanished")
    assert caught.value.status_code == 404


@pytest.mark.parametrize("fault", [{"kind": "truncate"}, {"kind": "html", "status": 200}])
def test_an_answer_that_is_no_json(client: MLClient, door: Door, fault: dict[str, Any]) -> None:
    """The SDK cannot decode it; some of its paths let the decoder's own ValueError escape."""
    door.order(**fault, **READ)
    with pytest.raises((DecodeError, ValueError)):
        client.online_endpoints.get("there")


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds", "none"])
def test_throttled(client: MLClient, door: Door, state: Path, form: str) -> None:
    """The SDK waits as it is told and asks again."""
    before = len(_asked(state, status=429))
    door.order(kind="throttle", retry_after=0.3 if form == "milliseconds" else 1, form=form, path="*/workspaces/*")
    begun = time.perf_counter()
    assert client.workspaces.get(default_world.WORKSPACE).location == "eastus"
    waited = time.perf_counter() - begun
    assert len(_asked(state, status=429)) == before + 1
    assert waited >= {"seconds": 1.0, "milliseconds": 0.3}.get(form, 0.0)


def test_unauthorized(client: MLClient, door: Door) -> None:
    """Raised once; the next request is let in."""
    door.order(kind="unauthorized", **READ)
    with pytest.raises(ClientAuthenticationError):
        client.online_endpoints.get("there")
    assert client.online_endpoints.get("there").name == "there"


def test_the_faults_of_one_deployment(client: MLClient, door: Door, state: Path, tmp_path: Path) -> None:
    """The SDK's `invoke` meets them only on that deployment: errors, latency, wrong answers, a lost connection."""
    _create(client, "canary")
    for name in ("blue", "green"):
        wanted = ManagedOnlineDeployment(
            name=name, endpoint_name="canary", model=MODEL, instance_type="Standard_DS3_v2", instance_count=1
        )
        client.online_deployments.begin_create_or_update(wanted).result()
    request = tmp_path / "request.json"
    request.write_text('{"input_data": {"columns": ["image", "text"], "index": [0], "data": [["", "lung"]]}}')

    def invoke(deployment: str) -> Any:
        answer = client.online_endpoints.invoke("canary", request_file=str(request), deployment_name=deployment)
        return json.loads(answer)[0]["text_features"][0][:9]

    right = invoke("blue")
    door.order(kind="refuse", deployment="canary/green", status=424, message="CUDA out of memory", share=0.5)
    with pytest.raises(HttpResponseError, match="CUDA out of memory") as caught:
        _ = [invoke("green"), invoke("green")]
    assert caught.value.status_code == 424
    door.clear()
    door.order(kind="refuse", deployment="green", status=503)  # healed: the SDK sends the request again
    door.order(kind="delay", deployment="green", seconds=0.3)
    door.order(kind="answer", deployment="green", transform="scale_numbers")
    begun = time.perf_counter()
    assert invoke("green") == right
    assert time.perf_counter() - begun >= 0.3
    assert invoke("green") == [number / 2 for number in right]
    door.order(kind="reset", deployment="green")
    with pytest.raises(AzureError):
        invoke("green")
    assert invoke("blue") == invoke("green") == right
    rows = _asked(state, operation="Score")
    assert {row["target"].rpartition("/")[2] for row in rows if row["note"]} == {"green"}


def test_a_slow_answer(client: MLClient, door: Door) -> None:
    """Arrives whole."""
    door.order(kind="drip", seconds=0.4, **READ)
    begun = time.perf_counter()
    assert client.online_endpoints.get("there").name == "there"
    assert time.perf_counter() - begun >= 0.39
