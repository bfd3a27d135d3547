"""Offers: only what certainly fits, cheapest first, in the service's own currency."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.preflight import alternatives
from tests.unit.preflight.given import A100, H100, region, size

AMOUNT = st.none() | st.floats(0.1, 99)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), AMOUNT, AMOUNT), max_size=5), st.integers(1, 5))
def test_offers_fit_and_are_sorted(numbers: list[tuple], count: int) -> None:
    """Every offer has room for what is wanted; dearer ones come later, and those without a price last."""
    for a100, h100, one, two in numbers:
        found = alternatives.fitting(region(a100=a100, h100=h100, prices=(one, two)), [A100, H100], [count])
        prices = [float("inf") if offer.price is None else offer.price for offer in found]
        assert prices == sorted(prices)
        step_type = {A100: a100 >= 24 * count, H100: h100 >= 40 * count}
        assert {offer.size for offer in found} == {name for name, fits in step_type.items() if fits}


def test_price() -> None:
    """An hour of a dedicated Linux machine, in the currency that the service says; low priority does not count."""
    assert alternatives.price(size(A100, "f", 24, 3.5)) == (3.5, "EUR")
    assert alternatives.price(size(A100, "f", 24, None)) == (None, "")
    assert alternatives.price({}) == (None, "")


def test_words() -> None:
    """Other sizes here, the wanted size elsewhere, what is full, what nobody tells, the cheapest other size."""
    silent = region("westindia") | {"usages": None}
    others = [region("westus3", prices=(4, 6)), region("uksouth", prices=(2, 9)), region("norway", a100=0), silent]
    told = alternatives.words(A100, [2], region(a100=24), others, [A100, H100])

    assert "eastus has quota for Standard_NC40ads_H100_v5 (7 EUR an hour)" in told
    assert "Quota for Standard_NC24ads_A100_v4: uksouth (2 EUR an hour), westus3 (4 EUR an hour)" in told
    assert "No quota for Standard_NC24ads_A100_v4: norway" in told
    assert "Unknown: westindia" in told
    assert "Cheapest other size: westus3" in told


def test_a_size_that_the_model_forbids_is_not_offered() -> None:
    """Elsewhere the model forbids it, too."""
    told = alternatives.words("Standard_DS3_v2", [1], region(), [region("westus3")], [A100])

    assert "Standard_DS3_v2" not in told
    assert "westus3 Standard_NC24ads_A100_v4" in told


def test_what_is_not_known_to_fit_is_not_offered() -> None:
    """Without usages there may be no room."""
    assert alternatives.fitting(region() | {"usages": None}, [A100], [1]) == []
