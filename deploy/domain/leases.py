"""Leases: how long an endpoint on shared quota has left, and what its successor is called. Pure.

Azure deletes such an endpoint at the moment that its creator stated, 168 hours after creation at the latest. The moment
can never be moved, so a lease is renewed by a successor under another name. Everything here is computed from what Azure
returns and from the time of Azure's own clock, so two runners always compute the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

Json = Any
LONGEST = timedelta(hours=168)
"""Azure deletes an endpoint on shared quota after this time (text of the studio's consent box)."""
ENABLED, DEADLINE = "SharedComputeCapacityEnabled", "TargetAutoDeletionTime"
"""Endpoint properties that put it on shared quota, as public deployments write them."""
ENDS_TAG = "amldeploy-lease-ends"
"""Tag on an endpoint: the end of its lease in ISO 8601, readable without the property."""
NOTICED_TAG = "amldeploy-noticed"
"""Tag on an endpoint: hours before the end of the last notice per channel: `stdout=24 slack/TEAM_HOOK=48`."""
SUCCEEDS_TAG = "amldeploy-succeeds"
"""Tag on an endpoint that a renewal created: the name of the endpoint that it replaces. Written when it is created."""
RESTORED_TAG = "amldeploy-restored"
"""Tag on an endpoint that `restore` recreated: when, in ISO 8601. Written when it is created."""
THRESHOLDS = (48, 24, 6, 1)
"""Hours before the end at which notices are sent."""
MIN_BEFORE_END = 3600.0
"""Seconds, beside the drain time, that a lease must have: the last notice is one hour before the end, and a deployment
with a large image needs a good part of it.
"""
LONGEST_BASE = 26
"""Letters of a name that can be renewed: Azure allows 32, and a successor's has six more."""
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Lease:
    """One endpoint's time on shared quota. `ends` carries its zone (UTC)."""

    name: str
    ends: datetime

    def hours_left(self, now: datetime) -> float:
        """Hours until Azure deletes the endpoint; negative after the lease expired."""
        return (self.ends - now).total_seconds() / 3600


def of(body: Mapping[str, Json]) -> Lease | None:
    """The lease of an endpoint, from its ARM body; None when it is not on shared quota.

    Azure uses the property. Its case and form are not documented, so every known form is accepted.
    """
    properties = {
        str(key).lower(): value for key, value in ((body.get("properties") or {}).get("properties") or {}).items()
    }
    if str(properties.get(ENABLED.lower(), "")).lower() != "true":
        return None
    ends = parse_time(properties.get(DEADLINE.lower())) or parse_time((body.get("tags") or {}).get(ENDS_TAG))
    return Lease(str(body["name"]), ends) if ends else None


def is_on_shared_quota(capacity: str, body: Mapping[str, Json] | None) -> bool:
    """Whether an endpoint uses the shared pool: read from its body if it exists, else from its files."""
    return of(body) is not None if body else capacity == "shared"


def properties(ends: datetime) -> dict[str, str]:
    """The two endpoint properties of a lease that ends at `ends`; the moment in RFC 1123 form."""
    return {ENABLED: "true", DEADLINE: format_datetime(ends.astimezone(UTC), usegmt=True)}


def tags(ends: datetime) -> dict[str, str]:
    """The tag with the end of the lease."""
    return {ENDS_TAG: iso_time(ends)}


def iso_time(when: datetime) -> str:
    """`2026-11-30T08:00:00Z`."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def local_and_utc(when: datetime) -> str:
    """Local time and UTC: `2026-11-30 09:00 CET (08:00 UTC)`."""
    here, there = when.astimezone(), when.astimezone(UTC)
    if here.utcoffset() == there.utcoffset():
        return f"{there:%Y-%m-%d %H:%M} UTC"
    day = "" if here.date() == there.date() else f"{there:%Y-%m-%d} "
    return f"{here:%Y-%m-%d %H:%M %Z} ({day}{there:%H:%M} UTC)"


def expected(entry: Mapping[str, Json], now: datetime) -> Mapping[str, Json]:
    """A lease in a plan: one that has not started, with `hours` and its end if it started now."""
    rest = {key: value for key, value in entry.items() if key != "hours"}
    if "hours" not in entry:
        return rest
    ends = local_and_utc(now + min(timedelta(hours=entry["hours"]), LONGEST))
    return {**rest, "ends": f"about {ends} if applied now, {entry['hours']:g} h after it is created"}


def parse_time(text: Json) -> datetime | None:
    """RFC 1123 or ISO 8601, in UTC; None for anything else, and for what some zone's calendar does not reach."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(ValueError, TypeError, OverflowError):
            found = read(str(text))
            found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
            return found if MINYEAR < found.year < MAXYEAR else None
    return None


def successor(base: str, predecessor: Lease) -> str:
    """`<base>-<generation>`: the generation is the predecessor's end in minutes since 2024, in base 36.

    Ends only grow, so no name is used twice. The name is the same each time it is computed, so an interrupted renewal
    is continued. Six characters longer than the base until 2055.
    """
    minutes = max(0, int((predecessor.ends - _EPOCH).total_seconds() // 60))
    digits = ""
    while minutes or not digits:
        minutes, digit = divmod(minutes, 36)
        digits = _DIGITS[digit] + digits
    return f"{base}-{digits.rjust(5, '0')}"


def predecessor_end(base: str, name: str) -> datetime | None:
    """The end that a successor's name is made of: that of the lease before its own; None for `base` itself."""
    if name == base or not is_in_chain(base, name):
        return None
    return _EPOCH + timedelta(minutes=int(name.rpartition("-")[2], 36))


def is_in_chain(base: str, name: str) -> bool:
    """Whether `name` is `base` or one of its successors."""
    rest = name.removeprefix(base)
    return name.startswith(base) and (
        not rest or (len(rest) == 6 and rest[0] == "-" and all(digit in _DIGITS for digit in rest[1:]))
    )


def chain(base: str, names: Iterable[str]) -> list[str]:
    """The names of one chain of successors, oldest first."""
    return sorted((name for name in names if is_in_chain(base, name)), key=lambda name: name.removeprefix(base))


def due(lease: Lease, last: int | None, now: datetime) -> int | None:
    """The notice to send now: the nearest threshold (hours) that has passed; None if there is none.

    `last`: the threshold of the last notice, None if none was sent. After a gap only the nearest notice is sent.
    """
    left = lease.hours_left(now)
    passed = [hours for hours in THRESHOLDS if left <= hours]
    return passed[-1] if left > 0 and passed and (last is None or last > passed[-1]) else None


def noticed(tag: str) -> dict[str, int]:
    """Channel -> hours before the end of its last notice, from NOTICED_TAG."""
    words = [word.rpartition("=") for word in tag.split()]
    return {channel: int(hours) for channel, _, hours in words if channel and hours.isdecimal()}


def noted(channels: Mapping[str, int]) -> str:
    """The text of NOTICED_TAG."""
    return " ".join(f"{channel}={hours}" for channel, hours in channels.items())
