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

FACTORS = ((1.5, 0.02), (2.5, 0.84), (8.0, 0.1))
"""The alternatives: the new rate is the allowed one times a factor; and the share of the capital bet on it."""
UNUSED = 0.04
"""The share of the capital that is not bet. It remains after bursts that make all alternatives look wrong."""
SHARED = 0.005
"""The part of all capital that is divided again, by the shares above, after each minute.

Without it, many good minutes would have to be made up for by as many bad ones, before a release is found that fails
later. Dividing depends on past minutes only, so the average stays 1 or less.
"""
MINUTES = 1.5
"""One minute counts for at most 1 / 1.5 of the threshold's logarithm: one alone is not enough, two can be."""
MEMORY = 0.95
"""The weight of a minute in the expected live rate, relative to the next minute."""
_NEAR = 1e-6
"""When the projection ends: the last step of Newton's method squares this error."""
_SHARES = (*(share for _, share in FACTORS), UNUSED)


@dataclass(frozen=True)
class Limit:
    """The new rate is allowed up to `ratio` times the live rate, or the live rate plus `increase`: the larger one."""

    ratio: float
    increase: float

    def allowed(self, rate: float) -> float:
        """The largest allowed new rate at a live rate."""
        return max(self.ratio * rate, rate + self.increase)

    def alternatives(self, rate: float) -> list[float]:
        """The new rates that are bet on at an expected live rate: above the allowed one, below 1."""
        allowed = self.allowed(rate)
        return [min(allowed * factor, (1 + allowed) / 2) for factor, _ in FACTORS] if allowed < 1 else []

    @property
    def lines(self) -> list[tuple[float, float]]:
        """Slope and offset of the one or two lines below which a new rate is allowed."""
        ratio, increase = (self.ratio, 0.0), (1.0, self.increase)
        if self.increase == 0:
            return [ratio]
        return [increase] if self.ratio == 1 else [ratio, increase]


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
    rate = min(max(_small(bad, new_bad, good + slope * new_good, slope, offset), live), (live + high) / 2)
    for _ in range(60):
        other = slope * rate + offset
        gradient = good / (1 - rate) - bad / rate + slope * (new_good / (1 - other) - new_bad / other)
        low, high = (low, rate) if gradient > 0 else (rate, high)
        curve = bad / rate**2 + good / (1 - rate) ** 2 + slope**2 * (new_bad / other**2 + new_good / (1 - other) ** 2)
        step = rate - gradient / curve
        step = step if low < step < high else (low + high) / 2
        near, rate = abs(step - rate) <= _NEAR * rate, step
        if near:
            break
    return rate, slope * rate + offset


def _small(bad: float, new_bad: float, good: float, slope: float, offset: float) -> float:
    """`nearest` for small rates, where 1 - rate is about 1: the start of Newton's method."""
    half = (good * offset - slope * (bad + new_bad)) / (2 * slope * good)
    return math.sqrt(half * half + bad * offset / (slope * good)) - half


def log_e_value(table: Table, live: float, new: float, slope: float, offset: float) -> float:
    """The logarithm of the e-value of a minute, for the alternative that the rates are `live` and `new`.

    The likelihood of the alternative over the likelihood of the nearest allowed pair. The expectation is at most 1 for
    every allowed pair: its logarithm is concave in the pair, and has its maximum, 0, at the nearest one. A minute with
    observed rates that are allowed has never more than 0.
    """
    return _log_ratio(table, live, new, nearest(table, live, new, slope, offset))


def _log_ratio(table: Table, live: float, new: float, null: tuple[float, float]) -> float:
    return (
        table.live_bad * math.log(live / null[0])
        + (table.live - table.live_bad) * math.log((1 - live) / (1 - null[0]))
        + table.new_bad * math.log(new / null[1])
        + (table.new - table.new_bad) * math.log((1 - new) / (1 - null[1]))
    )


@dataclass
class Bet:
    """The e-process against one line, new <= slope * live + offset: a capital of 1 that is bet on the alternatives."""

    slope: float
    offset: float
    most: float
    total: float = 0.0
    """The logarithm of the e-value of all minutes."""
    shares: list[float] = field(default_factory=lambda: list(_SHARES))
    """Of the capital, that are bet on each alternative and on none."""

    def add(self, table: Table, live: float, rates: Sequence[float]) -> None:
        """One minute; `live`: expected rate, `rates`: alternatives of the new rate, in the order of `FACTORS`."""
        gains = [min(self.most, log_e_value(table, live, rate, self.slope, self.offset)) for rate in rates]
        grown = [share * math.exp(gain) for share, gain in zip(self.shares, [*gains, 0.0], strict=True)]
        capital = sum(grown)
        self.total += math.log(capital)
        self.shares = [
            (1 - SHARED) * each / capital + SHARED * first for each, first in zip(grown, _SHARES, strict=True)
        ]


class Process:
    """The evidence of all minutes for one metric: the smaller e-process of the two lines of a limit.

    Its error probability holds if, in all minutes, the new rate is within the ratio, or in all minutes within the
    increase; so also for every release that is not worse than the live one, however the rates change.

    `alpha`: the error probability. `expected`: the live rate before any minute, which counts as much as 20 requests.
    """

    def __init__(self, limit: Limit, alpha: float, expected: float) -> None:
        self.limit = limit
        self.threshold = 1 / alpha
        self.highest = 0.0
        """The logarithm of the largest evidence so far."""
        most = math.log(self.threshold) / MINUTES
        self._bets = [Bet(*line, most) for line in limit.lines]
        self._seen, self._bad = 20.0, 20.0 * expected

    @property
    def evidence(self) -> float:
        """The logarithm of the evidence after the last minute."""
        return min(bet.total for bet in self._bets)

    @property
    def is_worse(self) -> bool:
        """Whether the evidence ever reached the threshold."""
        return self.highest >= math.log(self.threshold)

    @property
    def e_value(self) -> float:
        """The largest evidence so far; 1 is none."""
        return math.exp(min(self.highest, 700.0))

    def learn(self, requests: int, bad: int) -> None:
        """A minute of the live deployment changes the expected rate of later minutes; without requests nothing."""
        if not requests:
            return
        self._seen = MEMORY * self._seen + requests
        self._bad = MEMORY * self._bad + bad

    def add(self, table: Table) -> None:
        """One minute of both deployments."""
        live = min(max(self._bad / self._seen, 1e-6), 1 - 1e-6)
        rates = self.limit.alternatives(live)
        if table.live and table.new and rates:
            for bet in self._bets:
                bet.add(table, live, rates)
            self.highest = max(self.highest, self.evidence)
        self.learn(table.live, table.live_bad)
