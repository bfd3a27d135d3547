"""Confirmations and hints without a terminal: they name --yes where it is needed, and only there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from deploy.cli.deploy_commands import _apply_command
from deploy.cli.runner import Approval, Invocation
from deploy.domain.plan import Plan, Step, Verb
from deploy.errors import UsageError
from tests.addresses import addr

PLAN = Plan("prod", (Step(Verb.CREATE, addr("endpoint/mip"), {}, "new"),))


@pytest.mark.parametrize("yes", [False, True])
@pytest.mark.parametrize("needed", [False, True])
def test_without_a_terminal_the_error_names_the_flag(yes: bool, needed: bool) -> None:
    """Only when a confirmation is required and --yes is missing."""
    ask = Approval(Invocation("teardown", "prod", (), yes=yes, events=None), io.StringIO())
    if yes or not needed:
        ask(PLAN, needed)
        ask(Plan("prod", ()), True)
        return
    with pytest.raises(UsageError, match=r"cannot tear down prod: no terminal .* Use --yes") as asked:
        ask(PLAN, needed)
    assert asked.value.code == "AML642"


class Terminal(io.StringIO):
    """A terminal with an answer."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y", "no", "", "YES"])
def test_any_answer_but_yes_cancels(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the word to type. The word itself goes on."""
    ask = Approval(Invocation("apply", "prod", (), yes=False, events=None), io.StringIO())
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    with pytest.raises(UsageError, match=r'cancelled, nothing was changed: you must type "yes"') as cancelled:
        ask(PLAN, True)
    assert cancelled.value.code == "AML643"
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    ask(PLAN, True)


def test_the_hint_is_a_complete_command() -> None:
    """With --yes where apply needs a confirmation and has no terminal. A plan file never needs a flag."""
    allowed = Plan("prod", PLAN.steps, allow_exposure=True)

    assert _apply_command(PLAN, ["mip"], None, needs_yes=False) == "amldeploy apply -e prod mip"
    assert _apply_command(PLAN, [], None, needs_yes=True) == "amldeploy apply -e prod --yes"
    assert _apply_command(allowed, [], None, needs_yes=True) == "amldeploy apply -e prod --allow-exposure --yes"
    assert _apply_command(allowed, [], Path("a.plan"), needs_yes=False) == "amldeploy apply a.plan"
