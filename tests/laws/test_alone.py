"""In one folder, one run at a time changes an environment: the second is told so before it has changed anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy import commands
from deploy.errors import Exit, Locked
from deploy.planning.reaping import Rules
from tests.laws.conftest import World

CHANGING: dict[str, Callable[[World], object]] = {
    "apply": World.apply,
    "teardown": World.teardown,
    "rollback": lambda w: commands.rollback(w.project, "law", every=True, approve=agree, emit=w.watch),
    "adopt": lambda w: commands.adopt(w.project, "law", approve=agree, emit=w.watch),
    "reap": lambda w: commands.reap(
        w.project, "law", Rules(), yes=True, approve=agree, emit=w.watch, show=w.said.append
    ),
    "renew": lambda w: commands.renew(w.project, "law", within=24, approve=agree, emit=w.watch, show=w.said.append),
}


def agree(*_: object) -> None:
    """Whatever is planned is agreed to."""


@pytest.mark.parametrize("verb", CHANGING)
def test_nobody_changes_what_another_run_is_at(world: World, verb: str) -> None:
    """While the first is asked whether it may: every verb that changes things is refused, looking is not."""
    refused: list[Locked] = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(Locked, match=r"apply \(process") as caught:
            CHANGING[verb](world)
        refused.append(caught.value)
        commands.plan(world.project, "law")
        commands.reap(world.project, "law", Rules(), yes=False, approve=agree, emit=world.watch, show=world.said.append)

    done = commands.apply(world.project, "law", approve=meanwhile, emit=world.watch)
    assert done.report.ok
    assert [(each.exit, each.code) for each in refused] == [(Exit.LOCKED, "AML670")]
    assert str(refused[0]).startswith(f"cannot {verb} in law: apply (process ")


def test_a_run_that_ends_lets_the_next_one_in(world: World) -> None:
    """Also one that was told no."""

    def no(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        commands.apply(world.project, "law", approve=no, emit=world.watch)
    assert world.apply().report.ok
