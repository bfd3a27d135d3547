"""ISO 8601 durations as Azure ML accepts them: days, hours, minutes and seconds.

Written here because isodate also accepts signs, weeks, months, years and commas, and has no type hints.
"""

from __future__ import annotations

import re

_DURATION = re.compile(r"P(?=.)(?:(\d{1,9})D)?(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?")


def readable(duration: str) -> bool:
    """Whether the text is such a duration."""
    return _DURATION.fullmatch(duration) is not None


def seconds(duration: str) -> float:
    """A duration in seconds; 5.0, the service's default request timeout, for any other text."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        return 5.0
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
