"""Law 14: live traffic decides whether a release goes on. A worse one goes back, an equal one is promoted.

Each scenario is a function; the default run plays some of them, `--laws full` all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import commands, emulator
from deploy.domain.report import State
from tests.laws.rollouts import WRONG, Rollout, open_rollout


@pytest.fixture
def rollout(tmp_path: Path) -> Iterator[Rollout]:
    found = open_rollout(tmp_path)
    yield found
    emulator.stop(found.state)
    assert found.broken == []


def judged(done: commands.Result) -> list[dict[str, Any]]:
    """What each gate of a run saw."""
    return [o.evidence.data["gate"] for o in done.report.outcomes if str(o.address).startswith("gate/") and o.attempts]


def an_equal_release_is_promoted(rollout: Rollout) -> None:
    rollout.want(2)
    done = rollout.apply()

    assert done.exit == 0, done.report.outcomes
    assert rollout.traffic == {"green": 100}
    assert rollout.stage is None
    assert rollout.noticed == []
    assert [each["answer"] for each in judged(done)] == ["continue", "continue"]
    assert rollout.client.statuses.keys() == {200}
    assert rollout.client.slots["green"] > 50
    announced = sum(done.plan.duration.values())
    assert announced == pytest.approx(20 * 60, rel=0.05)
    assert done.report.seconds == pytest.approx(announced, rel=0.1)


def errors_go_back(rollout: Rollout) -> None:
    """One request in five fails."""
    _goes_back(rollout, {"kind": "refuse", "status": 500, "share": 0.2})


def a_slow_release_goes_back(rollout: Rollout) -> None:
    """Each answer comes 0.1 s later, which is more than five times as long."""
    _goes_back(rollout, {"kind": "delay", "seconds": 0.1, "times": "always"})


def wrong_answers_go_back(rollout: Rollout) -> None:
    """Each answer has the status 200, and only our own requests notice that it is wrong."""
    _goes_back(rollout, WRONG)


def _goes_back(rollout: Rollout, fault: dict[str, Any]) -> None:
    """In the first stage, before half of the traffic reaches it; its deployment stays for its logs."""
    rollout.want(2)
    rollout.spoil(fault)
    done = rollout.apply()

    assert done.exit == 5
    (failed,) = [o for o in done.report.outcomes if o.state is State.FAILED]
    assert (str(failed.address), (failed.error or {})["code"]) == ("gate/mip/green", "AML388")
    assert rollout.traffic == {"blue": 100}
    assert rollout.stage is None
    assert [str(o.address) for o in done.report.outcomes if o.state is State.RESCUED] == ["traffic/mip"]
    assert {slot.name for slot in done.endpoint_rows[0].slots} == {"blue", "green"}
    assert rollout.changes[-1] == "OnlineEndpoints_CreateOrUpdate"
    assert len(rollout.changes) - done.plan.summary["update"] <= 4, "a creation, a stage, and at most two to go back"
    bad = sum(number for status, number in rollout.client.statuses.items() if status != 200)
    assert bad < sum(rollout.client.statuses.values()) / 20
    (notice,) = rollout.noticed
    assert "a new release went back" in notice
    assert "All traffic is back on the live release" in notice
    assert done.notices


PAUSE: dict[str, Any] = {"stages": [10, {"traffic": 50, "pause": True}, 100]}


def a_paused_rollout_continues_from_another_folder(rollout: Rollout) -> None:
    """The run ends at the pause with exit 0; the next apply judges the stage since it began, and goes on."""
    rollout.want(2, **PAUSE)
    done = rollout.apply()

    assert (done.exit, done.report.state, done.report.paused) == (0, "paused", ("mip",))
    assert rollout.traffic == {"blue": 50, "green": 50}
    assert (stage := rollout.stage)
    assert (stage.percent, stage.is_paused) == (50, True)
    rollout.pass_minutes(15)
    row = commands.status(rollout.world.project, "law")[0]
    assert row.stage
    assert row.stage.answer.endswith("no evidence that it is worse, so continue")
    assert [slot.name for slot in row.slots if slot.live] == ["blue"]

    began = rollout.clock.ahead
    done = rollout.moved(rollout.state.parent.with_name("elsewhere")).apply()
    assert (done.exit, done.report.state) == (0, "done")
    assert rollout.traffic == {"green": 100}
    assert rollout.clock.ahead - began < 120, "the bake was over before the run began"
    assert rollout.apply().plan.steps == ()


def a_release_that_turns_bad_during_a_pause_goes_back(rollout: Rollout) -> None:
    """No step of the second run has moved traffic, and all of it goes back."""
    rollout.want(2, **PAUSE)
    assert rollout.apply().report.state == "paused"
    rollout.fault({"kind": "refuse", "status": 500, "share": 0.5, "deployment": "green"})
    rollout.pass_minutes(12)
    done = rollout.apply()

    assert (done.exit, rollout.traffic, rollout.stage) == (5, {"blue": 100}, None)
    assert done.report.state == "failed"


def rollback_ends_a_paused_rollout(rollout: Rollout) -> None:
    """Also if the new release is in blue, whose name comes first; then apply holds the release back."""
    rollout.want(2, gate=None, bake="0s")
    assert rollout.apply().exit == 0
    rollout.want(3, **PAUSE)
    assert rollout.apply().report.state == "paused"
    assert (rollout.traffic, rollout.stage and rollout.stage.slot) == ({"blue": 50, "green": 50}, "blue")
    done = rollout.rollback()

    assert (done.exit, rollout.traffic, rollout.stage) == (0, {"green": 100}, None)
    assert rollout.apply().plan.held


def another_release_during_a_pause_begins_at_the_first_stage(rollout: Rollout) -> None:
    rollout.want(2, **PAUSE)
    assert rollout.apply().report.state == "paused"
    rollout.want(3, **PAUSE)
    done = rollout.apply()

    assert done.report.state == "paused"
    assert rollout.stage
    assert rollout.traffic == {"blue": 50, "green": 50}
    assert [each["stage"]["percent"] for each in judged(done)] == [10]


def requests_are_mirrored_before_the_first_stage(rollout: Rollout) -> None:
    """No client gets an answer of the new release meanwhile, and the mirror ends with the first stage."""
    rollout.want(2, mirror_traffic=50, stages=[50, 100])
    mirrored: list[tuple[dict[str, int], int]] = []
    rollout.on = lambda _: mirrored.append((rollout.body["properties"]["mirrorTraffic"], rollout.client.slots["green"]))
    done = rollout.apply()

    assert done.exit == 0
    assert [each["stage"]["percent"] for each in judged(done)] == [0, 50]
    assert ({"green": 50}, 0) in mirrored
    assert {answers for mirror, answers in mirrored if mirror.get("green")} == {0}
    assert not any(rollout.body["properties"]["mirrorTraffic"].values())


def a_release_that_fails_mirrored_requests_gets_no_traffic(rollout: Rollout) -> None:
    rollout.want(2, mirror_traffic=50)
    rollout.spoil({"kind": "refuse", "status": 500, "share": 0.2})
    done = rollout.apply()

    assert done.exit == 5
    assert rollout.client.slots["green"] == 0
    assert (rollout.traffic, rollout.stage) == ({"blue": 100}, None)
    assert not any(rollout.body["properties"]["mirrorTraffic"].values())


def a_plan_file_ends_at_its_pause(rollout: Rollout) -> None:
    """Applied again, as when a job on GitHub is repeated, it does not go on: the next stages were not approved."""
    rollout.want(2, **PAUSE)
    plan = commands.plan(rollout.world.project, "law")
    assert rollout.apply(plan_file=plan).report.state == "paused"
    again = rollout.apply(plan_file=plan)

    assert (again.exit, again.plan.steps) == (0, ())
    assert rollout.traffic == {"blue": 50, "green": 50}


def rollback_ends_a_mirror(rollout: Rollout) -> None:
    """Of a run that was stopped before the first stage: traffic stays on the live release, not the one before it."""
    rollout.want(2, gate=None, bake="0s")
    assert rollout.apply().exit == 0
    rollout.want(3, mirror_traffic=50)
    rollout.stop_when(lambda: any(rollout.body["properties"]["mirrorTraffic"].values()))
    assert rollout.apply().report.state == "interrupted"
    assert (rollout.stage and rollout.stage.percent) == 0
    done = rollout.rollback()

    assert (done.exit, rollout.traffic, rollout.stage) == (0, {"green": 100}, None)
    assert not any(rollout.body["properties"]["mirrorTraffic"].values())
    assert rollout.apply().plan.held


def a_stopped_rollout_continues_at_its_stage(rollout: Rollout) -> None:
    """Also where the new release has more traffic than the live one; its stage is judged before the next."""
    rollout.want(2, stages=[10, 60, 100])
    rollout.stop_when(lambda: rollout.traffic.get("green") == 60)
    assert rollout.apply().report.state == "interrupted"
    done = rollout.apply()

    assert (done.exit, rollout.traffic) == (0, {"green": 100})
    assert [each["stage"]["percent"] for each in judged(done)] == [60]


def a_rollback_takes_the_rollout_over(rollout: Rollout) -> None:
    """From another folder, while the gate looks: the run loses its lock, writes nothing more, and exits with 8."""
    rollout.world.lock = "required"
    rollout.want(2)
    ends: list[commands.Result] = []

    def roll_back() -> None:
        (row,) = commands.status(rollout.world.project, "law")
        assert row.lock
        other = rollout.moved(rollout.state.parent.with_name("elsewhere"))
        ends.append(other.rollback(force_unlock=[row.lock.lock_id]))

    rollout.when(lambda: rollout.traffic.get("green") == 10, roll_back)
    done = rollout.apply()

    assert (int(ends[0].exit), int(done.exit)) == (0, 8)
    assert (rollout.traffic, rollout.stage) == ({"blue": 100}, None)
    assert "rolled back from release" in str(rollout.rollback().plan.notes)


def without_data_nothing_is_promoted(rollout: Rollout) -> None:
    """Neither clients nor we send requests."""
    _without_data(rollout, "abort", 5)


def without_data_a_release_is_promoted_if_the_files_say_so(rollout: Rollout) -> None:
    """`on_no_data: promote`."""
    _without_data(rollout, "promote", 0)


def _without_data(rollout: Rollout, on_no_data: str, exit_code: int) -> None:
    rollout.client.rate = 0
    rollout.want(2, gate={"rate": 0, "hold": "5m", "on_no_data": on_no_data})
    done = rollout.apply()

    assert (done.exit, rollout.stage) == (exit_code, None)
    assert rollout.traffic == ({"green": 100} if on_no_data == "promote" else {"blue": 100})
    sentences = [each["sentence"] for each in judged(done)]
    assert all("0 of 50 requests" in each for each in sentences)


def without_metrics_our_own_requests_decide(rollout: Rollout) -> None:
    """Azure's metrics cannot be read, and the new release answers wrongly."""
    rollout.client.rate = 0
    rollout.want(2)
    rollout.spoil(WRONG)
    rollout.fault({"kind": "refuse", "status": 500, "operation": "Metrics*", "times": "always"})
    done = rollout.apply()

    assert (done.exit, rollout.traffic) == (5, {"blue": 100})
    assert "test cases wrong" in judged(done)[0]["sentence"]


SOME = (
    an_equal_release_is_promoted,
    errors_go_back,
    a_paused_rollout_continues_from_another_folder,
    a_release_that_fails_mirrored_requests_gets_no_traffic,
)
OTHERS = (
    a_slow_release_goes_back,
    wrong_answers_go_back,
    a_release_that_turns_bad_during_a_pause_goes_back,
    rollback_ends_a_paused_rollout,
    another_release_during_a_pause_begins_at_the_first_stage,
    requests_are_mirrored_before_the_first_stage,
    a_plan_file_ends_at_its_pause,
    rollback_ends_a_mirror,
    a_stopped_rollout_continues_at_its_stage,
    a_rollback_takes_the_rollout_over,
    without_data_nothing_is_promoted,
    without_data_a_release_is_promoted_if_the_files_say_so,
    without_metrics_our_own_requests_decide,
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        chosen = (*SOME, *OTHERS) if metafunc.config.getoption("--laws") == "full" else SOME
        metafunc.parametrize("scenario", chosen, ids=lambda scenario: scenario.__name__)


def test_rollouts(rollout: Rollout, scenario: Callable[[Rollout], None]) -> None:
    """A rollout on the emulator ends as live traffic decides."""
    scenario(rollout)
