"""Scoring: credentials, traffic, errors."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from deploy.emulator.dataplane import scoring
from deploy.emulator.dataplane.scoring import AdmittedRequest
from deploy.emulator.entra import access_tokens
from deploy.emulator.world import durations
from tests.unit.emulator.azure import WORKSPACE, Azure

SCORE = "/inference/eastus/mip/score"


def test_a_refused_request_is_424_with_the_models_status(azure: Azure) -> None:
    """The container's answer is in headers; the front end adds its own."""
    azure.serving_endpoint(blue=100)
    reply = azure.score({"nonsense": 1})
    assert reply.status == 424
    assert reply.headers["ms-azureml-model-error-statuscode"] == "400"
    assert reply.headers["ms-azureml-model-error-reason"]
    assert reply.headers["x-ms-run-function-failed"] == "True"
    assert reply.headers["azureml-model-deployment"] == "blue"
    assert reply.headers["server"] == "azureml-frontdoor"
    assert reply.headers["x-request-id"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b'{"a":' * 5000])
def test_what_is_not_a_json_object_is_424(azure: Azure, body: bytes) -> None:
    """For any body."""
    azure.serving_endpoint(blue=100)
    reply = azure.score(body)
    assert (reply.status, reply.headers["ms-azureml-model-error-statuscode"]) == (424, "400")


def test_a_model_without_stand_in_is_424(azure: Azure) -> None:
    """Such as an MLflow model without code, which Azure runs. Answer and log say why, and what to do."""
    azure.send("PUT", f"{WORKSPACE}/models/mine/versions/1", {"properties": {"modelType": "mlflow_model"}})
    azure.endpoint()
    azure.finish_operations()
    azure.deployment(model=f"{WORKSPACE}/models/mine/versions/1")
    azure.finish_operations()
    reply = azure.score({}, headers={"azureml-model-deployment": "blue"})
    assert reply.status == 424
    reason = reply.json["error"]["message"]
    assert f"no stand-in for {WORKSPACE}/models/mine/versions/1" in reason
    assert "such as MLflow models" in reason
    assert "Add code_configuration" in reply.headers["ms-azureml-model-error-reason"]
    log = azure.send("POST", f"{WORKSPACE}/onlineEndpoints/mip/deployments/blue/getLogs", {}).json["content"]
    assert f"amldeploy emulator: {reason}" in log.splitlines()


def test_scoring_needs_one_of_the_keys(azure: Azure) -> None:
    """Both keys are valid; anything else is 401 with the front end's text."""
    azure.serving_endpoint(blue=100)
    keys = azure.send("POST", f"{WORKSPACE}/onlineEndpoints/mip/listKeys").json
    for key in keys.values():
        assert azure.send("POST", SCORE, {}, {"authorization": f"Bearer {key}"}).status == 424
    wrong = azure.send("POST", SCORE, {}, {"authorization": "Bearer nope"})
    assert (wrong.status, wrong.content) == (401, b"key_auth_access_denied")
    assert azure.send("POST", SCORE, {}, {"authorization": "nope"}).content == b"key_auth_bad_header_forbidden"


def test_an_aml_token_is_valid_for_its_endpoint_for_a_day(azure: Azure) -> None:
    """Not for another endpoint, and not after a day."""
    for name in ("one", "two"):
        azure.endpoint(name, authMode="AMLToken")
    azure.finish_operations()
    token = azure.send("POST", f"{WORKSPACE}/onlineEndpoints/one/token").json["accessToken"]
    shown = {"authorization": f"Bearer {token}"}
    assert azure.send("POST", "/inference/eastus/one/score", {}, shown).status == 404  # valid token, no deployment
    assert azure.send("POST", "/inference/eastus/two/score", {}, shown).status == 401
    azure.clock.advance(86_401)
    assert azure.send("POST", "/inference/eastus/one/score", {}, shown).status == 401


def test_an_entra_token_must_be_for_the_data_plane(azure: Azure) -> None:
    """A token for the control plane cannot score."""
    azure.endpoint(authMode="AADToken")
    azure.finish_operations()
    for audience, status in (("https://ml.azure.com", 404), ("https://management.azure.com", 401)):
        token = access_tokens.issue(azure.tokens, audience, time.time())
        assert azure.send("POST", SCORE, {}, {"authorization": f"Bearer {token}"}).status == status


