"""Time of each step as a bar chart: the steps of an endpoint one after another, each endpoint from zero. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.domain.report import Outcome
from deploy.reporter.wording import STATE_WORDS, duration
from deploy.sanitize import sanitize

_LONGEST = 80
"""Characters of a step's name."""


def timeline_bars(outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
    """{name, css, left, width, label} of each step; `left` and `width` are percent of the longest endpoint's time."""
    starts = list(starting_times(outcomes))
    total = max((start + outcome.seconds for start, outcome in zip(starts, outcomes, strict=True)), default=0.0) or 1.0
    return [_bar(outcome, start, total) for outcome, start in zip(outcomes, starts, strict=True)]


def starting_times(outcomes: Sequence[Outcome]) -> Iterator[float]:
    """Seconds from the start of the endpoint's first step to the start of each step."""
    passed: dict[str, float] = {}
    for outcome in outcomes:
        endpoint = outcome.address.endpoint
        yield passed.get(endpoint, 0.0)
        passed[endpoint] = passed.get(endpoint, 0.0) + outcome.seconds


def _bar(outcome: Outcome, start: float, total: float) -> dict[str, str]:
    return {
        "name": _shorten(f"{outcome.verb} {outcome.address}"),
        "css": outcome.state.value,
        "left": f"{100 * start / total:.2f}",
        "width": f"{100 * outcome.seconds / total:.2f}",
        "label": duration(outcome.seconds) if outcome.attempts else STATE_WORDS[outcome.state],
    }


def _shorten(text: str) -> str:
    line = " ".join(sanitize(text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
