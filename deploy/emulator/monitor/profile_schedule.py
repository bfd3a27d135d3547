"""Which profile of an autoscale setting applies at a time. Pure.

As documented: a fixed date is before a recurrence, and a recurrence is before the default profile. A recurrence lasts
until the next one begins; so a setting needs a copy of its default profile for the time after a recurrence, named
`{"name":"default","for":"weekend"}`. For the schedule that copy is a recurrence like any other.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, time, timedelta

from deploy.emulator.monitor.autoscale_body import Profile, Schedule, zone


def active(profiles: Sequence[Profile], at: float) -> Profile | None:
    """The profile at a time (seconds since 1970); None when no profile applies. Of equals, the first one."""
    for profile in profiles:
        if profile.fixed_date is not None and profile.fixed_date.span[0] <= at < profile.fixed_date.span[1]:
            return profile
    recurring = [profile for profile in profiles if profile.recurrence is not None and profile.fixed_date is None]
    if recurring:
        return max(recurring, key=lambda profile: _last_start(profile, at))
    return next((profile for profile in profiles if profile.is_default), None)


def next_change(profiles: Sequence[Profile], at: float) -> float:
    """The first time after `at` at which another profile can apply; infinity if there is none."""
    moments = [math.inf]
    for profile in profiles:
        if profile.fixed_date is not None:
            moments += [moment for moment in profile.fixed_date.span if moment > at]
        elif profile.recurrence is not None:
            moments += [moment for moment in _near(profile.recurrence.schedule, at) if moment > at]
    return min(moments)


def _last_start(profile: Profile, at: float) -> float:
    assert profile.recurrence is not None  # noqa: S101 - only for recurring profiles
    return max(moment for moment in _near(profile.recurrence.schedule, at) if moment <= at)


def _near(schedule: Schedule, at: float) -> list[float]:
    """The beginnings just before and after `at`: two of each, because a change of the clocks can reorder them."""
    local = zone(schedule.time_zone)
    now = datetime.fromtimestamp(at, local).replace(tzinfo=None)
    monday = datetime.combine(now.date() - timedelta(days=now.weekday()), time())
    count = len(schedule.starts)
    after = bisect_right(schedule.starts, (now - monday) / timedelta(minutes=1))
    beginnings = [
        monday + timedelta(weeks=number // count, minutes=schedule.starts[number % count])
        for number in range(after - 2, after + 2)
    ]
    return [beginning.replace(tzinfo=local).timestamp() for beginning in beginnings]
