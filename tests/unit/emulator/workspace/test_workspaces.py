"""The body of a workspace, and its keys."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.rbac import builtin_roles
from tests.unit.emulator.azure import WORKSPACE, Azure
from tests.unit.emulator.seed.test_world_file import CLINIC, begun

RECORDED = (
    "friendlyName", "description", "storageAccount", "keyVault", "applicationInsights", "hbiWorkspace", "tenantId",
    "imageBuildCompute", "provisioningState", "allowRoleAssignmentOnRG", "v1LegacyMode", "softDeleteEnabled",
    "containerRegistry", "creationTime", "notebookInfo", "storageHnsEnabled", "workspaceId",
    "linkedModelInventoryArmId", "privateLinkCount", "publicNetworkAccess", "ipAllowlist", "networkAcls",
    "discoveryUrl", "mlFlowTrackingUri", "serverlessComputeSettings", "EnableSoftwareBillOfMaterials",
    "sdkTelemetryAppInsightsKey", "enableDataIsolation",
)  # fmt: skip


def test_a_workspace_has_the_recorded_keys(azure: Azure) -> None:
    """In their order; the tracking URI has a host and the workspace's id."""
    found = azure.send("GET", WORKSPACE).json
    assert tuple(found["properties"]) == RECORDED
    assert list(found) == [
        "id", "name", "type", "location", "tags", "etag", "properties", "identity", "kind", "sku", "systemData",
    ]  # fmt: skip
    uri = urlsplit(found["properties"]["mlFlowTrackingUri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("azureml", "eastus.api.azureml.ms", f"/mlflow/v1.0{WORKSPACE}")


def test_another_workspace_has_its_own_address(tmp_path: Path, tokens: Tokens) -> None:
    """Its name, its region and its id are in what Azure writes."""
    text = "workspaces: [{name: mlw-clinic, resource_group: rg-clinic, region: westeurope}]"
    clinic = begun(tmp_path, tokens, text)
    properties = clinic.send("GET", CLINIC).json["properties"]
    assert properties["mlFlowTrackingUri"] == f"azureml://westeurope.api.azureml.ms/mlflow/v1.0{CLINIC}"
    fqdn = f"ml-mlw-clinic-westeurope-{properties['workspaceId']}.westeurope.notebooks.azure.net"
    assert properties["notebookInfo"]["fqdn"] == fqdn
    blobs = clinic.send("GET", f"{CLINIC}/datastores/workspaceblobstore").json["properties"]["containerName"]
    assert blobs == f"azureml-blobstore-{properties['workspaceId']}"
    clinic.world.close()


def test_the_keys_of_a_workspace_need_a_permission(azure: Azure) -> None:
    """A data scientist has none."""
    keys = azure.send("POST", f"{WORKSPACE}/listKeys").json
    assert list(keys) == [
        "userStorageKey", "userStorageArmId", "appInsightsInstrumentationKey", "containerRegistryCredentials",
        "notebookAccessKeys",
    ]  # fmt: skip
    secrets = azure.send("POST", f"{WORKSPACE}/datastores/workspaceblobstore/listSecrets").json
    assert keys["userStorageKey"] == secrets["key"]
    me = azure.sign_in("scientist")
    azure.assign_role(me, builtin_roles.DATA_SCIENTIST, WORKSPACE)
    assert azure.send("POST", f"{WORKSPACE}/listKeys").code == "AuthorizationFailed"
