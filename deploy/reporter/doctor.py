"""A diagnosis as text and JSON: a line for each thing looked at, reasons and cures below it."""

from __future__ import annotations

from itertools import chain

from deploy.domain.arm import Json
from deploy.preflight.check_result import Verdict
from deploy.preflight.doctor import Diagnosis, Line
from deploy.redact import redact_secrets
from deploy.reporter.layout import Ink, Style
from deploy.reporter.text import page
from deploy.reporter.wording import VERDICTS
from deploy.text import count

_STYLES = {Verdict.YES: Style.GREEN, Verdict.NO: Style.BAD, Verdict.UNKNOWN: Style.YELLOW}
_MARGIN = 17
"""Column after the longest verdict and its margin."""


def doctor_text(
    found: Diagnosis,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the word that people use
) -> str:
    """One line each: ok, refused or could not tell; below a refusal its reasons, each with what to do."""
    ink = Ink(width, colour, ascii)
    unchecked = [ink.line(f"- {words}", indent=2, hang=4) for words in found.unchecked]
    return page(
        [
            ink.line(f"Doctor for {found.environment}", Style.BOLD),
            list(chain.from_iterable(_line(ink, line) for line in found.lines)),
            [*ink.line("Not checked", Style.BOLD), *chain.from_iterable(unchecked)],
            ink.line(_summary(found), Style.BAD if found.exit else Style.GOOD),
        ]
    )


def doctor_json(found: Diagnosis) -> dict[str, Json]:
    """As `schemas/doctor.json` describes it."""
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
        }
    )
    assert isinstance(shown, dict)  # noqa: S101 - hide keeps the shape
    return shown


def _line(ink: Ink, line: Line) -> list[str]:
    word, style = VERDICTS[line.verdict][1], _STYLES[line.verdict]
    first = f"{line.subject}" if line.findings else f"{line.subject}: {line.words}"
    lines = ink.row((f"  {word:<{_MARGIN - 3}} ", style), first, "", column=_MARGIN)
    for finding in line.findings:
        lines += ink.line(f"{finding.code} {' '.join(finding.cause.split())}", indent=_MARGIN, hang=_MARGIN + 2)
        lines += ink.line(f"→ {finding.cure}", Style.GREEN, indent=_MARGIN, hang=_MARGIN + 2) if finding.cure else []
    return lines


def _summary(found: Diagnosis) -> str:
    totals = {verdict: sum(line.verdict is verdict for line in found.lines) for verdict in Verdict}
    said = ", ".join(f"{number} {VERDICTS[verdict][1]}" for verdict, number in totals.items() if number)
    ending = "an apply would be refused" if found.exit else "nothing found that would stop an apply"
    return f"{count(len(found.lines), 'thing')} looked at: {said}; {ending}."
