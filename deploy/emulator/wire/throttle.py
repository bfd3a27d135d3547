"""The Resource Manager's token buckets: how many requests a principal may still send to a subscription, and when not.

One bucket for each subscription, principal and kind of request, and a global one of fifteen times the size for each
subscription and kind. They live in the world, so several processes count together, and fill by the world's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from deploy.emulator.wire.responses import Refusal, arm_error
from deploy.emulator.world.store import World

GLOBAL = 15
"""How much larger a subscription's own bucket is than that of one principal."""


@dataclass(frozen=True)
class Bucket:
    """`size` tokens when full, `refill` new ones a second; `word` is how the Resource Manager calls such a request."""

    word: str
    size: int
    refill: int


READS, WRITES, DELETES = Bucket("read", 250, 25), Bucket("write", 200, 10), Bucket("delete", 200, 10)
_OF = {"GET": READS, "HEAD": READS, "DELETE": DELETES}


def bucket(method: str) -> Bucket:
    """The bucket that a method draws from."""
    return _OF.get(method, WRITES)


def check(world: World, method: str, subscription: str, caller: str) -> None:
    """Let a request pass while its buckets hold a token.

    Raises:
        Refusal: 429 with `Retry-After`, in whole seconds until there is one again.
    """
    kind = bucket(method)
    for name, times in _names(kind, subscription, caller):
        if (tokens := _level(world, name, kind, times)) < 1:
            wait = max(1, math.ceil((1 - tokens) / (kind.refill * times)))
            raise refusal(kind.word, subscription, caller, wait)


def take(world: World, method: str, subscription: str, caller: str, tokens: int = 1) -> dict[str, str]:
    """Take tokens from each bucket and tell what is left, in headers. Part of a transaction that lasts."""
    kind = bucket(method)
    left = []
    for name, times in _names(kind, subscription, caller):
        rest = max(0.0, _level(world, name, kind, times) - tokens)
        world.db.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", (name, rest, world.now()))
        left.append(int(rest))
    return headers(kind, *left)


def full_headers(method: str) -> dict[str, str]:
    """What is left when nobody is counted: everything but this request."""
    kind = bucket(method)
    return headers(kind, kind.size - 1, kind.size * GLOBAL - 1)


def headers(kind: Bucket, own: int, whole: int) -> dict[str, str]:
    """What is left in the principal's and in the subscription's bucket."""
    prefix = "x-ms-ratelimit-remaining-subscription"
    return {f"{prefix}-{kind.word}s": str(own), f"{prefix}-global-{kind.word}s": str(whole)}


def refusal(word: str, subscription: str, caller: str, seconds: int) -> Refusal:
    """429 as the Resource Manager words it."""
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
    # A clock that was set back must not empty a bucket.
    return float(min(full_headers, tokens + max(0.0, world.now() - at) * kind.refill * times))
