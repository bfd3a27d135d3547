"""What a rollout is judged by: counts and latencies of both deployments in each minute, and the rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """Percentiles of the latency of one minute in milliseconds, as in Azure Monitor (`RequestLatency_P50` ...)."""

    p50: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Sample:
    """One deployment in one minute.

    `errors`: answers with a status that is not 2xx. `latency`: None if it is not known, or without requests.
    """

    requests: int = 0
    errors: int = 0
    latency: Latency | None = None


@dataclass(frozen=True)
class Minute:
    """Both deployments in one minute.

    `start`: seconds since 1970. `cases_live` and `cases_new`: wrong and sent, of our own test cases. Both deployments
    get the same cases.
    """

    start: float
    live: Sample
    new: Sample
    cases_live: tuple[int, int] = (0, 0)
    cases_new: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Rules:
    """How much worse than the live deployment the new one may be: `rollout.gate` of pipeline.yml.

    An error rate is worse if it is above `max_error_ratio` times the live rate, and above the live rate plus
    `min_error_increase`.
    `min_requests`: that the new deployment must have had in a stage, before the next stage starts.
    """

    max_error_ratio: float = 2.0
    min_error_increase: float = 0.005
    max_latency_ratio: float = 1.5
    min_requests: int = 50
