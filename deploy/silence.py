"""Discards what libraries print during a call of the Python API. What other code of the process prints stays.

azure-ai-ml prints notices and the progress of uploads, with `print` and with log handlers that it adds when it is
imported. A context variable marks the threads of the call; the executor hands its context on to its threads.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_IS_SILENT: ContextVar[bool] = ContextVar("is_silent", default=False)
_LOGGERS = "azure.ai.ml"
"""Their handlers can be older than the call, so they write to the streams of that time."""


class _Stream:
    """A stream that discards what silent threads write."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if _IS_SILENT.get() else int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Streams:
    """sys.stdout and sys.stderr, replaced from the first call that begins to the last that ends."""

    def __init__(self) -> None:
        self._lock, self._calls = threading.Lock(), 0

    def enter(self) -> None:
        with self._lock:
            self._calls += 1
            if self._calls == 1:
                sys.stdout, sys.stderr = _Stream(sys.stdout), _Stream(sys.stderr)

    def leave(self) -> None:
        with self._lock:
            self._calls -= 1
            for name in ("stdout", "stderr") if self._calls == 0 else ():
                if isinstance(stream := getattr(sys, name), _Stream):  # else the caller has replaced it meanwhile
                    setattr(sys, name, stream._stream)  # noqa: SLF001 of the class above


_STREAMS = _Streams()


@contextmanager
def silenced() -> Iterator[None]:
    """A block in which this thread, and those with its context, print nothing."""
    _STREAMS.enter()
    try:
        with _set(silent=True):
            _filter_handlers()
            yield
    finally:
        _STREAMS.leave()


@contextmanager
def audible() -> Iterator[None]:
    """A block inside `silenced` that prints: a function of the caller."""
    with _set(silent=False):
        yield


@contextmanager
def _set(*, silent: bool) -> Iterator[None]:
    before = _IS_SILENT.set(silent)
    try:
        yield
    finally:
        _IS_SILENT.reset(before)


def _is_audible(_: logging.LogRecord) -> bool:
    return not _IS_SILENT.get()


def _filter_handlers() -> None:
    """Filter the handlers of the SDK that exist; those that it adds later write to the streams above."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.startswith(_LOGGERS) and isinstance(logger, logging.Logger):
            for handler in logger.handlers:
                if _is_audible not in handler.filters:
                    handler.addFilter(_is_audible)
