"""Core quota: the need of a deployment, the limits, and the error."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.quota import vm_sizes
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure


@given(st.sampled_from(vm_sizes.SIZES), st.integers(1, 50))
def test_the_reserve_is_20_percent_rounded_up_unless_exempt(size: vm_sizes.Size, instances: int) -> None:
    """Whole instances are reserved: one instance needs the cores of two."""
    machines = instances if size.exempt else math.ceil(instances * 12 / 10)
    assert size.quota_cores(instances) == machines * size.cores


@pytest.mark.parametrize(
    ("name", "instances", "cores"),
    [
        ("Standard_DS3_v2", 10, 48), ("Standard_F4s_v2", 1, 8), ("Standard_NC4as_T4_v3", 2, 12),
        ("standard_nc40ADS_h100_v5", 1, 40),
    ],
)  # fmt: skip
def test_published_examples_of_the_reserve(name: str, instances: int, cores: int) -> None:
    """The numbers of the documentation and of real errors."""
    size = vm_sizes.find(name)
    assert size is not None
    assert size.quota_cores(instances) == cores


def test_every_size_has_a_family_with_a_limit() -> None:
    """Every family of a size is in the usages, and names are unique."""
    families = {family.name for family in vm_sizes.FAMILIES}
    assert {size.family for size in vm_sizes.SIZES} == families
    assert len({size.name.lower() for size in vm_sizes.SIZES}) == len(vm_sizes.SIZES)


def _usage(azure: Azure) -> dict[str, tuple[int, int]]:
    rows = azure.send("GET", f"{LOCATION}/usages").json["value"]
    return {
        row["name"]["value"]: (row["currentValue"], row["limit"]) for row in rows if "lowPriority" not in row["type"]
    }


def test_cores_are_reserved_at_the_request_and_freed_by_deletion(azure: Azure) -> None:
    """Usages have family, total and number of clusters."""
    azure.serving_endpoint(blue=100)
    usage = _usage(azure)
    assert (usage["standardDSv2Family"], usage["TotalDedicatedCores"], usage["TotalClusters"]) == (
        (8, 100),
        (8, 300),
        (1, 200),
    )
    azure.endpoint(traffic={})
    azure.finish_operations()
    azure.send("DELETE", f"{WORKSPACE}/onlineEndpoints/mip/deployments/blue")
    assert _usage(azure)["standardDSv2Family"] == (8, 100)
    azure.finish_operations()
    assert _usage(azure)["standardDSv2Family"] == (0, 100)


def test_too_little_quota_has_azures_message(azure: Azure) -> None:
    """400 BadRequest; the nested message is JSON with usage, limit and the missing cores."""
    azure.serving_endpoint(blue=100)
    reply = azure.deployment("green", instances=20)
    assert (reply.status, reply.code) == (400, "BadRequest")
    detail = reply.json["error"]["details"][0]
    assert detail["code"] == "InferencingClientCreateDeploymentFailed"
    sentence = json.loads(detail["message"])["errors"]["VmSize"][0]
    numbers = re.search(r"Current usage/limit: (\d+)/(\d+)\. Additional needed: (\d+) Please", sentence)
    assert numbers is not None
    assert numbers.groups() == ("8", "100", "96")
    assert "https://aka.ms/oe-tsg#error-outofquota" in sentence


def test_scaling_needs_only_the_difference(azure: Azure) -> None:
    """The deployment's own cores count; a refused scaling changes nothing."""
    azure.serving_endpoint(blue=100)
    assert azure.deployment("blue", instances=20).status == 201
    azure.finish_operations()
    refused = azure.deployment("blue", instances=21)
    assert "Additional needed: 8 " in refused.message
    found = azure.get("mip/deployments/blue")
    assert (found["sku"]["capacity"], found["properties"]["provisioningState"]) == (20, "Succeeded")
    assert azure.deployment("blue", instances=1).status == 201
    assert _usage(azure)["standardDSv2Family"] == (8, 100)


def test_the_total_of_the_region_is_a_separate_limit(azure: Azure) -> None:
    """The limits of families can add up to more."""
    azure.serving_endpoint(blue=100)
    assert azure.deployment("a-1", instances=4, instanceType="Standard_NC24ads_A100_v4").status == 201
    assert azure.deployment("h-1", instances=2, instanceType="Standard_NC40ads_H100_v5").status == 201
    assert azure.deployment("d-1", instances=17).status == 201  # 84 more
    assert azure.deployment("t-1", instances=3, instanceType="Standard_NC8as_T4_v3").status == 201  # 32 more
    refused = azure.deployment("t-2", instanceType="Standard_NC4as_T4_v3")
    assert "Current usage/limit: 300/300. Additional needed: 8 " in refused.message


def test_sizes_show_whether_endpoints_support_them(azure: Azure) -> None:
    """`MIR` among the compute types; the family is in the usages."""
    rows = {row["name"]: row for row in azure.send("GET", f"{LOCATION}/vmSizes").json["value"]}
    assert "MIR" in rows["Standard_NC24ads_A100_v4"]["supportedComputeTypes"]
    assert "MIR" not in rows["Standard_DS11_v2"]["supportedComputeTypes"]
    known = {name.lower() for name in _usage(azure)}
    assert {row["family"].lower() for row in rows.values()} <= known
    assert rows["Standard_NC40ads_H100_v5"]["family"] == "StandardNCadsH100v5Family"
    assert rows["Standard_NC24ads_A100_v4"]["estimatedVMPrices"]["values"][0]["retailPrice"] == 3.673


def test_low_priority_rows_share_the_name_and_differ_in_type(azure: Azure) -> None:
    """A limit of -1 means unlimited."""
    rows = [
        r for r in azure.send("GET", f"{LOCATION}/usages").json["value"] if r["name"]["value"] == "standardDSv2Family"
    ]
    assert [(row["type"].split("/")[-2], row["limit"]) for row in rows] == [
        ("dedicatedCores", 100),
        ("lowPriorityCores", -1),
    ]


def test_quotas_list_the_limits(azure: Azure) -> None:
    """For each family the subscription's, and then that of each workspace: the same, if it has none of its own."""
    rows = azure.send("GET", f"{LOCATION}/quotas").json["value"]
    found = [(r["id"], r["limit"], r["location"]) for r in rows if r["name"]["value"] == "standardNCADSA100v4Family"]
    name, subscription = "quotas/standardNCADSA100v4Family", WORKSPACE.partition("/resourceGroups")[0]
    assert found == [(f"{subscription}/{name}", 96, None), (f"{WORKSPACE}/{name}", 96, "eastus")]


def test_an_unknown_region_is_refused(azure: Azure) -> None:
    """The default world has one region."""
    assert azure.send("GET", LOCATION.replace("eastus", "marsnorth") + "/usages").code == "NoRegisteredProviderFound"
