"""A rollout as two line charts: error rate and P95 latency of both deployments over time, as SVG for the report. Pure.

The SVG has no script, id or link. Its colours are in templates/page.css; without colour, the lines differ by their
dashes. The page shows the figures and the answers of the gates as text, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from deploy.domain import leases
from deploy.domain.arm import Address, Json
from deploy.domain.plan import Verb
from deploy.domain.report import Outcome
from deploy.redact import redact_secrets
from deploy.reporter.wording import deployment_words, rollout_share
from deploy.sanitize import sanitize
from deploy.text import count

POINTS = 120
"""Points of a line, at most. The minutes of a longer rollout are joined."""
_MINUTE, _DAY = 60, 1440
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, _DAY)
"""Minutes between two labels of the time axis."""
_WIDTH, _HEIGHT = 360, 206
"""Size of the viewBox. A chart is about as wide on a phone, so its text is readable there."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 350, 66, 184
"""The plot inside the viewBox."""
_GAP = 3
"""Points that may be missing in a line; a longer gap is left open."""
_NAME = 14
"""Characters of a deployment's name in the legend."""
_MOST_MS = 1e9
"""Milliseconds; a latency outside 0 to this is not drawn."""
_DASHES = {"live": "", "new": ' stroke-dasharray="6 4"'}

Point = tuple[float, float]
"""Seconds since 1970, and a value."""


@dataclass(frozen=True)
class RolloutChart:
    """What the report shows of one rollout.

    `figures`: (deployment, its requests, errors and latency in words). `charts`: SVG; empty if no requests were seen.
    `gates`: (share of traffic, when the stage began, answer, sentence) of each gate. `caption`: the time axis.
    """

    address: str
    figures: Sequence[tuple[str, str]]
    charts: Sequence[str]
    caption: str
    gates: Sequence[tuple[str, str, str, str]]


