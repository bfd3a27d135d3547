"""The diff compares by meaning, and only what the user set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import diff

SAME = [
    ("model", "azureml:m:3", {"properties": {"model": "/subscriptions/s/p/workspaces/w/models/m/versions/3"}}),
    (
        "model",
        "azureml://registries/azureml/models/M/versions/1",
        {"properties": {"model": "azureml://registries/azureml/models/M/versions/1"}},
    ),
    ("app_insights_enabled", True, {"properties": {"appInsightsEnabled": True}}),
    ("egress_public_network_access", "disabled", {"properties": {"egressPublicNetworkAccess": "Disabled"}}),
    ("instance_type", "Standard_NC24ads_A100_v4", {"properties": {"instanceType": "STANDARD_NC24ADS_A100_V4"}}),
    ("instance_count", 2, {"sku": {"capacity": 2}}),
    ("description", "", {"properties": {"description": None}}),
    ("environment_variables", {"A": "1"}, {"properties": {"environmentVariables": {"A": "1", "B": "2"}}}),
    ("tags", {"a": "1"}, {"tags": {"a": "1", "theirs": "x"}}),
]


@pytest.mark.parametrize(("name", "wanted", "body"), SAME, ids=[s[0] for s in SAME])
def test_same_meaning(name: str, wanted: object, body: dict) -> None:
    """Two spellings of one value are no difference."""
    assert diff.changes({name: wanted}, body, diff.DEPLOYMENT) == ()


def test_each_change_names_its_path() -> None:
    """A change says where, from what, to what, and whether Azure can make it."""
    wanted = {"instance_type": "B", "request_settings": {"request_timeout_ms": 90000}, "tags": {"a": "2"}}
    actual = {"properties": {"instanceType": "A", "requestSettings": {"requestTimeout": "PT5S"}}, "tags": {"a": "1"}}

    assert diff.changes(wanted, actual, diff.DEPLOYMENT) == (
        diff.Change("instance_type", "A", "B", diff.Mutability.CREATE_ONLY),
        diff.Change("request_settings.request_timeout_ms", "PT5S", 90000, diff.Mutability.UPDATE),
        diff.Change("tags.a", "1", "2", diff.Mutability.UPDATE),
    )


def test_unset_is_not_compared() -> None:
    """A default of the service is never a difference."""
    assert diff.changes({}, {"properties": {"instanceType": "A"}, "tags": {"x": "y"}}, diff.DEPLOYMENT) == ()


@given(st.integers(0, 400), st.integers(0, 59), st.integers(0, 59))
def test_durations(hours: int, minutes: int, seconds: int) -> None:
    """An ISO duration in whatever parts is its seconds."""
    total = hours * 3600 + minutes * 60 + seconds

    assert diff.iso_seconds(f"PT{hours}H{minutes}M{seconds}S") == total
    assert diff.iso_seconds(f"PT{total}S") == total
    assert (
        diff.changes(
            {"liveness_probe": {"period": total}},
            {"properties": {"livenessProbe": {"period": f"PT{total}S"}}},
            diff.DEPLOYMENT,
        )
        == ()
    )


@pytest.mark.parametrize("text", ["", "P", "PT", "90s", "-PT5S", "PT5"])
def test_no_duration(text: str) -> None:
    """What is no duration has no seconds."""
    assert diff.iso_seconds(text) is None


def test_every_row_tells_a_difference() -> None:
    """No row of the tables is blind: a value that Azure does not have is a change (assets in inline form aside)."""
    for table in (diff.ENDPOINT, diff.DEPLOYMENT):
        for row in table:
            wanted: object = {"k": 7} if row.yaml in ("tags", "properties", "environment_variables") else 7
            if row.yaml.endswith("identities"):
                wanted = [{"resource_id": "/x"}]
            if row.yaml in ("model", "environment"):
                wanted = "azureml:a:1"
            for part in reversed(row.yaml.split(".")):
                wanted = {part: wanted}
            assert diff.changes(wanted, {}, [row]), row.yaml  # type: ignore[arg-type]
