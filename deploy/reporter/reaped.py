"""Who goes, who stays, and what became of it: words for a person who reads it the morning after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from deploy.counting import count
from deploy.model import Plan, Step, Verb
from deploy.outcome import Outcome, Report, State


class Judged(Protocol):
    """What is needed of a judgement."""

    @property
    def candidates(self) -> Iterable[Any]: ...

    @property
    def spared(self) -> Iterable[Any]: ...

    @property
    def findings(self) -> Iterable[Any]: ...


def reaped_text(judged: Judged, plan: Plan, report: Report | None) -> str:
    """A line for each endpoint, a line for each that is spared, and a sentence. `report` is None for a dry run."""
    outcomes = {} if report is None else {(o.address, o.verb): o for o in report.outcomes}
    candidates = list(judged.candidates)
    undone = {key[0].split("/")[1] for key, o in outcomes.items() if o.state is not State.DONE}
    failed = undone & {each.name for each in candidates}
    lines = []
    for each in candidates:
        verb = "would go" if report is None else "not deleted" if each.name in failed else "deleted"
        verb = "would clear" if verb == "would go" and each.earlier else "cleared" if each.earlier else verb
        steps = [step for step in plan.steps if step.endpoint == each.name and step.verb is Verb.DELETE]
        lines.append(f"{verb:<11}  {each.name}: {each.why} ({count(len(steps), 'deletion')})")
    lines += [f"{'spared':<11}  {each.name}: {each.why}" for each in judged.spared]
    lines += [_record(step, report, outcomes) for step in plan.steps if step.room == "record"]
    lines += [
        f"{'':<11}  {o.address}: {o.error['message']}" for o in outcomes.values() if o.error and o.state is State.FAILED
    ]
    ends = [each.name for each in candidates if not each.earlier]
    sentence = _sentence(len(ends), len(failed & {*ends}), report, cleared=len(candidates) > len(ends))
    return "\n".join([*lines, sentence if not judged.findings else sentence.partition(" Nothing")[0]]) + "\n"


def _record(step: Step, report: Report | None, outcomes: Mapping[tuple[str, Verb], Outcome]) -> str:
    """Somebody who stays and of whom it is noted whose it is."""
    outcome = outcomes.get((step.address, step.verb))
    done = outcome is not None and outcome.state is State.DONE
    verb = "would note" if report is None else "noted" if done else "not noted"
    return f"{verb:<11}  {step.endpoint}: {step.why}"


def _sentence(candidates: int, failed: int, report: Report | None, *, cleared: bool) -> str:
    if cleared and not candidates:
        return "No endpoint is due." + (" Nothing was changed: use --yes to delete." if report is None else "")
    if not candidates:
        return "Nothing is due."
    if report is None:
        return f"{count(candidates, 'endpoint')} would go. Nothing was changed: say --yes to delete."
    return f"{count(candidates - failed, 'endpoint')} deleted" + (f", {failed} not." if failed else ".")
