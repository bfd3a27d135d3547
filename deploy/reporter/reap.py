"""Result of `reap` as text: a line for each endpoint and idle slot, deleted or kept, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from deploy.domain.arm import Address, address
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.text import count

_DRY = " Nothing was changed: use --yes to delete."


class ReapDecision(Protocol):
    """The attributes of a `planning.reaping.Selection` that are printed."""

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


def reap_text(decision: ReapDecision, plan: Plan, report: Report | None) -> str:
    """A line for each endpoint, then for each idle slot, and a summary. `report` is None for a dry run.

    If a guard refused, no endpoint is deleted, and the report contains only the idle slots.
    """
    outcomes = {} if report is None else {(o.address, o.verb): o for o in report.outcomes}
    candidates, endpoints_report = list(decision.candidates), None if decision.findings else report
    slots = {address("deployment", each.endpoint, each.deployment) for each in decision.idle}
    undone = {key[0] for key, o in outcomes.items() if o.state is not State.DONE and key[0] not in slots}
    failed = {each.name for each in candidates if _is_undone(each, undone)}
    lines = []
    for each in candidates:
        clean, done = ("clean up", "cleaned up") if each.earlier else ("delete", "deleted")
        verb = f"would {clean}" if endpoints_report is None else f"not {done}" if each.name in failed else done
        steps = [s for s in plan.steps if s.endpoint == each.name and s.verb is Verb.DELETE and s.address not in slots]
        lines.append(_line(verb, f"{each.name}: {each.why} ({count(len(steps), 'deletion')})"))
    lines += [_line("kept", f"{each.name}: {each.why}") for each in decision.spared]
    lines += [_line(_slot_verb(each, report, outcomes), _slot(each)) for each in decision.idle]
    lines += [_line("kept", _slot(each)) for each in decision.kept]
    lines += [_identity(step, endpoints_report, outcomes) for step in plan.steps if step.kind == "identity"]
    failures = [o for o in outcomes.values() if o.error and o.state is State.FAILED]
    lines += [_line("", f"{o.address}: {(o.error or {})['message']}") for o in failures]
    left = sum(_slot_verb(each, report, outcomes) != "deleted" for each in decision.idle)
    ends = [each.name for each in candidates if not each.earlier]
    parts = [("endpoint", len(ends), len(failed & {*ends}), endpoints_report), ("idle slot", len(slots), left, report)]
    orphans = len(candidates) > len(ends)
    summary = _summary([part for part in parts if part[1]], orphans=orphans, dry=report is None)
    return "\n".join([*lines, summary.removesuffix(_DRY) if decision.findings else summary]) + "\n"


def _is_undone(candidate: Any, undone: Collection[Address]) -> bool:
    """Whether an endpoint still exists; for one that Azure deleted, whether something of it does."""
    gone = any(where.endpoint == candidate.name for where in undone)
    return gone if candidate.gone else address("endpoint", candidate.name) in undone


def _line(verb: str, text: str) -> str:
    return f"{verb:<14}  {text}"


def _slot(each: Any) -> str:
    """`mip-ab/blue: idle for 25.0 h, kept for 24 h (2 instances of Standard_NC24ads_A100_v4)`."""
    return (
        f"{each.endpoint}/{each.deployment}: {each.why} ({count(each.instances, 'instance')} of {each.instance_type})"
    )


def _slot_verb(each: Any, report: Report | None, outcomes: Mapping[tuple[Address, Verb], Outcome]) -> str:
    outcome = outcomes.get((address("deployment", each.endpoint, each.deployment), Verb.DELETE))
    done = outcome is not None and outcome.state is State.DONE
    return "would delete" if report is None else "deleted" if done else "not deleted"


def _identity(step: Step, report: Report | None, outcomes: Mapping[tuple[Address, Verb], Outcome]) -> str:
    """An endpoint that is kept and gets a record of its owner."""
    outcome = outcomes.get((step.address, step.verb))
    done = outcome is not None and outcome.state is State.DONE
    return _line(
        "would update" if report is None else "updated" if done else "not updated", f"{step.endpoint}: {step.why}"
    )


def _summary(parts: Sequence[tuple[str, int, int, Report | None]], *, orphans: bool, dry: bool) -> str:
    """`parts`: (noun, number, number of those not deleted, report or None). `orphans`: whether orphans are deleted."""
    planned = [count(number, what) for what, number, _, report in parts if report is None]
    done = [
        f"{count(number - left, what)} deleted" + (f", {left} not." if left else ".")
        for what, number, left, report in parts
        if report is not None
    ]
    if not parts and orphans:
        return "No endpoint to delete, only orphans." + (_DRY if dry else "")
    if not parts:
        return "Nothing to delete."
    words = [f"{' and '.join(planned)} would be deleted."] if planned else []
    return " ".join([*words, *done]) + (_DRY if planned and not done else "")
