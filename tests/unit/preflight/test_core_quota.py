"""Cores: the reserve, the three gates, and what happens when nobody says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.preflight import alternatives, core_quota
from deploy.preflight.check_result import CheckResult, Verdict
from tests.unit.preflight.given import A100, region
from tests.unit.reporter import examples

NUMBERS = st.none() | st.integers(-1, 500)
PAIRS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 9)).map(lambda p: (p[0], p[0] + p[1])), min_size=1, max_size=3
)


def judged(there: dict[str, Any], count: int = 1, **more: Any) -> CheckResult:
    row = {**alternatives.row(there, A100), **more}
    return core_quota.check(row, core_quota.sums(row, A100, [(0, count)]))


@given(st.integers(1, 500))
def test_reserve(instances: int) -> None:
    """One in five more, rounded up, in whole numbers; nothing more for who is exempt."""
    assert (
        5 * core_quota.reserved(instances, exempt=False)
        >= 6 * instances
        > 5 * (core_quota.reserved(instances, exempt=False) - 1)
    )
    assert core_quota.reserved(instances, exempt=True) == instances


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(0, 500), PAIRS)
def test_the_result_follows_the_numbers(
    limit: int | None, total: int | None, own: int | None, used: int, pairs: list[tuple[int, int]]
) -> None:
    """No exactly when some gate is known to be too narrow; yes only when every gate is known and wide enough."""
    row = {
        **alternatives.row(region(), A100),
        "limit": limit,
        "in_use": used,
        "total_limit": total,
        "total_in_use": used,
    }
    row |= {"workspace_limit": own, "workspace_in_use": used}
    found = core_quota.sums(row, A100, pairs)
    needed, limits = 24 * sum(after - before for before, after in pairs), (limit, total, own)
    narrow = any(most not in (None, -1) and needed > most - used for most in limits)
    verdict = Verdict.NO if narrow else Verdict.UNKNOWN if None in limits else Verdict.YES

    assert found["needed"] == needed
    assert core_quota.check(row, found).verdict is verdict


def test_each_limit_has_its_code() -> None:
    """Family, region and workspace are told apart."""
    there = region(a100=12, total=20)
    there["own"] = {"standardncadsa100v4family": {"currentValue": 4, "limit": 8}}

    assert [reason.code for reason in judged(there).reasons] == ["AML200", "AML202", "AML243"]


def test_a_share_without_its_use() -> None:
    """A workspace's own limit that is smaller than what is needed refuses, even if nobody says what is in use."""
    there = region() | {"quotas": {"standardncadsa100v4family": {"limit": 12}}}

    assert [reason.code for reason in judged(there).reasons] == ["AML243"]
    there["quotas"]["standardncadsa100v4family"]["limit"] = 48
    assert judged(there).verdict is Verdict.UNKNOWN


def test_a_workspace_without_a_share_has_the_limit_of_its_subscription() -> None:
    """Azure lists such a workspace with the subscription's limit (recorded): that is no limit of its own."""
    there = region()
    limit = there["usages"]["standardncadsa100v4family"]["limit"]
    there["quotas"] = {"standardncadsa100v4family": {"limit": limit}}

    assert alternatives.row(there, A100)["workspace_limit"] == -1
    assert judged(there).verdict is Verdict.YES


def test_what_may_not_be_read_blocks_nothing() -> None:
    """Without usages, quotas or sizes the check cannot tell, says which, and names what did answer."""
    for part, name in (("sizes", "vmSizes"), ("usages", "usages"), ("quotas", "quotas")):
        for why in ("could not be read: permission denied", "could not be read: HTTP status 503"):
            found = judged(region() | {part: None, "unanswered": {name: why}})
            assert found.verdict is Verdict.UNKNOWN
            assert f": {name} of eastus {why}" in found.why
    assert judged(region() | {"usages": None}).source == "vmSizes, quotas of eastus"


def test_sizes_that_endpoints_do_not_run_on() -> None:
    """A size without the compute type of online endpoints is refused; one without any list of types is not."""
    assert [reason.code for reason in judged(region(), usable=False).reasons] == ["AML242"]
    assert judged(region(), usable=None).verdict is Verdict.YES
    assert [reason.code for reason in judged(region(), known=False).reasons] == ["AML201"]


def test_families_are_compared_loosely() -> None:
    """Answers differ in case, spaces and in what they append."""
    assert core_quota.family("Standard NCASv3_T4 Family") == core_quota.family("standardNCASv3T4Family")
    assert core_quota.family("Standard DSv2 Family Cluster Dedicated vCPUs") == core_quota.family("standardDSv2Family")


QUOTA = {**examples.QUOTA, "workspace_left": None}
NEEDS, FAMILY = "need 24 cores (1 instance x 24)", "standardNCADSA100v4Family"
GROWS = "need 4 cores (2 -> 3 instances, Azure keeps 20 % for upgrades: 1 x 4)"
UNKNOWN = {"needed": None, "cores_per_instance": None, "left": None}
GROWING = {
    "reserve": True,
    "instances": 3,
    "held": 2,
    "cores_per_instance": 4,
    "needed": 4,
    "left": 12,
    "total_left": 3,
}


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ({}, f"{NEEDS}, 48 free of 48 in {FAMILY}: OK"),
        ({"left": 0}, f"{NEEDS}, 0 free of 48 in {FAMILY}: 24 too few"),
        (
            GROWING,
            f"{GROWS}, 12 free of 48 in {FAMILY} (3 in all families together): 1 too few",
        ),
        (
            UNKNOWN,
            "1 instance",
        ),
        ({"limit": -1, "left": None, "total_left": None}, f"{NEEDS}, no limit in {FAMILY}: OK"),
        ({"capacity": "shared"}, f"{NEEDS} from the shared quota pool, not from the quota of the family"),
    ],
)
def test_the_arithmetic_is_written_out(numbers: dict[str, object], text: str) -> None:
    """Needed cores, free cores and whether they suffice; unknown numbers are left out."""
    assert core_quota.arithmetic(QUOTA | numbers) == text
