"""Judges random rollouts with the gate and with a fixed threshold, and counts the requests that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rollouts.simulate import LENGTH, RULES, Cell, Rollout, rollout
from deploy.gate.decision import Evidence

DELAY = 2
"""Minutes until the metrics of a minute are known."""
RUNS = (1, 2, 3, 5)
"""Minutes in a row of the fixed threshold."""


@dataclass(frozen=True)
class Judged:
    """One rollout. `minute`: the first after which the gate goes back, without the delay; None if it never does.

    `errors`: the error rate of the new deployment in each minute; `rates`: see `Rollout`.
    """

    minute: int | None
    errors: tuple[float, ...]
    rates: Sequence[tuple[int, float, float, float]]


def judge(cell: Cell, seed: int) -> Judged:
    """Simulate a rollout and look at it after each minute."""
    drawn = rollout(cell, seed)
    errors = tuple(minute.new.errors / max(1, minute.new.requests) for minute in drawn.minutes)
    return Judged(worse_since(drawn), errors, drawn.rates)


def worse_since(drawn: Rollout) -> int | None:
    """The first minute after which the evidence is enough."""
    evidence = Evidence(RULES)
    for sample in drawn.before:
        evidence.learn(sample)
    for number, minute in enumerate(drawn.minutes):
        evidence.add(minute)
        if evidence.is_worse:
            return number
    return None


def decided(minute: int | None) -> int:
    """Minutes from the start of the rollout until traffic moves back; `LENGTH` if it does not before its end."""
    return LENGTH if minute is None else min(LENGTH, minute + 1 + DELAY)


def highest(errors: Sequence[float], run: int) -> float:
    """The highest threshold that the error rate exceeds for so many minutes in a row."""
    return max(min(errors[start : start + run]) for start in range(len(errors) - run + 1))


def above_since(errors: Sequence[float], run: int, threshold: float) -> int | None:
    """The first minute after which the error rate was above the threshold for so many minutes in a row."""
    for last in range(run - 1, len(errors)):
        if min(errors[last - run + 1 : last + 1]) > threshold:
            return last
    return None


def failed(rates: Sequence[tuple[int, float, float, float]], minutes: int) -> float:
    """Expected failed requests of users in all minutes of a rollout that goes back after so many minutes."""
    number = 0.0
    for minute, (total, share, live, new) in enumerate(rates):
        part = share if minute < minutes else 0.0
        number += total * (part * new + (1 - part) * live)
    return number


def failed_at_once(rates: Sequence[tuple[int, float, float, float]]) -> float:
    """Expected failed requests of users if the new deployment gets 100 % of traffic at once and is never judged."""
    return sum(total * new for total, _, _, new in rates)
