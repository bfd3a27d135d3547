"""Refusals of access: retried only while a role assignment that is needed is new, by the service's time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.emulator.seed.open_world import open_world
from tests.laws.conftest import PLAIN
from tests.laws.stage import Stage

PULL = {
    "kind": "operation_failed", "operation": "OnlineDeployments_CreateOrUpdate", "code": "BadArgument",
    "message": "Authorization error: the endpoint's identity needs AcrPull on the registry.",
}  # fmt: skip
DENIED = {
    "kind": "refuse",
    "operation": "OnlineDeployments_CreateOrUpdate",
    "status": 403,
    "code": "AuthorizationFailed",
}
UNREAD = {"kind": "refuse", "operation": "RoleAssignments_ListForScope", "status": 403, "times": "always"}


@pytest.fixture
def deployed(stage: Stage) -> Stage:
    """Release 1 is deployed, and release 2 is in the files, with six attempts for each step."""
    stage.begin("1")
    assert stage.apply().exit == 0
    stage.world.want(release="2", attempts=6)
    return stage


def pipeline(stage: Stage) -> Path:
    return Path(stage.world.project.root) / "templates" / "plain" / "pipeline.yml.j2"


@pytest.fixture(autouse=True)
def plain_pipeline(stage: Stage) -> Any:
    yield
    pipeline(stage).write_text(PLAIN["pipeline.yml.j2"])


def age(stage: Stage) -> None:
    """Every role assignment was created in January."""
    world = open_world(stage.state / "world.sqlite")
    with world.transaction():
        rows = world.db.execute("SELECT id, json_extract(body, '$.properties.createdOn') FROM role_assignments")
        for identifier, created in rows.fetchall():
            world.db.execute(
                "UPDATE role_assignments SET body = replace(body, ?, '2026-01-01T00:00:00Z') WHERE id = ?",
                (created, identifier),
            )
    world.close()


def puts(stage: Stage, *faults: dict[str, Any]) -> tuple[int, int]:
    """The exit code of an apply under these faults, and how often it sent the deployment."""
    stage.order(*faults)
    end = stage.apply()
    stage.order()
    return end.exit, max(times for (_, path), times in end.sent.items() if path.endswith(("/blue", "/green")))


def test_a_new_role_is_waited_for(deployed: Stage) -> None:
    """The assignments of the first apply are minutes old: the refusal passes, though this plan assigns nothing."""
    assert puts(deployed, PULL) == (0, 2)


def test_an_old_role_is_not_waited_for(deployed: Stage) -> None:
    """AcrPull was assigned long ago: waiting changes nothing, also if the plan assigns a role that cannot help."""
    age(deployed)
    assert puts(deployed, {**PULL, "times": "always"}) == (5, 1)
    age(deployed)
    text = pipeline(deployed).read_text()
    more = text.replace("roles: [", "roles: [{role: Storage Blob Data Owner, scope: workspace_storage}, ")
    pipeline(deployed).write_text(more)
    assert puts(deployed, {**PULL, "times": "always"}) == (5, 1)


def test_unread_assignments_count_if_the_plan_makes_one(deployed: Stage) -> None:
    """The list is forbidden, so the plan assigns every role: a refusal is retried. Without roles it is final."""
    age(deployed)
    assert puts(deployed, PULL, UNREAD) == (0, 2)
    pipeline(deployed).write_text(PLAIN["pipeline.yml.j2"].partition("\n")[2])
    deployed.world.want(release="3", attempts=6)
    assert puts(deployed, PULL, UNREAD) == (5, 1)


def test_roles_of_the_caller(deployed: Stage) -> None:
    """A refusal of the caller is about its own assignments, not about those of the endpoint's identity."""
    assert puts(deployed, DENIED) == (0, 2)
    long_ago = 'UPDATE role_assignments SET body = replace(body, \'"createdOn":"2\', \'"createdOn":"1\')'
    world = open_world(deployed.state / "world.sqlite")
    with world.transaction():
        world.db.execute(f"{long_ago} WHERE scope NOT LIKE '%/providers/%'")
    world.close()
    deployed.world.want(release="3", attempts=6)
    assert puts(deployed, {**DENIED, "times": "always"}) == (5, 1)
