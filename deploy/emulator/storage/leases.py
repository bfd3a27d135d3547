"""The rules of leases on blobs and containers, without storage or HTTP. All times are in seconds.

Documented: which calls succeed in which of the five states. The error code of each refusal is the one that the tests of
Azure's storage client for .NET expect from Azure. Two codes are not covered there and are inferred: a change of an
expired lease, and a write with the id of a broken or expired lease.

None in place of a lease means that there is none: the state `available`.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, replace

INFINITE = -1
SHORTEST, LONGEST, LONGEST_BREAK = 15, 60, 60
ACTIONS = ("acquire", "renew", "change", "release", "break")


@dataclass(frozen=True)
class Lease:
    """A lease that was acquired. It keeps its id when it has expired or is broken, until the next write or acquire.

    `ends` is the time when it expires (None: never). `breaks` is the time when a break takes effect (None: not broken).
    """

    id: str
    seconds: int
    ends: float | None
    breaks: float | None = None


@dataclass(frozen=True)
class LeaseCall:
    """A valid lease call. `period` is the break period; None means the default of Azure."""

    action: str
    id: str = ""
    proposed: str = ""
    seconds: int = INFINITE
    period: int | None = None


class InvalidLeaseCall(ValueError):
    """A field of a lease call that is missing or has an invalid value."""

    def __init__(self, field: str, missing: bool) -> None:
        super().__init__(field)
        self.field, self.missing = field, missing


class LeaseRefused(Exception):
    """The lease does not allow the call; `code` is a key of `errors.MESSAGES`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def parse(action: object, lease_id: object, proposed: object, seconds: object, period: object) -> LeaseCall:
    """A lease call from the values of a request, each a text, a number or None.

    Raises:
        InvalidLeaseCall: a required value is missing, or a value is invalid.
    """
    word = str(action or "").lower()
    if word not in ACTIONS:
        raise InvalidLeaseCall("action", not action)
    needs_id = word in ("renew", "change", "release")
    return LeaseCall(
        word,
        _guid("leaseId", lease_id, required=needs_id) if needs_id else "",
        _guid("proposedLeaseId", proposed, required=word == "change") if word in ("acquire", "change") else "",
        _seconds("leaseDuration", seconds, SHORTEST, LONGEST) if word == "acquire" else INFINITE,
        _seconds("breakPeriod", period, 0, LONGEST_BREAK) if word == "break" and period not in (None, "") else None,
    )


def parse_id(text: str) -> str:
    """The lease id of a request in its normal form; "" without one. Raises InvalidLeaseCall for one that is no GUID."""
    return _guid("leaseId", text, required=False)


def _guid(field: str, value: object, *, required: bool) -> str:
    if value in (None, ""):
        if required:
            raise InvalidLeaseCall(field, missing=True)
        return ""
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise InvalidLeaseCall(field, missing=False) from None


def _seconds(field: str, value: object, low: int, high: int) -> int:
    if value in (None, ""):
        raise InvalidLeaseCall(field, missing=True)
    try:
        found = int(str(value))
    except ValueError:
        raise InvalidLeaseCall(field, missing=False) from None
    if not (low <= found <= high or (found == INFINITE and low == SHORTEST)):
        raise InvalidLeaseCall(field, missing=False)
    return found


def state(lease: Lease | None, now: float) -> str:
    """`available`, `leased`, `breaking`, `broken` or `expired`."""
    if lease is None:
        return "available"
    if lease.breaks is not None:
        return "breaking" if now < lease.breaks else "broken"
    return "leased" if lease.ends is None or now < lease.ends else "expired"


def described(lease: Lease | None, now: float) -> dict[str, str]:
    """The state of a lease as clients read it: `state`, `status`, and `duration` while it is leased."""
    found = state(lease, now)
    shown = {"state": found, "status": "locked" if found in ("leased", "breaking") else "unlocked"}
    if lease is not None and found == "leased":
        shown["duration"] = "infinite" if lease.ends is None else "fixed"
    return shown


