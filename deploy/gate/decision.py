"""The answer of the gate at one look: continue, go back or hold, with the numbers behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from deploy.gate.evidence import Limit, Process, Table
from deploy.gate.latency import at_least, at_most
from deploy.gate.minutes import Minute, Rules, Sample
from deploy.text import count

ALPHA_ERRORS, ALPHA_LATENCY, ALPHA_CASES = 0.0070, 0.0028, 0.0002
"""Together 1 %: how often a rollout of a release that is no worse goes back. Not a setting."""
CASES_INCREASE = 0.05
"""Allowed increase of the rate of wrong cases. Both deployments get the same cases, so no ratio is needed; one answer
in twenty may differ, as answers at the limit of a case can."""
_REMEMBERED = 15
"""Minutes of the live deployment whose P95 the threshold of latency is computed from."""


class Answer(StrEnum):
    """What the rollout does next."""

    CONTINUE = "continue"
    GO_BACK = "go back"
    HOLD = "hold"


@dataclass(frozen=True)
class Decision:
    """An answer, one sentence for the operator, and figures.

    `figures`: `requests live`, `requests new`, `errors ...`, `p95 ...` (milliseconds, None if not known),
    `wrong cases ...` and `cases ...` of both deployments in total. `evidence errors`, `evidence latency` and
    `evidence cases`: the largest e-value so far, 1 is none; `threshold errors` ...: from which on it goes back.
    """

    answer: Answer
    sentence: str
    figures: Mapping[str, float | int | None]


@dataclass
class Evidence:
    """All evidence of a rollout so far. Add its minutes with `add`, oldest first."""

    rules: Rules
    errors: Process = field(init=False)
    latency: Process = field(init=False)
    cases: Process = field(init=False)
    _p95: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def __post_init__(self) -> None:
        increase = Limit(self.rules.max_error_ratio, self.rules.min_error_increase)
        self.errors = Process(increase, ALPHA_ERRORS, expected=0.005)
        self.latency = Process(Limit(1.0, 0.0), ALPHA_LATENCY, expected=0.05)
        self.cases = Process(Limit(1.0, CASES_INCREASE), ALPHA_CASES, expected=0.01)

    @property
    def is_worse(self) -> bool:
        """Whether the evidence of any metric ever reached its threshold."""
        return self.errors.is_worse or self.latency.is_worse or self.cases.is_worse

    def learn(self, live: Sample) -> None:
        """A minute of the live deployment before the rollout."""
        self.errors.learn(live.requests, min(live.errors, live.requests))
        if live.latency and self._p95:
            self.latency.learn(live.requests, at_most(live, median(self._p95)))
        self._remember(live)

    def add(self, minute: Minute) -> None:
        """A minute of both deployments."""
        live, new = minute.live, minute.new
        self.errors.add(_table(live.requests, live.errors, new.requests, new.errors))
        if live.latency and self._p95:
            limit = median(self._p95)
            if new.latency:
                slow = at_least(new, limit * self.rules.max_latency_ratio)
                self.latency.add(Table(live.requests, at_most(live, limit), new.requests, slow))
            else:
                self.latency.learn(live.requests, at_most(live, limit))
        self._remember(live)
        (wrong, sent), (new_wrong, new_sent) = minute.cases_live, minute.cases_new
        self.cases.add(_table(sent, wrong, new_sent, new_wrong))

    def _remember(self, live: Sample) -> None:
        if live.latency and live.requests:
            self._p95.append(live.latency.p95)


def _table(live: int, live_bad: int, new: int, new_bad: int) -> Table:
    """Counts of different metrics can be of slightly different times: no more errors than requests."""
    return Table(live, min(live_bad, live), new, min(new_bad, new))


def decide(
    rules: Rules, minutes: Sequence[Minute], *, stage_began: float, bake_over: bool, before: Sequence[Sample] = ()
) -> Decision:
    """The answer after these minutes.

    `minutes`: all finished minutes of the whole rollout, oldest first; minutes without data may be missing.
    `stage_began`: seconds since 1970, the current stage. `bake_over`: its time has passed. `before`: minutes of the
    live deployment before the rollout, oldest first; they set what is expected of latency and errors.

    Go back once the evidence of a metric has reached its threshold at any minute. Continue if the bake is over and the
    new deployment had `min_requests` requests in this stage. Otherwise hold. The same arguments give the same answer.
    """
    evidence = Evidence(rules)
    for sample in before:
        evidence.learn(sample)
    for minute in minutes:
        evidence.add(minute)
    figures = _figures(evidence, minutes)
    if evidence.is_worse:
        return Decision(Answer.GO_BACK, f"{_worse(evidence, figures)}, so go back", figures)
    requests = sum(each.new.requests for each in minutes if each.start >= stage_began)
    missing = [] if bake_over else ["bake is not over"]
    if requests < rules.min_requests:
        missing.append(f"{requests:,} of {rules.min_requests:,} requests in this stage")
    if missing:
        return Decision(Answer.HOLD, f"{' and '.join(missing)}; {_errors(figures)}", figures)
    return Decision(
        Answer.CONTINUE, f"{_errors(figures)}{_latency(figures)}: no evidence that it is worse, so continue", figures
    )


def _figures(evidence: Evidence, minutes: Sequence[Minute]) -> dict[str, float | int | None]:
    figures: dict[str, float | int | None] = {}
    for slot, samples in (("live", [m.live for m in minutes]), ("new", [m.new for m in minutes])):
        figures[f"requests {slot}"] = sum(each.requests for each in samples)
        figures[f"errors {slot}"] = sum(each.errors for each in samples)
        figures[f"p95 {slot}"] = _p95(samples)
    for slot, cases in (("live", [m.cases_live for m in minutes]), ("new", [m.cases_new for m in minutes])):
        figures[f"wrong cases {slot}"] = sum(wrong for wrong, _ in cases)
        figures[f"cases {slot}"] = sum(sent for _, sent in cases)
    for name, process in _processes(evidence):
        figures[f"evidence {name}"] = process.e_value
        figures[f"threshold {name}"] = process.threshold
    return figures


def _processes(evidence: Evidence) -> tuple[tuple[str, Process], ...]:
    return ("errors", evidence.errors), ("latency", evidence.latency), ("cases", evidence.cases)


def _p95(samples: Sequence[Sample]) -> float | None:
    """The mean of the minutes' P95, each counted as often as it has requests; None if no minute has one."""
    known = [(each.requests, each.latency.p95) for each in samples if each.latency and each.requests]
    total = sum(requests for requests, _ in known)
    return sum(requests * p95 for requests, p95 in known) / total if total else None


