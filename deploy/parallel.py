"""Runs named tasks in a bounded number of daemon threads.

Our own, because the threads of concurrent.futures are joined at exit, so Ctrl-C would wait for them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
_POLL = 0.25
"""Seconds between two checks for an interrupt."""


def run_parallel(tasks: Mapping[str, Callable[[], T]], max_workers: int) -> dict[str, T]:
    """The result of each task by its name, in the order of `tasks`; at most `max_workers` run at a time.

    After an error no further task starts; running tasks finish, then the first error is raised. An interrupt ends the
    call at once, because the threads are daemons.
    """
    waiting, done, errors = deque(tasks), dict[str, T](), list[BaseException]()

    def worker() -> None:
        while not errors:
            try:
                name = waiting.popleft()
            except IndexError:
                return
            try:
                done[name] = tasks[name]()
            except BaseException as error:  # noqa: BLE001 raised again below, in the thread of the caller
                errors.append(error)

    count = min(max_workers, len(tasks))
    threads = [threading.Thread(target=copy_context().run, args=[worker], daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(_POLL)  # a signal that another thread caught is handled only when this thread runs
    for error in errors:
        raise error
    return {name: done[name] for name in tasks}
