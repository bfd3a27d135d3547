"""Rows of `status`, from ARM bodies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deploy.domain import leases
from deploy.domain.spec import EndpointSpec
from deploy.reporter import EndpointRow, SlotRow, endpoint_row, status_markdown, status_text
from tests.addresses import addr

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
        addr("endpoint/mip"): {"name": "mip-dev", "properties": endpoint | properties},
        addr("deployment/mip/green"): deployment,
        addr("deployment/mip/blue"): {},
    }


def test_an_absent_endpoint_is_absent():
    """Without facts the row has the name of the spec."""
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
    """If both slots receive traffic, the one with more is live."""
    row = endpoint_row(SPEC, _facts(traffic={"green": 10, "blue": 90}), NOW)
    assert [(slot.name, slot.live, slot.traffic) for slot in row.slots] == [("blue", True, 90), ("green", False, 10)]


@pytest.mark.parametrize("end", ["Mon, 30 Nov 2026 09:12:00 GMT", "2026-11-30T09:12:00Z", "2026-11-30T10:12:00+01:00"])
@pytest.mark.parametrize("enabled", [leases.ENABLED, leases.ENABLED.lower()])
def test_a_lease_counts_down(end, enabled):
    """The end of a lease, in whichever form it was written, and the hours until then."""
    row = endpoint_row(SPEC, _facts(properties={enabled: "True", leases.DEADLINE.upper(): end}), NOW)
    assert (row.lease_ends, row.hours_left) == ("2026-11-30T09:12:00Z", 168.0)


@pytest.mark.parametrize("written", [{}, {leases.DEADLINE: "soon"}, {leases.DEADLINE: None}])
def test_a_lease_without_a_deadline_property_is_read_from_the_tag(written):
    """`renew` and `reap` read it from the same tag."""
    facts = _facts(properties={leases.ENABLED: "true", **written})
    assert endpoint_row(SPEC, facts, NOW).hours_left is None
    body = {**facts[addr("endpoint/mip")], "tags": leases.tags(NOW + timedelta(hours=3))}
    row = endpoint_row(SPEC, {**facts, addr("endpoint/mip"): body}, NOW)
    assert (row.hours_left, leases.parse_time(row.lease_ends)) == (3.0, leases.of(body).ends)


def test_dedicated_quota_is_no_lease():
    """A deadline without the flag is no lease: `renew` and `reap` skip it."""
    properties = {leases.DEADLINE: "2026-11-30T09:12:00Z"}
    assert endpoint_row(SPEC, _facts(properties=properties), NOW).hours_left is None


@pytest.mark.parametrize(
    ("tags", "unmanaged"),
    [
        ({"amldeploy-owner": "dev/mip"}, ""),
        ({"amldeploy-owner": "prod/mip"}, "managed by prod/mip"),
        ({}, "unmanaged"),
    ],
)
def test_an_unmanaged_endpoint_shows_its_owner(tags, unmanaged):
    """In the words of the refusal of a plan."""
    facts = _facts()
    facts[addr("endpoint/mip")]["tags"] = tags
    row = endpoint_row(SPEC, facts, NOW)
    assert row.unmanaged == unmanaged
    for text in (status_text([row]), status_markdown([row])):
        assert (unmanaged in text) is True
        assert ("managed" in text) is bool(unmanaged)


def test_a_missed_lease_and_a_wrong_alias_are_shown() -> None:
    """In each format and in the summary."""
    gone = EndpointRow("mip", "mip-a", "absent", missed="Azure deleted mip-a", gone_since="2026-11-30T08:00:00Z")
    wrong = EndpointRow("cxr", "cxr-a", "Succeeded", alias="file live/cxr.json names cxr-b")
    for text in (status_text([gone, wrong], width=200), status_markdown([gone, wrong])):
        assert "Azure deleted mip-a" in text
        assert "file live/cxr.json names cxr-b" in text
        assert "the lease of mip expired without a renewal" in text
        assert "the alias of cxr is wrong" in text
    assert (gone.is_broken, wrong.is_broken, EndpointRow("a", "a", "absent").is_broken) == (True, True, False)
