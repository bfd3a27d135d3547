"""The HTTP session of all clients of this process: counts requests, uses our clock, and never sends a change twice.

Our own layer below azure-core's retry policies (ours and those of the SDKs), because they would send a change again
after a lost response. They retry connection errors, 429 and 5xx, and for reads also responses that are incomplete or
invalid. A change with a lost response raises `AnswerLost`, and the caller reads the resource.
Operations are polled by `operations`, so requests of the SDK's own pollers are not sent: their threads start without
the context of ours. What the SDK reads before each write, the workspace
and the endpoint, is answered from the responses of the last moment.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from deploy.clock import Clock
from deploy.cloud.rate_limit import RateLimiter, caseless
from deploy.no_netrc import no_netrc_auth

RETRIES: dict[str, Any] = {
    "retry_total": 3,
    "retry_connect": 3,
    "retry_read": 3,
    "retry_status": 3,
    "retry_backoff_max": 20,
}
"""The settings of all azure-core retry policies: one request is sent at most four times."""
LONGEST_WAIT = 30.0
"""Seconds. A longer Retry-After is not handled by HTTP retries, but by the step, which has a deadline."""
_NOT_JSON = "the response is not a JSON object; a proxy may have answered instead of Azure, or the connection broke"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REUSABLE = re.compile(r"/Microsoft\.MachineLearningServices/workspaces/[^/?]+(?:/onlineEndpoints/[^/?]+)?\?[^/]*$")
_MOMENT = 30.0
"""Seconds for which an endpoint's response is reused."""
CHANGE_SECONDS = 45.0
"""How long one request of a change takes at most: less than a lock lasts after a renewal."""
_CHANGE_TIMEOUTS = {"connection_timeout": 10.0, "read_timeout": CHANGE_SECONDS - 10.0}


class AnswerLost(Exception):
    """A change was sent, and there was no readable response."""


class LongWait(Exception):
    """Azure requests a wait of `seconds` that is too long for an HTTP retry."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Azure requests a wait of {seconds:.0f} s")
        self.seconds = seconds


class PollerStopped(Exception):
    """Ends a thread of an SDK poller; `operations` polls instead."""


@dataclass(frozen=True)
class Accepted:
    """The response to a change that was sent to `url`, with the URLs for polling."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]

    @property
    def operation(self) -> str | None:
        """The URL of the operation's status, if it has one."""
        return self.headers.get("azure-asyncoperation")

    @property
    def result(self) -> str | None:
        """The URL of the result."""
        return self.headers.get("location") if self.status == 202 else None


def open_session(clock: Clock, ca: str | None) -> Any:
    """A transport for azure-core's pipelines. `ca` is a file with the trusted certificate authority."""
    from azure.core.exceptions import DecodeError, ServiceResponseError
    from azure.core.pipeline.transport import RequestsTransport

    class Session(RequestsTransport):  # type: ignore[misc] # azure-core is untyped here
        def __init__(self) -> None:
            super().__init__(connection_verify=ca or True)
            _IS_OURS.set(True)
            self.meter = _Meter(clock)
            self.responses = _Responses(clock)

        def send(self, request: Any, **options: Any) -> Any:
            _may_send()
            ours, recent = options.pop("reads", False), options.pop("recent", False)
            known = self.responses.find(request) if recent or not ours else None
            if known is not None:
                return known
            reads = ours or request.method.upper() in _READS
            response = self._send_checked(request, reads, **options)
            self.responses.store(request, response, reads=reads, whole=not options.get("stream"))
            return response

        def _send_checked(self, request: Any, reads: bool, **options: Any) -> Any:
            options |= {} if reads else _CHANGE_TIMEOUTS
            try:
                send = partial(super().send, request, **options)
                response = self.meter.send(request.method, send, changes=not reads)
                if is_unreadable(response, options):
                    raise ServiceResponseError(_NOT_JSON)
            except (ServiceResponseError, DecodeError) as error:
                raise (ServiceResponseError(str(error), error=error) if reads else AnswerLost(str(error))) from error
            return response

        def sleep(self, duration: float) -> None:
            _may_sleep(duration)
            clock.sleep(duration)

        def __exit__(self, *_: object) -> None:
            """Does nothing: closing a client must not close the shared session."""

    return _opened(Session())


