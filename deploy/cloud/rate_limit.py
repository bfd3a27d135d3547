"""Client-side rate limiting: the request budget of the resource manager, shared by all clients of this process.

Azure has a token bucket for each subscription and principal (documented: 250 reads and 25 new ones per second; 200
writes and 200 deletes, and 10 new ones per second), and each response contains the remaining number. That number is
used, less the requests in flight; without it the documented figures apply. Senders wait here for a token, so that Azure
does not have to refuse requests.
Our own: libraries such as pyrate-limiter cannot follow the remaining number in Azure's headers.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

_PLENTY = 0.25
"""Responses arrive in another order than Azure counted: below this share, our own count is used if it is lower."""
_LONGEST = 30.0
"""Longest Retry-After in seconds that stops all requests; a longer one only concerns the step that received it."""
OnResponse = Callable[[int, Mapping[str, str]], None]
"""Called with the status and the headers of a response."""


@dataclass
class _Bucket:
    """`left` tokens at time `at`; none before `closed_until`. Before the first response, one request at a time."""

    word: str
    size: float
    refill: float
    left: float
    at: float
    closed_until: float = 0.0
    known: bool = False
    out: int = 0

    def wait(self, now: float) -> float:
        """Seconds until the next request can be sent; 0 for now."""
        self.left = min(self.size, self.left + max(0.0, now - self.at) * self.refill)
        self.at = now
        if self.closed_until > now:
            return self.closed_until - now
        return max(0.001, (1 - self.left) / self.refill) if self.left < 1 else 0.0


class RateLimiter:
    """Token buckets for reads, writes and deletes. Thread-safe."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._monotonic, self._sleep = monotonic, sleep
        self._changed = threading.Condition()
        now = monotonic()
        self._read = _Bucket("reads", 250, 25, 250, now)
        self._write = _Bucket("writes", 200, 10, 200, now)
        self._delete = _Bucket("deletes", 200, 10, 200, now)

    @contextmanager
    def turn(self, method: str) -> Iterator[OnResponse]:
        """Wait for a token and use it; inside, send the request and report its response to the yielded function."""
        bucket = self._bucket(method)
        self._take(bucket)
        try:
            yield lambda status, headers: self._update(bucket, status, headers)
        finally:
            with self._changed:
                bucket.out -= 1
                self._changed.notify_all()

    def refused_for(self, method: str) -> float:
        """Seconds for which Azure accepts no request of this kind, as its last 429 requested; 0 if it does."""
        with self._changed:
            return max(0.0, self._bucket(method).closed_until - self._monotonic())

    def _bucket(self, method: str) -> _Bucket:
        return {"GET": self._read, "HEAD": self._read, "DELETE": self._delete}.get(method, self._write)

    def _take(self, bucket: _Bucket) -> None:
        while True:
            with self._changed:
                while not bucket.known and bucket.out:
                    self._changed.wait()
                wait = bucket.wait(self._monotonic())
                if not wait:
                    bucket.left -= 1
                    bucket.out += 1
                    return
            self._sleep(wait)

    def _update(self, bucket: _Bucket, status: int, headers: Mapping[str, str]) -> None:
        low = caseless(headers)
        with self._changed:
            bucket.known = True
            now = self._monotonic()
            names = (f"subscription-{bucket.word}", f"subscription-global-{bucket.word}")
            remaining = [low.get(f"x-ms-ratelimit-remaining-{name}", "") for name in names]
            if counted := [float(rest) for rest in remaining if rest.isdecimal()]:
                rest = min(*counted, bucket.size) - (bucket.out - 1)
                bucket.left = rest if rest > _PLENTY * bucket.size else min(bucket.left, rest)
            retry_after = low.get("retry-after", "")
            if status == 429 and re.fullmatch(r"\d{1,4}", retry_after) and float(retry_after) <= _LONGEST:
                bucket.closed_until = max(bucket.closed_until, now + float(retry_after))


def caseless(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with lower-case names."""
    return {name.lower(): value for name, value in headers.items()}
