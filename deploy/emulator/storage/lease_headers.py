"""Lease calls and lease ids in the headers of the data plane, and the answers to them."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.emulator.storage import errors, leases
from deploy.emulator.storage.conditions import Version
from deploy.emulator.storage.leases import InvalidLeaseCall, Lease, LeaseCall, LeaseRefused
from deploy.emulator.wire.responses import Answer

_STATUS = {"acquire": 201, "break": 202}


def change(lease: Lease | None, headers: Mapping[str, str], now: float, what: str) -> tuple[LeaseCall, Lease | None]:
    """The lease call of a request, and the lease after it. `what` is `blob` or `container`.

    Raises:
        Refusal: a header is missing or invalid, or the lease does not allow the call.
    """
    names = ("action", "id", "duration", "break-period")
    action, lease_id, seconds, period = (headers.get(f"x-ms-lease-{name}") for name in names)
    try:
        call = leases.parse(action, lease_id, headers.get("x-ms-proposed-lease-id"), seconds, period)
        return call, leases.apply(lease, call, now)
    except InvalidLeaseCall as error:
        raise errors.refusal("MissingRequiredHeader" if error.missing else "InvalidHeaderValue") from None
    except LeaseRefused as refused:
        raise errors.refusal(refused.code, what) from None


def answer(call: LeaseCall, lease: Lease | None, version: Version, now: float) -> Answer:
    """The answer to a lease call; `lease` is the one after it."""
    shown = version.headers
    if call.action == "break":
        shown["x-ms-lease-time"] = str(leases.break_seconds(lease, now))
    elif lease is not None:
        shown["x-ms-lease-id"] = lease.id
    return Answer(_STATUS.get(call.action, 200), b"", shown)


def check(lease: Lease | None, headers: Mapping[str, str], now: float, *, write: bool, what: str = "blob") -> None:
    """Check the lease id of a request that reads or writes a blob or container (`what`).

    Raises:
        Refusal: the id is missing, wrong, or no GUID.
    """
    try:
        leases.check(lease, leases.parse_id(headers.get("x-ms-lease-id", "")), now, write=write)
    except InvalidLeaseCall:
        raise errors.refusal("InvalidHeaderValue") from None
    except LeaseRefused as refused:
        code = refused.code if what == "blob" else errors.for_container(refused.code)
        raise errors.refusal(code, what) from None


def describe(lease: Lease | None, now: float) -> dict[str, str]:
    """The headers of a read: `x-ms-lease-state`, `x-ms-lease-status`, `x-ms-lease-duration`."""
    return {f"x-ms-lease-{name}": value for name, value in leases.described(lease, now).items()}
