"""Poll intervals: not before the shortest duration of the kind, never much too late, at least Retry-After."""

from __future__ import annotations

from contextlib import ExitStack

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
    """Late by a quarter of the duration, the shortest pause or two seconds, unless Retry-After is longer."""
    soonest = 0.5 if retry_after is None else retry_after
    late = asked(PollInterval(), takes, retry_after)[-1] - takes
    assert late <= max(soonest, min(2.0, takes / 4 + 0.001))


@given(st.floats(60, 3600))
def test_long_operations_are_polled_less_often(takes: float) -> None:
    """Every two seconds, and a little more often in the first ones."""
    assert len(asked(PollInterval(), takes, None)) <= takes / 2 + 8


@given(st.integers(1, 2000), st.floats(0, 3600))
def test_all_operations_together_stay_under_a_third_of_azures_budget(in_flight: int, spent: float) -> None:
    """However many are in flight, and however long they have been."""
    pace = PollInterval()
    with ExitStack() as stack:
        for _ in range(in_flight):
            stack.enter_context(pace.following())
        interval = pace.pause("PUT deployments", spent, None)
    assert in_flight / interval <= 25 / 3
    assert interval <= max(2.0, in_flight / 6)
    assert pace.longest == 2.0, "the operations have ended"


@given(st.floats(0, 3600), st.floats(0, 3600))
def test_an_operation_that_fails_early_is_noticed(known: float, spent: float) -> None:
    """What is known of the first one delays the second by half a minute at most."""
    pace = PollInterval()
    pace.ended("PUT deployments", known)
    assert spent + pace.pause("PUT deployments", spent, None) <= max(30.0, spent + 2.0)


@given(st.floats(0.2, 5))
def test_the_second_operation_of_a_kind_is_polled_once(takes: float) -> None:
    """The quickest so far is waited for; another kind is not mistaken for it."""
    pace = PollInterval()
    first = asked(pace, takes, 0.05)[-1]
    assert asked(pace, takes, 0.05) == [first]
    assert pace.pause("DELETE deployments", 0.0, 0.05) == 0.05


@given(SECONDS, st.floats(0, 600))
def test_retry_after_is_the_minimum_interval(spent: float, retry_after: float) -> None:
    """Azure's Retry-After is the least that is waited."""
    assert PollInterval().pause("PUT onlineEndpoints", spent, retry_after) >= retry_after
