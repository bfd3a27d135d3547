"""Plan and report for a terminal: a line a step, its reason beside it, one bold sentence at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.reporter.details import fields, unchanged
from deploy.reporter.layout import Ink, Style, cells
from deploy.reporter.problems import outcome_error
from deploy.reporter.wording import (
    EXPOSURE,
    FALLBACK,
    HELD_BACK,
    RESCUE,
    STAYS,
    became,
    exposed,
    held_back,
    lease,
    plan_summary,
    quota,
    reason,
    reasons,
    report_summary,
    sign,
    staying,
    target,
    unchecked,
    untold,
)
from deploy.text import count

_STYLES = {
    "ok": Style.CYAN,
    "refused": Style.BAD,
    "could not tell": Style.YELLOW,
    Verb.CREATE: Style.GREEN,
    Verb.UPDATE: Style.YELLOW,
    Verb.DELETE: Style.RED,
    Verb.PROBE: Style.MAGENTA,
    Verb.SHIFT: Style.BLUE,
}
"""How a sign is painted, by what it means, in the order of the legend."""
STATE_SIGNS = {
    State.DONE: ("✓", Style.GREEN),
    State.FAILED: ("✗", Style.BAD),
    State.NOT_REACHED: ("·", Style.DIM),
    State.RESCUED: ("↩", Style.YELLOW),
    State.INTERRUPTED: ("!", Style.YELLOW),
    State.SUPERSEDED: ("↪", Style.YELLOW),
}
_ADDRESS = 11
"""Column where addresses start: a margin of two, the sign, a space, the longest verb, a space."""
_IN_FULL = 12
"""Steps that create something whose every field is shown; of the others their number."""
_SUMS = {True: Style.PLAIN, False: Style.BAD, None: Style.YELLOW}


def plan_text(
    plan: Plan,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the word that people use
    hint: str = "",
) -> str:
    """The plan as a person reads it. `hint` is the command to type next; without one, no next command is named."""
    ink = Ink(width, colour, ascii)
    used = sorted({sign(step) for step in plan.all_steps}, key=lambda pair: [*_STYLES, Verb.CHECK].index(pair[1]))
    legend = [(" ".join(pair), _STYLES.get(pair[1], Style.CYAN)) for pair in used]
    blocks = [
        [*_heading(ink, "Plan", plan.environment, plan.fingerprint), *ink.line(target(plan), Style.DIM)],
        _section(ink, EXPOSURE, chain.from_iterable(ink.line(f"! {w}", Style.BAD, indent=2) for w in exposed(plan))),
        _steps(ink, plan.steps),
        ink.line(unchecked(plan), Style.DIM),
        _section(ink, "If a step fails", _steps(ink, plan.rescue)),
        _section(ink, FALLBACK, _steps(ink, plan.fallback, brief=True)),
        _section(ink, STAYS, chain.from_iterable(ink.line(each, indent=2) for each in staying(plan))),
        _section(ink, "Leases", chain.from_iterable(ink.line(lease(one), indent=2, hang=4) for one in plan.leases)),
        list(chain.from_iterable(ink.line(f"Note: {note}", Style.YELLOW, hang=6) for note in plan.notes)),
        _section(ink, HELD_BACK, chain.from_iterable(ink.line(held_back(one), indent=2, hang=4) for one in plan.held)),
        ink.flow([("Signs:", Style.DIM), *legend], indent=0) if legend else [],
        ink.line(f"Next: {hint}", Style.DIM) if hint else [],
        ink.line(plan_summary(plan), Style.BOLD if any(step.changes for step in plan.steps) else Style.GOOD),
    ]
    return page(blocks)


def report_text(
    report: Report,
    plan: Plan | None = None,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the word that people use
) -> str:
    """What became of each step when one failed, errors in full; what probes saw; `plan` tells why a step was there.

    Of a plan that went well no more than that is said, and why it fell back: whoever watched has seen its steps.
    """
    ink = Ink(width, colour, ascii)
    shown = [(o, why) for o, why in zip(report.outcomes, reasons(report, plan), strict=True) if _tells(o, report)]
    column = _column(ink, [outcome.address for outcome, _ in shown])
    lines = [(outcome.rescue, _outcome(ink, outcome, column, why)) for outcome, why in shown]
    blocks = [
        _heading(ink, "Report", report.environment, report.fingerprint),
        list(chain.from_iterable(each for rescue, each in lines if not rescue)),
        _section(ink, RESCUE, chain.from_iterable(each for rescue, each in lines if rescue)),
        _section(ink, STAYS, chain.from_iterable(ink.line(w, indent=2) for w in staying(plan))) if plan else [],
        ink.line(report_summary(report), Style.GOOD if report.ok else Style.BAD),
    ]
    return page(blocks)


def _tells(outcome: Outcome, report: Report) -> bool:
    return not report.ok or (outcome.verb is Verb.PROBE and outcome.attempts > 0) or outcome.error is not None


def page(blocks: Iterable[Sequence[str]]) -> str:
    """Blocks of lines with a blank line between them."""
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _heading(ink: Ink, what: str, environment: str, fingerprint: str) -> list[str]:
    return ink.flow(
        [(f"{what} for {environment}", Style.BOLD), (f"fingerprint {fingerprint[:12]}", Style.DIM)], indent=0
    )


def _section(ink: Ink, title: str, lines: Iterable[str]) -> list[str]:
    below = list(lines)
    return [*ink.line(title, Style.BOLD), *below] if below else []


def _column(ink: Ink, addresses: Iterable[str]) -> int:
    """Where reasons start: after the longest address that leaves them most of the line."""
    ends = [_ADDRESS + cells(ink.clean(address)) for address in addresses]
    return max((end for end in ends if end <= ink.width * 2 // 5), default=_ADDRESS) + 2


def _steps(ink: Ink, steps: Sequence[Step], *, brief: bool = False) -> list[str]:
    """A step's line and below it the fields that it sets; `brief` leaves those out, as they stand elsewhere."""
    column = _column(ink, [step.address for step in steps])
    if brief:
        return [line for step in steps for line in _step(ink, step, column)]
    created = [step for step in steps if fields(step)][:_IN_FULL]
    return [line for step in steps for line in (*_step(ink, step, column), *_fields(ink, step, full=step in created))]


