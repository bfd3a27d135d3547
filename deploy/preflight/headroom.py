"""Gates: so many are needed, so many are left. The one arithmetic of quota and limits, for one check or for many."""

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
    """Something of which there is only so much. `what` names it ("cores of standardDSv2Family in eastus").

    `left` is None where it could not be told. What is unlimited is no gate.
    """

    what: str
    needs: int
    left: int | None
    code: str

    @property
    def short(self) -> int:
        """How many are missing; 0 when there are enough or nobody knows."""
        return max(self.needs - self.left, 0) if self.left is not None else 0

    def body(self) -> dict[str, Json]:
        """As a check's body keeps it."""
        return {"what": self.what, "needs": self.needs, "left": self.left}


def left(limit: Json, used: Json) -> int | None:
    """What is left below a limit; None where a number is missing, or the limit is -1, which is none."""
    return None if limit in (None, -1) or used is None else int(limit) - int(used)


def together(steps: Sequence[Step]) -> list[Finding]:
    """Gates that each check finds wide enough, but not all checks at once."""
    asked: dict[str, list[tuple[Step, Mapping[str, Json]]]] = {}
    for step in steps:
        if step.body.get("verdict") != Verdict.NO:
            for gate in step.body.get("limits", ()):
                asked.setdefault(str(gate["what"]), []).append((step, gate))
    return [
        Finding(
            str(asking[0][0].address),
            "AML203",
            f"{_sum(gate['needs'] for _, gate in asking)} {what}, {least} left{_source(asking[0][0])}",
            "Use less, apply fewer endpoints, or request more",
        )
        for what, asking in asked.items()
        if len(asking) > 1
        and (least := min((gate["left"] for _, gate in asking if gate["left"] is not None), default=None)) is not None
        and sum(gate["needs"] for _, gate in asking) > least
    ]


def _source(step: Step) -> str:
    return f" ({step.body['source']})" if step.body.get("source") else ""


def _sum(numbers: Iterable[int]) -> str:
    """`24 + 48 = 72`; many equal ones are counted, since a hundred endpoints are one sum and not a hundred words."""
    parts = [n for n in numbers if n]
    told = list(map(str, parts))
    if len(parts) > _TERMS:
        told = [f"{times} x {n}" for n, times in sorted(Counter(parts).items())]
    return f"{' + '.join(told)} = {sum(parts)}"
