"""The law of rollback: whatever happened to an apply, a rollback never moves traffic to a release that was not live.

Each request of an apply of release 2 is refused, loses its answer, or is the last of a client that is killed; then a
rollback runs, and each of its requests meets the same. Without `--laws full` only requests that change something are
hit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from deploy import commands, emulator, reporter
from deploy.errors import DeployError, Exit, UsageError
from tests.laws.stage import Stage, Victims

FAULTS: tuple[dict[str, Any], ...] = ({"kind": "refuse", "status": 403}, {"kind": "lose", "times": 4})
LAST, SOME = 40, (2, 4, 6)
"""More requests than an apply or a rollback sends; and the mutating requests that are hit by default."""


def rollback(stage: Stage, **more: Any) -> int:
    """One rollback; its exit code. Errors are allowed."""
    asked: dict[str, Any] = {"approve": lambda *_: None, "emit": stage.watch, "every": True, **more}
    try:
        return int(commands.rollback(stage.world.project, "law", **asked).report.exit)
    except DeployError as error:
        return int(error.exit)


def fits(request: pytest.FixtureRequest, number: int) -> dict[str, Any]:
    full = request.config.getoption("--laws", default="some") == "full"
    return {"number": number, "plane": "arm"} if full else {"number": number, "mutating": True}


def numbers(request: pytest.FixtureRequest) -> Sequence[int]:
    return range(1, LAST) if request.config.getoption("--laws", default="some") == "full" else SOME


def mutating(stage: Stage, after: int) -> int:
    return sum(bool(row["mutating"]) for row in emulator.requests(stage.state, after=after))


def back_on_the_first(stage: Stage, told: list[str], case: str) -> None:
    """A rollback moves or leaves all traffic on release 1, and a second one sends no change."""
    code = rollback(stage)
    if code not in (Exit.OK, Exit.REFUSED) or stage.seen()["live"] != ["1"]:
        told.append(f"{case}: exit {code}, live {stage.seen()['live']}")
    last = stage.last()
    rollback(stage)
    if mutating(stage, last) or stage.seen()["live"] != ["1"]:
        told.append(f"{case}: the second rollback changed something")
    told += [f"{case}: {each}" for each in stage.broken]
    stage.broken.clear()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault["kind"]))
def test_a_rollback_after_a_failed_apply(stage: Stage, fault: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """For every request of the apply of release 2, also if that apply succeeded."""
    told: list[str] = []
    for number in numbers(request):
        stage.begin("2")
        stage.order({**fault, **fits(request, number)})
        end = stage.apply()
        stage.order()
        back_on_the_first(stage, told, f"{fault['kind']} {number} (exit {end.exit})")
        if not end.strikes:
            break
    assert number > 3
    assert not told, json.dumps(told, indent=1)


def test_a_rollback_after_a_killed_apply(stage: Stage, victims: Victims, request: pytest.FixtureRequest) -> None:
    """For every request of the apply of release 2."""
    told: list[str] = []
    for number in numbers(request):
        stage.begin("2")
        killed = victims.kill_one(stage, fits(request, number))
        back_on_the_first(stage, told, f"killed at {number}")
        if not killed:
            break
    assert number > 3
    assert not told, json.dumps(told, indent=1)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault["kind"]))
def test_a_failed_rollback_is_completed_by_the_next(
    stage: Stage, fault: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """For every request of a rollback: traffic is on one whole release, and the next rollback moves it to release 1."""
    told: list[str] = []
    for number in numbers(request):
        stage.begin("2")
        assert stage.apply().exit == 0
        last = stage.last()
        stage.order({**fault, **fits(request, number)})
        code = rollback(stage)
        struck = any("fault" in row["note"] for row in emulator.requests(stage.state, after=last))
        stage.order()
        if len(stage.seen()["live"]) != 1:
            told.append(f"{fault['kind']} {number}: exit {code}, live {stage.seen()['live']}")
        back_on_the_first(stage, told, f"{fault['kind']} {number}")
        if not struck:
            break
    assert number > 1
    assert not told, json.dumps(told, indent=1)


def test_after_a_rescue_a_rollback_changes_nothing(stage: Stage) -> None:
    """The second shift is refused and the rescue moves traffic back: the failed release is no target, and the output
    explains it.
    """
    stage.begin("2")
    shift = {"operation": "OnlineEndpoints_CreateOrUpdate", "number": 2}
    stage.order({"kind": "refuse", "status": 403, **shift})
    assert stage.apply().exit == Exit.STEP_FAILED
    stage.order()
    last, notes = stage.last(), []
    code = rollback(stage, approve=lambda plan, _: notes.extend(plan.notes))

    assert (code, mutating(stage, last), stage.seen()["live"]) == (0, 0, ["1"])
    assert "traffic is already back on blue" in notes[0]


def test_a_rolled_back_release_is_held_back_until_the_files_change(stage: Stage) -> None:
    """Plan and apply do not change it; with --allow-rolled-back, or with other files, it is deployed."""
    project = stage.world.project
    stage.begin("2")
    assert stage.apply().exit == 0
    assert rollback(stage) == 0
    plan = commands.plan(project, "law")
    last = stage.last()

    assert (plan.steps, [each["release"] for each in plan.held]) == ((), [plan.held[0]["release"]])
    assert stage.apply().exit == 0
    assert (mutating(stage, last), stage.seen()["live"]) == (0, ["1"])
    assert commands.plan(project, "law", allow_rolled_back=True).steps
    stage.want("3")
    assert stage.apply().exit == 0
    assert stage.seen()["live"] == ["3"]
    stage.want("2")
    assert stage.apply().exit == 0
    assert stage.seen()["live"] == ["2"]


def test_a_plan_file_remembers_that_a_rolled_back_release_is_allowed(stage: Stage) -> None:
    """The flag is used when the plan is created; with a plan file it is refused."""
    project = stage.world.project
    stage.begin("2")
    assert stage.apply().exit == 0
    assert rollback(stage) == 0
    file = project.root / "again.plan"
    ways: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None, "plan_file": file}
    for allowed in (False, True):
        file.write_text(reporter.plan_dump(commands.plan(project, "law", allow_rolled_back=allowed)))
        assert commands.apply(project, None, **ways).report.exit is Exit.OK
        assert stage.seen()["live"] == ["2" if allowed else "1"]
    with pytest.raises(UsageError, match="Use --allow-rolled-back with plan"):
        commands.apply(project, None, allow_rolled_back=True, **ways)


def test_a_plan_file_is_applied_again_after_its_rescue(stage: Stage) -> None:
    """The rescue records the failure on the endpoint; this does not make the plan stale."""
    project = stage.world.project
    stage.begin("2")
    file = project.root / "agreed.plan"
    file.write_text(reporter.plan_dump(commands.plan(project, "law")))
    ways: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None, "plan_file": file}
    stage.order({"kind": "refuse", "status": 403, "operation": "OnlineEndpoints_CreateOrUpdate", "number": 2})
    assert commands.apply(project, None, **ways).report.exit is Exit.STEP_FAILED
    stage.order()
    assert commands.apply(project, None, **ways).report.exit is Exit.OK
    assert stage.seen()["live"] == ["2"]


def test_a_rollback_needs_endpoint_names(stage: Stage) -> None:
    """No name does not mean all."""
    with pytest.raises(UsageError, match="Name the endpoints, or use --all"):
        commands.rollback(stage.world.project, "law", approve=lambda *_: None, emit=lambda _: None)
