"""Time of each step as a bar chart: the steps of an endpoint one after another, each endpoint from zero. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deploy.domain.report import Outcome
from deploy.reporter.wording import STATE_WORDS, duration
from deploy.sanitize import sanitize

_WIDTH, _LABEL, _ROW, _TOP = 1080, 330, 24, 26
_PLOT = _WIDTH - _LABEL - 90
_INTERVALS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Seconds between two marks of the axis."""


def timeline_chart(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Coordinates of an SVG chart: {width, height, top, marks: [{x, label}], bars: [{y, name, css, x, width, ...}]}."""
    starts = list(starting_times(outcomes))
    total = max((start + outcome.seconds for start, outcome in zip(starts, outcomes, strict=True)), default=0.0) or 1.0
    bars = [_bar(n, outcome, start, total) for n, (outcome, start) in enumerate(zip(outcomes, starts, strict=True))]
    height = _TOP + _ROW * len(outcomes) + 8
    return {"width": _WIDTH, "height": height, "top": _TOP, "marks": _marks(total), "bars": bars}


def starting_times(outcomes: Sequence[Outcome]) -> Iterator[float]:
    """Seconds from the start of the endpoint's first step to the start of each step."""
    passed: dict[str, float] = {}
    for outcome in outcomes:
        endpoint = outcome.address.endpoint
        yield passed.get(endpoint, 0.0)
        passed[endpoint] = passed.get(endpoint, 0.0) + outcome.seconds


def _marks(total: float) -> list[dict[str, str]]:
    interval = next((each for each in _INTERVALS if total / each <= 6), total / 6)
    marks = [n * interval for n in range(int(total / interval) + 1)]
    return [{"x": f"{_x(mark, total):.1f}", "label": duration(mark) if mark else "0"} for mark in marks]


def _bar(n: int, outcome: Outcome, start: float, total: float) -> dict[str, Any]:
    x, end = _x(start, total), _x(start + outcome.seconds, total)
    return {
        "y": _TOP + _ROW * n,
        "name": _shorten(f"{outcome.verb} {outcome.address}"),
        "css": outcome.state.value,
        "x": f"{x:.1f}",
        "width": f"{max(end - x, 2):.1f}",
        "label_x": f"{max(end, x + 2) + 8:.1f}",
        "label": duration(outcome.seconds) if outcome.attempts else STATE_WORDS[outcome.state],
    }


def _x(seconds: float, total: float) -> float:
    return _LABEL + _PLOT * seconds / total


def _shorten(text: str, limit: int = 44) -> str:
    line = " ".join(sanitize(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
