"""Many at once, so many at a time. Knows nothing of what is done."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
_LOOK = 0.25
"""Seconds between two looks at whether somebody interrupts."""


def run_parallel(works: Mapping[str, Callable[[], T]], lanes: int) -> dict[str, T]:
    """Every work's result by its name, in the order given, `lanes` of them at a time.

    A work that raises stops none that has begun, and no other begins; the first error is raised at the end. An
    interrupt ends it at once: the threads are daemons.
    """
    waiting, done, errors = deque(works), dict[str, T](), list[BaseException]()

    def lane() -> None:
        while not errors:
            try:
                name = waiting.popleft()
            except IndexError:
                return
            try:
                done[name] = works[name]()
            except BaseException as error:  # noqa: BLE001 raised again below, where somebody can see it
                errors.append(error)

    threads = [
        threading.Thread(target=copy_context().run, args=[lane], daemon=True) for _ in range(min(lanes, len(works)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(_LOOK)  # a signal that another thread caught is seen only when this one runs
    for error in errors:
        raise error
    return {name: done[name] for name in works}
