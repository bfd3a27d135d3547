"""The scheduler: waits hold no thread, what may block delays nothing else, and an interrupt ends all at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.clock import Task, Wait
from deploy.execution.scheduler import BLOCKING_THREADS, QUICK_THREADS, run_tasks
from tests.unit.execution.test_executor import Later


def recorded(name: str, waits: list[float], clock: Later, log: list[tuple[float, str]]) -> Task[None]:
    for seconds in waits:
        log.append((clock.monotonic(), name))
        yield Wait(seconds)
    log.append((clock.monotonic(), name))


@given(st.lists(st.lists(st.integers(0, 600).map(float), max_size=5), max_size=30))
def test_every_task_goes_on_exactly_when_its_waits_are_over(plans: list[list[float]]) -> None:
    """Whatever the others wait for."""
    clock, log = Later(), list[tuple[float, str]]()
    run_tasks([recorded(str(n), waits, clock, log) for n, waits in enumerate(plans)], clock)

    expected = [(sum(waits[:n]), str(number)) for number, waits in enumerate(plans) for n in range(len(waits) + 1)]
    assert sorted(log) == sorted(expected)


def test_hundreds_of_waits_need_no_more_threads() -> None:
    """A thousand tasks that wait 1,000 times each would be a thousand threads otherwise."""
    before, most = threading.active_count(), 0

    def task() -> Task[None]:
        nonlocal most
        for _ in range(5):
            most = max(most, threading.active_count())
            yield Wait(random.random() * 100)

    run_tasks([task() for _ in range(1000)], Later())
    assert most - before <= QUICK_THREADS + BLOCKING_THREADS


def test_uploads_that_block_delay_no_other_task() -> None:
    """More of them than there are threads; the rescue of another endpoint still runs to its end."""
    is_done, began = threading.Event(), list[int]()

    def upload(number: int) -> Task[None]:
        yield Wait(0, may_block=True)
        began.append(number)
        assert is_done.wait(30)

    def rescue() -> Task[None]:
        while len(began) < BLOCKING_THREADS:
            yield Wait(0)
        is_done.set()

    run_tasks([*(upload(n) for n in range(2 * BLOCKING_THREADS)), rescue()], Later())
    assert len(began) == 2 * BLOCKING_THREADS


def test_after_an_error_no_task_goes_on() -> None:
    """It is raised once the running ones have stopped."""
    clock, log = Later(), list[tuple[float, str]]()

    def broken() -> Task[None]:
        yield Wait(10)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run_tasks([broken(), recorded("other", [5, 20], clock, log)], clock)
    assert log == [(0.0, "other"), (5.0, "other")]


def _interrupting(after: int) -> Callable[[float], None]:
    left = [after]

    def sleep(_: float) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    return sleep


@pytest.mark.parametrize("after", [0, 1, 5])
def test_an_interrupt_continues_no_task(after: int) -> None:
    """It comes while all wait."""
    clock, log = Later(), list[tuple[float, str]]()
    interrupt = _interrupting(after)
    advance = clock.sleep
    clock.sleep = lambda seconds: (interrupt(seconds), advance(seconds))[1]  # type: ignore[method-assign]

    with pytest.raises(KeyboardInterrupt):
        run_tasks([recorded("a", [7.0] * 10, clock, log)], clock)
    assert len(log) == after + 1
