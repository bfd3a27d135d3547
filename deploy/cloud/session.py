"""One HTTP session for every client of this process: it counts, it waits by our clock, it never sends a change twice.

azure-core's retry policies, of ours and of the SDKs, sit above it and send again what met a hiccup: no connection, 429,
5xx, and for requests that only read, an answer that broke off or is not what it says it is. A request that changes
something and whose answer was lost is not theirs to send again: it leaves as `AnswerLost`, and whoever asked looks.
"""

from __future__ import annotations

import contextlib
import json
import threading
import weakref
from collections.abc import Callable, Container, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from deploy.clock import Clock
from deploy.cloud.budget import Budget

RETRIES: dict[str, Any] = {
    "retry_total": 3,
    "retry_connect": 3,
    "retry_read": 3,
    "retry_status": 3,
    "retry_backoff_max": 20,
}
"""What every azure-core policy is given: one request is sent four times at most."""
LONGEST_HICCUP = 30.0
"""Seconds; a wish to wait for longer is not a hiccup and goes to whoever knows the step's deadline."""
_NOT_JSON = "the answer is not JSON: somebody between here and Azure spoke, or cut it off"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class AnswerLost(Exception):
    """A request that changes something left, and no answer that can be read came back."""


class AskedToWait(Exception):
    """Azure wishes to be left alone for `seconds`, longer than a hiccup lasts."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to wait {seconds:.0f} s")
        self.seconds = seconds


class Abandoned(Exception):
    """Nobody waits any more for what this thread polls."""


def open_session(clock: Clock, ca: str | None) -> Any:
    """A transport for azure-core's pipelines. `ca` is a file with the certificate authority to trust."""
    from azure.core.exceptions import DecodeError, ServiceResponseError
    from azure.core.pipeline.transport import RequestsTransport

    class Session(RequestsTransport):  # type: ignore[misc] # azure-core is untyped here
        def __init__(self) -> None:
            super().__init__(connection_verify=ca or True)
            self.ear = _Ear(clock)
            self._abandoned: weakref.WeakSet[Any] = weakref.WeakSet()

        def send(self, request: Any, **options: Any) -> Any:
            reads = options.pop("reads", False) or request.method.upper() in _READS
            try:
                response = self.ear.hear(request.method, lambda: super(Session, self).send(request, **options))
                if response.status_code >= 400:
                    _release(response)
                if garbled(response, options):
                    raise ServiceResponseError(_NOT_JSON)
            except (ServiceResponseError, DecodeError) as error:
                if reads:
                    raise ServiceResponseError(str(error), error=error) from error
                raise AnswerLost(str(error)) from error
            return response

        def sleep(self, duration: float) -> None:
            _may_sleep(duration, threading.current_thread(), self._abandoned)
            clock.sleep(duration)

        def abandon(self, thread: threading.Thread | None) -> None:
            """Let a poller's thread end at its next pause."""
            self._abandoned |= {thread} - {None}

        def __exit__(self, *_: object) -> None:
            """Clients come and go; the session stays until the door is closed."""

    return Session()


class _Ear:
    """Counts and sends when it is our turn, and hears what the answer says beside: what is left, what time it is."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._budget = clock, Budget(monotonic=clock.monotonic, sleep=clock.sleep)
        self._lock = threading.Lock()
        self.requests = 0
        self.told: tuple[datetime, float] | None = None
        """The service's clock at the last answer, and ours (monotonic seconds)."""

    def hear(self, method: str, send: Callable[[], Any]) -> Any:
        with self._lock:
            self.requests += 1
        with self._budget.turn(method) as heard:
            response = send()
            heard(response.status_code, response.headers)
        with contextlib.suppress(ValueError, TypeError):
            self.told = (parsedate_to_datetime(str(response.headers.get("Date"))), self._clock.monotonic())
        return response


def _release(response: Any) -> None:
    """Give the connection of a refusal back now: the wait that follows may end with nobody left who would."""
    response.internal_response.content  # noqa: B018 - reading it to its end is what gives the connection back
    response.internal_response.close()


def _may_sleep(seconds: float, thread: threading.Thread, abandoned: Container[threading.Thread]) -> None:
    """A poller of the SDK may be told to take its time; a request that is to be sent again may not."""
    if thread in abandoned:
        raise Abandoned
    if seconds > LONGEST_HICCUP and not thread.name.startswith("LROPoller"):
        raise AskedToWait(seconds)


def garbled(response: Any, options: Mapping[str, Any]) -> bool:
    """Whether an answer that says it went well cannot be read: half of a JSON text, or a page of somebody between."""
    if options.get("stream"):
        return False
    kind = str(response.headers.get("Content-Type") or "").lower()
    content = response.content if not callable(getattr(response, "body", None)) else response.body()
    if response.status_code >= 300 or not content:
        return False
    if "html" in kind:
        return True
    if "json" not in kind:
        return False
    try:
        json.loads(content)
    except ValueError:
        return True
    return False
