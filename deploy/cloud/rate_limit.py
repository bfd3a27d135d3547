"""How many requests the resource manager still takes: one gate for every client of this process.

Azure keeps a token bucket for each subscription and principal (documented: 250 reads and 25 new ones a second, 200
writes and deletes each and 10 a second) and tells in each answer what is left. What it tells is believed, less
what is under way; without a word the documented figures hold. Whoever sends waits here until there is a token, so that
nothing needs to be refused. Nothing is sent or retried here.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

_PLENTY = 0.25
"""Answers come in another order than Azure counted in: near the end, our own count is believed where it is lower."""
_LONGEST = 30.0
"""Seconds that everybody waits for one who was told to; whoever is told longer alone knows its deadline."""
OnResponse = Callable[[int, Mapping[str, str]], None]
"""Told the status and the headers of an answer."""


@dataclass
class _Bucket:
    """`left` tokens at the moment `at`; none before `closed_until`. Before the first answer, one request at a time."""

    word: str
    size: float
    refill: float
    left: float
    at: float
    closed_until: float = 0.0
    known: bool = False
    out: int = 0

    def wait(self, now: float) -> float:
        """Seconds until one more may be sent; nothing when it may be sent now."""
        self.left = min(self.size, self.left + max(0.0, now - self.at) * self.refill)
        self.at = now
        if self.closed_until > now:
            return self.closed_until - now
        return max(0.001, (1 - self.left) / self.refill) if self.left < 1 else 0.0


class RateLimiter:
    """Tokens of each kind of request. Safe to use from many threads."""

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
        """Waits for a token and takes it; inside, the request is sent and its answer told."""
        bucket = {"GET": self._read, "HEAD": self._read, "DELETE": self._delete}.get(method, self._write)
        self._take(bucket)
        try:
            yield lambda status, headers: self._hear(bucket, status, headers)
        finally:
            with self._changed:
                bucket.out -= 1
                self._changed.notify_all()

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

    def _hear(self, bucket: _Bucket, status: int, headers: Mapping[str, str]) -> None:
        low = caseless(headers)
        with self._changed:
            bucket.known = True
            now = self._monotonic()
            names = (f"subscription-{bucket.word}", f"subscription-global-{bucket.word}")
            told = [low.get(f"x-ms-ratelimit-remaining-{name}", "") for name in names]
            if counted := [float(rest) for rest in told if rest.isdecimal()]:
                rest = min(*counted, bucket.size) - (bucket.out - 1)
                bucket.left = rest if rest > _PLENTY * bucket.size else min(bucket.left, rest)
            wish = low.get("retry-after", "")
            if status == 429 and re.fullmatch(r"\d{1,4}", wish) and float(wish) <= _LONGEST:
                bucket.closed_until = max(bucket.closed_until, now + float(wish))


def caseless(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}
