"""Who goes, who stays, and what became of it: words for a person who reads it the morning after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.text import count


class Judged(Protocol):
    """What is needed of a judgement."""

    @property
    def candidates(self) -> Iterable[Any]: ...

    @property
    def spared(self) -> Iterable[Any]: ...

    @property
    def findings(self) -> Iterable[Any]: ...

    @property
    def idle(self) -> Iterable[Any]: ...

    @property
    def kept(self) -> Iterable[Any]: ...


def reap_text(judged: Judged, plan: Plan, report: Report | None) -> str:
    """A line for each endpoint, then for each idle slot, and a sentence. `report` is None for a dry run.

    Where a guard refused, no endpoint goes, and a report is about the idle slots alone.
    """
    outcomes = {} if report is None else {(o.address, o.verb): o for o in report.outcomes}
    candidates, going = list(judged.candidates), None if judged.findings else report
    slots = {f"deployment/{each.endpoint}/{each.deployment}" for each in judged.idle}
    undone = {key[0].split("/")[1] for key, o in outcomes.items() if o.state is not State.DONE and key[0] not in slots}
    failed = undone & {each.name for each in candidates}
    lines = []
    for each in candidates:
        verb = "would go" if going is None else "not deleted" if each.name in failed else "deleted"
        verb = "would clear" if verb == "would go" and each.earlier else "cleared" if each.earlier else verb
        steps = [s for s in plan.steps if s.endpoint == each.name and s.verb is Verb.DELETE and s.address not in slots]
        lines.append(f"{verb:<11}  {each.name}: {each.why} ({count(len(steps), 'deletion')})")
    lines += [f"{'spared':<11}  {each.name}: {each.why}" for each in judged.spared]
    lines += [f"{_slot_verb(each, report, outcomes):<11}  {_slot(each)}" for each in judged.idle]
    lines += [f"{'kept':<11}  {_slot(each)}" for each in judged.kept]
    lines += [_record(step, going, outcomes) for step in plan.steps if step.kind == "identity"]
    lines += [
        f"{'':<11}  {o.address}: {o.error['message']}" for o in outcomes.values() if o.error and o.state is State.FAILED
    ]
    left = sum(_slot_verb(each, report, outcomes) != "deleted" for each in judged.idle)
    ends = [each.name for each in candidates if not each.earlier]
    parts = [("endpoint", len(ends), len(failed & {*ends}), going), ("idle slot", len(slots), left, report)]
    sentence = _sentence([part for part in parts if part[1]], cleared=len(candidates) > len(ends), dry=report is None)
    return "\n".join([*lines, sentence if not judged.findings else sentence.partition(" Nothing was")[0]]) + "\n"


def _slot(each: Any) -> str:
    """`mip-ab/blue: idle for 25.0 h, kept for 24 h (2 instances of Standard_NC24ads_A100_v4)`."""
    return (
        f"{each.endpoint}/{each.deployment}: {each.why} ({count(each.instances, 'instance')} of {each.instance_type})"
    )


def _slot_verb(each: Any, report: Report | None, outcomes: Mapping[tuple[str, Verb], Outcome]) -> str:
    outcome = outcomes.get((f"deployment/{each.endpoint}/{each.deployment}", Verb.DELETE))
    done = outcome is not None and outcome.state is State.DONE
    return "would go" if report is None else "deleted" if done else "not deleted"


def _record(step: Step, report: Report | None, outcomes: Mapping[tuple[str, Verb], Outcome]) -> str:
    """Somebody who stays and of whom it is noted whose it is."""
    outcome = outcomes.get((step.address, step.verb))
    done = outcome is not None and outcome.state is State.DONE
    verb = "would note" if report is None else "noted" if done else "not noted"
    return f"{verb:<11}  {step.endpoint}: {step.why}"


def _sentence(parts: Sequence[tuple[str, int, int, Report | None]], *, cleared: bool, dry: bool) -> str:
    """Of (what, how many, how many of them stay, the report or None)."""
    ahead = [count(number, what) for what, number, _, report in parts if report is None]
    behind = [
        f"{count(number - left, what)} deleted" + (f", {left} not." if left else ".")
        for what, number, left, report in parts
        if report is not None
    ]
    if not parts and cleared:
        return "No endpoint is due." + (" Nothing was changed: use --yes to delete." if dry else "")
    if not parts:
        return "Nothing is due."
    told = [f"{' and '.join(ahead)} would go."] if ahead else []
    asked = ["Nothing was changed: use --yes to delete."] if ahead and not behind else []
    return " ".join([*told, *behind, *asked])
