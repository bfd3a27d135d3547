"""Headroom: how much of a limit a plan needs, and how much is left. For one check, and for all checks of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

    What is unlimited has no Limit. `stated_by`: the key of `service_limits` that states a raised limit; `left` is then
    what is left of the published one, and missing more is no reason to refuse.
    """

    what: str
    needs: int
    left: int | None
    code: str
    stated_by: str = ""

    @property
    def missing(self) -> int:
        """How many are missing; 0 if there are enough, or if it is unknown."""
        return max(self.needs - self.left, 0) if self.left is not None else 0

    def body(self) -> dict[str, Json]:
        """The limit, for the body of a check."""
        return {
            "what": self.what,
            "needs": self.needs,
            "left": self.left,
            **({"stated_by": self.stated_by} if self.stated_by else {}),
        }


def left(limit: Json, used: Json) -> int | None:
    """What is left of a limit; None if a number is unknown, or the limit is -1 (unlimited)."""
    return None if limit in (None, -1) or used is None else int(limit) - int(used)


def limits_exceeded_together(steps: Sequence[Step]) -> list[Finding]:
    """Limits that are enough for each check alone, but not for all checks together."""
    findings = []
    for first, limits, cause in _exceeded(steps):
        if len(limits) > 1 and not limits[0].get("stated_by"):
            cure = "Use less, apply fewer endpoints, or request more"
            findings.append(Finding(str(first.address), "AML203", f"{cause} free{_source(first)}", cure))
    return findings


def raisable_limits_exceeded(steps: Sequence[Step], environment: str) -> list[str]:
    """A note for each published limit that is too low, and that Azure raises on request."""
    return [
        f"{cause} left of the published limit. If Azure raised it, set service_limits.{limits[0]['stated_by']} in"
        f" environments/{environment}.yml; otherwise request a higher limit."
        for _, limits, cause in _exceeded(steps)
        if limits[0].get("stated_by")
    ]


def _exceeded(steps: Sequence[Step]) -> Iterator[tuple[Step, list[Mapping[str, Json]], str]]:
    """The limits that are too low for all checks together: the first check, its rows, `what: need N, M`."""
    by_limit: dict[str, list[tuple[Step, Mapping[str, Json]]]] = {}
    for step in steps:
        if step.body.get("verdict") != Verdict.NO:
            for limit in step.body.get("limits", ()):
                by_limit.setdefault(str(limit["what"]), []).append((step, limit))
    for what, sharing in by_limit.items():
        needs = [int(limit["needs"]) for _, limit in sharing]
        known = [int(limit["left"]) for _, limit in sharing if limit["left"] is not None]
        if known and sum(needs) > min(known):
            yield sharing[0][0], [limit for _, limit in sharing], f"{what}: need {_sum(needs)}, {min(known)}"


def _source(step: Step) -> str:
    return f" ({step.body['source']})" if step.body.get("source") else ""


def _sum(numbers: Iterable[int]) -> str:
    """`24 + 48 = 72`; for many numbers, equal ones are counted: `100 x 24 = 2400`."""
    parts = [n for n in numbers if n]
    terms = list(map(str, parts))
    if len(parts) > _TERMS:
        terms = [f"{times} x {n}" for n, times in sorted(Counter(parts).items())]
    return terms[0] if len(terms) == 1 and len(parts) == 1 else f"{' + '.join(terms)} = {sum(parts)}"
