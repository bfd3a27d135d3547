"""The law of ends: after a teardown, or after Azure's own deletion and a reap, the world is what it was before.

Also when a request of the end is refused, or its answer is lost, whichever it is: asked again, nothing is left. And
also when the deploy was refused, lost its answers or was killed, whichever request it was at: an endpoint that is there
says whose it is, or says so after one visit of the reaper. The world is read in its file, past every fault.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from deploy import commands, emulator
from deploy.emulator.seed.open_world import opened
from deploy.errors import DeployError
from deploy.planning.reaping import Rules
from tests.laws.stage import Stage, Victims, spread
from tests.laws.test_leases import advance_alone, lend

REQUESTS = 45
"""More than a deploy sends; a number beyond the last one strikes nobody."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "refuse", "status": 403},
    {"kind": "refuse", "status": 503, "times": "always"},
    {"kind": "lose", "times": 4},
    {"kind": "reset", "times": 4},
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--laws", default="some") == "full"
    numbers = range(1, REQUESTS + 1)
    if "stopped" in metafunc.fixturenames:
        cases = spread(FAULTS, numbers, every=2 if full else 1)
        ids = [f"{fault['kind']}{fault.get('status', '')}-{fault['number']}" for fault in cases]
        pick = slice(None) if full else slice(20, None, 37)
        metafunc.parametrize("stopped", cases[pick], ids=ids[pick])
    elif "killed_at" in metafunc.fixturenames:
        metafunc.parametrize("killed_at", numbers if full else numbers[21::9])


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
        quiet: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None}
        if how == "reap":
            commands.reap(stage.world.project, "law", Rules(), yes=True, show=lambda _: None, **quiet)
        else:
            commands.teardown(stage.world.project, "law", **quiet)


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


def shared(stage: Stage) -> dict[str, list[str]]:
    """A new world, what is in it, and files that ask for shared quota and a role."""
    emulator.reset(stage.state)
    stage.order()
    stage.want("1")
    lend(stage.world)
    return held(stage)


def azure_deletes_it(stage: Stage) -> None:
    """What was not recorded when the deploy ended is so after a visit of the reaper; then its lease ends."""
    if stage.seen()["endpoints"] and not recorded(stage):
        end(stage, "reap")
        assert recorded(stage)
    advance_alone(stage.world, 170)
    assert stage.seen()["endpoints"] == {}
    end(stage, "reap")


def recorded(stage: Stage) -> bool:
    """Whether one of the assignments that Azure gave says whose it is."""
    world = opened(stage.state / "world.sqlite")
    try:
        bodies = [row[0] for row in world.db.execute("SELECT body FROM role_assignments")]
    finally:
        world.close()
    return any("given by Azure" in body for body in bodies)


def test_whatever_stops_a_deploy_nothing_is_left(stage: Stage, stopped: dict[str, Any]) -> None:
    """A deploy that is refused or loses its answers, and that nobody repeats."""
    before = shared(stage)
    stage.order(stopped)
    stage.apply()
    stage.order()
    azure_deletes_it(stage)

    assert held(stage) == before


def test_a_deploy_that_is_killed_leaves_nothing(stage: Stage, victims: Victims, killed_at: int) -> None:
    """Nobody is left to write anything down."""
    before = shared(stage)
    victims.kill_one(stage, {"number": killed_at})
    azure_deletes_it(stage)

    assert held(stage) == before


def test_a_role_that_is_refused_is_no_leak(stage: Stage) -> None:
    """The endpoint is recorded before anything else of ours: no visit is needed while it lives."""
    before = shared(stage)
    stage.order(
        {"kind": "refuse", "status": 403, "operation": "RoleAssignments_Create", "times": "always", "number": 2}
    )
    stage.apply()
    stage.order()
    assert recorded(stage)
    azure_deletes_it(stage)

    assert held(stage) == before


def test_roles_that_are_taken_out_of_the_files_take_no_record_with_them(stage: Stage) -> None:
    """With the last role of ours its mark goes; Azure's own assignments still say whose they are."""
    before = shared(stage)
    assert stage.apply().exit == 0
    lend(stage.world, roles=False)
    assert stage.apply().exit == 0
    azure_deletes_it(stage)

    assert held(stage) == before
