"""Which leases a renewal may replace, and what it repairs."""

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


def lent(key: str, hours: float) -> EndpointSpec:
    return replace(spec(pipeline={"quota": {"capacity": "shared", "duration": hours * 3600}}), key=key)


def test_a_lease_that_would_be_due_again_at_once_is_refused() -> None:
    """By itself while others can be renewed; where there is no other the command line is wrong."""
    one, two, dedicated = lent("one", 12), lent("two", 168), replace(spec(), key="three")
    specs, refused = repair.renewable([one, two, dedicated], 24)

    assert [each.key for each in specs] == ["two", "three"]
    assert [(each.address, each.state, each.error and each.error["code"]) for each in refused] == [
        ("endpoint/one", State.FAILED, "AML666")
    ]
    with pytest.raises(UsageError, match="cannot renew one: its lease of 12 h is not longer than --within 24h"):
        repair.renewable([one, dedicated], 24)
    assert repair.renewable([dedicated], 999) == ([dedicated], [])


@given(st.integers(1, 168), st.integers(1, 168))
def test_what_may_be_renewed_is_not_due_at_once(hours: int, within: int) -> None:
    """Whatever the numbers: a new lease has more time left than the visit looks ahead."""
    specs, _ = repair.renewable([lent("one", hours), lent("two", 168)], within - 0.5)

    assert all(each.pipeline.quota.duration > (within - 0.5) * 3600 for each in specs)


@given(st.integers(60, 60 * 24 * 365 * 30))
def test_the_end_of_a_missed_lease_is_told_by_its_name(minutes: int) -> None:
    """A successor's name is its predecessor's end, so its own is 168 h later at the latest; an alias tells it."""
    entry = spec(pipeline=SHARED)
    before = leases._EPOCH + leases.timedelta(minutes=minutes)
    name = leases.successor(entry.base, leases.Lease(entry.base, before))

    assert missed.find_missed(entry, {}, [name]) == missed.MissedLease(name, before + leases.LONGEST, latest=True)
    told = {"endpoint": name, "lease_ends": leases.written(before)}
    assert missed.find_missed(entry, told, [entry.base]) == missed.MissedLease(name, before)
    assert missed.find_missed(entry, {}, [entry.base]) == missed.MissedLease(entry.base)


def test_what_was_never_there_is_not_missed() -> None:
    """No alias and no mark; an alias of another line; dedicated quota that no lease was told of."""
    entry = spec(pipeline=SHARED)

    assert missed.find_missed(entry, {"endpoint": None}, []) is None
    assert missed.find_missed(entry, {"endpoint": "other"}, []) is None
    assert missed.find_missed(spec(), {"endpoint": spec().name, "lease_ends": ""}, []) is None
