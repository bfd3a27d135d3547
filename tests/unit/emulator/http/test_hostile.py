"""Any request is answered in the form of its plane, never with 500."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.http import routes
from tests.unit.emulator.azure import WORKSPACE, Azure, deployment_body, endpoint_body

KNOWN = {
    "subscription": "00000000-0000-0000-0000-000000000001", "group": "rg-local", "workspace": "mlw-local",
    "location": "eastus", "registry": "azureml", "scope*": WORKSPACE.strip("/"), "account": "stmlwlocal",
    "container": "azureml",
}  # fmt: skip
SEGMENT = some.text("abcZ09-_.~%$&'()*+,;=:@!", min_size=1, max_size=40)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
HEADER_NAMES = some.sampled_from([
    "x-ms-client-request-id", "content-type", "azureml-model-deployment", "if-none-match", "range", "host",
    "authorization", "x-request-id", "x-ms-meta-a", "x-ms-range", "accept", "expect", "x-ms-lease-action",
    "x-ms-lease-id", "x-ms-lease-duration", "if-match", "if-modified-since",
])  # fmt: skip
HEADERS = some.dictionaries(
    HEADER_NAMES, some.text(some.characters(min_codepoint=32, max_codepoint=255), min_size=1, max_size=60), max_size=3
)
ROUTES = [route for route in routes.ROUTES if route.name != "Emulator_Reset"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> Any:
    """One world for all examples: their effects must not cause errors either."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    azure = Azure(folder, tokens)
    azure.serving_endpoint(blue=100)
    yield azure
    azure.world.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> Any:
    """A world that is only read."""
    azure = Azure(tmp_path_factory.mktemp("quiet"), tokens)
    azure.serving_endpoint(blue=100)
    yield azure
    azure.world.close()


@some.composite
def addresses(draw: Any) -> tuple[str, str]:
    """A method and an address of a known route, with names that exist, or others in their place."""
    route = draw(some.sampled_from(ROUTES))
    path = route.path
    for name, value in KNOWN.items():
        path = path.replace(f"{{{name}}}", value if draw(some.integers(0, 9)) else draw(SEGMENT))
    for name in ("endpoint", "deployment"):
        path = path.replace(f"{{{name}}}", draw(some.sampled_from(["mip", "blue", "other"]) | SEGMENT))
    while "{" in path:
        head, _, rest = path.partition("{")
        path = head + draw(SEGMENT) + rest.partition("}")[2]
    query = draw(
        some.sampled_from(["", "?api-version=", "?api-version=1066-10-14", "?$top=x&comp=block", "?a=%ff&=&&"])
        | some.just("?" + "&".join(f"{name}={value}" for name, value in route.when.items()))
    )
    return route.method, path + query


def _well_formed(reply: Any) -> None:
    assert reply.status < 500, reply.content[:300]
    if reply.status >= 400 and reply.headers.get("content-type", "").startswith("application/json"):
        error = reply.json.get("error", {"code": "the identity endpoint's", **reply.json})
        if isinstance(error, str):  # the form of a sign-in service
            error = {"code": error, "message": reply.json["error_description"]}
        assert error["code"]
        assert error["message"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(addresses(), some.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()), HEADERS)
def test_any_request_is_answered(world: Azure, address: tuple[str, str], body: bytes, headers: dict[str, str]) -> None:
    """Known routes with any names, body and headers."""
    _well_formed(world.send(*address, body, headers))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(some.booleans(), some.data())
def test_any_value_in_any_field_is_answered(world: Azure, deployment: bool, data: some.DataObject) -> None:
    """A valid body except for one field."""
    body = deployment_body() if deployment else endpoint_body()
    known = ["location", "tags", "identity", "sku", "properties.authMode", "properties.traffic", "properties.model"]
    groups = ["requestSettings", "livenessProbe", "codeConfiguration", "environmentVariables", "scaleSettings"]
    inner = ["requestTimeout", "initialDelay", "failureThreshold", "codeId", "scoringScript", "capacity", "type"]
    paths = [*known, *(f"properties.{group}" for group in groups), "sku.capacity"]
    paths += [f"properties.{group}.{name}" for group in groups for name in inner]
    *way, last = data.draw(some.sampled_from(paths)).split(".")
    place = body
    for name in way:
        place = place.setdefault(name, {})
    place[last] = data.draw(VALUES)
    name = "mip/deployments/any" if deployment else "any"
    _well_formed(world.send("PUT", f"{WORKSPACE}/onlineEndpoints/{name}", json.dumps(body).encode()))
    _well_formed(world.send("GET", f"{WORKSPACE}/onlineEndpoints/{name}"))
    world.finish_operations()
    _well_formed(world.send("POST", f"{WORKSPACE}/onlineEndpoints/{name}/getLogs", {}))
    world.send("DELETE", f"{WORKSPACE}/onlineEndpoints/{name}")
    world.finish_operations()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(some.text(max_size=20), some.text(max_size=20))
def test_any_api_version_is_echoed_or_refused(quiet: Azure, version: str, name: str) -> None:
    """It is never copied unescaped into a header."""
    from urllib.parse import quote

    path = f"{WORKSPACE}/onlineEndpoints/mip?api-version={quote(version)}&x={quote(name)}"
    reply = quiet.send("GET", path)
    assert reply.status == (200 if version else 400)
