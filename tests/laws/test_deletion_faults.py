"""Law 6: after a teardown, or after Azure's own deletion and a reap, the world is the same as before.

This also holds when a request of the teardown is refused or its answer is lost, whichever request it is: a second run
leaves nothing. And it holds when the deploy was refused, lost its answers or was killed at any request: an existing
endpoint has its owner recorded, or has it after one run of reap. Tests read the file of the world, so faults do not
affect them.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from deploy import commands, emulator
from deploy.emulator.seed.open_world import open_world
from deploy.errors import DeployError
from deploy.planning.reaping import Rules
from tests.laws.stage import Stage, Victims, spread
from tests.laws.test_leases import advance_alone, lend

REQUESTS = 45
"""More requests than a deploy sends; a number after the last request has no effect."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "refuse", "status": 403},
    {"kind": "refuse", "status": 503, "times": "always"},
    {"kind": "lose", "times": 4},
    {"kind": "reset", "times": 4},
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--laws", default="some") == "full"
    numbers = range(1, REQUESTS + 1)
    if "every" in metafunc.fixturenames:
        ids = [f"{fault['kind']}{fault.get('status', '')}" for fault in FAULTS]
        cases = [(fault, 1, 1) if full or i == 0 else (fault, i, len(FAULTS) - 1) for i, fault in enumerate(FAULTS)]
        metafunc.parametrize(("fault", "first", "every"), cases, ids=ids)
    elif "stopped" in metafunc.fixturenames:
        cases = spread(FAULTS, numbers, every=2 if full else 1)
        ids = [f"{fault['kind']}{fault.get('status', '')}-{fault['number']}" for fault in cases]
        pick = slice(None) if full else slice(20, None, 37)
        metafunc.parametrize("stopped", cases[pick], ids=ids[pick])
    elif "killed_at" in metafunc.fixturenames:
        metafunc.parametrize("killed_at", numbers if full else numbers[21::9])


def resources(stage: Stage) -> dict[str, list[str]]:
    """Every resource, role assignment and core in use, of the whole world."""
    world = open_world(stage.state / "world.sqlite")
    try:
        with world.transaction():
            world.apply_due()
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
    """One teardown or reap; errors of ours are allowed."""
    with contextlib.suppress(DeployError):
        quiet: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None}
        if how == "reap":
            commands.reap(stage.world.project, "law", Rules(), yes=True, show=lambda _: None, **quiet)
        else:
            commands.teardown(stage.world.project, "law", **quiet)


@pytest.mark.parametrize("how", ["teardown", "reap"])
def test_a_fault_in_a_teardown_leaves_nothing_behind(
    stage: Stage, how: str, fault: dict[str, Any], first: int, every: int
) -> None:
    """For every request of a teardown or reap: the refusal and one other fault, or all faults with `--laws full`."""
    emulator.reset(stage.state)
    stage.want("1")
    lend(stage.world)
    before = resources(stage)
    assert stage.apply().exit == 0
    if how == "reap":
        advance_alone(stage.world, 169)
    deployed, sent = stage.keep(), stage.last()
    number, struck = first, True
    while struck:
        stage.restore(deployed)
        stage.order({**fault, "number": number})
        end(stage, how)
        struck = any("fault" in row["note"] for row in emulator.requests(stage.state, after=sent))
        stage.order()
        end(stage, how)

        assert resources(stage) == before, f"request {number}"
        number += every
    assert number > 5 + every


def shared(stage: Stage) -> dict[str, list[str]]:
    """A new world, its resources, and files for shared quota and a role."""
    emulator.reset(stage.state)
    stage.order()
    stage.want("1")
    lend(stage.world)
    return resources(stage)


def azure_deletes_it(stage: Stage) -> None:
    """Run reap, which records the owner if the deploy did not; then the lease ends."""
    if stage.seen()["endpoints"] and not recorded(stage):
        end(stage, "reap")
        assert recorded(stage)
    advance_alone(stage.world, 170)
    assert stage.seen()["endpoints"] == {}
    end(stage, "reap")


def recorded(stage: Stage) -> bool:
    """Return whether one of the role assignments that Azure created has the owner in its description."""
    world = open_world(stage.state / "world.sqlite")
    try:
        bodies = [row[0] for row in world.db.execute("SELECT body FROM role_assignments")]
    finally:
        world.close()
    return any("assigned by Azure" in body for body in bodies)


def test_a_failed_deploy_leaves_nothing_after_the_lease(stage: Stage, stopped: dict[str, Any]) -> None:
    """A deploy that is refused or loses its answers, and is never repeated."""
    before = shared(stage)
    stage.order(stopped)
    stage.apply()
    stage.order()
    azure_deletes_it(stage)

    assert resources(stage) == before


def test_a_killed_deploy_leaves_nothing_after_the_lease(stage: Stage, victims: Victims, killed_at: int) -> None:
    """The killed process cannot record anything."""
    before = shared(stage)
    victims.kill_one(stage, {"number": killed_at})
    azure_deletes_it(stage)

    assert resources(stage) == before


def test_the_owner_is_recorded_before_roles(stage: Stage) -> None:
    """The owner of an endpoint is recorded before any other step, so no run of reap is needed during its life."""
    before = shared(stage)
    stage.order(
        {"kind": "refuse", "status": 403, "operation": "RoleAssignments_Create", "times": "always", "number": 2}
    )
    stage.apply()
    stage.order()
    assert recorded(stage)
    azure_deletes_it(stage)

    assert resources(stage) == before


def test_removed_roles_keep_the_owner_record(stage: Stage) -> None:
    """The last role of the files is removed; the role assignments that Azure created still record the owner."""
    before = shared(stage)
    assert stage.apply().exit == 0
    lend(stage.world, roles=False)
    assert stage.apply().exit == 0
    azure_deletes_it(stage)

    assert resources(stage) == before
