"""The number of slow requests, estimated from percentiles."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.gate import Latency, Sample
from deploy.gate.latency import at_least, at_most, share_above

MILLISECONDS = st.floats(0.1, 1e6)
PERCENTILES = st.lists(MILLISECONDS, min_size=4, max_size=4).map(lambda values: Latency(*sorted(values)))


@pytest.mark.parametrize("share", [0.7, 0.3, 0.07, 0.03, 0.002])
def test_it_is_exact_for_lognormal_latencies(share: float) -> None:
    """Below P50, between all percentiles, and above P99."""
    normal = NormalDist(math.log(200), 0.5)
    latency = Latency(*(math.exp(normal.inv_cdf(each)) for each in (0.5, 0.9, 0.95, 0.99)))

    assert share_above(latency, math.exp(normal.inv_cdf(1 - share))) == pytest.approx(share)


@settings(deadline=None)
@given(PERCENTILES, MILLISECONDS, MILLISECONDS, st.integers(1, 5000))
def test_a_higher_threshold_has_fewer_slow_requests(latency: Latency, one: float, other: float, requests: int) -> None:
    """Also with equal percentiles. Rounded down is never more than rounded up, except for the slowest request."""
    low, high = sorted((one, other))
    sample = Sample(requests, 0, latency)

    assert 0 <= share_above(latency, high) <= share_above(latency, low) + 1e-9 <= 1 + 1e-9
    assert 0 <= at_least(sample, low) <= max(1, at_most(sample, low)) <= requests


@settings(deadline=None)
@given(PERCENTILES, MILLISECONDS)
def test_the_share_agrees_with_the_percentiles(latency: Latency, threshold: float) -> None:
    """More than half are slower than a threshold below P50, more than 5 % than one below P95."""
    share = share_above(latency, threshold)

    for percentile, slower in ((latency.p50, 0.5), (latency.p90, 0.1), (latency.p95, 0.05), (latency.p99, 0.01)):
        if threshold < percentile:
            assert share >= slower - 1e-9
        if threshold > percentile:
            assert share <= slower + 1e-9


@settings(deadline=None)
@given(MILLISECONDS, MILLISECONDS)
def test_one_request_is_exact(time: float, threshold: float) -> None:
    """All percentiles are its latency."""
    sample = Sample(1, 0, Latency(time, time, time, time))

    assert at_least(sample, threshold) == at_most(sample, threshold) == int(time > threshold)


@pytest.mark.parametrize("requests", [2, 7, 36, 300])
@pytest.mark.parametrize("share", [0.14, 0.1, 0.05, 0.02])
def test_rounding_favours_the_new_deployment(requests: int, share: float) -> None:
    """On average over 500 seeded minutes, with percentiles of the nearest rank, to 5 %: it is an estimate."""
    random, low, high, slow = Random(1), 0, 0, 0
    threshold = math.exp(0.5 * NormalDist().inv_cdf(1 - share))
    for _ in range(500):
        times = sorted(math.exp(random.gauss(0, 0.5)) for _ in range(requests))
        found = Latency(*(times[math.ceil(part * requests) - 1] for part in (0.5, 0.9, 0.95, 0.99)))
        sample = Sample(requests, 0, found)
        low, high = low + at_least(sample, threshold), high + at_most(sample, threshold)
        slow += sum(time > threshold for time in times)

    assert 0.95 * low <= slow <= 1.05 * high
