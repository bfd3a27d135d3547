"""Headroom: how much of a limit a plan needs, and how much is left. For one check, and for all checks of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.domain.arm import Json
from deploy.domain.plan import Step
from deploy.errors import Finding
from deploy.preflight.check_result import Verdict

_TERMS = 4
"""Numbers of a sum that are written out."""


@dataclass(frozen=True)
class Limit:
    """A limit. `what` names it ("cores of standardDSv2Family in eastus"). `left` is None if it is unknown.

    What is unlimited has no Limit.
    """

    what: str
    needs: int
    left: int | None
    code: str

    @property
    def missing(self) -> int:
        """How many are missing; 0 if there are enough, or if it is unknown."""
        return max(self.needs - self.left, 0) if self.left is not None else 0

    def body(self) -> dict[str, Json]:
        """The limit, for the body of a check."""
        return {"what": self.what, "needs": self.needs, "left": self.left}


def left(limit: Json, used: Json) -> int | None:
    """What is left of a limit; None if a number is unknown, or the limit is -1 (unlimited)."""
    return None if limit in (None, -1) or used is None else int(limit) - int(used)


def limits_exceeded_together(steps: Sequence[Step]) -> list[Finding]:
    """Limits that are enough for each check alone, but not for all checks together."""
    by_limit: dict[str, list[tuple[Step, Mapping[str, Json]]]] = {}
    for step in steps:
        if step.body.get("verdict") != Verdict.NO:
            for limit in step.body.get("limits", ()):
                by_limit.setdefault(str(limit["what"]), []).append((step, limit))
    findings = []
    for what, sharing in by_limit.items():
        needs = [int(limit["needs"]) for _, limit in sharing]
        known = [int(limit["left"]) for _, limit in sharing if limit["left"] is not None]
        if len(sharing) > 1 and known and sum(needs) > min(known):
            first, cure = sharing[0][0], "Use less, apply fewer endpoints, or request more"
            cause = f"{what}: need {_sum(needs)}, {min(known)} free{_source(first)}"
            findings.append(Finding(str(first.address), "AML203", cause, cure))
    return findings


def _source(step: Step) -> str:
    return f" ({step.body['source']})" if step.body.get("source") else ""


def _sum(numbers: Iterable[int]) -> str:
    """`24 + 48 = 72`; for many numbers, equal ones are counted: `100 x 24 = 2400`."""
    parts = [n for n in numbers if n]
    terms = list(map(str, parts))
    if len(parts) > _TERMS:
        terms = [f"{times} x {n}" for n, times in sorted(Counter(parts).items())]
    return f"{' + '.join(terms)} = {sum(parts)}"
