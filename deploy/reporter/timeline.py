"""How long each step took, as a picture: a bar a step, each endpoint's steps one after the other from zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from deploy.domain.report import Outcome
from deploy.errors import sanitize
from deploy.reporter.wording import STATE_WORDS, duration

_WIDTH, _LABEL, _ROW, _TOP = 1080, 330, 24, 26
_PLOT = _WIDTH - _LABEL - 90
_NICE = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


def timeline_svg(outcomes: Sequence[Outcome]) -> str:
    """An SVG element for a page; its colours are the page's classes `done`, `failed` and so on."""
    starts = list(starting_times(outcomes))
    total = max((start + outcome.seconds for start, outcome in zip(starts, outcomes, strict=True)), default=0.0) or 1.0
    height = _TOP + _ROW * len(outcomes) + 8
    rows = "".join(
        _bar(n, outcome, start, total) for n, (outcome, start) in enumerate(zip(outcomes, starts, strict=True))
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Time of each step">'
        f"{_scale(total, height)}{rows}</svg>"
        '<p class="soft">Each endpoint starts at zero and its steps follow one another; endpoints run side by side.</p>'
    )


def starting_times(outcomes: Sequence[Outcome]) -> Iterator[float]:
    """When each step began, counted from the start of its endpoint's first."""
    passed: dict[str, float] = {}
    for outcome in outcomes:
        endpoint = outcome.address.endpoint
        yield passed.get(endpoint, 0.0)
        passed[endpoint] = passed.get(endpoint, 0.0) + outcome.seconds


def _scale(total: float, height: int) -> str:
    step = next((nice for nice in _NICE if total / nice <= 6), total / 6)
    marks = [n * step for n in range(int(total / step) + 1)]
    return "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height}"/>'
        f'<text class="soft" x="{x:.1f}" y="12" text-anchor="middle">{duration(mark) if mark else "0"}</text>'
        for mark, x in ((mark, _x(mark, total)) for mark in marks)
    )


def _bar(n: int, outcome: Outcome, start: float, total: float) -> str:
    y = _TOP + _ROW * n
    x, end = _x(start, total), _x(start + outcome.seconds, total)
    words = duration(outcome.seconds) if outcome.attempts else STATE_WORDS[outcome.state]
    return (
        f'<text x="0" y="{y + 15}">{escape(_short(f"{outcome.verb} {outcome.address}"))}</text>'
        f'<rect class="{outcome.state}" x="{x:.1f}" y="{y + 4}" width="{max(end - x, 2):.1f}" height="14" rx="3"/>'
        f'<text class="soft" x="{max(end, x + 2) + 8:.1f}" y="{y + 15}">{words}</text>'
    )


def _x(seconds: float, total: float) -> float:
    return _LABEL + _PLOT * seconds / total


def _short(text: str, limit: int = 44) -> str:
    line = " ".join(sanitize(text).split()).encode("utf-8", "replace").decode()
    return line if len(line) <= limit else line[: limit - 1] + "…"
