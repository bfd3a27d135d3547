"""How often simulated rollouts go back. `benchmarks/gate.py` has many more cells."""

from __future__ import annotations

import pytest

from benchmarks.rollouts import judge
from benchmarks.rollouts.simulate import Cell, binomial, rollout


def _gone_back(cell: Cell, rollouts: int) -> int:
    return sum(judge.worse_since(rollout(cell, seed)) is not None for seed in range(rollouts))


@pytest.mark.parametrize("cell", [Cell(0.005, 5.0), Cell(0.005, 1.0, "bursts in both")], ids=lambda cell: cell.scenario)
def test_without_a_difference_at_most_one_percent_go_back(cell: Cell) -> None:
    """Of 200 rollouts, looked at after every minute."""
    assert _gone_back(cell, 200) <= 2


def test_five_percent_errors_are_found() -> None:
    """0.5 -> 5 % errors at 10 % of 5 requests a second, within 15 minutes with the delay of metrics."""
    cell = Cell(0.005, 5.0, new=0.05)
    found = [judge.judge(cell, seed).minute for seed in range(60)]

    assert sum(minute is not None and judge.decided(minute) <= 15 for minute in found) >= 0.9 * len(found)


def test_binomial_numbers_have_their_mean_and_variance() -> None:
    """By gaps and by halving."""
    from random import Random

    for n, p in ((2700, 0.005), (2700, 0.1), (50, 0.7), (7, 0.3)):
        random = Random(1)
        drawn = [binomial(random, n, p) for _ in range(3000)]
        mean = sum(drawn) / len(drawn)
        assert mean == pytest.approx(n * p, rel=0.03)
        assert sum((each - mean) ** 2 for each in drawn) / len(drawn) == pytest.approx(n * p * (1 - p), rel=0.1)
