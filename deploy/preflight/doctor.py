"""Diagnosis: what would stop an apply, one line for each thing looked at. Pure data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.domain.plan import Step, Verb
from deploy.errors import Exit, Finding
from deploy.preflight.check_result import Verdict, findings


@dataclass(frozen=True)
class Line:
    """One thing looked at. `findings` say why not; `source` who answered, where the words do not say so themselves."""

    subject: str
    verdict: Verdict
    words: str
    source: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """Every line, and what was not looked at."""

    environment: str
    lines: tuple[Line, ...]
    unchecked: tuple[str, ...]

    @property
    def exit(self) -> Exit:
        """What apply would leave with before its first change."""
        return Exit.REFUSED if any(line.verdict is Verdict.NO for line in self.lines) else Exit.OK


def of_plan(steps: Sequence[Step], against: Sequence[Finding]) -> list[Line]:
    """A line for each check, and one for each reason against the plan that is no check's."""
    checks = [step for step in steps if step.verb is Verb.CHECK]
    lines = [
        Line(
            str(step.address),
            Verdict(step.body["verdict"]),
            step.why,
            str(step.body["source"]),
            tuple(findings([step])),
        )
        for step in checks
    ]
    told = {finding for line in lines for finding in line.findings}
    return lines + [Line(f.address, Verdict.NO, f.cause, "", (f,)) for f in against if f not in told]
