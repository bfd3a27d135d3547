"""Which leases a renewal may replace, and which were missed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.commands import repair
from deploy.domain import leases
from deploy.domain.report import State
from deploy.domain.spec import EndpointSpec
from deploy.errors import UsageError
from deploy.leasing import missed
from tests.unit.specs import spec

SHARED = {"quota": {"capacity": "shared"}}


def shared(key: str, hours: float) -> EndpointSpec:
    return replace(spec(pipeline={"quota": {"capacity": "shared", "duration": hours * 3600}}), key=key)


def test_a_lease_shorter_than_within_is_refused() -> None:
    """An outcome while others can be renewed; a usage error when there is no other."""
    one, two, dedicated = shared("one", 12), shared("two", 168), replace(spec(), key="three")
    specs, refused = repair.renewable([one, two, dedicated], 24)

    assert [each.key for each in specs] == ["two", "three"]
    assert [(str(each.address), each.state, each.error and each.error["code"]) for each in refused] == [
        ("endpoint/one", State.FAILED, "AML666")
    ]
    with pytest.raises(UsageError, match="cannot renew one: its lease of 12 h is not longer than --within 24h"):
        repair.renewable([one, dedicated], 24)
    assert repair.renewable([dedicated], 999) == ([dedicated], [])


@given(st.integers(1, 168), st.integers(1, 168))
def test_a_renewed_lease_is_not_due_at_once(hours: int, within: int) -> None:
    """A new lease is longer than --within, for all numbers."""
    specs, _ = repair.renewable([shared("one", hours), shared("two", 168)], within - 0.5)

    assert all(each.pipeline.quota.duration > (within - 0.5) * 3600 for each in specs)


@given(st.integers(60, 60 * 24 * 365 * 30))
def test_the_end_of_a_missed_lease_is_in_its_name(minutes: int) -> None:
    """A successor's name contains its predecessor's end; its own end is at most 168 h later. An alias contains it."""
    entry = spec(pipeline=SHARED)
    before = leases._EPOCH + leases.timedelta(minutes=minutes)
    name = leases.successor(entry.first_name, leases.Lease(entry.first_name, before))

    assert missed.find_missed(entry, {}, [name]) == missed.MissedLease(name, before + leases.LONGEST, latest=True)
    alias = {"endpoint": name, "lease_ends": leases.iso_time(before)}
    assert missed.find_missed(entry, alias, [entry.first_name]) == missed.MissedLease(name, before)
    assert missed.find_missed(entry, {}, [entry.first_name]) == missed.MissedLease(entry.first_name)


def test_an_entry_without_traces_has_no_missed_lease() -> None:
    """No alias and no role assignment; an alias of another line; dedicated quota without a lease."""
    entry = spec(pipeline=SHARED)

    assert missed.find_missed(entry, {"endpoint": None}, []) is None
    assert missed.find_missed(entry, {"endpoint": "other"}, []) is None
    assert missed.find_missed(spec(), {"endpoint": spec().name, "lease_ends": ""}, []) is None
