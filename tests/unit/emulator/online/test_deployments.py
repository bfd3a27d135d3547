"""Azure's rules for deployments, and the log of a stand-in."""

from __future__ import annotations

import json

import pytest

from deploy.emulator.runtime import hosting
from deploy.emulator.wire import long_running
from deploy.emulator.world.timing import PROFILES
from tests.unit.emulator.azure import MODEL, WORKSPACE, Azure, deployment_body

DP = f"{WORKSPACE}/onlineEndpoints/mip/deployments"


@pytest.fixture
def ready(azure: Azure) -> Azure:
    """A world with a Succeeded endpoint."""
    azure.endpoint()
    azure.finish_operations()
    return azure


def test_a_deployment_is_creating_and_then_succeeded(ready: Azure) -> None:
    """201 with an operation; the service's defaults are added."""
    reply = ready.deployment()
    assert (reply.status, reply.json["properties"]["provisioningState"]) == (201, "Creating")
    assert reply.headers["x-ms-ratelimit-remaining-subscription-resource-requests"] == "24"
    ready.clock.advance(0.15)
    assert ready.get("mip/deployments/blue")["properties"]["provisioningState"] == "Creating"
    ready.clock.advance(0.06)
    found = ready.get("mip/deployments/blue")
    assert found["properties"]["provisioningState"] == "Succeeded"
    assert found["properties"]["scaleSettings"] == {"scaleType": "Default"}
    assert found["properties"]["livenessProbe"]["failureThreshold"] == 30
    assert found["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}


def test_settings_override_the_defaults(ready: Azure) -> None:
    """A missing setting has its default."""
    ready.deployment(requestSettings={"requestTimeout": "PT1M30S"}, livenessProbe={"initialDelay": "PT10M"})
    found = ready.get("mip/deployments/blue")["properties"]
    assert found["requestSettings"]["requestTimeout"] == "PT1M30S"
    assert found["requestSettings"]["maxConcurrentRequestsPerInstance"] == 1
    assert (found["livenessProbe"]["initialDelay"], found["readinessProbe"]["initialDelay"]) == ("PT10M", "PT10S")


@pytest.mark.parametrize(
    "change",
    [
        {"instances": 0}, {"instances": 51}, {"instanceType": "Standard_Nope"}, {"instanceType": None},
        {"instanceType": "Standard_DS11_v2"}, {"model": None}, {"endpointComputeType": "Kubernetes"},
        {"scaleSettings": {"scaleType": "TargetUtilization"}}, {"environmentVariables": {"a": {}}},
    ],
)  # fmt: skip
def test_an_invalid_deployment_body_is_refused(ready: Azure, change: dict[str, object]) -> None:
    """400; no deployment and no reserved cores remain."""
    assert ready.deployment(**change).status == 400  # type: ignore[arg-type]
    assert ready.send("GET", f"{DP}/blue").status == 404
    assert ready.world.db.execute("SELECT COUNT(*) FROM allocations").fetchone() == (0,)


def test_a_deployment_needs_its_endpoint(azure: Azure) -> None:
    """ParentResourceNotFound without one; DELETE answers 204."""
    assert azure.deployment().code == "ParentResourceNotFound"
    assert azure.send("DELETE", f"{DP}/blue").status == 204


def test_an_unknown_model_fails_after_the_request_was_accepted(ready: Azure) -> None:
    """The failure is visible only at the end of the operation."""
    reply = ready.deployment(model=MODEL.replace("/17", "/99"))
    assert reply.status == 201
    url = reply.headers["azure-asyncoperation"].removeprefix("https://127.0.0.1:1234")
    assert "error" not in ready.send("GET", url).json
    ready.finish_operations()
    status = ready.send("GET", url).json
    assert (status["status"], status["error"]["code"]) == ("Failed", "ResourceNotFound")
    assert ready.get("mip/deployments/blue")["properties"]["provisioningState"] == "Failed"
    assert "not in provisioning state Succeeded" in ready.endpoint(traffic={"blue": 100}).message
    logs = ready.send("POST", f"{DP}/blue/getLogs", {"containerType": "StorageInitializer"}).json["content"]
    assert "was not found" in logs


def test_a_failed_deployment_can_be_updated_and_deleted(ready: Azure) -> None:
    """Another PUT can succeed."""
    ready.deployment(model=MODEL.replace("/17", "/99"))
    ready.finish_operations()
    ready.deployment()
    ready.finish_operations()
    assert ready.get("mip/deployments/blue")["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("model", "state"),
    [
        (MODEL, "Succeeded"),
        (MODEL.replace("versions/17", "labels/latest"), "Succeeded"),
        (MODEL.replace("versions/17", "labels/best"), "Failed"),
        (MODEL.replace("MedImageParse", "medimageparse"), "Failed"),
        (f"{WORKSPACE}/models/mine/versions/1", "Succeeded"),
        (f"{WORKSPACE}/models/mine/versions/2", "Failed"),
        ("nonsense", "Failed"),
    ],
)
def test_models_are_found_in_registry_and_workspace(ready: Azure, model: str, state: str) -> None:
    """By version or label; registry names are case-sensitive."""
    ready.send("PUT", f"{WORKSPACE}/models/mine/versions/1", {"properties": {"modelUri": "x"}})
    ready.deployment(model=model)
    ready.finish_operations()
    assert ready.get("mip/deployments/blue")["properties"]["provisioningState"] == state


def test_another_instance_type_is_ignored(ready: Azure) -> None:
    """The deployment keeps its VM size and its cores."""
    ready.deployment()
    ready.finish_operations()
    reply = ready.deployment(instanceType="Standard_DS4_v2", appInsightsEnabled=True)
    assert reply.status == 201
    assert reply.json["properties"]["instanceType"] == "Standard_DS3_v2"
    assert reply.json["properties"]["appInsightsEnabled"] is True
    assert ready.world.db.execute("SELECT cores FROM allocations").fetchall() == [(8,)]


def test_patch_changes_the_instance_count(ready: Azure) -> None:
    """`sku.capacity` only; another PATCH is refused meanwhile."""
    ready.deployment()
    ready.finish_operations()
    reply = ready.send("PATCH", f"{DP}/blue", {"sku": {"name": "Default", "capacity": 3}})
    assert (reply.status, reply.content) == (202, b"")
    assert "azure-asyncoperation" not in reply.headers
    assert ready.get("mip/deployments/blue")["properties"]["provisioningState"] == "Updating"
    assert ready.deployment().status == 409
    ready.finish_operations()
    assert ready.get("mip/deployments/blue")["sku"]["capacity"] == 3
    assert ready.world.db.execute("SELECT cores FROM allocations").fetchall() == [(16,)]


def test_patch_replaces_all_tags_of_a_deployment(ready: Azure) -> None:
    """In the time of tags, without a change of its cores."""
    ready.world.timing = PROFILES["realistic"]
    body = {**deployment_body(), "tags": {"old": "1"}}
    ready.send("PUT", f"{DP}/blue", body)
    ready.finish_operations()
    assert ready.send("PATCH", f"{DP}/blue", {"tags": {"a": "b"}}).status == 202
    ready.clock.advance(14)
    assert ready.get("mip/deployments/blue")["properties"]["provisioningState"] == "Updating"
    ready.clock.advance(1.1)
    found = ready.get("mip/deployments/blue")
    assert (found["properties"]["provisioningState"], found["tags"]) == ("Succeeded", {"a": "b"})
    ready.send("PATCH", f"{DP}/blue", {"sku": {"capacity": 2}})
    ready.clock.advance(60)
    assert ready.get("mip/deployments/blue")["properties"]["provisioningState"] == "Updating"


def test_a_deployment_with_traffic_cannot_be_deleted(azure: Azure) -> None:
    """Neither with live nor with mirror traffic; at zero it is deleted, with its cores."""
    azure.serving_endpoint(blue=100)
    azure.deployment("green")
    azure.finish_operations()
    azure.endpoint(traffic={"blue": 100}, mirrorTraffic={"green": 10})
    assert azure.send("DELETE", f"{DP}/green").status == 409
    azure.finish_operations()
    assert "live traffic" in azure.send("DELETE", f"{DP}/blue").message
    assert "mirror traffic" in azure.send("DELETE", f"{DP}/green").message
    azure.endpoint(traffic={"blue": 100})
    azure.finish_operations()
    reply = azure.send("DELETE", f"{DP}/green")
    assert (reply.status, reply.content) == (202, b"")
    assert azure.send("DELETE", f"{DP}/green").status == 202
    azure.finish_operations()
    assert azure.send("DELETE", f"{DP}/green").status == 204
    assert [item["name"] for item in azure.get("mip/deployments")["value"]] == ["blue"]


def test_skus_have_the_range_of_the_instance_count(ready: Azure) -> None:
    """1 to 50."""
    ready.deployment(instances=3)
    row = ready.get("mip/deployments/blue/skus")["value"][0]
    assert (row["capacity"]["minimum"], row["capacity"]["maximum"], row["capacity"]["default"]) == (1, 50, 3)


def test_the_log_names_the_stand_in(azure: Azure) -> None:
    """And every request that it answered; `tail` limits the lines."""
    azure.serving_endpoint(blue=100)
    azure.score({"nonsense": 1})
    logs = azure.send("POST", f"{DP}/blue/getLogs", {}).json["content"]
    assert "STAND-IN" in logs
    assert '"POST /score HTTP/1.1" 424' in logs
    assert azure.send("POST", f"{DP}/blue/getLogs", {"tail": 1}).json["content"] == logs.splitlines()[-1] + "\n"
    assert azure.send("POST", f"{DP}/blue/getLogs", {"containerType": "Sidecar"}).status == 400


def test_the_log_of_a_deployment_in_creation_lists_what_is_done(ready: Azure) -> None:
    """Stages and events appear in the course of the operation; a failed stage ends the list."""
    ready.world.timing = PROFILES["realistic"]
    ready.deployment()
    seen = []
    for seconds in (0, 300, 200, 60):
        ready.clock.advance(seconds)
        log = ready.send("POST", f"{DP}/blue/getLogs", {}).json["content"].splitlines()
        own = log[log.index("Container logs:") + 1 :]
        seen.append((sum("Succeeded" in line for line in log), sum("Kind: Pod" in line for line in log), bool(own)))
    assert seen == [(0, 0, False), (1, 2, False), (3, 6, True), (4, 7, True)]
    ready.deployment(model=MODEL.replace("/17", "/99"))
    ready.finish_operations()
    log = ready.send("POST", f"{DP}/blue/getLogs", {}).json["content"]
    assert "ModelDownload: Failed\n\nContainer events:" in log


def _deployment_with_code(azure: Azure, error: str = "", **changes: object) -> dict[str, object]:
    """PUT a deployment with code, and end its operation as its scoring server would; returns its variables."""
    codes, model = f"{WORKSPACE}/codes/c/versions/1", f"{WORKSPACE}/models/m/versions/4"
    azure.send("PUT", codes, {"properties": {"codeUri": "https://a.blob.core.windows.net/b/src/?x"}})
    azure.send("PUT", model, {"properties": {"modelUri": "https://a.blob.core.windows.net/b/m"}})
    code = {"codeId": codes, "scoringScript": "score.py"}
    runs = {"codeConfiguration": code, "environmentId": "azureml://registries/azureml/environments/e/versions/1"}
    assert azure.deployment(**{**runs, "model": model, **changes}).status == 201
    with azure.world.transaction():
        ((operation, _, _),) = long_running.undecided(azure.world)
        long_running.finish(azure.world, operation, {"code": "ResourceNotReady", "message": error} if error else None)
    found = azure.get("mip/deployments/blue")
    assert found["properties"]["provisioningState"] == ("Failed" if error else "Succeeded")
    return dict(found["properties"]["environmentVariables"])


def test_the_service_adds_variables_to_a_deployment_with_code(ready: Azure) -> None:
    """Model, script and root, as recorded, when it succeeds. A value of the request stays."""
    added = {
        "AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models/m/4", "AZUREML_ENTRY_SCRIPT": "score.py",
        "AML_APP_ROOT": "/var/azureml-app/src",
    }  # fmt: skip
    assert _deployment_with_code(ready, environmentVariables={"A": "b"}) == {"A": "b", **added}
    own = {"AML_APP_ROOT": "/mine"}
    assert _deployment_with_code(ready, environmentVariables=own) == {**added, **own}
    mounted = _deployment_with_code(ready, modelMountPath="/mnt/models")
    assert mounted == {**added, "AZUREML_MODEL_DIR": "/mnt/models/m/4"}


def test_a_failed_deployment_has_only_the_variables_sent(ready: Azure) -> None:
    """And its log ends with the stage that failed."""
    assert _deployment_with_code(ready, "It crashed.", environmentVariables={"A": "b"}) == {"A": "b"}
    log = ready.send("POST", f"{DP}/blue/getLogs", {}).json["content"]
    assert "UserContainerStart: Failed\n\nContainer events:" in log
    assert "Message: Back-off restarting failed container\n\nContainer logs:\namldeploy emulator: this is" in log


def test_the_variables_of_the_service_change_no_server(ready: Azure) -> None:
    """A client that writes back what it has read keeps its scoring server."""
    _deployment_with_code(ready)
    before = ready.world.get(f"{DP}/blue")
    assert before is not None
    assert hosting.server_key(before) == before.private["server"]


def test_the_body_has_the_tags_and_variables_sent(ready: Azure) -> None:
    """Numbers become text."""
    body = deployment_body(environmentVariables={"WORKER_COUNT": 3})
    reply = ready.send("PUT", f"{DP}/blue", {**body, "tags": {"a": "ä"}})
    assert json.loads(reply.content)["tags"] == {"a": "ä"}
    assert reply.json["properties"]["environmentVariables"] == {"WORKER_COUNT": "3"}


@pytest.mark.parametrize(
    ("model", "environment", "code", "serves"),
    [
        ("custom_model", "plain", False, False),
        ("custom_model", None, False, False),
        ("custom_model", "routes", False, True),
        ("custom_model", "plain", True, True),
        ("custom_model", None, True, False),
        (None, "plain", False, False),
        (None, "routes", False, True),
        (None, "plain", True, True),
        ("mlflow_model", None, False, True),
        ("triton_model", "plain", False, True),
    ],
)
def test_a_deployment_without_a_scoring_server_is_refused(
    model: str | None, environment: str | None, code: bool, serves: bool, ready: Azure
) -> None:
    """With the published error, when it is created and when it is updated."""
    routes = {f"{name}Route": {"port": 80, "path": "/"} for name in ("liveness", "readiness", "scoring")}
    plain, made = {"image": "r.io/x:1"}, {"image": "r.io/x:1", "inferenceConfig": routes}
    for path, body in (
        ("models/m", {"modelType": model}),
        ("environments/plain", plain),
        ("environments/routes", made),
    ):
        ready.send("PUT", f"{WORKSPACE}/{path}/versions/1", {"properties": body})
    changes = {
        "model": model and f"{WORKSPACE}/models/m/versions/1",
        "environmentId": environment and f"{WORKSPACE}/environments/{environment}/versions/1",
        "codeConfiguration": {"codeId": f"{WORKSPACE}/codes/c/versions/1", "scoringScript": "s.py"} if code else None,
    }
    reply = ready.deployment(**changes)
    assert reply.status == (201 if serves else 400)
    ready.deployment("green")
    ready.finish_operations()
    updated = ready.deployment("green", **changes)
    assert updated.status == reply.status
    for refused in () if serves else (reply, updated):
        assert refused.code == "BadRequest"
        words = "MissingDriverProgram Could not find driver program in the request."
        assert refused.message == f"The request is invalid. {words}"