@dataclass(frozen=True)
class _Axis:
    """The time axis: `first` and `last` in seconds since 1970, `width`: seconds that are joined to one point."""

    first: float
    last: float
    width: float

    def x(self, seconds: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (seconds - self.first) / (self.last - self.first)


def rollout_charts(outcomes: Iterable[Outcome]) -> list[RolloutChart]:
    """The rollouts of a run, in the order of their first gate; gates that judged nothing are left out."""
    found: dict[Address, list[Mapping[str, Json]]] = {}
    for outcome in outcomes:
        gate = outcome.evidence.data.get("gate") if outcome.verb is Verb.GATE else None
        if isinstance(gate, Mapping):
            found.setdefault(outcome.address, []).append(redact_secrets(gate))
    return [_rollout(str(address), gates) for address, gates in found.items()]


def _rollout(address: str, gates: Sequence[Mapping[str, Json]]) -> RolloutChart:
    last = gates[-1]
    names = {which: f"{last['slots'][which]} ({which})" for which in ("live", "new")}
    minutes = {row["start"]: row for gate in gates for row in gate["minutes"]}
    rows = [minutes[start] for start in sorted(minutes)]
    charts: list[str] = []
    caption = "No requests were seen."
    if rows:
        axis = _axis(rows, [float(gate["stage"]["since"]) for gate in gates])
        errors, latency = ({which: found[n] for which, found in _points(rows, axis).items()} for n in (0, 1))
        marks = [(float(gate["stage"]["since"]), rollout_share(gate["stage"]["percent"])) for gate in gates]
        charts = [
            _svg("Error rate (%)", names, errors, axis, marks, least=1.0),
            _svg("P95 latency (ms)", names, latency, axis, marks, least=10.0),
        ]
        joined = f" Each point is {count(round(axis.width / _MINUTE), 'minute')}." if axis.width > _MINUTE else ""
        caption = f"Time since {_moment(axis.first)}.{joined} Vertical lines: a stage begins."
    return RolloutChart(
        address,
        [(name, deployment_words(last["figures"], which)) for which, name in names.items()],
        charts,
        caption,
        [
            (rollout_share(g["stage"]["percent"]), _moment(g["stage"]["since"]), str(g["answer"]), str(g["sentence"]))
            for g in gates
        ],
    )


def _moment(seconds: float) -> str:
    return leases.local_and_utc(datetime.fromtimestamp(int(seconds), UTC))


def _axis(rows: Sequence[Mapping[str, Json]], begins: Sequence[float]) -> _Axis:
    first = min(rows[0]["start"], *begins)
    last = max(rows[-1]["start"] + _MINUTE, *begins)
    return _Axis(first, last, _MINUTE * math.ceil((last - first) / _MINUTE / POINTS))


def _points(rows: Sequence[Mapping[str, Json]], axis: _Axis) -> dict[str, tuple[list[Point], list[Point]]]:
    """(error rates in percent, P95 in milliseconds) of each deployment, where they are known.

    The P95 of joined minutes is their mean, each counted as often as it has requests, as in the figures of the gate.
    """
    found = {}
    for which in ("live", "new"):
        sums: dict[int, list[float]] = {}
        for row in rows:
            requests, errors, p95 = row[which]
            place = int((row["start"] - axis.first) // axis.width)
            total = sums.setdefault(place, [0, 0, 0, 0.0])
            total[0] += requests
            total[1] += min(errors, requests)
            if p95 is not None and 0 <= p95 < _MOST_MS:
                total[2] += requests
                total[3] += requests * p95
        at = {place: min(axis.first + (place + 0.5) * axis.width, axis.last) for place in sums}
        found[which] = (
            [(at[place], 100 * total[1] / total[0]) for place, total in sums.items() if total[0]],
            [(at[place], total[3] / total[2]) for place, total in sums.items() if total[2]],
        )
    return found


def _svg(
    title: str,
    names: Mapping[str, str],
    lines: Mapping[str, Sequence[Point]],
    axis: _Axis,
    marks: Sequence[tuple[float, str]],
    *,
    least: float,
) -> str:
    """One chart. `least`: the value axis ends there or higher, so that small differences do not look large."""
    top = _round_up(max([least, *(value for line in lines.values() for _, value in line)]))
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{_escaped(_alternative(title, names, lines))}</title>",
        _text(4, 14, title, "head"),
        *_legend(names),
        *_values(top),
        *_times(axis),
        *_marks(axis, marks),
        *(part for which in ("live", "new") for part in _line(which, lines[which], axis, top)),
        "</svg>",
    ]
    return "\n".join(parts)


def _alternative(title: str, names: Mapping[str, str], lines: Mapping[str, Sequence[Point]]) -> str:
    """`Error rate (%): blue (live) at most 0.8, green (new) at most 21.`"""
    words = [f"{name} {_most([value for _, value in lines[which]])}" for which, name in names.items()]
    return f"{title}: {', '.join(words)}."


def _most(values: Sequence[float]) -> str:
    if not values:
        return "unknown"
    return f"at most {max(values):,.0f}" if max(values) >= 100 else f"at most {max(values):.2g}"


def _legend(names: Mapping[str, str]) -> Iterator[str]:
    for which, x in (("live", 4), ("new", 182)):
        name = _plain(names[which].removesuffix(f" ({which})"))
        short = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
        yield f'<path class="{which}" fill="none"{_DASHES[which]} d="M{x} 28 H{x + 28}"></path>'
        yield _text(x + 34, 32, f"{short} ({which})")


def _values(top: float) -> Iterator[str]:
    """The value axis: a line and a number at 0, half, and the top."""
    for share in (0.0, 0.5, 1.0):
        y = _BOTTOM - share * (_BOTTOM - _TOP)
        value = share * top
        yield f'<path class="grid" d="M{_LEFT} {y:.1f} H{_RIGHT}"></path>'
        yield _text(_LEFT - 5, y + 4, f"{value:,.0f}" if value >= 100 else f"{value:g}", anchor="end")


def _times(axis: _Axis) -> Iterator[str]:
    """The time axis: at most seven labels, in minutes, hours or days."""
    minutes = (axis.last - axis.first) / _MINUTE
    step = next((each for each in _STEPS if minutes / each <= 6), math.ceil(minutes / 6 / _DAY) * _DAY)
    unit, size = ("min", 1) if step < 60 else ("h", 60) if step < _DAY else ("d", _DAY)
    for n in range(int(minutes // step) + 1):
        x = axis.x(axis.first + n * step * _MINUTE)
        anchor = "end" if x > _RIGHT - 20 else "middle"
        label = f"{n * step / size:g} {unit}" if n else "0"
        yield _text(_RIGHT if anchor == "end" else x, _HEIGHT - 6, label, anchor=anchor)


def _marks(axis: _Axis, marks: Sequence[tuple[float, str]]) -> Iterator[str]:
    """A vertical line where each stage begins, and its label above: in the lower or the upper row, or none without
    room, because the table below the chart has it.
    """
    ends = [0.0, 0.0]
    labels = []
    for seconds, label in marks:
        x, size = axis.x(seconds), 7 * len(label) + 6
        is_right = x + size > _WIDTH
        start = x - size if is_right else x
        row = next((n for n, end in enumerate(ends) if start >= end), None)
        y = _TOP - 4 - 12 * (row or 0)
        yield f'<path class="mark" d="M{x:.1f} {y - 9} V{_BOTTOM}"></path>'
        if row is not None:
            ends[row] = start + size
            labels.append(_text(x - 3 if is_right else x + 3, y, label, anchor="end" if is_right else "start"))
    yield from labels  # above all lines


def _line(which: str, points: Sequence[Point], axis: _Axis, top: float) -> Iterator[str]:
    """The line of a deployment, open where it had no requests for a while; a point on its own is a dot."""
    parts: list[list[Point]] = []
    for point in points:
        if not parts or point[0] - parts[-1][-1][0] > (_GAP + 1) * axis.width:
            parts.append([])
        parts[-1].append(point)
    for part in parts:
        placed = [(axis.x(at), _BOTTOM - (_BOTTOM - _TOP) * min(value / top, 1.0)) for at, value in part]
        if len(placed) == 1:
            yield f'<circle class="{which}" cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="2"></circle>'
        else:
            steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
            yield f'<path class="{which}" fill="none"{_DASHES[which]} d="M{steps}"></path>'


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 ..."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((each * power for each in (1, 2, 5) if each * power >= value), 10 * power)


def _text(x: float, y: float, text: str, css: str = "", anchor: str = "start") -> str:
    name = f' class="{css}"' if css else ""
    return f'<text{name} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return escape(_plain(text))


def _plain(text: str) -> str:
    """One line without secrets and without characters that XML does not allow."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(sanitize(text).split()))
