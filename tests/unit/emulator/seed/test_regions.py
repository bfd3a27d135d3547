"""Regions, prices, workspace quotas, identities and connections of a world file."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.seed import default_world
from deploy.emulator.world.problems import InvalidFile
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure
from tests.unit.emulator.seed.test_world_file import begun

FILE = """
regions:
  eastus:
    families: {standardDSv2Family: 100}
  westeurope:
    sizes: [Standard_DS3_v2, Standard_NC24ads_A100_v4]
    prices: {standard_ds3_v2: 9.5}
    families: {standardDSv2Family: 7}
workspaces:
  - name: mlw-local
    quotas: {standardDSv2Family: 8}
    connections:
      - {name: llm, category: CustomKeys, target: x, credentials: {key: hush}}
  - {name: mlw-europe, region: westeurope}
identities: [{name: id-clinic}]
endpoints:
  - {name: held, identity: id-clinic}
"""
EUROPE = LOCATION.replace("eastus", "westeurope")


@pytest.fixture
def world(tmp_path: Path, tokens: Tokens) -> Azure:
    return begun(tmp_path, tokens, FILE)


def test_each_region_has_its_own_content(world: Azure) -> None:
    """Sizes, prices, usages, quotas."""
    sizes = {row["name"]: row for row in world.send("GET", f"{EUROPE}/vmSizes").json["value"]}
    assert set(sizes) == {"Standard_DS3_v2", "Standard_NC24ads_A100_v4"}
    prices = sizes["Standard_DS3_v2"]["estimatedVMPrices"]["values"]
    assert [row["retailPrice"] for row in prices if (row["osType"], row["vmTier"]) == ("Linux", "Standard")] == [9.5]
    assert len(world.send("GET", f"{LOCATION}/vmSizes").json["value"]) > 80
    for what in ("usages", "quotas"):
        limits = [
            {r["name"]["value"]: r["limit"] for r in world.send("GET", f"{where}/{what}").json["value"]
             if "/workspaces/" not in r["id"] and not r["type"].endswith("lowPriorityCores/usages")}
            for where in (LOCATION, EUROPE)
        ]  # fmt: skip
        assert [found["standardDSv2Family"] for found in limits] == [100, 7]
    world.world.close()


def test_every_size_has_its_facts_and_prices(azure: Azure) -> None:
    """Prices, compute types, cores, memory."""
    for row in azure.send("GET", f"{LOCATION}/vmSizes").json["value"]:
        assert row["vCPUs"] > 0
        assert row["memoryGB"] > 0
        assert row["gpus"] >= 0
        assert row["supportedComputeTypes"]
        assert all(price["retailPrice"] > 0 for price in row["estimatedVMPrices"]["values"])


def test_a_size_missing_in_a_region_is_refused(world: Azure) -> None:
    """Even if another region has it."""
    path = f"{WORKSPACE.replace('mlw-local', 'mlw-europe')}/onlineEndpoints/mip"
    body = {"location": "westeurope", "properties": {"authMode": "Key"}}
    assert world.send("PUT", path, body).status == 201
    world.finish_operations()
    wanted = {
        "model": "azureml://registries/azureml/models/MedImageParse/versions/17",
        "instanceType": "Standard_F4s_v2",
    }
    reply = world.send("PUT", f"{path}/deployments/blue", {"location": "westeurope", "properties": wanted})
    assert reply.status == 400
    assert "Standard_F4s_v2" in reply.message
    world.world.close()


def test_a_workspace_has_its_own_limit(world: Azure) -> None:
    """It is a row of usages; a deployment beyond it is refused with the numbers."""
    world.endpoint()
    world.finish_operations()
    assert world.deployment(instances=1).status == 201  # 8 cores with the reserve
    reply = world.deployment("green", instances=1)
    assert (reply.status, "8/8" in reply.message) == (400, True)
    kind = "Microsoft.MachineLearningServices/workspaces/dedicatedCores"
    for what, place in (("usages", "amlWorkspaceLocation"), ("quotas", "location")):
        rows = [r for r in world.send("GET", f"{LOCATION}/{what}").json["value"] if r["type"] == f"{kind}/{what}"]
        found = [
            (r.get("currentValue", 8), r["limit"], r[place]) for r in rows if r["name"]["value"] == "standardDSv2Family"
        ]
        assert found == [(8, 8, "eastus")]
    world.world.close()


def test_identities_and_connections_exist(world: Azure) -> None:
    """They replace those of the default world; secrets need their own request."""
    assert world.send("GET", default_world.IDENTITY_ID).status == 404
    held = world.send("GET", f"{WORKSPACE}/onlineEndpoints/held").json["identity"]
    assert [name.rpartition("/")[2] for name in held["userAssignedIdentities"]] == ["id-clinic"]
    assert b"hush" not in world.send("GET", f"{WORKSPACE}/connections/llm").content
    told = world.send("POST", f"{WORKSPACE}/connections/llm/listsecrets").json["properties"]
    assert told["credentials"] == {"key": "hush"}
    world.world.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("regions: {eastus: {prices: {Standard_Nothing: 1}}}", "not a VM size"),
        ("regions: {eastus: {sizes: [Standard_Nothing]}}", "not a VM size"),
        ("workspaces: [{name: mlw-local, quotas: {nothing: 1}}]", "not a VM family"),
        ("identities: [{name: id-x, resource_group: rg-none}]", "no resource group"),
        ("endpoints: [{name: mip, identity: nobody}]", "no identity"),
    ],
)
def test_an_impossible_value_is_refused_with_its_line(text: str, words: str, tmp_path: Path, tokens: Tokens) -> None:
    """Nothing is changed."""
    with pytest.raises(InvalidFile, match=words):
        begun(tmp_path, tokens, text)
