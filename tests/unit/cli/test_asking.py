"""Questions and hints without a terminal: --yes is named where it is needed, and nowhere else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from deploy.cli.inspect import _next
from deploy.cli.runner import Invocation, _Approval
from deploy.domain.plan import Plan, Step, Verb
from deploy.errors import UsageError

PLAN = Plan("prod", (Step(Verb.CREATE, "endpoint/mip", {}, "new"),))


@pytest.mark.parametrize("yes", [False, True])
@pytest.mark.parametrize("needed", [False, True])
def test_a_question_that_nobody_can_answer_names_the_flag(yes: bool, needed: bool) -> None:
    """Refused only where it is asked for and not answered."""
    ask = _Approval(Invocation("teardown", "prod", (), yes=yes, events=None), io.StringIO())
    if yes or not needed:
        ask(PLAN, needed)
        ask(Plan("prod", ()), True)
        return
    with pytest.raises(UsageError, match=r"cannot tear down prod: there is no terminal to ask on. Use --yes") as asked:
        ask(PLAN, needed)
    assert asked.value.code == "AML642"


def test_the_next_command_can_be_typed_as_it_stands() -> None:
    """It names --yes where apply would ask and cannot; a plan file never needs a flag."""
    allowed = Plan("prod", PLAN.steps, allow_exposure=True)

    assert _next(PLAN, ["mip"], None, asks=False) == "amldeploy apply -e prod mip"
    assert _next(PLAN, [], None, asks=True) == "amldeploy apply -e prod --yes"
    assert _next(allowed, [], None, asks=True) == "amldeploy apply -e prod --allow-exposure --yes"
    assert _next(allowed, [], Path("a.plan"), asks=False) == "amldeploy apply a.plan"
