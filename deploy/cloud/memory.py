"""What was read is read once, however many ask at the same time. Keeps answers; sends nothing itself.

Who asks first reads; who asks for the same meanwhile waits for that one answer, and nobody waits for another's
question. An observation remembers all its reads, and a check that follows it at once need not read them again. What
does not change while a command runs is remembered as long.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from deploy.errors import CloudError, Transient

Json = Any


@dataclass(frozen=True, eq=False)
class _Answer:
    """What was told, or will be, and when it was asked for (monotonic seconds)."""

    asked: float
    told: Future[Json] = field(default_factory=Future)


_LASTING = re.compile(
    r"/(?:Microsoft\.MachineLearningServices/(?:workspaces/[^/]+|locations/[^/]+/vmSizes)"
    r"|registrymanagement/v1\.0/registries/[^/]+/discovery)$"
)
"""Workspaces, a region's sizes, where a registry is."""


class Memory:
    """Answers by question. Safe to ask from many threads; whether a look is open is each thread's own."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looking: ContextVar[bool] = ContextVar("looking", default=False)
        self._lasting: dict[str, _Answer] = {}
        self._passing: dict[str, _Answer] = {}

    @contextmanager
    def open(self, seconds: float = 0.0) -> Iterator[None]:
        """Inside, everything is remembered, and so is what looks of the last `seconds` were told. A look begun inside
        another is part of it.
        """
        if self._looking.get():
            yield
            return
        with self._lock:
            since = self._monotonic() - seconds
            self._passing = {key: held for key, held in self._passing.items() if seconds and held.asked >= since}
        looking = self._looking.set(True)
        try:
            yield
        finally:
            self._looking.reset(looking)

    def ask(self, path: str, key: str, read: Callable[[], Json]) -> Json:
        """The answer to `key`: remembered, or read now. A read that fails is remembered if it was refused for good."""
        lasts = _LASTING.search(path) is not None
        if not lasts and not self._looking.get():
            return read()
        with self._lock:
            known = self._lasting if lasts else self._passing
            held = known.get(key) or self._passing.get(key)
            mine = held is None
            held = held or known.setdefault(key, _Answer(self._monotonic()))
        if mine:
            self._fill(known, key, held, read)
        return held.told.result()

    def _fill(self, known: dict[str, _Answer], key: str, held: _Answer, read: Callable[[], Json]) -> None:
        try:
            held.told.set_result(read())
        except BaseException as error:  # noqa: BLE001 whoever waits hears it too
            with self._lock:
                if not _is_final(error):
                    known.pop(key, None)
                elif known is self._lasting:  # refused for this look; by the next somebody may have given the right
                    del known[key]
                    self._passing[key] = held
            held.told.set_exception(error)


def _is_final(error: BaseException) -> bool:
    """Whether asking again within the same look would be told the same: refused, and not for the moment."""
    return isinstance(error, CloudError) and not isinstance(error, Transient)
