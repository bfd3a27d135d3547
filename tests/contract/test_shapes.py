"""Answers have the shapes of the published OpenAPI documents: no key too many, no type astray."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.rbac import builtin_roles
from tests.contract.openapi import FOLDER, closed, schema
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure, Reply

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the OpenAPI documents are not here; AMLDEPLOY_SPECS names their folder"
)
ML = FOLDER / "machinelearningservices" / "resource-manager" / "Microsoft.MachineLearningServices"
ENDPOINTS = ML / "preview" / "2022-02-01-preview" / "mfe.json"
DEPLOYMENTS = ML / "preview" / "2023-04-01-preview" / "mfe.json"
LOCATIONS = ML / "preview" / "2023-08-01-preview" / "machineLearningServices.json"
AUTHORIZATION = FOLDER / "authorization" / "resource-manager" / "Microsoft.Authorization" / "stable" / "2022-04-01"
EP = f"{WORKSPACE}/onlineEndpoints"
UNPUBLISHED = {"vmSizes": {"generation", "supportsIB"}, "quotas": {"location"}}
"""Keys of answers that are recorded, and not in the documents."""


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    folder = tmp_path_factory.mktemp("world")
    found = Azure(folder, Tokens(folder))
    found.serving_endpoint(blue=100)
    found.endpoint("tokened", authMode="AMLToken")
    found.finish_operations()
    yield found
    found.world.close()


def _check(reply: Reply, document: Path, operation: str) -> None:
    jsonschema.validate(reply.json, schema(document, operation, str(reply.status)))


def _deployment(body: Any) -> None:
    """Deployments are of several kinds; ours is the managed one."""
    whole = closed({"$ref": "#/definitions/OnlineDeploymentTrackedResource"}, DEPLOYMENTS)
    whole["properties"]["properties"] = closed({"$ref": "#/definitions/ManagedOnlineDeployment"}, DEPLOYMENTS)
    jsonschema.validate(body, whole)


@pytest.mark.parametrize(
    ("method", "path", "body", "operation"),
    [
        ("GET", f"{EP}/mip", None, "OnlineEndpoints_Get"),
        ("GET", EP, None, "OnlineEndpoints_List"),
        ("POST", f"{EP}/mip/listKeys", None, "OnlineEndpoints_ListKeys"),
        ("POST", f"{EP}/tokened/token", None, "OnlineEndpoints_GetToken"),
        ("GET", f"{EP}/mip/deployments/blue/skus", None, "OnlineDeployments_ListSkus"),
        ("POST", f"{EP}/mip/deployments/blue/getLogs", {}, "OnlineDeployments_GetLogs"),
    ],
)
def test_endpoint_answers(azure: Azure, method: str, path: str, body: object, operation: str) -> None:
    """In the api-version that the SDK speaks for endpoints."""
    _check(azure.send(method, path, body), ENDPOINTS, operation)


def test_a_new_endpoint(azure: Azure) -> None:
    """While it is being created: the answer has no location (recorded), which the document requires."""
    reply = azure.endpoint("fresh")
    jsonschema.validate(
        {"location": "eastus", **reply.json}, schema(ENDPOINTS, "OnlineEndpoints_CreateOrUpdate", str(reply.status))
    )


def test_deployment_answers(azure: Azure) -> None:
    """One, a list, and one that is being created, in the api-version that the SDK speaks for deployments."""
    _deployment(azure.get("mip/deployments/blue"))
    for item in azure.get("mip/deployments")["value"]:
        _deployment(item)
    _deployment(azure.deployment("green").json)


@pytest.mark.parametrize(
    ("path", "operation"),
    [("usages", "Usages_List"), ("vmSizes", "VirtualMachineSizes_List"), ("quotas", "Quotas_List")],
)
def test_location_answers(azure: Azure, path: str, operation: str) -> None:
    """Usages, sizes and quotas."""
    reply = azure.send("GET", f"{LOCATION}/{path}")
    rows = [
        {key: value for key, value in row.items() if key not in UNPUBLISHED.get(path, ())}
        for row in reply.json["value"]
    ]
    assert UNPUBLISHED.get(path, set()) <= reply.json["value"][0].keys()
    jsonschema.validate({"value": rows}, schema(LOCATIONS, operation, str(reply.status)))


def test_role_answers(azure: Azure) -> None:
    """Assignments as created, read, listed and deleted; definitions."""
    document = AUTHORIZATION / "authorization-RoleAssignmentsCalls.json"
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments"
    wanted = {"roleDefinitionId": builtin_roles.ACR_PULL, "principalId": str(uuid.uuid4()), "principalType": "User"}
    one = f"{path}/{uuid.uuid4()}"
    _check(azure.send("PUT", one, {"properties": wanted}), document, "RoleAssignments_Create")
    _check(azure.send("GET", one), document, "RoleAssignments_Get")
    _check(azure.send("GET", path), document, "RoleAssignments_ListForScope")
    _check(azure.send("DELETE", one), document, "RoleAssignments_Delete")
    definitions = AUTHORIZATION / "authorization-RoleDefinitionsCalls.json"
    _check(
        azure.send("GET", f"{WORKSPACE}/providers/Microsoft.Authorization/roleDefinitions"),
        definitions,
        "RoleDefinitions_List",
    )


def test_refusals(azure: Azure) -> None:
    """Both layers' errors are ARM errors."""
    for reply in (
        azure.send("GET", f"{EP}/none"),
        azure.endpoint("other", authMode="x"),
        azure.deployment("big", instances=30),
    ):
        assert reply.status >= 400
        jsonschema.validate(reply.json, schema(ENDPOINTS, "OnlineEndpoints_Get", "default"))


def test_the_documents_do_refuse() -> None:
    """A key too many and a wrong type are seen; otherwise this module would prove nothing."""
    wanted = schema(ENDPOINTS, "OnlineEndpoints_ListKeys", "200")
    for wrong in ({"primaryKey": "a", "extra": 1}, {"primaryKey": 5}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, wanted)
