"""The report of `doctor`: a line for each check before apply. Pure data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.domain.arm import Json
from deploy.domain.plan import Step, Verb
from deploy.errors import Exit, Finding
from deploy.preflight.check_result import Verdict, findings


@dataclass(frozen=True)
class Line:
    """One check. `findings`: the reasons for a no; `source`: the answer of Azure, if the words do not contain it."""

    subject: str
    verdict: Verdict
    words: str
    source: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """Every line, and what is not checked."""

    environment: str
    lines: tuple[Line, ...]
    unchecked: tuple[str, ...]
    orphans: tuple[Mapping[str, Json], ...] = ()
    """Endpoints that no entry of the file names: see `orphans.as_json`. They do not stop an apply."""
    notes: tuple[str, ...] = ()
    """The orphans in words, with the commands that delete or adopt them."""

    @property
    def exit(self) -> Exit:
        """The exit code that apply would have before its first change."""
        return Exit.REFUSED if any(line.verdict is Verdict.NO for line in self.lines) else Exit.OK


def of_plan(steps: Sequence[Step], against: Sequence[Finding]) -> list[Line]:
    """A line for each check, and one for each other reason to refuse the plan."""
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
    known = {finding for line in lines for finding in line.findings}
    return lines + [Line(f.address, Verdict.NO, f.cause, "", (f,)) for f in against if f not in known]
