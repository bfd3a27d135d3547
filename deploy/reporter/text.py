"""Plan and report for a terminal: one line for each step with its reason, and a summary as the last line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.reporter.cost import plan_cost, running_cost
from deploy.reporter.details import fields, unchanged, unchanged_fields
from deploy.reporter.layout import Layout, Style, cells
from deploy.reporter.problems import outcome_error
from deploy.reporter.wording import (
    EXPOSURE,
    FALLBACK,
    HELD_BACK,
    REMAINING_ASSETS_TITLE,
    RESCUE,
    exposure_lines,
    held_back_text,
    lease,
    outcome_text,
    plan_duration,
    plan_summary,
    reason,
    reasons,
    remaining_assets,
    report_summary,
    symbol,
    target,
    unchecked_note,
    undescribed_changes,
)
from deploy.text import count

_STYLES = {
    "ok": Style.CYAN,
    "refused": Style.BAD,
    "unknown": Style.YELLOW,
    Verb.CREATE: Style.GREEN,
    Verb.UPDATE: Style.YELLOW,
    Verb.DELETE: Style.RED,
    Verb.PROBE: Style.MAGENTA,
    Verb.GATE: Style.MAGENTA,
    Verb.SHIFT: Style.BLUE,
}
"""Style of a symbol by its meaning, in the order of the legend."""
STATE_SYMBOLS = {
    State.DONE: ("✓", Style.GREEN),
    State.FAILED: ("✗", Style.BAD),
    State.NOT_REACHED: ("·", Style.DIM),
    State.RESCUED: ("↩", Style.YELLOW),
    State.INTERRUPTED: ("!", Style.YELLOW),
    State.SUPERSEDED: ("↪", Style.YELLOW),
}
_JUDGING = (Verb.PROBE, Verb.GATE)
"""Steps whose results are part of every report."""
_ADDRESS = 11
"""Column where addresses start: a margin of two, the symbol, a space, the longest verb, a space."""
_IN_FULL = 12
"""Number of created resources that are shown with all fields; of the others only the number of fields is shown."""


def plan_text(
    plan: Plan,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the usual word
    hint: str = "",
    full: bool = False,
) -> str:
    """The plan for a terminal. `hint`: the command to type next; empty for none. `full`: whole values, all fields of
    all resources, and the fields that stay unchanged.
    """
    layout = Layout(width, colour, ascii)
    used = sorted({symbol(step) for step in plan.all_steps}, key=lambda pair: [*_STYLES, Verb.CHECK].index(pair[1]))
    legend = [(" ".join(pair), _STYLES.get(pair[1], Style.CYAN)) for pair in used]
    blocks = [
        [*_heading(layout, "Plan", plan.environment, plan.fingerprint), *layout.line(target(plan), Style.DIM)],
        _section(layout, EXPOSURE, layout.lines([f"! {one}" for one in exposure_lines(plan)], Style.BAD, indent=2)),
        _steps(layout, plan.steps, full=full),
        layout.line(unchecked_note(plan), Style.DIM),
        _section(layout, "If a step fails", _steps(layout, plan.rescue, full=full)),
        _section(layout, FALLBACK, _steps(layout, plan.fallback, brief=not full, full=full)),
        _section(layout, REMAINING_ASSETS_TITLE, layout.lines(remaining_assets(plan), indent=2)),
        _section(layout, "Leases", layout.lines(map(lease, plan.leases), indent=2, hang=4)),
        layout.lines([f"Note: {note}" for note in plan.notes], Style.YELLOW, hang=6),
        _section(layout, HELD_BACK, layout.lines(map(held_back_text, plan.held), indent=2, hang=4)),
        layout.flow([("Legend:", Style.DIM), *legend], indent=0) if legend else [],
        layout.line(plan_cost(plan), Style.DIM),
        layout.line(plan_duration(plan), Style.DIM),
        layout.line(f"Next: {hint}", Style.DIM) if hint else [],
        layout.line(plan_summary(plan), Style.BOLD if any(step.changes for step in plan.steps) else Style.GOOD),
    ]
    return join_blocks(blocks)


def report_text(
    report: Report,
    plan: Plan | None = None,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the usual word
) -> str:
    """The report for a terminal. `plan`: adds the reason of each step.

    If a step failed: the outcome of each step and the full errors. Otherwise only results of probes and gates, and the
    reason of a fallback, because the progress has listed the steps.
    """
    layout = Layout(width, colour, ascii)
    shown = [(o, why) for o, why in zip(report.outcomes, reasons(report, plan), strict=True) if _is_shown(o, report)]
    column = _column(layout, [str(outcome.address) for outcome, _ in shown])
    lines = [(outcome.rescue, _outcome(layout, outcome, column, why)) for outcome, why in shown]
    blocks = [
        _heading(layout, "Report", report.environment, report.fingerprint),
        list(chain.from_iterable(each for rescue, each in lines if not rescue)),
        _section(layout, RESCUE, chain.from_iterable(each for rescue, each in lines if rescue)),
        _section(layout, REMAINING_ASSETS_TITLE, layout.lines(remaining_assets(plan) if plan else (), indent=2)),
        layout.line(running_cost(report.cost), Style.DIM),
        layout.line(report_summary(report), Style.GOOD if report.ok else Style.BAD),
    ]
    return join_blocks(blocks)


def _is_shown(outcome: Outcome, report: Report) -> bool:
    return not report.ok or (outcome.verb in _JUDGING and outcome.attempts > 0) or outcome.error is not None


def join_blocks(blocks: Iterable[Sequence[str]]) -> str:
    """Blocks of lines with a blank line between them."""
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _heading(layout: Layout, what: str, environment: str, fingerprint: str) -> list[str]:
    return layout.flow(
        [(f"{what} for {environment}", Style.BOLD), (f"fingerprint {fingerprint[:12]}", Style.DIM)], indent=0
    )


def _section(layout: Layout, title: str, lines: Iterable[str]) -> list[str]:
    below = list(lines)
    return [*layout.line(title, Style.BOLD), *below] if below else []


def _column(layout: Layout, addresses: Iterable[str]) -> int:
    """Column of the reasons: after the longest address that takes at most two fifths of the line."""
    ends = [_ADDRESS + cells(layout.clean(address)) for address in addresses]
    return max((end for end in ends if end <= layout.width * 2 // 5), default=_ADDRESS) + 2


def _steps(layout: Layout, steps: Sequence[Step], *, brief: bool = False, full: bool = False) -> list[str]:
    """The line of each step and the fields that it sets below; `brief` omits the fields, `full` cuts nothing."""
    column = _column(layout, [str(step.address) for step in steps])
    if brief:
        return [line for step in steps for line in _step(layout, step, column)]
    if full:
        return [line for step in steps for line in _whole_step(layout, step, column)]
    created = [step for step in steps if fields(step)][:_IN_FULL]
    return [
        line for step in steps for line in (*_step(layout, step, column), *_fields(layout, step, full=step in created))
    ]


def _whole_step(layout: Layout, step: Step, column: int) -> list[str]:
    """The line of a step, all its changes, and all fields that it sets or leaves unchanged."""
    same = [f"{path}: {value} (unchanged)" for path, value in unchanged_fields(step)]
    lines = [*(f"{path}: {value}" for path, value in fields(step, full=True)), *same]
    return [
        *_step(layout, step, column, full=True), *layout.lines(lines, Style.DIM, indent=_ADDRESS, hang=_ADDRESS + 2)
    ]  # fmt: skip


def _step(layout: Layout, step: Step, column: int, *, full: bool = False) -> list[str]:
    below = [(reason(step), Style.PLAIN)]
    below += [(f"{path}: {old} -> {new}", Style.PLAIN) for path, old, new in undescribed_changes(step, full=full)]
    below += [] if full else [(unchanged(step), Style.DIM)]
    mark, meaning = symbol(step)
    return _entry(layout, mark, _STYLES.get(meaning, Style.CYAN), step.verb, str(step.address), below, column)


def _fields(layout: Layout, step: Step, *, full: bool) -> list[str]:
    lines = [f"{path}: {value}" for path, value in fields(step)]
    lines = lines if full or not lines else [f"({count(len(lines), 'field')}: see --full)"]
    return layout.lines(lines, Style.DIM, indent=_ADDRESS, hang=_ADDRESS + 2)


def _outcome(layout: Layout, outcome: Outcome, column: int, why: str) -> list[str]:
    words = outcome_text(outcome) + (f": {why}" if why and outcome.state is State.NOT_REACHED else "")
    below = [
        (words, Style.DIM if outcome.state is State.DONE else Style.PLAIN),
        (outcome.evidence.summary, Style.PLAIN),
    ]
    lines = _entry(layout, *STATE_SYMBOLS[outcome.state], outcome.verb, str(outcome.address), below, column)
    return lines + (outcome_error(layout, outcome.error, indent=_ADDRESS) if outcome.error else [])


def _entry(
    layout: Layout, mark: str, style: Style, verb: Verb, address: str, below: Sequence[tuple[str, Style]], column: int
) -> list[str]:
    """The line of a step, with the texts of `below` in the column beside it and on the lines below."""
    first, *others = [(text, how) for text, how in below if text.strip()] or [("", Style.PLAIN)]
    lines = layout.row((f"  {layout.clean(mark)} {verb:<6} ", style), address, *first, column=column)
    return lines + [line for text, how in others for line in layout.line(text, how, indent=column, hang=column + 2)]
