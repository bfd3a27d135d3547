"""The Resource Manager's throttling by token buckets.

There is one bucket for each subscription, principal and kind of request, and a global one of fifteen times the size for
each subscription and kind. They are in the world: processes share them, and they refill by the world's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from deploy.emulator.wire.responses import Refusal, arm_error
from deploy.emulator.world.store import World

GLOBAL = 15
"""The size of a subscription's global bucket relative to that of one principal."""

REQUESTS = "x-ms-ratelimit-remaining-subscription-resource-requests"
"""The header of a PUT of a deployment in place of those of the buckets (recorded in 2022 and 2024)."""


@dataclass(frozen=True)
class Bucket:
    """`size` tokens when full, `refill` new ones per second; `word` is the Resource Manager's name of the kind."""

    word: str
    size: int
    refill: int


READS, WRITES, DELETES = Bucket("read", 250, 25), Bucket("write", 200, 10), Bucket("delete", 200, 10)
_OF = {"GET": READS, "HEAD": READS, "DELETE": DELETES}


def bucket(method: str) -> Bucket:
    """The bucket of an HTTP method."""
    return _OF.get(method, WRITES)


def check(world: World, method: str, subscription: str, caller: str) -> None:
    """Refuse a request when one of its buckets is empty.

    Raises:
        Refusal: 429 with `Retry-After`, the seconds until a token is available.
    """
    kind = bucket(method)
    for name, times in _names(kind, subscription, caller):
        if (tokens := _level(world, name, kind, times)) < 1:
            wait = max(1, math.ceil((1 - tokens) / (kind.refill * times)))
            raise refusal(kind.word, subscription, caller, wait)


def take(world: World, method: str, subscription: str, caller: str, tokens: int = 1) -> dict[str, str]:
    """Take tokens from each bucket; returns the headers with what remains. Part of a transaction that is committed."""
    kind = bucket(method)
    left = []
    for name, times in _names(kind, subscription, caller):
        rest = max(0.0, _level(world, name, kind, times) - tokens)
        world.db.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", (name, rest, world.now()))
        left.append(int(rest))
    return headers(kind, *left)


def full_headers(method: str) -> dict[str, str]:
    """The headers without throttling: full buckets, less this request."""
    kind = bucket(method)
    return headers(kind, kind.size - 1, kind.size * GLOBAL - 1)


def headers(kind: Bucket, own: int, whole: int) -> dict[str, str]:
    """The headers with what remains in the principal's and in the subscription's bucket."""
    prefix = "x-ms-ratelimit-remaining-subscription"
    return {f"{prefix}-{kind.word}s": str(own), f"{prefix}-global-{kind.word}s": str(whole)}


def refusal(word: str, subscription: str, caller: str, seconds: int) -> Refusal:
    """429 in the Resource Manager's form."""
    message = (
        f"Number of '{word}' requests for subscription '{subscription}' actor '{caller}' exceeded. Please try again "
        f"after '{seconds}' seconds after additional tokens are available. "
        "Refer to https://aka.ms/arm-throttling for additional information."
    )
    retry = {"Retry-After": str(seconds)}
    return arm_error(429, "SubscriptionRequestsThrottled", message, retry, note="throttled")


def _names(kind: Bucket, subscription: str, caller: str) -> tuple[tuple[str, int], tuple[str, int]]:
    low = subscription.lower()
    return (f"{low} {caller} {kind.word}", 1), (f"{low} {kind.word}", GLOBAL)


def _level(world: World, name: str, kind: Bucket, times: int) -> float:
    row = world.db.execute("SELECT tokens, at FROM buckets WHERE name = ?", (name,)).fetchone()
    full_headers = float(kind.size * times)
    if row is None:
        return full_headers
    tokens, at = row
    # Setting the clock back must not empty a bucket.
    return float(min(full_headers, tokens + max(0.0, world.now() - at) * kind.refill * times))