def _step(ink: Ink, step: Step, column: int) -> list[str]:
    style = _SUMS[quota(step.body).enough] if step.kind == "quota" and "needed" in step.body else Style.PLAIN
    below = [(reason(step), style)] + [(f"{path}: {old} -> {new}", Style.PLAIN) for path, old, new in untold(step)]
    below += [(unchanged(step), Style.DIM)]
    mark, meaning = sign(step)
    return _entry(ink, mark, _STYLES.get(meaning, Style.CYAN), step.verb, step.address, below, column)


def _fields(ink: Ink, step: Step, *, full: bool) -> list[str]:
    told = [f"{path}: {value}" for path, value in fields(step)]
    told = told if full or not told else [f"({count(len(told), 'field')}: see -o json)"]
    return [line for text in told for line in ink.line(text, Style.DIM, indent=_ADDRESS, hang=_ADDRESS + 2)]


def _outcome(ink: Ink, outcome: Outcome, column: int, why: str) -> list[str]:
    words = became(outcome) + (f": {why}" if why and outcome.state is State.NOT_REACHED else "")
    below = [
        (words, Style.DIM if outcome.state is State.DONE else Style.PLAIN),
        (outcome.evidence.summary, Style.PLAIN),
    ]
    lines = _entry(ink, *STATE_SIGNS[outcome.state], outcome.verb, outcome.address, below, column)
    return lines + (outcome_error(ink, outcome.error, indent=_ADDRESS) if outcome.error else [])


def _entry(
    ink: Ink, sign: str, style: Style, verb: Verb, address: str, below: Sequence[tuple[str, Style]], column: int
) -> list[str]:
    """A step's own line, with whatever is said about it in the column beside and below."""
    said = [(text, how) for text, how in below if text.strip()] or [("", Style.PLAIN)]
    first = ink.row((f"  {ink.clean(sign)} {verb:<6} ", style), address, *said[0], column=column)
    return first + [line for text, how in said[1:] for line in ink.line(text, how, indent=column, hang=column + 2)]
