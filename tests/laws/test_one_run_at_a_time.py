"""In one folder, one run at a time changes an environment: a second run is refused before it changes anything."""

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
    "rollback": lambda w: commands.rollback(w.project, "law", every=True, approve=approve, emit=w.watch),
    "adopt": lambda w: commands.adopt(w.project, "law", approve=approve, emit=w.watch),
    "reap": lambda w: commands.reap(
        w.project, "law", Rules(), yes=True, approve=approve, emit=w.watch, show=w.said.append
    ),
    "renew": lambda w: commands.renew(w.project, "law", within=24, approve=approve, emit=w.watch, show=w.said.append),
}


def approve(*_: object) -> None:
    """Approve every plan."""


@pytest.mark.parametrize("verb", CHANGING)
def test_a_second_run_is_refused_while_the_first_asks(world: World, verb: str) -> None:
    """While the first run waits for approval, every changing command is refused; reading commands work."""
    refused: list[Locked] = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(Locked, match=r"apply \(process") as caught:
            CHANGING[verb](world)
        refused.append(caught.value)
        commands.plan(world.project, "law")
        commands.reap(
            world.project, "law", Rules(), yes=False, approve=approve, emit=world.watch, show=world.said.append
        )

    done = commands.apply(world.project, "law", approve=meanwhile, emit=world.watch)
    assert done.report.ok
    assert [(each.exit, each.code) for each in refused] == [(Exit.LOCKED, "AML670")]
    assert str(refused[0]).startswith(f"cannot {verb} in law: apply (process ")


def test_the_lock_is_released_when_a_run_ends(world: World) -> None:
    """Also when the first run was not approved."""

    def no(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        commands.apply(world.project, "law", approve=no, emit=world.watch)
    assert world.apply().report.ok
