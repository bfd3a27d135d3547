"""One HTTP session for every client of this process: it counts, it waits by our clock, it never sends a change twice.

azure-core's retry policies, of ours and of the SDKs, sit above it and send again what met a hiccup: no connection, 429,
5xx, and for requests that only read, an answer that broke off or is not what it says it is. A request that changes
something and whose answer was lost is not theirs to send again: it leaves as `AnswerLost`, and whoever asked looks.
Operations are followed by `operations`: what the SDK's own pollers want to send is not sent; and what the SDK reads
before each write, the workspace and the endpoint, is answered with what Azure said to this process a moment ago.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
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
"""What every azure-core policy is given: one request is sent four times at most."""
LONGEST_HICCUP = 30.0
"""Seconds; a wish to wait for longer is not a hiccup and goes to whoever knows the step's deadline."""
_NOT_JSON = "the answer is no JSON object: somebody between here and Azure spoke, or cut it off"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_KEPT = re.compile(r"/Microsoft\.MachineLearningServices/workspaces/[^/?]+(?:/onlineEndpoints/[^/?]+)?\?[^/]*$")
_MOMENT = 30.0
"""Seconds for which an endpoint that was there is taken to be there."""


class AnswerLost(Exception):
    """A request that changes something left, and no answer that can be read came back."""


class LongWait(Exception):
    """Azure wishes to be left alone for `seconds`, longer than a hiccup lasts."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to wait {seconds:.0f} s")
        self.seconds = seconds


class PollerStopped(Exception):
    """What this thread of the SDK's would poll is followed by us."""


@dataclass(frozen=True)
class Accepted:
    """What was said to a change, sent to `url`: where its end will be told."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]

    @property
    def operation(self) -> str | None:
        """Where the status of the operation stands, if one was begun that has a status of its own."""
        return self.headers.get("azure-asyncoperation")

    @property
    def result(self) -> str | None:
        """Where the answer will be once there is one."""
        return self.headers.get("location") if self.status == 202 else None


def open_session(clock: Clock, ca: str | None) -> Any:
    """A transport for azure-core's pipelines. `ca` is a file with the certificate authority to trust."""
    from azure.core.exceptions import DecodeError, ServiceResponseError
    from azure.core.pipeline.transport import RequestsTransport

    class Session(RequestsTransport):  # type: ignore[misc] # azure-core is untyped here
        def __init__(self) -> None:
            super().__init__(connection_verify=ca or True)
            self.meter = _Meter(clock)
            self.kept = _Responses(clock)

        def send(self, request: Any, **options: Any) -> Any:
            _may_send()
            ours, recent = options.pop("reads", False), options.pop("recent", False)
            known = self.kept.told(request) if recent or not ours else None
            if known is not None:
                return known
            reads = ours or request.method.upper() in _READS
            response = self._ask(request, reads, **options)
            self.kept.store(request, response, reads=reads, whole=not options.get("stream"))
            return response

        def _ask(self, request: Any, reads: bool, **options: Any) -> Any:
            try:
                response = self.meter.send_metered(
                    request.method, lambda: super(Session, self).send(request, **options)
                )
                if response.status_code >= 400:
                    _release(response)
                if is_unreadable(response, options):
                    raise ServiceResponseError(_NOT_JSON)
            except (ServiceResponseError, DecodeError) as error:
                raise (ServiceResponseError(str(error), error=error) if reads else AnswerLost(str(error))) from error
            return response

        def sleep(self, duration: float) -> None:
            _may_sleep(duration)
            clock.sleep(duration)

        def __exit__(self, *_: object) -> None:
            """Clients come and go; the session stays until the door is closed."""

    return _signing_nothing(Session())


def open_sign_in(clock: Clock) -> Any:
    """A transport for azure-identity, which asks other hosts than ours: what it waits for is waited by our clock."""
    from azure.core.pipeline.transport import RequestsTransport

    class SignIn(RequestsTransport):  # type: ignore[misc] # azure-core is untyped here
        def sleep(self, duration: float) -> None:
            clock.sleep(duration)

    return _signing_nothing(SignIn())