Figures = Mapping[str, float | int | None]


def _worse(evidence: Evidence, figures: Figures) -> str:
    """What is worse than the rules allow, with numbers."""
    rules, parts = evidence.rules, []
    if evidence.errors.is_worse:
        limit = f"{rules.max_error_ratio:g} x and {rules.min_error_increase * 100:g} % more"
        parts.append(f"{_errors(figures)}: worse than {limit}")
    if evidence.latency.is_worse:
        parts.append(f"{_latency(figures, '')}: worse than {rules.max_latency_ratio:g} x")
    if evidence.cases.is_worse:
        numbers = [int(figures[f"{what} {slot}"] or 0) for slot in ("new", "live") for what in ("wrong cases", "cases")]
        words = "new {:,} of {:,} test cases wrong, live {:,} of {:,}".format(*numbers)
        parts.append(f"{words}: worse than {CASES_INCREASE * 100:g} % more")
    return "; ".join(parts)


def _errors(figures: Figures) -> str:
    """Both error rates and the numbers of requests."""
    new, live = (int(figures[f"requests {slot}"] or 0) for slot in ("new", "live"))
    if not new or not live:
        return f"new {_requests(new)}, live {_requests(live)}"
    rates = [_percent(int(figures[f"errors {slot}"] or 0), n) for slot, n in (("new", new), ("live", live))]
    return f"new {rates[0]} % errors of {new:,} requests, live {rates[1]} % of {live:,}"


def _requests(number: int) -> str:
    return count(number, "request") if number else "no requests"


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(1, whole)
    return f"{share:.1f}" if share >= 1 else f"{share:.1g}"


def _latency(figures: Figures, before: str = "; ") -> str:
    """Both P95; empty if one is not known."""
    new, live = figures["p95 new"], figures["p95 live"]
    return "" if new is None or live is None else f"{before}p95 {new:,.0f} ms against {live:,.0f} ms"
