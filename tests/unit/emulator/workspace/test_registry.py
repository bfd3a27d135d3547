"""The default registry."""

from __future__ import annotations

from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import Azure

ROOT = (
    f"/mferp/managementfrontend/subscriptions/{default_world.REGISTRY_SUBSCRIPTION}/resourceGroups/{default_world.REGISTRY_GROUP}"
    "/providers/Microsoft.MachineLearningServices/registries/azureml"
)


def test_discovery_has_the_emulators_address(azure: Azure) -> None:
    """As the primary region's address."""
    found = azure.send("GET", "/registrymanagement/v1.0/registries/azureml/discovery?api-version=v1.0").json
    assert found["primaryRegionResourceProviderUri"] == "https://127.0.0.1:1234/"
    assert (found["subscriptionId"], found["resourceGroup"]) == (
        default_world.REGISTRY_SUBSCRIPTION,
        default_world.REGISTRY_GROUP,
    )
    assert azure.send("GET", "/registrymanagement/v1.0/registries/none/discovery").status == 404


def test_the_default_models_have_their_versions(azure: Azure) -> None:
    """The five healthcare models, newest version first, with the shared quota mark and the allowed sizes."""
    names = {
        row["name"]: row["properties"]["latestVersion"] for row in azure.send("GET", f"{ROOT}/models").json["value"]
    }
    assert names == {
        "CxrReportGen": "12",
        "MedImageInsight": "13",
        "MedImageParse": "17",
        "MedImageParse3D": "6",
        "Prov-GigaPath": "3",
    }
    versions = azure.send("GET", f"{ROOT}/models/MedImageParse/versions").json["value"]
    assert [item["name"] for item in versions] == ["17", "16", "15", "14"]
    assert len(azure.send("GET", f"{ROOT}/models/MedImageParse/versions?$top=1").json["value"]) == 1
    properties = versions[0]["properties"]
    assert properties["properties"]["SharedComputeCapacityEnabled"] == "True"
    assert "SharedComputeCapacityEnabled" in properties["tags"]
    assert "Standard_NC24ads_A100_v4" in properties["tags"]["inference_compute_allow_list"]
    assert azure.send("GET", f"{ROOT}/models/MedImageParse").json["properties"]["nextVersion"] == "18"


def test_a_missing_version_is_404(azure: Azure) -> None:
    """Names are case-sensitive."""
    assert azure.send("GET", f"{ROOT}/models/MedImageParse/versions/17").status == 200
    for path in ("MedImageParse/versions/18", "medimageparse/versions/17", "medimageparse"):
        assert azure.send("GET", f"{ROOT}/models/{path}").status == 404
