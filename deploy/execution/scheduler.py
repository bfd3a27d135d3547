"""The loop that runs tasks side by side: a task that waits holds no thread, so hundreds can wait for Azure at once.

A task is continued in one of a few threads whenever its wait is over. What may block for long (an upload, a scoring
request) has threads of its own, so that it never delays the end of another operation, or a rescue.
Each task has a context (`contextvars`) of its own, in whichever thread it is continued.
Our own instead of asyncio: azure-ai-ml blocks, so its calls need threads anyway, and a loop in the main thread can be
interrupted at any moment without waiting for them.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue

from deploy.clock import Clock, Task, Wait

QUICK_THREADS, BLOCKING_THREADS = 5, 13
_TICK = 0.05
"""Seconds after which the loop looks at the clock again while tasks run; a world's clock can be advanced meanwhile."""


@dataclass(frozen=True, eq=False)
class _Run:
    """A task, and the context in which all its parts run."""

    task: Task[None]
    context: Context = field(default_factory=copy_context)


_Ended = tuple[_Run, Wait | None, BaseException | None]
"""A task that ran, and its wait; None if it is over. The error is one that it raised."""


def run_tasks(tasks: Sequence[Task[None]], clock: Clock) -> None:
    """Run all tasks to their ends. After an error no task is continued; running ones finish, then it is raised.

    An interrupt ends the call at once: tasks that wait are never continued, and the threads are daemons.
    """
    ended: SimpleQueue[_Ended] = SimpleQueue()
    quick, blocking = _Threads(QUICK_THREADS, ended.put), _Threads(BLOCKING_THREADS, ended.put)
    numbers = count()
    waiting = [(clock.monotonic(), next(numbers), _Run(task), False) for task in tasks]
    running, errors = 0, list[BaseException]()
    try:
        while running or (waiting and not errors):
            now = clock.monotonic()
            while waiting and waiting[0][0] <= now and not errors:
                _, _, task, may_block = heapq.heappop(waiting)
                (blocking if may_block else quick).run(task)
                running += 1
            left = max(0.0, waiting[0][0] - now) if waiting else _TICK
            if not running:
                clock.sleep(left)
                continue
            try:
                task, wait, error = ended.get(timeout=min(left, _TICK))
            except Empty:
                continue
            running -= 1
            if error is not None:
                errors.append(error)
            elif wait is not None:
                heapq.heappush(waiting, (clock.monotonic() + wait.seconds, next(numbers), task, wait.may_block))
    finally:
        quick.stop()
        blocking.stop()
    if errors:
        raise errors[0]


class _Threads:
    """At most `most` daemon threads, started when they are needed, each of which continues one task at a time."""

    def __init__(self, most: int, report: Callable[[_Ended], None]) -> None:
        self._most, self._report = most, report
        self._tasks: SimpleQueue[_Run | None] = SimpleQueue()
        self._started = self._busy = 0
        self._lock = threading.Lock()

    def run(self, task: _Run) -> None:
        with self._lock:
            self._busy += 1
            is_short = self._busy > self._started < self._most
            self._started += is_short
        self._tasks.put(task)
        if is_short:
            threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        """Let the threads end once they have nothing to do."""
        for _ in range(self._started):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            ended = _continued(task)
            with self._lock:
                self._busy -= 1
            self._report(ended)


def _continued(run: _Run) -> _Ended:
    try:
        return run, run.context.run(next, run.task), None
    except StopIteration:
        return run, None, None
    except BaseException as error:  # noqa: BLE001 raised again in the thread of the caller
        return run, None, error
