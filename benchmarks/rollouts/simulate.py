"""Random rollouts for `benchmarks/gate.py`: the counts and percentiles of each minute, from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from deploy.gate import Latency, Minute, Rules, Sample
from deploy.gate.evidence import Limit

STAGES = ((15, 0.1), (15, 0.5))
"""Minutes and the share of traffic of the new deployment."""
LENGTH = sum(minutes for minutes, _ in STAGES)
BEFORE = 15
"""Minutes of the live deployment before the rollout that the gate knows."""
OWN = 6
"""Our own test cases in a minute, to both deployments."""
MEDIAN, SIGMA = 200.0, 0.5
"""Latencies are lognormal: milliseconds, and the standard deviation of the logarithm."""
WRONG = 0.01
"""The share of wrong answers of test cases of the live deployment."""
RULES = Rules()
LIMIT = Limit(RULES.max_error_ratio, RULES.min_error_increase)
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Cell:
    """One kind of rollout. `base`: the live error rate. `per_second`: requests to both deployments together.

    `scenario`: a name of `SCENARIOS`, which both deployments have. `new`: error rate of the new deployment, and
    `latency`: factor of its latency, `wrong`: share of its wrong answers, all from minute `since` on. `burst`:
    "new" or "live" has a burst of errors of `burst_minutes` alone. `at_limit`: the new deployment is as bad as the
    rules allow, in each minute.
    """

    base: float
    per_second: float
    scenario: str = "constant"
    new: float | None = None
    latency: float = 1.0
    wrong: float = WRONG
    since: int = 0
    burst: str = ""
    burst_minutes: int = 0
    at_limit: bool = False


@dataclass(frozen=True)
class World:
    """One minute: factors of traffic, of the error rate and of latency, and the error rate of a burst."""

    load: float = 1.0
    errors: float = 1.0
    latency: float = 1.0
    burst: float = 0.0


def _constant(_: Random) -> Callable[[int], World]:
    return lambda _: World()


def _trend(_: Random) -> Callable[[int], World]:
    """Three times the errors and twice the latency at the end."""
    return lambda minute: World(errors=1 + 2 * max(0, minute) / LENGTH, latency=1 + max(0, minute) / LENGTH)


def _bursts(random: Random) -> Callable[[int], World]:
    """Each minute, with 10 %, a burst of one to three minutes starts: 20 % errors and three times the latency."""
    starts = [minute for minute in range(-BEFORE, LENGTH) if random.random() < 0.1]
    bad = {start + each for start in starts for each in range(random.randint(1, 3))}
    return lambda minute: World(latency=3.0, burst=0.2) if minute in bad else World()


def _morning(_: Random) -> Callable[[int], World]:
    """Daily load: traffic grows from 40 to 160 % in the half hour, and latency with it to 160 %."""

    def at(minute: int) -> World:
        part = max(0, minute) / LENGTH
        return World(load=0.4 + 1.2 * part, latency=1 + 0.6 * part)

    return at


SCENARIOS = {"constant": _constant, "trend": _trend, "bursts in both": _bursts, "daily load": _morning}


@dataclass(frozen=True)
class Rollout:
    """What the gate sees; `rates`: of each minute, requests to both, the share of the new one, error rates of both."""

    before: list[Sample]
    minutes: list[Minute]
    rates: list[tuple[int, float, float, float]]


def rollout(cell: Cell, seed: int) -> Rollout:
    """The same for the same seed."""
    random = Random(f"{cell} {seed}")
    at = SCENARIOS[cell.scenario](random)
    burst_start = random.randrange(LENGTH - cell.burst_minutes + 1)
    before = [_sample(random, cell, at(m), _requests(random, cell, at(m)), new=False) for m in range(-BEFORE, 0)]
    minutes, rates = [], []
    for minute in range(LENGTH):
        world, share = at(minute), _share(minute)
        burst = burst_start <= minute < burst_start + cell.burst_minutes
        total = _requests(random, cell, world)
        to_new = binomial(random, total, share)
        worse = minute >= cell.since
        live = _sample(random, cell, world, total - to_new + OWN, new=False, burst=burst and cell.burst == "live")
        new = _sample(random, cell, world, to_new + OWN, new=worse, burst=burst and cell.burst == "new")
        cases = [(binomial(random, OWN, rate), OWN) for rate in (WRONG, cell.wrong if worse else WRONG)]
        minutes.append(Minute(60.0 * minute, live, new, *cases))
        rates.append((total, share, error_rate(cell, world, new=False), error_rate(cell, world, new=worse)))
    return Rollout(before, minutes, rates)


def _share(minute: int) -> float:
    """The share of the new deployment in a minute."""
    return STAGES[0][1] if minute < STAGES[0][0] else STAGES[1][1]


def _requests(random: Random, cell: Cell, world: World) -> int:
    return math.floor(60 * cell.per_second * world.load + random.random())


def error_rate(cell: Cell, world: World, *, new: bool) -> float:
    """The error rate of a deployment in a minute."""
    rate = cell.new if new and cell.new is not None else cell.base * world.errors
    rate = max(rate, world.burst)
    return min(1.0, LIMIT.allowed(rate) if new and cell.at_limit else rate)


def _sample(random: Random, cell: Cell, world: World, requests: int, *, new: bool, burst: bool = False) -> Sample:
    rate = max(error_rate(cell, world, new=new), 0.2 if burst else 0.0)
    factor = world.latency * ((RULES.max_latency_ratio if cell.at_limit else cell.latency) if new else 1.0)
    latency = percentiles(random, requests, MEDIAN * factor) if requests else None
    return Sample(requests, binomial(random, requests, rate), latency)


def percentiles(random: Random, requests: int, middle: float) -> Latency:
    """Percentiles (nearest rank) of so many lognormal latencies.

    Order statistics of uniform numbers have the distribution of partial sums of exponential ones, so four ranks need
    five gamma numbers, not one number per request.
    """
    ranks = [math.ceil(share * requests) for share in (0.5, 0.9, 0.95, 0.99)]
    sums, total, last = [], 0.0, 0
    for rank in (*ranks, requests + 1):
        total += random.gammavariate(rank - last, 1.0) if rank > last else 0.0
        sums.append(total)
        last = rank
    return Latency(*(middle * math.exp(SIGMA * _NORMAL.inv_cdf(each / total)) for each in sums[:4]))


def binomial(random: Random, n: int, p: float) -> int:
    """A binomial number, exact. (`Random.binomialvariate` is new in Python 3.12.)

    Many trials are halved with the median of n uniform numbers, which has a beta distribution (Devroye, "Non-Uniform
    Random Variate Generation", 1986, X.4.4). Few successes are counted by the gaps between them.
    """
    if p <= 0.0 or n == 0:
        return 0
    if p >= 1.0:
        return n
    if p > 0.5:
        return n - binomial(random, n, 1 - p)
    found = 0
    while n * p > 20:
        half = n // 2 + 1
        middle = random.betavariate(half, n + 1 - half)
        if middle <= p:
            found, n, p = found + half, n - half, (p - middle) / (1 - middle)
        else:
            n, p = half - 1, p / middle
    if p >= 1.0:
        return found + n
    return found + _by_gaps(random, n, p)


def _by_gaps(random: Random, n: int, p: float) -> int:
    if p <= 0.0:
        return 0
    scale, place, found = math.log1p(-p), 0, 0
    while True:
        place += math.floor(math.log(1.0 - random.random()) / scale) + 1
        if place > n:
            return found
        found += 1
