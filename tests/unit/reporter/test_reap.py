"""Text of `reap`: each endpoint and idle slot with its result, and a summary."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.reporter import reap_text
from tests.addresses import addr

DRY = " Nothing was changed: use --yes to delete."


@dataclass
class Decision:
    candidates: list[Any] = field(default_factory=list)
    spared: list[Any] = field(default_factory=list)
    findings: list[Any] = field(default_factory=list)
    idle: list[Any] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)


EXPIRED = SimpleNamespace(name="mip", why="expired", gone=False, earlier=False)
EARLIER = SimpleNamespace(name="cxr", why="expired", gone=True, earlier=True)
SLOT = SimpleNamespace(endpoint="mip", deployment="blue", why="idle", instances=2, instance_type="S")
DELETE = Step(Verb.DELETE, addr("endpoint/mip"), {}, "expired")
RECORD = Step(Verb.UPDATE, addr("identity/mi2"), {}, "records its owner")
PLAN = Plan("dev", (DELETE,))


def report(state: State) -> Report:
    error = {"code": "AML300", "message": "no"} if state is State.FAILED else None
    return Report("dev", "f", (Outcome(addr("endpoint/mip"), Verb.DELETE, state, 1, 1.0, error),))


@pytest.mark.parametrize(
    ("decision", "result", "lines"),
    [
        (Decision(), None, ["Nothing to delete."]),
        (
            Decision([EXPIRED], [SimpleNamespace(name="mi2", why="protected")], idle=[SLOT]),
            None,
            [
                "would delete    mip: expired (1 deletion)",
                "kept            mi2: protected",
                "would delete    mip/blue: idle (2 instances of S)",
                "1 endpoint and 1 idle slot would be deleted." + DRY,
            ],
        ),
        (
            Decision([EXPIRED]),
            report(State.DONE),
            ["deleted         mip: expired (1 deletion)", "1 endpoint deleted."],
        ),
        (
            Decision([EXPIRED]),
            report(State.FAILED),
            [
                "not deleted     mip: expired (1 deletion)",
                "                endpoint/mip: no",
                "0 endpoints deleted, 1 not.",
            ],
        ),
        (
            Decision([EARLIER]),
            None,
            ["would clean up  cxr: expired (0 deletions)", "No endpoint to delete, only orphans." + DRY],
        ),
        (
            Decision([EXPIRED], findings=["too many"]),
            None,
            ["would delete    mip: expired (1 deletion)", "1 endpoint would be deleted."],
        ),
    ],
)
def test_each_result_has_a_line(decision: Decision, result: Report | None, lines: list[str]) -> None:
    """A dry run, a run, a failure, orphans only, and a refusal by a guard."""
    assert reap_text(decision, PLAN, result).splitlines() == lines


def test_an_endpoint_that_gets_a_record_is_listed() -> None:
    """Its identity is tagged with its owner, and the endpoint is kept."""
    text = reap_text(Decision(), Plan("dev", (RECORD,)), None)
    assert text.splitlines()[0] == "would update    mi2: records its owner"
