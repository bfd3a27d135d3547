"""Regressions of any model."""

from __future__ import annotations

from typing import Any

from benchmarks.wrong_answers.inputs import Input
from benchmarks.wrong_answers.kinds import ALL, SECONDS, Kind, kind

KINDS: list[Kind] = []


@kind(ALL, KINDS)
def one_request_late(given: Input, _: Any) -> Any:
    """Each answer is that of the request before; the first one is right."""
    return given.answer if given.before is None else given.unpack(given.asked(given.before))


KINDS.append(Kind("twice_as_slow", ALL, lambda given, _: given.answer, SECONDS * 2))  # its answers are right
