"""The calendar of leases: what any calendar program can read."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from deploy.reporter import EndpointRow, status_ics

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENDS = "2026-11-30T08:00:00Z"


def test_one_event_a_lease() -> None:
    """Dedicated endpoints have none."""
    rows = [EndpointRow("mip", "mip-a", "Succeeded", lease_ends=ENDS), EndpointRow("cxr", "cxr-a", "Succeeded")]
    text = status_ics(rows, NOW, "dev")

    assert text.count("BEGIN:VEVENT") == 1
    assert "DTSTART:20261130T080000Z\r\n" in text
    assert "UID:mip-a-20261130T080000Z@amldeploy\r\n" in text
    assert "amldeploy renew -e dev mip --within 24h\r\n" in text.replace("\r\n ", "")
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert text.endswith("END:VCALENDAR\r\n")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=90))
def test_lines_keep_their_length(name: str) -> None:
    """Whatever a name holds: no line over 75 octets, and unfolded the words are all there."""
    text = status_ics([EndpointRow(name, "mip-a", "Succeeded", lease_ends=ENDS)], NOW, "dev")

    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    escaped = name.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    assert f"The lease of {escaped} on shared quota" in text.replace("\r\n ", "")


def test_a_missed_lease_is_an_event_in_the_past() -> None:
    """When it ended and how the endpoint is created again; without a moment there is nothing to put in a calendar."""
    row = EndpointRow("mip", "mip-a", "absent", missed="Azure deleted mip-a", gone_since=ENDS)
    text = status_ics([row, EndpointRow("cxr", "cxr-a", "absent", missed="Azure deleted cxr-a")], NOW, "dev")

    assert text.count("BEGIN:VEVENT") == 1
    assert "DTSTART:20261130T080000Z\r\n" in text
    assert "Azure deleted mip-a. Recreate it: amldeploy renew -e dev mip\r\n" in text.replace("\r\n ", "")
    assert "VALARM" not in text
