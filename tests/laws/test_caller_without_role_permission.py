"""A Contributor cannot remove role assignments, a Data Scientist cannot read them. A teardown deletes the endpoint all
the same, and the report lists what stays.

Exit 5, until a caller who may remove them runs the command again: then nothing is left.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploy import commands, emulator
from deploy.domain.report import State
from deploy.emulator.entra.access_tokens import SIGNED_IN
from deploy.emulator.rbac import builtin_roles, role_assignments
from deploy.emulator.seed import default_world
from deploy.emulator.seed.open_world import open_world
from deploy.errors import Exit
from deploy.planning.reaping import Rules
from deploy.reporter import reap_text
from tests.laws.conftest import PLAIN
from tests.laws.stage import Stage
from tests.laws.test_deletion_faults import resources
from tests.laws.test_leases import advance_alone, lend

SUBSCRIPTION = f"/subscriptions/{default_world.SUBSCRIPTION}"
ASSIGNMENT = "00000000-0000-0000-0000-0000000000e1"
"""The assignment that makes the caller Owner in a new world."""
QUIET: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None}


def become(stage: Stage, role: str) -> None:
    """Give the caller another role instead of Owner."""
    world = open_world(stage.state / "world.sqlite")
    try:
        with world.transaction():
            role_assignments.assign(world, SUBSCRIPTION, SIGNED_IN, "ServicePrincipal", role, ASSIGNMENT, by="")
    finally:
        world.close()


def begin(stage: Stage, *, leased: bool) -> dict[str, list[str]]:
    """One endpoint with a role of its files, and the world before it."""
    emulator.reset(stage.state)
    stage.want("1")
    pipeline = stage.world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    pipeline.write_text(PLAIN[pipeline.name])
    if leased:
        lend(stage.world)
    before = resources(stage)
    assert stage.apply().exit == 0
    return before


def teardown(stage: Stage) -> commands.Result:
    return commands.teardown(stage.world.project, "law", **QUIET)


def undone(report: Any) -> list[tuple[str, str]]:
    """The kind of each failed step, and its error code."""
    return [(o.address.kind, o.error["code"]) for o in report.outcomes if o.state is State.FAILED]


@pytest.mark.parametrize("leased", [False, True], ids=["dedicated", "leased"])
def test_a_teardown_deletes_the_endpoint_and_lists_the_roles_that_stay(stage: Stage, leased: bool) -> None:
    """Those of Azure and ours. A second teardown, by an Owner, finds them by our mark."""
    before = begin(stage, leased=leased)
    become(stage, builtin_roles.CONTRIBUTOR)
    done = teardown(stage)
    left = set(resources(stage)["roles"]) - set(before["roles"])

    assert (done.exit, done.report.ok) == (Exit.STEP_FAILED, False)
    assert stage.seen()["endpoints"] == {}
    assert len(left) == 4
    refused, kept = (2, 2) if leased else (3, 1)
    assert undone(done.report) == [("role", "AML323")] * refused + [("role", "AML383")] * kept
    become(stage, builtin_roles.OWNER)
    assert teardown(stage).exit == Exit.OK
    assert resources(stage) == before


@pytest.mark.parametrize("leased", [False, True], ids=["dedicated", "leased"])
def test_a_caller_that_cannot_read_roles_deletes_the_endpoint(stage: Stage, leased: bool) -> None:
    """The report names the identity whose assignments may stay; a second teardown, by an Owner, finds them."""
    before = begin(stage, leased=leased)
    become(stage, builtin_roles.DATA_SCIENTIST)
    done = teardown(stage)
    left = set(resources(stage)["roles"]) - set(before["roles"])
    [failed] = [outcome.error for outcome in done.report.outcomes if outcome.state is State.FAILED]

    assert (done.exit, stage.seen()["endpoints"]) == (Exit.STEP_FAILED, {})
    assert undone(done.report) == [("role", "AML252")]
    assert failed
    assert re.search(r"identity [0-9a-f-]{36} may stay", failed["message"])
    assert len(left) == 4
    assert teardown(stage).exit == Exit.STEP_FAILED
    become(stage, builtin_roles.OWNER)
    assert teardown(stage).exit == Exit.OK
    assert resources(stage) == before


def test_a_reap_deletes_the_endpoint_and_fails_for_its_roles(stage: Stage) -> None:
    """The text names the endpoint as deleted; the next reap by an Owner cleans up."""
    before = begin(stage, leased=True)
    advance_alone(stage.world, 150)
    become(stage, builtin_roles.CONTRIBUTOR)
    rules = Rules(within=24, force=True)
    done = commands.reap(stage.world.project, "law", rules, yes=True, show=lambda _: None, **QUIET)
    assert done.result
    text = reap_text(done.judged, done.plan, done.result.report)

    assert (done.exit, stage.seen()["endpoints"]) == (Exit.STEP_FAILED, {})
    assert "deleted         mip-" in text
    assert "1 endpoint deleted." in text
    assert text.count("cannot delete role/") == 4
    become(stage, builtin_roles.OWNER)
    assert commands.reap(stage.world.project, "law", rules, yes=True, show=lambda _: None, **QUIET).exit == Exit.OK
    assert resources(stage)["roles"] == before["roles"]


def test_one_refused_removal_stops_no_other(stage: Stage) -> None:
    """The mark of an identity stays while one of its assignments does, although its removal is allowed."""
    before = begin(stage, leased=False)
    stage.order({"kind": "refuse", "status": 403, "operation": "RoleAssignments_Delete"})
    done = teardown(stage)
    stage.order()

    assert (done.exit, stage.seen()["endpoints"]) == (Exit.STEP_FAILED, {})
    assert [kind for kind, _ in undone(done.report)] == ["role", "role"]
    assert len(resources(stage)["roles"]) == len(before["roles"]) + 2
    assert teardown(stage).exit == Exit.OK
    assert resources(stage) == before
