"""The result of a check: yes, no or unknown, its source, and the reasons for a no. The body of its step contains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from deploy.domain.arm import Address, Json
from deploy.domain.plan import Step, Verb
from deploy.domain.report import Evidence
from deploy.errors import Finding, Refused


class Verdict(StrEnum):
    """The result of a check. `unknown`: Azure did not answer, which refuses nothing."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reason:
    """One reason for a no."""

    code: str
    cause: str
    cure: str


@dataclass(frozen=True)
class CheckResult:
    """The result in words. `source`: the answers of Azure that it depends on. `unknown`: what could not be read."""

    words: str
    source: str
    reasons: tuple[Reason, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if self.reasons:
            return Verdict.NO
        return Verdict.UNKNOWN if self.unknown else Verdict.YES

    @property
    def why(self) -> str:
        """The words, what is unknown, and the source."""
        missing = f"unknown: {', '.join(self.unknown)}" if self.unknown else ""
        return "; ".join(part for part in (self.words, missing) if part) + (f" ({self.source})" if self.source else "")

    def step(self, where: Address, body: Mapping[str, Json]) -> Step:
        """The check as a step: `body` and the verdict, its source, and for a no its reasons."""
        more: dict[str, Json] = {"verdict": self.verdict.value, "source": self.source}
        if self.unknown:
            more["unknown"] = list(self.unknown)
        if self.reasons:
            more["reasons"] = [asdict(reason) for reason in self.reasons]
        return Step(Verb.CHECK, where, {**body, **more}, self.why)

    def evidence(self, where: Address, data: Mapping[str, Json]) -> Evidence:
        """The evidence of a check that runs right before the first change; raises Refused for a no."""
        if self.reasons:
            raise Refused(findings([self.step(where, data)]))
        return Evidence(self.why, {**data, "verdict": self.verdict.value, "source": self.source})


def findings(steps: Sequence[Step]) -> list[Finding]:
    """Every reason of every failed check, with its source."""
    return [
        Finding(str(step.address), str(reason["code"]), _sourced(str(reason["cause"]), step.body), str(reason["cure"]))
        for step in steps
        if step.verb is Verb.CHECK
        for reason in step.body.get("reasons", ())
    ]


def _sourced(cause: str, body: Mapping[str, Json]) -> str:
    return f"{cause} ({body['source']})" if body.get("source") else cause
