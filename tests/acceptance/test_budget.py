"""A run does not start when it can cost more than the user allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.acceptance_run.budget import Refused, budget, explained

AMOUNTS = st.floats(0.001, 100)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_the_cost_is_never_above_the_cap(price: float, most: float, hours: float) -> None:
    """Two instances, for the steps and the teardown."""
    cost = price * 2 * (hours + 0.5)
    if cost <= most:
        found = budget(price=price, max_cost=most, max_hours=hours, free=False)
        assert found.cost == pytest.approx(cost)
        assert found.seconds == hours * 3600
        return
    with pytest.raises(Refused, match="Lower --max-hours"):
        budget(price=price, max_cost=most, max_hours=hours, free=False)


def test_without_a_price_the_time_must_be_limited() -> None:
    """By the user; the emulator costs nothing."""
    with pytest.raises(Refused, match="Pass --price"):
        budget(price=None, max_cost=5, max_hours=None, free=False)
    limited = budget(price=None, max_cost=5, max_hours=1, free=False)
    assert (limited.cost, limited.instance_hours) == (None, 3)
    assert "not calculated" in explained(limited, None, "Standard_DS2_v2", 5)
    assert budget(price=None, max_cost=5, max_hours=None, free=True).max_hours == 2


def test_the_explanation_names_its_basis() -> None:
    """The price is the user's, and not all costs are included."""
    text = explained(budget(price=0.2, max_cost=5, max_hours=2, free=False), 0.2, "Standard_DS2_v2", 5)
    assert "2 instances of Standard_DS2_v2" in text
    assert "With your --price of 0.2 per instance-hour: at most 1.00" in text
    assert "not included" in text
