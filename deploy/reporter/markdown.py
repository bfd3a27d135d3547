"""Plan, report and status for a pull request or a job summary: GitHub Markdown, shorter than a comment may be.

Remote text cannot start a table, a tag or a code block, and cannot mention a user.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.provenance import Provenance
from deploy.domain.report import Outcome, Report, State
from deploy.errors import DeployError
from deploy.reporter.cost import plan_cost, running_cost
from deploy.reporter.details import fields, unchanged
from deploy.reporter.origin import origin_words
from deploy.reporter.overview import EndpointTraffic, endpoint_traffic
from deploy.reporter.problems import diagnosis_lines, error_text
from deploy.reporter.status import idle, instances, lease_expiry, status_summary, total_cost
from deploy.reporter.status_rows import EndpointRow
from deploy.reporter.wording import (
    EXPOSURE,
    FALLBACK,
    HELD_BACK,
    REMAINING_ASSETS_TITLE,
    RESCUE,
    changes,
    exposure_lines,
    held_back_text,
    lease,
    old_values_of,
    outcome_text,
    plan_summary,
    reason,
    reasons,
    remaining_assets,
    report_summary,
    symbol,
    target,
    unchecked_note,
)
from deploy.sanitize import sanitize

LIMIT = 60_000
"""Characters; GitHub refuses a comment of more than 65,536."""
_STATE_SYMBOLS = {
    State.DONE: "✅",
    State.FAILED: "❌",
    State.NOT_REACHED: "⬜",
    State.RESCUED: "↩️",
    State.INTERRUPTED: "⏸️",
    State.SUPERSEDED: "↪️",
}
_CELL, _ERROR, _NAMED = 500, 6_000, 12
T = TypeVar("T")


def plan_markdown(plan: Plan) -> str:
    """A table of steps, and below it folded sections: changed fields, rescue, leases."""
    return _document(
        f"### Plan for {_code(plan.environment)}",
        f"**{_words(plan_summary(plan))}**",
        _words(target(plan)),
        _words(plan_cost(plan)),
        _exposure(plan),
        _caution([str(step.address) for step in plan.steps if step.verb is Verb.DELETE]),
        _table(["", "step", "reason"], plan.steps, 26_000, _step),
        unchecked_note(plan),
        _folded("Fields set or changed", _diff(plan.steps, 16_000)),
        _folded("If a step fails", _table(["", "step", "reason"], plan.rescue, 5_000, _step)),
        _folded(FALLBACK, _table(["", "step", "reason"], plan.fallback, 4_000, _step)),
        _stays(plan),
        _folded("Leases", "\n".join(_within([f"- {_words(lease(one))}" for one in plan.leases], 4_000, "- {} more"))),
        _titled(HELD_BACK, _within([f"- {_words(held_back_text(one))}" for one in plan.held], 4_000, "- {} more")),
        "\n".join(_within([f"- {_words(note)}" for note in plan.notes], 2_000, "- {} more")),
        f"Fingerprint {_code(plan.fingerprint[:12])}",
    )


def report_markdown(report: Report, plan: Plan | None = None, rows: Sequence[EndpointRow] = ()) -> str:
    """The full errors and a table of outcomes. `plan`: adds the reason of each step and the traffic of each endpoint;
    `rows`: the endpoints after the run, if they were read.
    """
    pairs = list(zip(report.outcomes, reasons(report, plan), strict=True))
    own, rescue = ([pair for pair in pairs if pair[0].rescue is is_rescue] for is_rescue in (False, True))
    failed = [outcome for outcome in report.outcomes if outcome.error]
    head = ["", "step", "outcome", "result"]
    return _document(
        f"### Report for {_code(report.environment)}",
        f"**{_words(report_summary(report))}**",
        _origin(report.provenance) if report.provenance else "",
        _words(running_cost(report.cost) or _unknown_cost(plan)),
        _table(
            ["endpoint", "traffic before", "traffic after", "scoring URI"],
            endpoint_traffic(report, plan, rows),
            5_000,
            _traffic,
        ),
        "\n\n".join(_within(failed, 23_000, "And {} more.", _error)),
        _table(head, own, 24_000, _outcome),
        f"#### {RESCUE}\n\n{_table(head, rescue, 2_000, _outcome)}" if rescue else "",
        _stays(plan),
        f"Fingerprint {_code(report.fingerprint[:12])}",
    )


def error_markdown(error: DeployError) -> str:
    """An error that stopped a command: every problem or finding, as on a terminal."""
    text = error_text(error, width=100)[: LIMIT // 6]  # escaped as HTML, a character takes up to six
    return _document("### Error", f"<pre>{html.escape(text)}</pre>")


def notices_markdown(notices: Iterable[tuple[str, str]]) -> str:
    """A list item for each title and text."""
    lines = [f"- **{_words(title)}**. {_words(text)}" for title, text in notices]
    return "\n".join(_within(lines, LIMIT, "- {} more")) + "\n"


def status_markdown(rows: Sequence[EndpointRow]) -> str:
    """A table with a row for each slot."""
    head = ["endpoint", "state", "slot", "traffic", "instances", "slot state", "release", "deployed from", "lease"]
    return _document(
        f"**{_words(status_summary(rows))}**",
        _words(running_cost(total_cost(rows))),
        _table(head, [cells for row in rows for cells in _slots(row)], LIMIT - 2_000),
    )


def _document(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def _step(step: Step) -> str:
    return f"| `{symbol(step)[0]}` {step.verb} | {_code(str(step.address))} | {_words(reason(step) or step.why)} |"


def _traffic(each: EndpointTraffic) -> str:
    """The row of an endpoint: traffic before and after the run."""
    return f"| {_words(each.title)} | {_words(each.before)} | {_words(each.after)} | {_code(each.uri)} |"


def _outcome(pair: tuple[Outcome, str]) -> str:
    """The row of an outcome and the reason of its step."""
    outcome, why = pair
    result = outcome.evidence.summary or ("" if outcome.state is State.DONE else why)
    verb = f"{_STATE_SYMBOLS[outcome.state]} {outcome.verb}"
    return f"| {verb} | {_code(str(outcome.address))} | {_words(outcome_text(outcome))} | {_words(result)} |"


def _error(outcome: Outcome) -> str:
    error = outcome.error or {}
    title = sanitize(f"{error.get('code') or ''} {error.get('message') or ''}".strip())[:_ERROR]
    request = f"\nrequest id {sanitize(str(error['request_id']))[:100]}" if error.get("request_id") else ""
    why = "".join(f"\n{sanitize(line)}" for line in diagnosis_lines(error))[:_ERROR]
    address = f"{RESCUE}: {_code(str(outcome.address))}" if outcome.rescue else _code(str(outcome.address))
    return f"{address}\n<pre>{html.escape(title + request + why)}</pre>"


def _slots(row: EndpointRow) -> Iterator[str]:
    lease_words = "" if row.hours_left is None else f"{lease_expiry(row.hours_left)}"
    first = [
        _code(row.key),
        _words(", ".join(filter(None, (row.state, row.unmanaged, row.missed, row.alias, row.orphan)))),
    ]
    if not row.slots:
        yield f"| {' | '.join([*first, '', '', '', '', '', '', _words(lease_words)])} |"
    for n, slot in enumerate(row.slots):
        name = f"**{_words(slot.name)}** (live)" if slot.live else _words(slot.name)
        name += f" ({_words(idle(slot))})" if slot.idle_since else ""
        cells = [f"{slot.traffic} %", _words(instances(slot)), _words(slot.state), _code(slot.release[:8])]
        cells.append(_origin(slot.provenance))
        ends = [*first, _words(lease_words)] if n == 0 else ["", "", ""]
        yield f"| {' | '.join([*ends[:2], name, *cells, ends[2]])} |"


def _unknown_cost(plan: Plan | None) -> str:
    """Of a plan that changes something, if its prices were not read."""
    changes_something = plan is not None and plan.prices is None and any(step.changes for step in plan.steps)
    return "Running cost: unknown, prices were not read." if changes_something else ""


def _origin(provenance: Provenance) -> str:
    """Commit, user and time, and a link to the run. The URL contains no character that ends the link."""
    text = _words(", ".join(origin_words(provenance)))
    return ", ".join(filter(None, (text, f"[run]({provenance.run_url})" if provenance.run_url else "")))


def _exposure(plan: Plan) -> str:
    lines = list(_within([f"> - {_words(each)}" for each in exposure_lines(plan)], 4_000, "> - {} more"))
    return "\n".join([f"> [!WARNING]\n> **{EXPOSURE}**", *lines]) if lines else ""


def _stays(plan: Plan | None) -> str:
    return _folded(
        REMAINING_ASSETS_TITLE,
        "\n".join(_within([f"- {_code(each)}" for each in remaining_assets(plan)], 4_000, "- {} more") if plan else ()),
    )


def _caution(addresses: Sequence[str]) -> str:
    if not addresses:
        return ""
    named = ", ".join(_code(address) for address in addresses[:_NAMED])
    more = f" and {len(addresses) - _NAMED} more" if len(addresses) > _NAMED else ""
    return f"> [!CAUTION]\n> Deletes {named}{more}."


def _diff(steps: Iterable[Step], budget: int) -> str:
    lines = [line for step in steps for line in _changed(step)]
    return "\n".join(["```diff", *_within(lines, budget, "# {} more"), "```"]) if lines else ""


def _changed(step: Step) -> Iterator[str]:
    found = [tuple(" ".join(sanitize(part).split()) for part in change) for change in _labelled(step)]
    new = fields(step)
    if found or new:
        lines = [f"@@ {' '.join(sanitize(str(step.address)).split())} @@"]
        lines += [f"- {path}: {old}\n+ {path}: {new}" for path, old, new in found]
        lines += [f"+ {' '.join(sanitize(path).split())}: {' '.join(sanitize(value).split())}" for path, value in new]
        lines += [f"  {unchanged(step)}"] if unchanged(step) else []
        yield from lines


def _labelled(step: Step) -> list[tuple[str, str, str]]:
    """The changes of a step; an old value names its deployment if the reason has the values of another one."""
    slot = old_values_of(step)
    return [(path, f"{old} ({slot})" if slot else old, new) for path, old, new in changes(step)]


def _table(head: Sequence[str], rows: Sequence[T], budget: int, show: Callable[[T], str] = str) -> str:
    if not rows:
        return ""
    top = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*top, *_within(rows, budget, "| | {} more |" + " |" * (len(head) - 2), show)])


def _within(items: Sequence[T], budget: int, more: str, show: Callable[[T], str] = str) -> Iterator[str]:
    """Items as lines up to `budget` characters, then the number of those left out, which are not rendered."""
    for n, item in enumerate(items):
        line = show(item)
        budget -= len(line) + 2
        if budget < 0:
            yield more.format(len(items) - n)
            return
        yield line


def _titled(title: str, lines: Iterable[str]) -> str:
    below = list(lines)
    return "\n".join([f"#### {title}", "", *below]) if below else ""


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{inside}\n\n</details>" if inside else ""


def _words(text: str) -> str:
    """Plain text: Markdown and HTML are escaped, and no user is mentioned."""
    line = " ".join(sanitize(text).split())
    line = line if len(line) <= _CELL else line[: _CELL - 1] + "…"
    line = re.sub(r"([\\`*_{}\[\]|~#])", r"\\\1", html.escape(line, quote=False))
    return re.sub(r"(?<=@)(?=\w)", "\u200b", line)


def _code(text: str) -> str:
    """Text as inline code, with as many backticks as it needs."""
    line = " ".join(sanitize(text).split()).replace("|", "\\|")[:_CELL]
    if not line:
        return ""
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", line)), default=0) + 1)
    return f"{ticks} {line} {ticks}" if "`" in line else f"`{line}`"
