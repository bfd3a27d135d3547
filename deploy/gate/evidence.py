"""The evidence that a rate of the new deployment is worse than the rules allow: an e-process over 2x2 tables.

Each minute has a table: requests and errors of the live and of the new deployment. Its *e-value* is a number that is 1
or less on average as long as the new rate is allowed, whatever the two rates of that minute are. So a burst of errors
in both deployments is no evidence. By Ville's inequality, the probability that the product of all minutes ever exceeds
1 / alpha is at most alpha, however often it is looked at.

Sources: Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
stopping", arXiv 2106.02693 (e-values of tables, plug-in of past rates); Turner and Grünwald, "Exact anytime-valid
confidence intervals for contingency tables and beyond", arXiv 2203.09785 (projection onto a convex null hypothesis);
Ville, "Étude critique de la notion de collectif", 1939; Lindon, Sanden and Shirikian, "Rapid Regression Detection in
Software Deployments through Sequential Testing", arXiv 2205.14762 (the same task at another company).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

FACTORS = (1.5, 2.5, 5.0, 12.0, 40.0)
"""The alternatives: the new rate is the allowed one times a factor."""
SHARED = 0.02
"""The share of the evidence of each alternative that all alternatives share after a minute.

Without it, many good minutes would have to be made up for by as many bad ones, before a release is found that fails
later. Sharing is a bet of each minute's start, so the average stays 1 or less.
"""
MINUTES = 2.2
"""One minute counts for at most the 2.2th part of the threshold's logarithm, so that three minutes are needed."""
MEMORY = 0.95
"""The weight of a minute in the expected live rate, relative to the next minute."""
_TINY = 1e-9


@dataclass(frozen=True)
class Limit:
    """The new rate is allowed up to `ratio` times the live rate, or the live rate plus `increase`: the larger one."""

    ratio: float
    increase: float

    def allowed(self, rate: float) -> float:
        """The largest allowed new rate at a live rate."""
        return max(self.ratio * rate, rate + self.increase)


@dataclass(frozen=True)
class Table:
    """One minute: requests of both deployments, and how many of them failed (or were slow, or wrong)."""

    live: int
    live_bad: int
    new: int
    new_bad: int


def nearest(table: Table, live: float, new: float, slope: float, offset: float) -> tuple[float, float]:
    """The allowed pair of rates from which the pair (`live`, `new`) is hardest to distinguish in such a table.

    Allowed is new <= slope * live + offset. It is the reverse information projection: the pair on this line with the
    smallest Kullback-Leibler divergence, weighted with the two numbers of requests.
    """
    if new <= slope * live + offset:
        return live, new
    bad, good = table.live * live, table.live * (1 - live)
    new_bad, new_good = table.new * new, table.new * (1 - new)
    if offset == 0:  # the derivative is a quadratic polynomial over the interval
        a = slope * (bad + good + new_bad + new_good)
        b = (bad + new_bad) * (1 + slope) + good + slope * new_good
        rate = 2 * (bad + new_bad) / (b + math.sqrt(max(0.0, b * b - 4 * a * (bad + new_bad))))
        return rate, slope * rate
    low, high = live, min((1 - offset) / slope, 1.0)
    rate = low
    for _ in range(60):
        other = slope * rate + offset
        gradient = good / (1 - rate) - bad / rate + slope * (new_good / (1 - other) - new_bad / other)
        low, high = (low, rate) if gradient > 0 else (rate, high)
        curve = bad / rate**2 + good / (1 - rate) ** 2 + slope**2 * (new_bad / other**2 + new_good / (1 - other) ** 2)
        step = rate - gradient / curve
        step = step if low < step < high else (low + high) / 2
        if abs(step - rate) <= _TINY * rate:
            break
        rate = step
    return rate, slope * rate + offset


def log_e_value(table: Table, limit: Limit, live: float, new: float) -> float:
    """The logarithm of the e-value of a minute, for the alternative that the rates are `live` and `new`.

    The likelihood of the alternative over the likelihood of the nearest allowed pair; the smaller one of the two parts
    of the limit (ratio, increase), as a pair is allowed if it is within one of them. The expectation is at most 1 for
    every allowed pair, as the logarithm of the expectation is concave in the pair and has its maximum, 0, at the
    nearest one.
    """
    lines = {(limit.ratio, 0.0), (1.0, limit.increase)}
    return min(_log_ratio(table, live, new, nearest(table, live, new, *line)) for line in lines)


def _log_ratio(table: Table, live: float, new: float, null: tuple[float, float]) -> float:
    return (
        table.live_bad * math.log(live / null[0])
        + (table.live - table.live_bad) * math.log((1 - live) / (1 - null[0]))
        + table.new_bad * math.log(new / null[1])
        + (table.new - table.new_bad) * math.log((1 - new) / (1 - null[1]))
    )


def alternatives(limit: Limit, live: float) -> list[float]:
    """The new rates that are tried at an expected live rate: worse than allowed, and below 1."""
    allowed = limit.allowed(live)
    return [min(allowed * factor, (1 + allowed) / 2) for factor in FACTORS] if allowed < 1 else []


@dataclass
class Process:
    """The evidence of all minutes for one metric. It is a bet with a capital of 1: the e-value of the whole rollout.

    A part of the capital is not bet. `alpha`: the error probability. `expected`: the live rate before any minute, which
    counts as much as `weight` requests.
    """

    limit: Limit
    alpha: float
    expected: float
    weight: float = 20.0
    capital: list[float] = field(default_factory=lambda: [-math.log(len(FACTORS) + 1)] * (len(FACTORS) + 1))
    highest: float = 0.0
    _seen: float = 0.0
    _bad: float = 0.0

    @property
    def threshold(self) -> float:
        """The evidence from which on the new deployment counts as worse."""
        return 1 / self.alpha

    @property
    def is_worse(self) -> bool:
        """Whether the evidence ever reached the threshold."""
        return self.highest >= math.log(self.threshold)

    @property
    def e_value(self) -> float:
        """The largest evidence so far; 1 is none."""
        return math.exp(min(self.highest, 700.0))

    def learn(self, requests: int, bad: int) -> None:
        """A minute of the live deployment changes the expected rate of later minutes."""
        self._seen = MEMORY * self._seen + requests
        self._bad = MEMORY * self._bad + bad

    def add(self, table: Table) -> None:
        """One minute of both deployments."""
        live = (self.expected * self.weight + self._bad) / (self.weight + self._seen)
        live = min(max(live, 1e-6), 1 - 1e-6)
        rates = alternatives(self.limit, live)
        if table.live and table.new and rates:
            most = math.log(self.threshold) / MINUTES
            gains = [min(most, log_e_value(table, self.limit, live, rate)) for rate in rates]
            self.capital = _share([c + gain for c, gain in zip(self.capital, [*gains, 0.0], strict=True)])
            self.highest = max(self.highest, _log_sum(self.capital))
        self.learn(table.live, table.live_bad)


def _share(capital: Sequence[float]) -> list[float]:
    """Each alternative keeps its capital but for a small share, which is divided among all."""
    common = _log_sum(capital) + math.log(SHARED / len(capital))
    return [_log_sum((c + math.log(1 - SHARED), common)) for c in capital]


def _log_sum(values: Sequence[float]) -> float:
    most = max(values)
    return most + math.log(sum(math.exp(value - most) for value in values))
