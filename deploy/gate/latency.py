"""The share of requests of a minute that took longer than a threshold, estimated from percentiles.

An estimate: Azure has four percentiles of a minute, and documents its P90 as the average of several values, not as one
percentile of all requests (learn.microsoft.com, supported metrics of onlineEndpoints/deployments). The counts are
rounded so that they favour the new deployment: down for the new one, up for the live one. With hundreds of requests in
a minute the estimate can be a few percent off in either direction.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from deploy.gate.minutes import Latency, Sample

_NORMAL = NormalDist()
_SHARES = (0.5, 0.9, 0.95, 0.99)
_QUANTILES = tuple(_NORMAL.inv_cdf(share) for share in _SHARES)
_NEAR = 1e-9
"""So that rounding down does not lose a request to the error of floating point."""


def share_above(latency: Latency, threshold: float) -> float:
    """The share of requests slower than `threshold` (milliseconds), from 0 to 1.

    The logarithm of the latency is interpolated against the quantile of the normal distribution through P50, P90, P95
    and P99, and extended beyond them with the slope of the nearest part. Exact for lognormal latencies.
    """
    points = [math.log(max(value, 1e-6)) for value in (latency.p50, latency.p90, latency.p95, latency.p99)]
    at = math.log(max(threshold, 1e-6))
    if points[0] >= points[-1]:
        return 1.0 if at < points[0] else 0.0
    return 1 - _NORMAL.cdf(_quantile(points, at))


def _quantile(points: list[float], at: float) -> float:
    """The normal quantile of a logarithm of a latency; `points`: those of the four percentiles."""
    if at < points[0]:
        return _line(points, 0, next(j for j in (1, 2, 3) if points[j] > points[0]), at)
    for i in range(3):
        if points[i] <= at < points[i + 1]:
            return _line(points, i, i + 1, at)
    return _line(points, next(i for i in (2, 1, 0) if points[i] < points[3]), 3, at)


def _line(points: list[float], i: int, j: int, at: float) -> float:
    return _QUANTILES[i] + (at - points[i]) * (_QUANTILES[j] - _QUANTILES[i]) / (points[j] - points[i])


def at_least(sample: Sample, threshold: float) -> int:
    """How many requests were slower, rounded down. At least one if P99 is above the threshold: the slowest was."""
    if sample.latency is None:
        return 0
    number = math.floor(sample.requests * share_above(sample.latency, threshold) + _NEAR)
    return max(number, min(1, sample.requests)) if sample.latency.p99 > threshold else number


def at_most(sample: Sample, threshold: float) -> int:
    """How many requests were slower, rounded up. One request is counted exactly."""
    if sample.latency is None:
        return 0
    if sample.requests == 1:
        return int(sample.latency.p99 > threshold)
    return min(sample.requests, math.ceil(sample.requests * share_above(sample.latency, threshold) - _NEAR))