def open_plain(clock: Clock, ca: str | None = None) -> Any:
    """A transport for other hosts, of azure-identity and of Azure Storage; its waits use our clock."""
    from azure.core.pipeline.transport import RequestsTransport

    class Plain(RequestsTransport):  # type: ignore[misc] # azure-core is untyped here
        def sleep(self, duration: float) -> None:
            clock.sleep(duration)

    return _opened(Plain(connection_verify=ca or True))


def _opened(transport: Any) -> Any:
    transport.open()
    transport.session.auth = no_netrc_auth
    return transport


class _Responses:
    """Reusable responses (workspaces and endpoints by URL), and the last change of each thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, tuple[float, Any]] = {}
        self._last = threading.local()

    @property
    def accepted(self) -> Accepted:
        """The response to the last change that this thread sent."""
        return self._last.accepted  # type: ignore[no-any-return]

    def find(self, request: Any) -> Any:
        """A recent response for the workspace or endpoint of a request, or None.

        azure-ai-ml uses the region of the workspace, and only the existence of the endpoint, so an endpoint's response
        is valid for any api-version.
        """
        received, answer = self._answers.get(_cache_key(request.url), (0.0, None))
        fresh = self._clock.monotonic() - received <= _MOMENT or "/onlineEndpoints/" not in request.url
        return answer if request.method == "GET" and fresh else None

    def store(self, request: Any, response: Any, *, reads: bool, whole: bool) -> None:
        if not reads:
            self._answers.pop(_cache_key(request.url), None)
            headers = caseless(response.headers)
            self._last.accepted = Accepted(request.method, request.url, response.status_code, headers)
        elif whole and response.status_code == 200 and request.method == "GET" and _REUSABLE.search(request.url):
            self._answers[_cache_key(request.url)] = (self._clock.monotonic(), response)


def _cache_key(url: str) -> str:
    return url.partition("?")[0].lower() if "/onlineEndpoints/" in url else url


class _Meter:
    """Counts requests, limits their rate, and records the service's time."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.limiter = clock, RateLimiter(monotonic=clock.monotonic, sleep=clock.sleep)
        self._lock = threading.Lock()
        self.requests = 0
        self.before_change: Callable[[], None] | None = None
        """Called right before a change is sent; raises to stop it. Set while the run holds locks."""
        self.service_time: tuple[datetime, float] | None = None
        """The Date header of the last response, and when it was received (monotonic seconds)."""

    def send(self, method: str, send: Callable[[], Any], *, changes: bool) -> Any:
        with self._lock:
            self.requests += 1
        with self.limiter.turn(method) as on_response:
            if changes and self.before_change:
                self.before_change()
            response = send()
            on_response(response.status_code, response.headers)
            if response.status_code >= 400:
                _release(response)
        with contextlib.suppress(ValueError, TypeError):
            self.service_time = (parsedate_to_datetime(str(response.headers.get("Date"))), self._clock.monotonic())
        return response


_IS_OURS: ContextVar[bool] = ContextVar("is_ours", default=False)
"""Set where a session is opened, and inherited by the threads that we start with a copy of the context."""


def _may_send() -> None:
    """Raises in the threads with which the SDK polls its operations; their results are not used."""
    if not _IS_OURS.get():
        raise PollerStopped


def _may_sleep(seconds: float) -> None:
    if seconds > LONGEST_WAIT:
        raise LongWait(seconds)


def _release(response: Any) -> None:
    """Return the connection of an error response to the pool now, because the wait that follows may be interrupted."""
    response.internal_response.content  # noqa: B018 - reading it to its end returns the connection
    response.internal_response.close()


def is_unreadable(response: Any, options: Mapping[str, Any]) -> bool:
    """Whether a successful response is invalid: incomplete JSON, a proxy's HTML page, or no object and not `null`.

    The parsed JSON is reused where the response class caches it, so that long lists are not parsed twice.
    """
    if options.get("stream"):
        return False
    kind = str(response.headers.get("Content-Type") or "").lower()
    caches = callable(getattr(response, "json", None))
    content = response.content if caches else response.body()
    if response.status_code >= 300 or not content:
        return False
    if "html" in kind:
        return True
    if "json" not in kind:
        return False
    try:
        return not isinstance(response.json() if caches else json.loads(content), (dict, type(None)))
    except (ValueError, RecursionError):
        return True


IMPORT_LOCK = threading.RLock()
