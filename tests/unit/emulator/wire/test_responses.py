"""Every answer has Azure's form."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.emulator.http import routes
from deploy.emulator.wire import request_log
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure, deployment_body, endpoint_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [
        "location", "tags", "identity", "sku", "properties", "kind", "authMode", "traffic", "mirrorTraffic", "model",
        "instanceType", "capacity", "requestSettings", "requestTimeout", "codeConfiguration", "scaleSettings",
        "principalId", "roleDefinitionId", "principalType", "keyType", "keyValue", "containerType", "tail", "type",
        "environmentVariables",
    ]
)  # fmt: skip
TARGETS = [
    ("PUT", f"{WORKSPACE}/onlineEndpoints/mip", endpoint_body()),
    ("PATCH", f"{WORKSPACE}/onlineEndpoints/mip", {"tags": {}}),
    ("PUT", f"{WORKSPACE}/onlineEndpoints/mip/deployments/blue", deployment_body()),
    ("POST", f"{WORKSPACE}/onlineEndpoints/mip/regenerateKeys", {"keyType": "Primary"}),
    ("POST", f"{WORKSPACE}/onlineEndpoints/mip/deployments/blue/getLogs", {}),
    ("PUT", f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/{uuid.UUID(int=1)}", {"properties": {}}),
    ("PUT", f"{WORKSPACE}/models/m/versions/1", {"properties": {}}),
]  # fmt: skip


def _with(body: object, path: list[str], value: object) -> object:
    if not path or not isinstance(body, dict):
        return value
    return {**body, path[0]: _with(body.get(path[0], {}), path[1:], value)}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TARGETS), st.lists(FIELDS, min_size=1, max_size=3), JSON)
def test_no_body_breaks_the_emulator(
    azure: Azure, target: tuple[str, str, object], path: list[str], value: object
) -> None:
    """Any value in any field is accepted or refused, never a 500; stored values can be read."""
    method, where, body = target
    azure.finish_operations()
    reply = azure.send(method, where, _with(body, path, value))
    assert reply.status < 500
    if reply.status >= 400:
        assert set(reply.json["error"]) >= {"code", "message"}
    assert azure.send("GET", f"{WORKSPACE}/onlineEndpoints").status == 200


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"nul", b"\xff\xfe", b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"a":' * 100_000]
)
def test_what_is_not_a_json_object_is_refused(azure: Azure, raw: bytes) -> None:
    """400 InvalidRequestContent."""
    reply = azure.send("PUT", f"{WORKSPACE}/onlineEndpoints/mip", raw)
    assert (reply.status, reply.code) == (400, "InvalidRequestContent")


def test_the_api_version_is_required_and_echoed(azure: Azure) -> None:
    """Any value is valid, and it is escaped in URLs."""
    assert azure.send("GET", f"{WORKSPACE}?api-version=").code == "MissingApiVersionParameter"
    reply = azure.send("PUT", f"{WORKSPACE}/onlineEndpoints/mip?api-version=1999%0d%0aX:%20y", endpoint_body())
    assert reply.headers["azure-asyncoperation"].partition("&t=")[0].endswith("?api-version=1999%0D%0AX%3A%20y")


def test_every_control_plane_answer_has_azures_headers(azure: Azure) -> None:
    """Request ids, rate limits, and the client's request id."""
    for path, status in ((WORKSPACE, 200), (f"{WORKSPACE}/onlineEndpoints/none", 404)):
        reply = azure.send("GET", path, headers={"x-ms-client-request-id": "mine"})
        assert reply.status == status
        assert reply.headers["x-ms-request-id"] == reply.headers["x-ms-correlation-request-id"]
        assert reply.headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
        assert reply.headers["x-ms-ratelimit-remaining-subscription-global-reads"] == "3749"
        assert reply.headers["x-ms-client-request-id"] == "mine"
    written = azure.endpoint().headers
    assert written["x-ms-ratelimit-remaining-subscription-global-writes"] == "2999"


