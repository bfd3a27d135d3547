"""The calendar of leases: valid iCalendar."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from deploy.reporter import EndpointRow, status_ics

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENDS = "2026-11-30T08:00:00Z"


def test_one_event_for_each_lease() -> None:
    """Endpoints on dedicated quota have none."""
    rows = [EndpointRow("mip", "mip-a", "Succeeded", lease_ends=ENDS), EndpointRow("cxr", "cxr-a", "Succeeded")]
    text = status_ics(rows, NOW, "dev")

    assert text.count("BEGIN:VEVENT") == 1
    assert "DTSTART:20261130T080000Z\r\n" in text
    assert "UID:mip-a-20261130T080000Z@amldeploy\r\n" in text
    assert "amldeploy lease renew -e dev mip --within 24h\r\n" in text.replace("\r\n ", "")
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert text.endswith("END:VCALENDAR\r\n")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=90))
def test_lines_keep_their_length(name: str) -> None:
    """With any name, no line has more than 75 octets, and the unfolded text is complete."""
    text = status_ics([EndpointRow(name, "mip-a", "Succeeded", lease_ends=ENDS)], NOW, "dev")

    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    escaped = name.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    assert f"The lease of {escaped} on shared quota" in text.replace("\r\n ", "")


def test_a_missed_lease_is_an_event_in_the_past() -> None:
    """With the time of its end and the command that recreates the endpoint; without a time there is no event."""
    row = EndpointRow("mip", "mip-a", "absent", missed="Azure deleted mip-a", gone_since=ENDS)
    orphan = EndpointRow("old", "old-a", "Succeeded", lease_ends=ENDS, orphan="orphan: its entry is gone")
    assert "old-a" not in status_ics([orphan], NOW, "dev"), "no entry can renew it"
    text = status_ics([row, EndpointRow("cxr", "cxr-a", "absent", missed="Azure deleted cxr-a")], NOW, "dev")

    assert text.count("BEGIN:VEVENT") == 1
    assert "DTSTART:20261130T080000Z\r\n" in text
    assert "Azure deleted mip-a. Recreate it: amldeploy lease renew -e dev mip\r\n" in text.replace("\r\n ", "")
    assert "VALARM" not in text
