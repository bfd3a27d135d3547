"""Leases: what is read from an endpoint, what its successor is called, when people are told."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from deploy.domain import leases

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 the strategy adds it


def _body(**properties: str) -> dict[str, object]:
    return {"name": "mip", "tags": {}, "properties": {"properties": properties}}


@given(MOMENTS)
def test_what_is_written_is_read(ends: datetime) -> None:
    """An endpoint made with our properties has the lease that was meant, to the second."""
    lease = leases.of(_body(**leases.properties(ends)))

    assert lease is not None
    assert lease.ends == ends.replace(microsecond=0)


@given(MOMENTS)
def test_the_tag_says_the_same(ends: datetime) -> None:
    """Our tag is read where the property has a form that nobody knows."""
    body = {**_body(sharedcomputecapacityenabled="TRUE", targetautodeletiontime="soon"), "tags": leases.tags(ends)}
    lease = leases.of(body)

    assert lease is not None
    assert lease.ends == ends.replace(microsecond=0)


def test_dedicated_has_no_lease() -> None:
    """A deadline alone is none."""
    assert leases.of(_body(TargetAutoDeletionTime="Mon, 15 Jun 2026 20:45:30 GMT")) is None
    assert leases.of(_body(SharedComputeCapacityEnabled="false")) is None


@given(MOMENTS, st.timedeltas(timedelta(minutes=1), timedelta(days=4000)))
def test_no_name_is_used_twice(ends: datetime, later: timedelta) -> None:
    """A later end makes a later name, in the order of the line; the same end the same name."""
    first, second = (leases.successor("mip-abcde", leases.Lease("x", when)) for when in (ends, ends + later))

    assert first != second
    assert leases.chain("mip-abcde", [second, "mip-abcde", first]) == ["mip-abcde", first, second]
    assert leases.successor("mip-abcde", leases.Lease("y", ends)) == first
    assert len(first) == len("mip-abcde") + 6


def test_a_line_is_its_own() -> None:
    """A name that only begins alike is of no line."""
    assert [
        leases.is_in_chain("mip", name) for name in ("mip", "mip-00abc", "mipx", "mip-abc", "mip-00abc-1", "mi")
    ] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


@given(MOMENTS, st.lists(st.floats(-2, 200), min_size=1, max_size=40))
def test_each_notice_is_given_once(ends: datetime, moments: list[float]) -> None:
    """However often and after whatever gaps one asks: each threshold once at most, in falling order, none too early."""
    lease, told, given_ = leases.Lease("mip", ends), None, []
    for left in sorted(moments, reverse=True):
        hours = leases.due(lease, told, ends - timedelta(hours=left))
        if hours is not None:
            assert 0 < left <= hours + 1e-6
            given_.append(hours)
            told = hours

    assert given_ == sorted(set(given_), reverse=True)


def test_every_threshold_gets_a_notice_without_gaps() -> None:
    """Asked every quarter of an hour, all four are given."""
    ends = datetime(2026, 11, 30, tzinfo=UTC)
    told, heard = None, []
    for quarter in range(60 * 4, 0, -1):
        hours = leases.due(leases.Lease("mip", ends), told, ends - timedelta(minutes=15 * quarter))
        if hours is not None:
            heard.append(hours)
            told = hours

    assert heard == [48, 24, 6, 1]


def test_each_channel_is_remembered_by_itself() -> None:
    """What is written in the tag is read; whatever else stands there is nobody's."""
    told = {"stdout": 24, "slack/TEAM_HOOK": 48}

    assert leases.noticed(leases.noted(told)) == told
    assert leases.noticed("48 24 x= =y") == {}
    assert leases.noticed("x=² y=٣ z=-1 stdout=24") == {"y": 3, "stdout": 24}


@given(st.text(max_size=30) | st.text("=0123456789²٣ xy", max_size=30))
def test_whatever_stands_in_the_tag_is_read(text: str) -> None:
    """Tags are anybody's to write."""
    assert all(isinstance(hours, int) for hours in leases.noticed(text).values())


ANY_TIME = st.datetimes(
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
).map(datetime.isoformat)


@given(st.text(max_size=30) | ANY_TIME, st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]))
@example("0001-01-01T00:00:00+05:00", "UTC")
@example("9999-12-31T23:59:59-05:00", "UTC")
@example("0001-01-01T00:00:00Z", "America/New_York")
@example("Fri, 31 Dec 9999 23:00:00 GMT", "Asia/Tokyo")
def test_whatever_stands_for_an_end_is_none_or_can_be_said(text: str, here: str) -> None:
    """In UTC and in local time, wherever that is; also at both ends of the calendar."""
    found = leases.parse_time(text)
    before = os.environ.get("TZ")
    os.environ["TZ"] = here
    time.tzset()
    try:
        assert found is None or (found.tzinfo is UTC and "UTC" in leases.local_and_utc(found))
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


def test_a_moment_is_shown_in_local_time_and_in_utc() -> None:
    """Where the wall has UTC it is told once."""
    told = leases.local_and_utc(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))

    assert "UTC" in told
    assert "23:30" in told