def test_an_unknown_route_is_404_and_logged(azure: Azure) -> None:
    """With the note `not emulated`."""
    reply = azure.send("GET", f"{WORKSPACE}/computes/cpu/nodes")
    assert (reply.status, reply.code) == (404, "ResourceNotFound")
    assert "does not emulate GET" in reply.message
    last = request_log.read(azure.world)[-1]
    assert (last["operation"], last["note"], last["plane"]) == ("NotEmulated", "not emulated", "unknown")


def test_front_end_errors_have_the_front_ends_form(azure: Azure) -> None:
    """Nested details and additionalInfo, as recorded."""
    reply = azure.endpoint(authMode="x")
    assert reply.headers["x-ms-response-type"] == "error"
    kinds = [item["type"] for item in reply.json["error"]["additionalInfo"]]
    assert kinds == ["ComponentName", "Correlation", "Environment", "Location", "Time"]
    lost = azure.send("GET", f"{LOCATION}/mfeOperationsStatus/oeidp:x:y")
    assert lost.json["error"]["details"][0]["code"] == "OperationNotFound"


def test_the_log_has_every_request(azure: Azure) -> None:
    """Number, plane, operation, caller, mutating; refused ones too, control requests not."""
    azure.endpoint()
    azure.endpoint("no")
    azure.finish_operations()
    azure.score({})
    azure.send("GET", "/metadata/endpoints")
    rows = azure.send("GET", "/emulator/requests").json["value"]
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    told = [(row["plane"], row["operation"], row["status"], row["mutating"]) for row in rows]
    assert told == [
        ("arm", "OnlineEndpoints_CreateOrUpdate", 201, True), ("arm", "OnlineEndpoints_CreateOrUpdate", 400, True),
        ("arm", "OnlineEndpoints_ListKeys", 200, False), ("scoring", "Score", 404, False),
        ("metadata", "Metadata_Endpoints", 200, False),
    ]  # fmt: skip
    assert azure.send("GET", "/emulator/requests?mutating=true&after=1").json["value"] == rows[1:2]
    assert azure.send("GET", "/emulator/requests?after=x").status == 400


def test_the_log_has_the_user_agent(azure: Azure) -> None:
    """At most its first 200 characters."""
    for agent in ("curl/8", "x" * 5000, ""):
        azure.send("GET", WORKSPACE, headers={"user-agent": agent})
    assert [row["user_agent"] for row in request_log.read(azure.world)] == ["curl/8", "x" * 200, ""]


def test_only_changes_are_mutating() -> None:
    """PUT, PATCH and DELETE, and the POSTs for new keys and quota."""
    azures = [route for route in routes.ROUTES if route.plane != "control"]
    by_method = {route.name for route in azures if route.method in ("PUT", "PATCH", "DELETE")}
    assert {route.name for route in azures if route.mutating} == by_method | {
        "OnlineEndpoints_RegenerateKeys",
        "ServerlessEndpoints_RegenerateKeys",
        "Quotas_Update",
        "BlobContainers_Lease",
    }


def test_reset_empties_the_world_and_counts_from_one(azure: Azure) -> None:
    """The initial content is restored."""
    azure.serving_endpoint(blue=100)
    assert azure.send("POST", "/emulator/reset").status == 200
    assert azure.get("")["value"] == []
    assert [row["number"] for row in request_log.read(azure.world)] == [1]
    assert azure.send("GET", "/emulator/status").json["resources"]["workspace"] == 1


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda route: f"{route.method} {route.name}")
def test_every_route_is_reachable(route: routes.Route) -> None:
    """No earlier route matches its path."""
    path = route.path.replace("*}", "}")
    for word in ("subscription", "group", "workspace", "scope"):
        path = path.replace("{" + word + "}", "/s/x" if word == "scope" else word)
    path = path.replace("{", "").replace("}", "")
    found = routes.find(route.method, path, route.when)
    assert found is not None
    assert found[0] is route


def test_json_is_sent_as_utf8(azure: Azure) -> None:
    """Non-ASCII text is unchanged."""
    reply = azure.send(
        "PUT", f"{WORKSPACE}/onlineEndpoints/mip", {**endpoint_body(description="größe"), "tags": {"ä": "日本"}}
    )
    assert json.loads(reply.content.decode("utf-8"))["tags"] == {"ä": "日本"}
    assert "größe".encode() in reply.content
