"""The law of ends: after a teardown, or after Azure's own deletion and a reap, the world is what it was before.

Also when a request of the end is refused, or its answer is lost, whichever it is: asked again, nothing is left. The
world is read in its file, past every fault.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from deploy import emulator, verbs
from deploy.emulator.opening import opened
from deploy.errors import DeployError
from deploy.reaper import Rules
from tests.laws.stage import Stage
from tests.laws.test_leases import advance_alone, lend

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "refuse", "status": 403},
    {"kind": "refuse", "status": 503, "times": "always"},
    {"kind": "lose", "times": 4},
    {"kind": "reset", "times": 4},
)


def held(stage: Stage) -> dict[str, list[str]]:
    """Every resource, role assignment and core in use, of the whole world."""
    world = opened(stage.state / "world.sqlite")
    try:
        with world.transaction():
            world.settle()
        rows = {
            "resources": "SELECT id FROM resources ORDER BY id",
            "roles": "SELECT id FROM role_assignments ORDER BY id",
            "cores": "SELECT deployment FROM allocations ORDER BY deployment",
            "principals": "SELECT id FROM principals ORDER BY id",
        }
        return {name: [row[0] for row in world.db.execute(query)] for name, query in rows.items()}
    finally:
        world.close()


def end(stage: Stage, how: str) -> None:
    """One end, as it comes: what it may raise is said in words."""
    with contextlib.suppress(DeployError):
        quiet: dict[str, Any] = {"approve": lambda *_: None, "tell": lambda _: None}
        if how == "reap":
            verbs.reap(stage.world.project, "law", Rules(), yes=True, show=lambda _: None, **quiet)
        else:
            verbs.teardown(stage.world.project, "law", **quiet)


@pytest.mark.parametrize("how", ["teardown", "reap"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}")
def test_whatever_is_refused_or_lost_nothing_is_left(stage: Stage, how: str, fault: dict[str, Any]) -> None:
    """For every request of an end."""
    emulator.reset(stage.state)
    stage.want("1")
    lend(stage.world)
    before = held(stage)
    number, struck = 0, True
    while struck:
        number += 1
        assert stage.apply().exit == 0
        if how == "reap":
            advance_alone(stage.world, 169)
        sent = stage.last()
        stage.order({**fault, "number": number})
        end(stage, how)
        struck = any("fault" in row["note"] for row in emulator.requests(stage.state, after=sent))
        stage.order()
        end(stage, how)

        assert held(stage) == before, f"request {number}"
    assert number > 5
