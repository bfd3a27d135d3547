"""What was read is read once, however many ask at the same time. Keeps answers; sends nothing itself.

Who asks first reads; who asks for the same meanwhile waits for that one answer, and nobody waits for another's
question. An observation remembers all its reads. What does not change while a command runs is remembered as long.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from deploy.errors import CloudError, Transient

Json = Any
_LASTING = re.compile(
    r"/(?:Microsoft\.MachineLearningServices/(?:workspaces/[^/]+|locations/[^/]+/vmSizes)"
    r"|registrymanagement/v1\.0/registries/[^/]+/discovery)$"
)
"""Workspaces, a region's sizes, where a registry is."""


class Memory:
    """Answers by question. Safe to ask from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lasting: dict[str, Future[Json]] = {}
        self._passing: dict[str, Future[Json]] | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Inside, everything is remembered; a look begun inside another is part of it."""
        with self._lock:
            outermost = self._passing is None
            if outermost:
                self._passing = {}
        try:
            yield
        finally:
            if outermost:
                self._passing = None

    def ask(self, path: str, key: str, read: Callable[[], Json]) -> Json:
        """The answer to `key`: remembered, or read now. A read that fails is remembered if it was refused for good."""
        known = self._lasting if _LASTING.search(path) else self._passing
        if known is None:
            return read()
        with self._lock:
            told = known.get(key) or (self._passing or {}).get(key)
            mine = told is None
            told = told or known.setdefault(key, Future())
        if mine:
            self._fill(known, key, told, read)
        return told.result()

    def _fill(self, known: dict[str, Future[Json]], key: str, told: Future[Json], read: Callable[[], Json]) -> None:
        try:
            told.set_result(read())
        except BaseException as error:  # noqa: BLE001 whoever waits hears it too
            with self._lock:
                if not _is_final(error):
                    known.pop(key, None)
                elif known is self._lasting:  # refused for this look; by the next somebody may have given the right
                    del known[key]
                    if self._passing is not None:
                        self._passing[key] = told
            told.set_exception(error)


def _is_final(error: BaseException) -> bool:
    """Whether asking again within the same look would be told the same: refused, and not for the moment."""
    return isinstance(error, CloudError) and not isinstance(error, Transient)
