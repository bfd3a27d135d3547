"""Which profile applies: fixed date before recurrence before default; a recurrence lasts until the next one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.monitor.autoscale_body import ZONES
from deploy.emulator.monitor.profile_schedule import active, next_change
from tests.unit.emulator.monitor.setting import parsed, profile, weekly

MONDAY = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
HOUR, DAY = 3600, 86_400
DATE = {"timeZone": "UTC", "start": "2026-06-06T08:00:00Z", "end": "2026-06-06T20:00:00Z"}
DEFAULT = profile(1, 2)
WEEKEND = profile(1, 2, name="weekend", recurrence=weekly("Saturday"))
WEEKDAYS = profile(1, 2, name='{"name":"default","for":"weekend"}', recurrence=weekly("Monday"))
REST = profile(1, 2, name="rest", recurrence=weekly("Saturday"))
BERLIN = "W. Europe Standard Time"
LAUNCH = profile(1, 2, name="launch", fixedDate=DATE)


def name_at(day: float, *bodies: Any) -> str | None:
    found = active([parsed(body) for body in bodies], MONDAY + day * DAY)
    return found and found.name


def test_the_default_applies_without_others() -> None:
    """And outside a fixed date; without a default, none does."""
    assert name_at(0, DEFAULT) == "default"
    assert [name_at(day, LAUNCH, DEFAULT) for day in (5.3, 5.5, 5.9)] == ["default", "launch", "default"]
    assert name_at(0, LAUNCH) is None


def test_a_recurrence_lasts_until_the_next_one() -> None:
    """Without a copy of the default for the days after it, it always applies."""
    assert {name_at(day, DEFAULT, WEEKEND) for day in range(7)} == {"weekend"}
    found = [name_at(day + 0.5, DEFAULT, WEEKEND, WEEKDAYS) for day in range(7)]
    assert found == [WEEKDAYS["name"]] * 5 + ["weekend"] * 2


def test_a_fixed_date_is_before_a_recurrence() -> None:
    """From its start to before its end; after it, the recurrence applies again."""
    found = [name_at(5 + hour / 24, WEEKEND, WEEKDAYS, LAUNCH) for hour in (7.9, 8, 19.9, 20)]
    assert found == ["weekend", "launch", "launch", "weekend"]


@pytest.mark.parametrize(("zone", "hour"), [("UTC", 9), (BERLIN, 7), ("India Standard Time", 3.5)])
def test_hours_are_in_the_time_zone(zone: str, hour: float) -> None:
    """Nine o'clock there; also for a date without an offset."""
    start = profile(1, 2, name="day", recurrence=weekly("Monday", 9, zone))
    assert [name_at((hour + before) / 24, start, REST) for before in (-0.01, 0)] == ["rest", "day"]
    once = {"timeZone": zone, "start": "2026-06-01T09:00:00", "end": "2026-06-01T10:00:00"}
    bodies = (profile(1, 2, name="once", fixedDate=once), DEFAULT)
    found = [name_at((hour + after) / 24, *bodies) for after in (-0.01, 0, 0.99, 1)]
    assert found == ["default", "once", "once", "default"]


def test_the_hour_that_exists_twice() -> None:
    """Where the clocks are set back from 03:00 to 02:00, a profile begins in the first of the two hours."""
    body = {"frequency": "Week", "schedule": {"timeZone": BERLIN, "days": ["Sunday"], "hours": [2], "minutes": [45]}}
    found = [parsed(profile(1, 2, name="night", recurrence=body)), parsed(REST)]
    start = datetime(2026, 10, 25, 0, 45, tzinfo=UTC).timestamp()
    for minutes, name in ((-1, "rest"), (0, "night"), (45, "night"), (61, "night")):
        at = start + minutes * 60
        assert (chosen := active(found, at)) is not None
        assert chosen.name == name
        assert next_change(found[:1], at) == (start if minutes < 0 else start + 7 * DAY + HOUR)


SCHEDULES = st.fixed_dictionaries(
    {
        "timeZone": st.sampled_from(sorted(ZONES)),
        "days": st.lists(st.sampled_from(["Monday", "wednesday", "Saturday", "Sunday"]), min_size=1, max_size=3),
        "hours": st.lists(st.integers(0, 23), min_size=1, max_size=3),
        "minutes": st.lists(st.integers(0, 59), min_size=1, max_size=2),
    }
)


@given(st.lists(SCHEDULES, min_size=1, max_size=3), st.integers(0, 400 * 24 * 60))
def test_the_profile_changes_only_at_a_next_change(schedules: list[Any], minutes: int) -> None:
    """It is the same from a time until just before its next change, which is within a week and an hour."""
    bodies = [
        profile(1, 2, name=str(n), recurrence={"frequency": "Week", "schedule": each})
        for n, each in enumerate(schedules)
    ]
    found, at = [parsed(body) for body in [*bodies, LAUNCH]], MONDAY + minutes * 60
    change = next_change(found, at)
    assert at < change <= at + 7 * DAY + HOUR
    now = active(found, at)
    for share in (0.25, 0.5, 0.99):
        assert active(found, at + (change - at) * share) is now
