"""A cache of reads, shared by threads: concurrent reads of the same resource are sent once.

The first thread reads; others that need the same resource wait for its response. Inside `open` all reads are cached.
Resources that do not change during a command are cached as long as the process runs.
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
class _Entry:
    """A response, or a pending one, and when the request started (monotonic seconds)."""

    started: float
    result: Future[Json] = field(default_factory=Future)

    @property
    def is_unanswered(self) -> bool:
        """Whether there was no usable response."""
        return self.result.done() and isinstance(self.result.exception(), Unanswered)


_LASTING = re.compile(
    r"/(?:Microsoft\.MachineLearningServices/(?:workspaces/[^/]+|locations/[^/]+/vmSizes)"
    r"|registrymanagement/v1\.0/registries/[^/]+/discovery)$"
)
"""Paths of resources that do not change: workspaces, the VM sizes of a region, the region of a registry."""


class ReadCache:
    """Responses by key. Thread-safe; `open` applies to the thread that calls it, and to threads with its context."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._is_open: ContextVar[bool] = ContextVar("is_open", default=False)
        self._lasting: dict[str, _Entry] = {}
        self._passing: dict[str, _Entry] = {}

    @contextmanager
    def open(self, seconds: float = 0.0) -> Iterator[None]:
        """Inside, all reads are cached, and responses of the last `seconds` are used, but not missing ones. An inner
        `open` has no effect.
        """
        if self._is_open.get():
            yield
            return
        with self._lock:
            since = self._monotonic() - seconds
            recent = {
                k: entry for k, entry in self._passing.items() if entry.started >= since and not entry.is_unanswered
            }
            self._passing = recent if seconds else {}
        token = self._is_open.set(True)
        try:
            yield
        finally:
            self._is_open.reset(token)

    def forget(self, prefix: str, keep: str = "\0") -> None:
        """Remove the responses with keys that start with `prefix`, except those that contain `keep`."""
        with self._lock:
            self._passing = {
                key: entry for key, entry in self._passing.items() if keep in key or not key.startswith(prefix)
            }

    def get(self, path: str, key: str, read: Callable[[], Json]) -> Json:
        """The response for `key`, cached or read now. A failure is cached too, unless a retry may succeed."""
        lasts = _LASTING.search(path) is not None
        if not lasts and not self._is_open.get():
            return read()
        with self._lock:
            known = self._lasting if lasts else self._passing
            entry = known.get(key) or self._passing.get(key)
            is_new = entry is None
            entry = entry or known.setdefault(key, _Entry(self._monotonic()))
        if is_new:
            self._fill(key, entry, read)
        return entry.result.result()

    def _fill(self, key: str, entry: _Entry, read: Callable[[], Json]) -> None:
        try:
            entry.result.set_result(read())
        except BaseException as error:  # noqa: BLE001 raised in all threads that wait for it
            with self._lock:
                if (
                    self._lasting.get(key) is entry
                ):  # a failure is not cached for long: a role may be assigned meanwhile
                    self._passing[key] = self._lasting.pop(key)
                if not _is_final(error) and self._passing.get(key) is entry:
                    del self._passing[key]
            entry.result.set_exception(error)


def _is_final(error: BaseException) -> bool:
    """Whether a failure is cached inside `open`: refused, or unanswered after all HTTP retries."""
    return isinstance(error, CloudError) and not isinstance(error, Transient)
