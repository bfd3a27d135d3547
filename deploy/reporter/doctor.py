"""Result of `doctor` as text and JSON: one line for each check, with reasons and cures below it."""

from __future__ import annotations

from itertools import chain

from deploy.domain.arm import Json
from deploy.preflight.check_result import Verdict
from deploy.preflight.doctor import Diagnosis, Line
from deploy.redact import redact_secrets
from deploy.reporter.layout import Layout, Style
from deploy.reporter.text import join_blocks
from deploy.reporter.wording import VERDICTS
from deploy.text import count

_STYLES = {Verdict.YES: Style.GREEN, Verdict.NO: Style.BAD, Verdict.UNKNOWN: Style.YELLOW}
_MARGIN = 11
"""Column of the subjects."""


def doctor_text(
    found: Diagnosis,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the usual word
) -> str:
    """One line for each check: ok, refused or unknown; below a refusal its reasons, each with its cure."""
    layout = Layout(width, colour, ascii)
    unchecked = layout.lines([f"- {words}" for words in found.unchecked], indent=2, hang=4)
    return join_blocks(
        [
            layout.line(f"Prerequisites of {found.environment}", Style.BOLD),
            list(chain.from_iterable(_line(layout, line) for line in found.lines)),
            layout.lines([f"Note: {note}" for note in found.notes], Style.YELLOW, hang=6),
            [*layout.line("Not checked", Style.BOLD), *unchecked],
            layout.line(_summary(found), Style.BAD if found.exit else Style.GOOD),
        ]
    )


def doctor_json(found: Diagnosis) -> dict[str, Json]:
    """The document that `schemas/doctor.json` describes."""
    shown = redact_secrets(
        {
            "ok": not found.exit,
            "environment": found.environment,
            "lines": [
                {
                    "subject": line.subject,
                    "verdict": line.verdict.value,
                    "words": line.words,
                    "source": line.source,
                    "findings": [{"code": f.code, "cause": f.cause, "cure": f.cure} for f in line.findings],
                }
                for line in found.lines
            ],
            "unchecked": list(found.unchecked),
            "orphans": [dict(each) for each in found.orphans],
        }
    )
    assert isinstance(shown, dict)  # noqa: S101 - redaction keeps the type
    return shown


def _line(layout: Layout, line: Line) -> list[str]:
    word, style = VERDICTS[line.verdict][1], _STYLES[line.verdict]
    first = f"{line.subject}" if line.findings else f"{line.subject}: {line.words}"
    lines = layout.row((f"  {word:<{_MARGIN - 3}} ", style), first, "", column=_MARGIN)
    for finding in line.findings:
        lines += layout.line(f"{finding.code} {' '.join(finding.cause.split())}", indent=_MARGIN, hang=_MARGIN + 2)
        lines += layout.line(f"→ {finding.cure}", Style.GREEN, indent=_MARGIN, hang=_MARGIN + 2) if finding.cure else []
    return lines


def _summary(found: Diagnosis) -> str:
    totals = {verdict: sum(line.verdict is verdict for line in found.lines) for verdict in Verdict}
    counts = ", ".join(f"{number} {VERDICTS[verdict][1]}" for verdict, number in totals.items() if number)
    ending = "apply would be refused" if found.exit else "no problem found"
    return f"{count(len(found.lines), 'check')}: {counts}; {ending}."
