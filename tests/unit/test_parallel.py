"""Many at once, so many at a time."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from deploy.parallel import run_parallel


def test_results_come_in_the_order_asked() -> None:
    """The order of the results is that of the tasks."""
    gate = threading.Event()

    def first() -> int:
        gate.wait(5)
        return 1

    def second() -> int:
        gate.set()
        return 2

    assert list(run_parallel({"a": first, "b": second}, 2).items()) == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_at_most_max_workers_run_at_once(lanes: int) -> None:
    """At no moment are more at work than there are lanes, and every one is done."""
    lock, now, most = threading.Lock(), [0], [0]

    def work(n: int) -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        with lock:
            now[0] -= 1
        return n

    assert list(run_parallel({str(n): partial(work, n) for n in range(50)}, lanes).values()) == list(range(50))
    assert most[0] <= lanes


def test_after_an_error_no_task_starts() -> None:
    """Running tasks finish; the error is raised in the calling thread."""
    began: list[int] = []

    def work(n: int) -> None:
        began.append(n)
        if n == 2:
            raise ValueError("two")

    with pytest.raises(ValueError, match="two"):
        run_parallel({str(n): partial(work, n) for n in range(10)}, 1)
    assert began == [0, 1, 2]


def test_no_tasks_have_no_results() -> None:
    """No work, no threads, no result."""
    assert run_parallel({}, 8) == {}
