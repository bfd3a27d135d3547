"""Leases as an iCalendar feed (RFC 5545): one event at the end of each lease, with an alarm one day before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from deploy.domain import leases
from deploy.reporter.status_rows import EndpointRow

_MAX_LINE = 74


def status_ics(rows: Sequence[EndpointRow], now: datetime, environment: str) -> str:
    """A calendar of the leases of `rows`. `now`: the time at which it is created."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//amldeploy//leases//EN", "CALSCALE:GREGORIAN"]
    for row in rows:
        if row.orphan:
            continue  # it has no entry that could renew it
        if row.lease_ends and (ends := leases.parse_time(row.lease_ends)):
            lines += _ending(row, ends, now, environment)
        elif row.missed and row.gone_since and (ended := leases.parse_time(row.gone_since)):
            lines += _gone(row, ended, now, environment)
    return "\r\n".join(folded for line in [*lines, "END:VCALENDAR"] for folded in _folded(line)) + "\r\n"


def _ending(row: EndpointRow, ends: datetime, now: datetime, environment: str) -> list[str]:
    """The end of a lease, with an alarm a day before."""
    how = f"Renew it in its last 24 hours: amldeploy lease renew -e {environment} {row.key} --within 24h"
    alarm = [
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-P1D",
        f"DESCRIPTION:{_text(f'{row.name}: the lease on shared quota expires in one day')}",
        "END:VALARM",
    ]
    title, text = f"{row.name}: Azure deletes this endpoint", f"The lease of {row.key} on shared quota expires. {how}"
    return _event(f"{row.name}-{ends:%Y%m%dT%H%M%SZ}", ends, now, title, text, alarm)


def _gone(row: EndpointRow, ended: datetime, now: datetime, environment: str) -> list[str]:
    """An event in the past, without an alarm."""
    text = f"{row.missed}. Recreate it: amldeploy lease renew -e {environment} {row.key}"
    uid = f"{row.name}-{ended:%Y%m%dT%H%M%SZ}-missed"
    return _event(uid, ended, now, f"{row.key}: the lease expired without a renewal", text, [])


def _event(uid: str, at: datetime, now: datetime, title: str, text: str, alarm: list[str]) -> list[str]:
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}@amldeploy",
        f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{at:%Y%m%dT%H%M%SZ}",
        "DURATION:PT0S",
        f"SUMMARY:{_text(title)}",
        f"DESCRIPTION:{_text(text)}",
        *alarm,
        "END:VEVENT",
    ]


def _text(words: str) -> str:
    """Text with the escapes of RFC 5545, section 3.3.11."""
    for char in ("\\", ";", ","):
        words = words.replace(char, "\\" + char)
    return words.replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """Lines of at most 75 octets (section 3.1); a continuation line starts with a space."""
    while len(line.encode()) > _MAX_LINE:
        cut = _MAX_LINE
        while len(line[:cut].encode()) > _MAX_LINE:
            cut -= 1
        yield line[:cut]
        line = " " + line[cut:]
    yield line