def test_a_private_endpoint_is_closed_to_callers_outside(azure: Azure) -> None:
    """The connection closes without an answer, whatever the key is; a public endpoint and a caller inside get one."""
    azure.serving_endpoint(blue=100)
    azure.endpoint(traffic={"blue": 100}, publicNetworkAccess="Disabled")
    azure.finish_operations()
    assert azure.score({}).status == 424
    assert azure.send("PUT", "/emulator/settings", {"caller_network": "beside"}).code == "InvalidSetting"
    azure.send("PUT", "/emulator/settings", {"caller_network": "outside"})
    for headers in ({}, {"authorization": "Bearer wrong"}):
        with pytest.raises(IndexError):  # nothing was sent
            azure.score({}, headers=headers)
    last = azure.send("GET", "/emulator/requests").json["value"][-1]
    assert (last["operation"], last["status"], last["note"]) == ("Score", 0, "private endpoint, caller outside")
    azure.endpoint(traffic={"blue": 100}, publicNetworkAccess="Enabled")
    assert azure.score({}).status == 424


def test_traffic_is_split_by_shares_and_the_header_overrides(azure: Azure) -> None:
    """Shares are exact over 100 requests; the header also reaches a deployment with 0 percent."""
    azure.serving_endpoint(blue=90, green=10)
    seen = Counter(azure.score({}).headers["azureml-model-deployment"] for _ in range(100))
    assert seen == {"blue": 90, "green": 10}
    azure.endpoint(traffic={"blue": 100})
    azure.finish_operations()
    named = azure.score({}, headers={"azureml-model-deployment": "green"})
    assert named.headers["azureml-model-deployment"] == "green"


def test_scoring_without_a_ready_deployment_is_404(azure: Azure) -> None:
    """No traffic, an unknown deployment, one that is not Succeeded, no endpoint."""
    azure.endpoint()
    assert azure.send("POST", SCORE, {}).status == 404
    azure.finish_operations()
    azure.deployment()
    assert azure.score({}).status == 404
    assert azure.score({}, headers={"azureml-model-deployment": "blue"}).status == 404
    assert azure.score({}, headers={"azureml-model-deployment": "none"}).status == 404
    assert azure.send("POST", "/inference/westus/mip/score", {}).status == 404


def test_a_slow_answer_is_408(azure: Azure) -> None:
    """`requestTimeout` is the limit."""
    azure.endpoint()
    azure.finish_operations()
    azure.deployment(requestSettings={"requestTimeout": "PT0S"})
    azure.finish_operations()
    reply = azure.score({"x": 1}, headers={"azureml-model-deployment": "blue"})
    assert (reply.status, reply.headers["azureml-model-deployment"]) == (408, "blue")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT5S", 5),
        ("PT1M30S", 90),
        ("PT1H", 3600),
        ("PT0.5S", 0.5),
        ("soon", 5),
        ("P1D", 86400),
        ("P0D", 0),
        ("PT", 5),
        ("P", 5),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """ISO 8601, and the default for other texts."""
    assert durations.seconds(text) == seconds


def test_the_reason_fits_a_header() -> None:
    """Line breaks and non-ASCII letters are replaced."""
    reason = scoring.model_error(AdmittedRequest("blue", "", None, 5, b""), 400, "a\r\nSet-Cookie: é").headers
    assert reason["ms-azureml-model-error-reason"] == "a??Set-Cookie: ?"


def test_swagger_has_the_scoring_route(azure: Azure) -> None:
    """It needs a key."""
    azure.serving_endpoint(blue=100)
    key = azure.send("POST", f"{WORKSPACE}/onlineEndpoints/mip/listKeys").json["primaryKey"]
    reply = azure.send("GET", "/inference/eastus/mip/swagger.json", headers={"authorization": f"Bearer {key}"})
    assert "/score" in reply.json["paths"]
    assert azure.send("GET", "/inference/eastus/mip/swagger.json").status == 401


def test_mirrored_requests_are_logged_except_with_the_header(azure: Azure) -> None:
    """The note has the mirror deployment; the answer is the live deployment's."""
    azure.serving_endpoint(blue=100)
    azure.deployment("green")
    azure.finish_operations()
    azure.endpoint(traffic={"blue": 100}, mirrorTraffic={"green": 50})
    azure.finish_operations()
    assert {azure.score({}).headers["azureml-model-deployment"] for _ in range(20)} == {"blue"}
    azure.score({}, headers={"azureml-model-deployment": "blue"})
    rows = [row for row in azure.send("GET", "/emulator/requests").json["value"] if row["operation"] == "Score"]
    assert {row["note"] for row in rows[:20]} == {"mirrored to green", ""}
    assert rows[20]["note"] == ""
