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

from deploy.errors import CloudError, Transient, Unanswered

Json = Any


@dataclass(frozen=True, eq=False)
class _Answer:
    """What was told, or will be, and when it was asked for (monotonic seconds)."""

    asked: float
    told: Future[Json] = field(default_factory=Future)

    @property
    def is_hiccup(self) -> bool:
        """Whether nobody answered."""
        return self.told.done() and isinstance(self.told.exception(), Unanswered)


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
        """Inside, everything is remembered, and so is what looks of the last `seconds` were told; not that nobody
        answered them. A look begun inside another is part of it.
        """
        if self._looking.get():
            yield
            return
        with self._lock:
            since = self._monotonic() - seconds
            kept = {key: held for key, held in self._passing.items() if held.asked >= since and not held.is_hiccup}
            self._passing = kept if seconds else {}
        looking = self._looking.set(True)
        try:
            yield
        finally:
            self._looking.reset(looking)

    def forget(self, question: str) -> None:
        """No look that comes takes what one before was told of all that begin so."""
        with self._lock:
            self._passing = {key: held for key, held in self._passing.items() if not key.startswith(question)}

    def ask(self, path: str, key: str, read: Callable[[], Json]) -> Json:
        """The answer to `key`: remembered, or read now. A failure is remembered too, unless Azure may agree later."""
        lasts = _LASTING.search(path) is not None
        if not lasts and not self._looking.get():
            return read()
        with self._lock:
            known = self._lasting if lasts else self._passing
            held = known.get(key) or self._passing.get(key)
            mine = held is None
            held = held or known.setdefault(key, _Answer(self._monotonic()))
        if mine:
            self._fill(key, held, read)
        return held.told.result()

    def _fill(self, key: str, held: _Answer, read: Callable[[], Json]) -> None:
        try:
            held.told.set_result(read())
        except BaseException as error:  # noqa: BLE001 whoever waits hears it too
            with self._lock:
                if self._lasting.get(key) is held:  # only for this look: by the next somebody may have given the right
                    self._passing[key] = self._lasting.pop(key)
                if not _is_final(error) and self._passing.get(key) is held:
                    del self._passing[key]
            held.told.set_exception(error)


def _is_final(error: BaseException) -> bool:
    """Whether nobody asks again within the same look: refused, or not answered though HTTP was given its chances."""
    return isinstance(error, CloudError) and not isinstance(error, Transient)