def _signing_nothing(transport: Any) -> Any:
    transport.open()
    transport.session.auth = no_netrc_auth
    return transport


class _Responses:
    """What was answered and is needed again: workspaces and endpoints by address, and each thread's last change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, tuple[float, Any]] = {}
        self._last = threading.local()

    @property
    def accepted(self) -> Accepted:
        """What was said to the last change that this thread sent."""
        return self._last.accepted  # type: ignore[no-any-return]

    def told(self, request: Any) -> Any:
        """What was told a moment ago of the workspace or endpoint that is asked for, or None.

        azure-ai-ml takes a workspace's region from it, and of an endpoint only that it is there; so an endpoint's
        answer serves whatever api-version is asked for.
        """
        asked, answer = self._answers.get(_cache_key(request.url), (0.0, None))
        fresh = self._clock.monotonic() - asked <= _MOMENT or "/onlineEndpoints/" not in request.url
        return answer if request.method == "GET" and fresh else None

    def store(self, request: Any, response: Any, *, reads: bool, whole: bool) -> None:
        if not reads:
            self._answers.pop(_cache_key(request.url), None)
            told = caseless(response.headers)
            self._last.accepted = Accepted(request.method, request.url, response.status_code, told)
        elif whole and response.status_code == 200 and request.method == "GET" and _KEPT.search(request.url):
            self._answers[_cache_key(request.url)] = (self._clock.monotonic(), response)


def _cache_key(url: str) -> str:
    return url.partition("?")[0].lower() if "/onlineEndpoints/" in url else url


class _Meter:
    """Counts and sends when it is our turn, and hears what the answer says beside: what is left, what time it is."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._budget = clock, RateLimiter(monotonic=clock.monotonic, sleep=clock.sleep)
        self._lock = threading.Lock()
        self.requests = 0
        self.told: tuple[datetime, float] | None = None
        """The service's clock at the last answer, and ours (monotonic seconds)."""

    def send_metered(self, method: str, send: Callable[[], Any]) -> Any:
        with self._lock:
            self.requests += 1
        with self._budget.turn(method) as heard:
            response = send()
            heard(response.status_code, response.headers)
        with contextlib.suppress(ValueError, TypeError):
            self.told = (parsedate_to_datetime(str(response.headers.get("Date"))), self._clock.monotonic())
        return response


def _may_send() -> None:
    """The SDK begins to poll whatever it has begun, each in a thread; nobody reads what such a thread finds."""
    if threading.current_thread().name.startswith("LROPoller"):
        raise PollerStopped


def _may_sleep(seconds: float) -> None:
    if seconds > LONGEST_HICCUP:
        raise LongWait(seconds)


def _release(response: Any) -> None:
    """Give the connection of a refusal back now: the wait that follows may end with nobody left who would."""
    response.internal_response.content  # noqa: B018 - reading it to its end is what gives the connection back
    response.internal_response.close()


def is_unreadable(response: Any, options: Mapping[str, Any]) -> bool:
    """Whether an answer that says it went well cannot be read: half of a JSON text, a page of somebody between, or JSON
    that is no object, as all answers of Azure are but those that say nothing (`null`).

    What is read here is kept by whatever response can keep it: a list of a thousand is not read twice.
    """
    if options.get("stream"):
        return False
    kind = str(response.headers.get("Content-Type") or "").lower()
    keeps = callable(getattr(response, "json", None))
    content = response.content if keeps else response.body()
    if response.status_code >= 300 or not content:
        return False
    if "html" in kind:
        return True
    if "json" not in kind:
        return False
    try:
        return not isinstance(response.json() if keeps else json.loads(content), (dict, type(None)))
    except (ValueError, RecursionError):
        return True


IMPORT_LOCK = threading.RLock()
