"""Rows of `status`, from Azure's bodies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deploy.model import EndpointSpec
from deploy.reporter import EndpointRow, SlotRow, endpoint_row

NOW = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)
SPEC = EndpointSpec("mip", "dev/mip", "/t", {"name": "mip-dev"}, (), {})


def _facts(**properties):
    endpoint = {"provisioningState": "Succeeded", "authMode": "AADToken", "scoringUri": "https://x/score"}
    deployment = {
        "tags": {"amldeploy-release": "abc"},
        "sku": {"capacity": 2},
        "properties": {"instanceType": "Standard_DS3_v2", "provisioningState": "Updating"},
    }
    return {
        "endpoint/mip": {"name": "mip-dev", "properties": endpoint | properties},
        "deployment/mip/green": deployment,
        "deployment/mip/blue": {},
    }


def test_an_absent_endpoint_is_absent():
    """No facts, no endpoint: its name is still known."""
    assert endpoint_row(SPEC, {}, NOW) == EndpointRow("mip", "mip-dev", "absent")


def test_slots_come_from_deployments_and_traffic():
    """Each deployment is a slot, sorted by name; the one with most traffic is live; what is missing is empty."""
    row = endpoint_row(SPEC, _facts(traffic={"green": 100, "blue": 0}), NOW)
    assert (row.state, row.auth_mode, row.scoring_uri) == ("Succeeded", "aad_token", "https://x/score")
    assert row.slots == (
        SlotRow("blue", False, 0, "", "", 0, "unknown"),
        SlotRow("green", True, 100, "abc", "Standard_DS3_v2", 2, "Updating"),
    )


def test_one_slot_is_live():
    """While callers are on two slots, the one with most of them is live."""
    row = endpoint_row(SPEC, _facts(traffic={"green": 10, "blue": 90}), NOW)
    assert [(slot.name, slot.live, slot.traffic) for slot in row.slots] == [("blue", True, 90), ("green", False, 10)]


@pytest.mark.parametrize("end", ["Mon, 30 Nov 2026 09:12:00 GMT", "2026-11-30T09:12:00Z", "2026-11-30T10:12:00+01:00"])
def test_a_lease_counts_down(end):
    """The end of a lease, in whichever form it was written, and the hours until then."""
    row = endpoint_row(SPEC, _facts(properties={"TargetAutoDeletionTime": end}), NOW)
    assert (row.lease_ends, row.hours_left) == ("2026-11-30T09:12:00Z", 168.0)


@pytest.mark.parametrize("properties", [{}, {"TargetAutoDeletionTime": "soon"}, {"TargetAutoDeletionTime": None}])
def test_no_lease_is_none(properties):
    """Dedicated quota, or an end that nobody can read, has no hours."""
    assert endpoint_row(SPEC, _facts(properties=properties), NOW).hours_left is None
