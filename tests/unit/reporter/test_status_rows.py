"""Rows of `status`, from Azure's bodies."""

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
@pytest.mark.parametrize("enabled", [leases.ENABLED, leases.ENABLED.lower()])
def test_a_lease_counts_down(end, enabled):
    """The end of a lease, in whichever form it was written, and the hours until then."""
    row = endpoint_row(SPEC, _facts(properties={enabled: "True", leases.DEADLINE.upper(): end}), NOW)
    assert (row.lease_ends, row.hours_left) == ("2026-11-30T09:12:00Z", 168.0)


@pytest.mark.parametrize("written", [{}, {leases.DEADLINE: "soon"}, {leases.DEADLINE: None}])
def test_a_lease_is_seen_as_renew_and_reap_see_it(written):
    """What cannot be read stands in our tag, too."""
    facts = _facts(properties={leases.ENABLED: "true", **written})
    assert endpoint_row(SPEC, facts, NOW).hours_left is None
    body = {**facts[addr("endpoint/mip")], "tags": leases.tags(NOW + timedelta(hours=3))}
    row = endpoint_row(SPEC, {**facts, addr("endpoint/mip"): body}, NOW)
    assert (row.hours_left, leases.moment(row.lease_ends)) == (3.0, leases.of(body).ends)


def test_dedicated_quota_is_no_lease():
    """An end alone lends nothing: nobody renews or reaps it."""
    properties = {leases.DEADLINE: "2026-11-30T09:12:00Z"}
    assert endpoint_row(SPEC, _facts(properties=properties), NOW).hours_left is None


@pytest.mark.parametrize(
    ("tags", "foreign"),
    [
        ({"amldeploy-owner": "dev/mip"}, ""),
        ({"amldeploy-owner": "prod/mip"}, "is managed by prod/mip"),
        ({}, "is not managed by amldeploy"),
    ],
)
def test_what_belongs_to_others_says_so(tags, foreign):
    """In the words of a plan that leaves it alone."""
    facts = _facts()
    facts[addr("endpoint/mip")]["tags"] = tags
    row = endpoint_row(SPEC, facts, NOW)
    assert row.foreign == foreign
    for told in (status_text([row]), status_markdown([row])):
        assert (foreign in told) is True
        assert ("managed by" in told) is bool(foreign)


def test_what_is_broken_is_shown() -> None:
    """A missed lease and a wrong alias, in every form, and in the sentence that counts."""
    gone = EndpointRow("mip", "mip-a", "absent", missed="Azure deleted mip-a", gone_since="2026-11-30T08:00:00Z")
    wrong = EndpointRow("cxr", "cxr-a", "Succeeded", alias="file live/cxr.json names cxr-b")
    for told in (status_text([gone, wrong], width=200), status_markdown([gone, wrong])):
        assert "Azure deleted mip-a" in told
        assert "file live/cxr.json names cxr-b" in told
        assert "mip has missed its lease" in told
        assert "the alias of cxr is wrong" in told
    assert (gone.is_broken, wrong.is_broken, EndpointRow("a", "a", "absent").is_broken) == (True, True, False)
