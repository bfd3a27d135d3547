"""The e-value of a minute is valid for every allowed pair of rates, and so is the capital of several minutes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.gate.evidence import Bet, Limit, Process, Table, log_e_value, nearest

RATES = st.floats(1e-4, 1 - 1e-4)
LINES = st.sampled_from([(2.0, 0.0), (1.0, 0.005), (1.0, 0.0), (1.0, 0.05), (1.5, 0.0), (3.0, 0.0), (1.0, 0.3)])
SIZES = st.integers(1, 8)


def _chance(good: int, of: int, rate: float) -> float:
    return math.comb(of, good) * rate**good * (1 - rate) ** (of - good)


def _outcomes(live: int, new: int, rates: tuple[float, float]) -> Iterator[tuple[Table, float]]:
    """Each table of so many requests, with its probability."""
    for bad, new_bad in itertools.product(range(live + 1), range(new + 1)):
        yield Table(live, bad, new, new_bad), _chance(bad, live, rates[0]) * _chance(new_bad, new, rates[1])


@given(live=SIZES, new=SIZES, line=LINES, expected=RATES, worse=RATES, rate=RATES, inside=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_the_expectation_is_at_most_one(
    live: int, new: int, line: tuple[float, float], expected: float, worse: float, rate: float, inside: float
) -> None:
    """For every allowed pair of rates, at the limit (inside = 1) and within it, and for every alternative."""
    allowed = min(1.0, line[0] * rate + line[1])

    for new_rate in (allowed, inside * allowed):
        expectation = sum(
            chance * math.exp(log_e_value(table, expected, worse, *line))
            for table, chance in _outcomes(live, new, (rate, new_rate))
        )
        assert expectation <= 1 + 1e-9


@given(live=SIZES, new=SIZES, line=LINES, expected=RATES, worse=RATES, data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_minute_with_allowed_rates_is_no_evidence(
    live: int, new: int, line: tuple[float, float], expected: float, worse: float, data: st.DataObject
) -> None:
    """So the same errors in both deployments are never evidence, random or not: bursts, or the same test cases."""
    bad = data.draw(st.integers(0, live))
    most = min(new, math.floor(new * (line[0] * bad / live + line[1])))
    table = Table(live, bad, new, data.draw(st.integers(0, most)))

    assert log_e_value(table, expected, worse, *line) <= 1e-9


@given(live=st.integers(1, 3000), new=st.integers(1, 3000), line=LINES, expected=RATES, worse=RATES)
@settings(max_examples=150, deadline=None)
def test_the_nearest_pair_is_the_nearest(
    live: int, new: int, line: tuple[float, float], expected: float, worse: float
) -> None:
    """It is allowed, and no other pair on the line has a smaller divergence."""

    def divergence(rate: float, other: float) -> float:
        return live * _kl(expected, rate) + new * _kl(worse, other)

    rate, other = nearest(Table(live, 0, new, 0), expected, worse, *line)

    assert other <= line[0] * rate + line[1] + 1e-12
    for near in (rate * 0.99, rate * 1.01):
        if 0 < near < 1 and 0 < line[0] * near + line[1] < 1:
            assert divergence(rate, other) <= divergence(near, line[0] * near + line[1]) + 1e-9


def _kl(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


@pytest.mark.parametrize("limit", [Limit(2.0, 0.0), Limit(1.0, 0.05), Limit(2.0, 0.005)], ids=str)
@pytest.mark.parametrize("rates", [(0.01, 0.3), (0.3, 0.01), (0.1, 0.1)], ids=str)
def test_the_capital_does_not_grow_on_average(limit: Limit, rates: tuple[float, float]) -> None:
    """Two minutes with different live rates, the new rate at the limit: the exact expectation over all tables."""
    line = limit.lines[0]
    pairs = [(rate, line[0] * rate + line[1]) for rate in rates]
    total = 0.0
    for (first, chance), (second, other) in itertools.product(_outcomes(3, 3, pairs[0]), _outcomes(4, 2, pairs[1])):
        process = Process(limit, alpha=0.005, expected=0.005)
        process.add(first)
        process.add(second)
        total += chance * other * math.exp(process.evidence)

    assert total <= 1 + 1e-9


def test_the_shares_of_the_capital_are_the_whole() -> None:
    """After each minute, they add up to 1: dividing the capital again adds nothing."""
    bet = Bet(2.0, 0.0, most=3.0)
    for number in range(50):
        bet.add(Table(300, number % 3, 40, number % 7), 0.005, Limit(2.0, 0.0).alternatives(0.005))
        assert sum(bet.shares) == pytest.approx(1)


def test_one_minute_is_not_enough() -> None:
    """Also if every request to the new deployment fails. Three such minutes are enough."""
    process = Process(Limit(2.0, 0.005), alpha=0.007, expected=0.005)
    process.add(Table(10_000, 0, 10_000, 10_000))
    assert not process.is_worse

    process.add(Table(10_000, 0, 10_000, 10_000))
    process.add(Table(10_000, 0, 10_000, 10_000))
    assert process.is_worse


def test_evidence_is_never_lost() -> None:
    """Once the threshold was reached, good minutes change nothing."""
    process = Process(Limit(2.0, 0.005), alpha=0.007, expected=0.005)
    for _ in range(4):
        process.add(Table(300, 0, 100, 20))
    highest = process.e_value
    for _ in range(50):
        process.add(Table(300, 0, 100, 0))

    assert process.is_worse
    assert process.e_value == highest


def test_a_failure_after_many_good_minutes_is_found() -> None:
    """Two hours without a difference, then 20 % errors: found within five minutes."""
    process = Process(Limit(2.0, 0.005), alpha=0.007, expected=0.005)
    for _ in range(120):
        process.add(Table(300, 1, 300, 1))
    for _ in range(5):
        process.add(Table(300, 1, 300, 60))

    assert process.is_worse


@pytest.mark.parametrize("table", [Table(0, 0, 50, 50), Table(50, 0, 0, 0), Table(0, 0, 0, 0)])
def test_a_minute_without_requests_to_one_of_them_is_no_evidence(table: Table) -> None:
    """There is nothing to compare with."""
    process = Process(Limit(2.0, 0.005), alpha=0.007, expected=0.005)
    for _ in range(100):
        process.add(table)

    assert process.e_value == 1


def test_a_live_deployment_that_always_fails_allows_everything() -> None:
    """Rates of 100 % are no division by zero."""
    process = Process(Limit(2.0, 0.005), alpha=0.007, expected=0.005)
    for _ in range(100):
        process.add(Table(50, 50, 50, 50))

    assert process.e_value == 1