def apply(lease: Lease | None, call: LeaseCall, now: float) -> Lease | None:
    """The lease after a call.

    Raises:
        LeaseRefused: the call is not allowed in this state.
    """
    match call.action:
        case "acquire":
            return _acquire(lease, call, now)
        case "renew":
            return _renew(lease, call, now)
        case "change":
            return _change(lease, call, now)
        case "release":
            if lease is None or lease.id != call.id:
                raise LeaseRefused("LeaseIdMismatchWithLeaseOperation")
            return None
    return _break(lease, call.period, now)


def break_seconds(lease: Lease | None, now: float) -> int:
    """How long a lease that was broken still holds, in whole seconds."""
    return max(0, math.ceil(lease.breaks - now)) if lease is not None and lease.breaks is not None else 0


def check(lease: Lease | None, lease_id: str, now: float, *, write: bool) -> None:
    """Check the lease id of a request that reads or writes what is leased; "" is a request without one.

    A read without an id is always allowed. For a write with a wrong id the documents contradict each other (409 and
    412); Azure's storage client for .NET expects 412.

    Raises:
        LeaseRefused: the id does not allow the request.
    """
    active = state(lease, now) in ("leased", "breaking")
    if not lease_id:
        if write and active:
            raise LeaseRefused("LeaseIdMissing")
        return
    if lease is None:
        raise LeaseRefused("LeaseNotPresentWithBlobOperation")
    if lease.id != lease_id:
        raise LeaseRefused("LeaseIdMismatchWithBlobOperation")
    if not active:
        raise LeaseRefused("LeaseLost")


def after_write(lease: Lease | None, now: float) -> Lease | None:
    """The lease after a successful write: the id of a lease that no longer holds is forgotten."""
    return lease if state(lease, now) in ("leased", "breaking") else None


def _acquire(lease: Lease | None, call: LeaseCall, now: float) -> Lease:
    found, same = state(lease, now), lease is not None and lease.id == call.proposed
    if found == "breaking" and same:
        raise LeaseRefused("LeaseIsBreakingAndCannotBeAcquired")
    if found == "breaking" or (found == "leased" and not same):
        raise LeaseRefused("LeaseAlreadyPresent")
    ends = None if call.seconds == INFINITE else now + call.seconds
    return Lease(call.proposed or str(uuid.uuid4()), call.seconds, ends)


def _renew(lease: Lease | None, call: LeaseCall, now: float) -> Lease:
    if lease is None or lease.id != call.id:
        raise LeaseRefused("LeaseIdMismatchWithLeaseOperation")
    if lease.breaks is not None:
        raise LeaseRefused("LeaseIsBrokenAndCannotBeRenewed")
    return replace(lease, ends=None if lease.ends is None else now + lease.seconds)


def _change(lease: Lease | None, call: LeaseCall, now: float) -> Lease:
    found = state(lease, now)
    if lease is None or found in ("broken", "expired"):
        raise LeaseRefused("LeaseNotPresentWithLeaseOperation")
    # A repeated change is allowed: the proposed id is already the id.
    if lease.id != call.id and (found == "breaking" or lease.id != call.proposed):
        raise LeaseRefused("LeaseIdMismatchWithLeaseOperation")
    if found == "breaking":
        raise LeaseRefused("LeaseIsBreakingAndCannotBeChanged")
    return replace(lease, id=call.proposed)


def _break(lease: Lease | None, period: int | None, now: float) -> Lease:
    if lease is None:
        raise LeaseRefused("LeaseNotPresentWithLeaseOperation")
    found = state(lease, now)
    if found in ("broken", "expired"):
        return lease if found == "broken" else replace(lease, breaks=now)
    ends = lease.ends if lease.breaks is None else lease.breaks
    if ends is None:
        return replace(lease, breaks=now + (period or 0))
    return replace(lease, breaks=ends if period is None else min(ends, now + period))
