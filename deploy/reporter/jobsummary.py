"""The summary of a GitHub Actions job: the plan, or the report with a timeline and the number of pictures.

GitHub rejects a summary of more than 1 MiB, so each part has a limit; what exceeds it is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from deploy.domain.plan import Plan
from deploy.domain.report import Outcome, Report, State
from deploy.reporter.markdown import report_markdown
from deploy.reporter.status_rows import EndpointRow
from deploy.reporter.timeline import starting_times
from deploy.sanitize import sanitize
from deploy.text import count

LIMIT = 1_048_576
"""Size limit of a step's summary, in bytes."""
_BARS, _NAME = 200, 60
"""Limits: steps in a timeline, characters of a step's name. Mermaid draws no text of more than 50,000 characters."""
_MARKS = {
    State.DONE: "done, ",
    State.FAILED: "crit, ",
    State.RESCUED: "active, ",
    State.INTERRUPTED: "crit, active, ",
    State.SUPERSEDED: "crit, active, ",
}
_CUT = "_This part exceeds the size limit of a summary: see the report in the artifacts._\n"


def job_summary(report: Report, plan: Plan, run_url: str = "", rows: Sequence[EndpointRow] = ()) -> str:
    """The report, a timeline and the number of pictures. `run_url`: the page that lists the run's artifacts; `rows`:
    the endpoints after the run, if they were read.
    """
    document = report_markdown(report, plan, rows).rstrip("\n")
    blocks = [document, timeline(report.outcomes), _pictures(report, run_url)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def timeline(outcomes: Sequence[Outcome]) -> str:
    """A mermaid gantt chart of the steps that ran. Each endpoint is a section that starts at zero."""
    timed = [(o, start) for o, start in zip(outcomes, starting_times(outcomes), strict=True) if o.seconds > 0]
    sections: dict[str, list[str]] = {}
    for outcome, start in timed[:_BARS]:
        sections.setdefault(outcome.address.endpoint, []).append(_bar(outcome, start))
    if not sections:
        return ""
    lines = ["```mermaid", "gantt", "  dateFormat YYYY-MM-DD HH:mm:ss.SSS", "  axisFormat %H:%M:%S"]
    for key, bars in sections.items():
        lines += [f"  section {_plain(key)}", *bars]
    more = [f"and {count(len(timed) - _BARS, 'more step')}"] if len(timed) > _BARS else []
    return "\n".join([*lines, "```", *more])


def fit_summary(text: str, limit: int) -> str:
    """The text if it has at most `limit` bytes; otherwise a note that it was left out, or nothing."""
    for words in (text, _CUT):
        if len(words.encode("utf-8", "replace")) <= limit:
            return words
    return ""


def _bar(outcome: Outcome, start: float) -> str:
    name = _plain(f"{outcome.verb} {'/'.join((outcome.address.kind, *outcome.address.rest[:1]))}")
    length = max(1, round(outcome.seconds * 1000))
    return f"  {name} :{_MARKS.get(outcome.state, '')}{_moment(start)}, {length}ms"


def _moment(seconds: float) -> str:
    """A time after a fixed midnight without a clock change, for a date axis; at most 27 days."""
    milliseconds = min(round(seconds * 1000), 27 * 86_400_000)
    days, rest = divmod(milliseconds, 86_400_000)
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"2000-01-{days + 1:02} {hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _plain(text: str) -> str:
    """Text without characters that are syntax in mermaid."""
    return re.sub(r"[^A-Za-z0-9 ._/-]+", " ", sanitize(text))[:_NAME].strip() or "step"


def _pictures(report: Report, run_url: str) -> str:
    """The number of pictures and where they are. Their own links are not known before the upload."""
    names = [name for outcome in report.outcomes for name in outcome.evidence.files]
    found = sum(name.endswith((".png", ".svg", ".jpg")) for name in names)
    where = f"[the run's artifacts]({run_url}#artifacts)" if run_url else "the report's folder"
    return f"**Probe results**: {count(found, 'picture')} in {where}." if found else ""
