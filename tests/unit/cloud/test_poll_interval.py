"""Poll intervals: not before the shortest duration of the kind, never much too late, at least Retry-After."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud.poll_interval import PollInterval

SECONDS = st.floats(0, 3600)


def asked(pace: PollInterval, takes: float, retry_after: float | None) -> list[float]:
    """The moments at which an operation that takes `takes` seconds is asked about; the last one sees its end."""
    moments, now = [], 0.0
    while not moments or now < takes:
        now += pace.pause("PUT deployments", now, retry_after)
        moments.append(now)
    pace.ended("PUT deployments", now)
    return moments


@given(SECONDS, st.none() | st.floats(0.01, 5))
def test_an_end_is_noticed_soon(takes: float, retry_after: float | None) -> None:
    """The delay is at most a quarter of the duration, the shortest pause or five seconds, unless Retry-After is
    longer.
    """
    soonest = 0.5 if retry_after is None else retry_after
    late = asked(PollInterval(), takes, retry_after)[-1] - takes
    assert late <= max(soonest, min(5.0, takes / 4 + 0.001))


@given(st.floats(60, 3600))
def test_long_operations_are_polled_less_often(takes: float) -> None:
    """Not more than twice as often as every five seconds."""
    assert len(asked(PollInterval(), takes, None)) <= takes / 5 + 14


@given(st.floats(0.2, 5))
def test_the_second_operation_of_a_kind_is_polled_once(takes: float) -> None:
    """The quickest so far is waited for; another kind is not mistaken for it."""
    pace = PollInterval()
    first = asked(pace, takes, 0.05)[-1]
    assert asked(pace, takes, 0.05) == [min(5.0, first)] or first > 5.0
    assert pace.pause("DELETE deployments", 0.0, 0.05) == 0.05


@given(SECONDS, st.floats(0, 600))
def test_retry_after_is_the_minimum_interval(spent: float, retry_after: float) -> None:
    """Azure's Retry-After is the least that is waited."""
    assert PollInterval().pause("PUT onlineEndpoints", spent, retry_after) >= retry_after
