"""The law of the idle slot: whatever is refused, lost or killed, traffic stays on the whole live release, and a re-run
ends with one deployment. Checked for a rollout that ends with the deletion, and for a reap after keep_previous.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deploy import commands
from deploy.domain.plan import Verb
from deploy.domain.put_merge import PROTECT_TAG
from deploy.errors import DeployError, Exit, Refused
from deploy.planning.reaping import Rules
from tests.addresses import addr
from tests.laws.conftest import World
from tests.laws.stage import Stage, Victims, spread
from tests.laws.test_laws import failures
from tests.laws.test_leases import advance_alone
from tests.outsider import Outsider
from tests.project import ROOT

REQUESTS = {"apply": 36, "reap": 20}
"""More requests than each of the two sends; a number after the last request has no effect."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "refuse", "status": 403},
    {"kind": "refuse", "status": 503, "times": "always"},
    {"kind": "lose", "times": 4},
    {"kind": "reset", "times": 4},
)
DELETION = {"kind": "refuse", "status": 409, "operation": "OnlineDeployments_Delete", "times": "always"}
QUIET: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "struck" not in metafunc.fixturenames:
        return
    full = metafunc.config.getoption("--laws", default="some") == "full"
    every = 2 if full else 1
    cases = [(how, fault) for how, most in REQUESTS.items() for fault in spread(FAULTS, range(1, most + 1), every)]
    ids = [f"{how}-{fault['kind']}{fault.get('status', '')}-{fault['number']}" for how, fault in cases]
    pick = slice(None) if full else slice(32, None, 47)
    metafunc.parametrize("struck", cases[pick], ids=ids[pick])


@pytest.fixture
def world(stage: Stage) -> World:
    """A new empty world, and files with release 1."""
    stage.order()
    stage.begin("1")
    assert isinstance(stage.world, World)
    return stage.world


def keep(world: World, written: str) -> None:
    """Write the template with this `keep_previous`."""
    path = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("rollout:")]
    path.write_text("\n".join([*lines, f"rollout: {{stages: [10, 100], keep_previous: {written}}}"]) + "\n")


def two_releases(stage: Stage, written: str) -> None:
    """A new world in which release 1 is live, and files with release 2."""
    stage.order()
    keep(stage.world, written)
    stage.begin("2")


def reap(world: World, **more: Any) -> commands.ReapResult:
    return commands.reap(world.project, "law", Rules(), yes=True, show=lambda _: None, **{**QUIET, **more})


def visit(stage: Stage) -> None:
    """Run reap once; errors are allowed."""
    try:
        reap(stage.world)
    except DeployError:
        return


def slots(stage: Stage) -> list[str]:
    ((_, states),) = stage.seen()["endpoints"].values()
    return sorted(states)


def test_traffic_stays_on_one_release_under_any_fault(stage: Stage, struck: tuple[str, dict[str, Any]]) -> None:
    """In the end the same command deletes the previous release."""
    how, fault = struck
    two_releases(stage, "0" if how == "apply" else "24h")
    if how == "reap":
        assert stage.apply().exit == 0
        advance_alone(stage.world, 25)
    stage.order(fault)
    stage.apply() if how == "apply" else visit(stage)

    assert stage.broken == []
    if fault.get("times") != "always":  # an outage that lasts also stops the rescue; the next run moves the traffic
        assert len(stage.seen()["live"]) == 1
    stage.order()
    stage.apply() if how == "apply" else visit(stage)
    assert (stage.seen()["live"], slots(stage)) == (["2"], ["green"])
    assert commands.plan(stage.world.project, "law").steps == ()


def test_a_failed_deletion_moves_no_traffic(stage: Stage) -> None:
    """The new release stays live; the next apply has one step."""
    two_releases(stage, "0")
    stage.order(DELETION)
    done = commands.apply(stage.world.project, "law", **QUIET)

    assert done.report.exit is Exit.STEP_FAILED
    assert not any(outcome.rescue for outcome in done.report.outcomes)
    assert (stage.seen()["live"], slots(stage)) == (["2"], ["blue", "green"])
    stage.order()
    assert changes(commands.plan(stage.world.project, "law").steps) == [(Verb.DELETE, addr("deployment/mip/blue"))]
    assert stage.apply().exit == 0
    assert (stage.seen()["live"], slots(stage)) == (["2"], ["green"])
    assert commands.plan(stage.world.project, "law").steps == ()


def changes(steps: Any) -> list[tuple[Verb, str]]:
    return [(step.verb, step.address) for step in steps if step.changes]


@pytest.mark.parametrize("operation", ["OnlineEndpoints_CreateOrUpdate", "OnlineDeployments_Delete"])
def test_a_killed_rollout_is_completed_by_the_next_apply(stage: Stage, victims: Victims, operation: str) -> None:
    """Killed between the last shift and the deletion, or during it."""
    two_releases(stage, "0")
    number = 2 if operation.startswith("OnlineEndpoints") else 1

    assert victims.kill_one(stage, {"operation": operation, "number": number})
    assert stage.seen()["live"] == ["2"]
    assert stage.apply().exit == 0
    assert (stage.seen()["live"], slots(stage)) == (["2"], ["green"])


def test_a_rollout_that_was_rolled_back_is_deleted_by_reap(stage: Stage, victims: Victims) -> None:
    """Killed at 10 %, then rolled back: the hold stops the apply that would replace the slot, so reap deletes it."""
    two_releases(stage, "24h")
    assert victims.kill_one(stage, {"operation": "OnlineEndpoints_CreateOrUpdate", "number": 1})
    assert sorted(stage.seen()["live"]) == ["1", "2"]
    commands.rollback(stage.world.project, "law", every=True, **QUIET)
    advance_alone(stage.world, 23)
    visit(stage)
    assert (slots(stage), len(commands.plan(stage.world.project, "law").held)) == (["blue", "green"], 1)
    advance_alone(stage.world, 2)
    visit(stage)
    assert (stage.seen()["live"], slots(stage)) == (["1"], ["blue"])
    assert len(commands.plan(stage.world.project, "law").held) == 1
    stage.want("3")
    assert stage.apply().exit == 0
    assert stage.seen()["live"] == ["3"]


def test_an_interrupted_rollout_deletes_nothing(stage: Stage) -> None:
    """Before all traffic is on the new release both slots stay; with `0` a failed one expires at once."""
    two_releases(stage, "0")
    stage.order({"kind": "refuse", "status": 403, "operation": "OnlineEndpoints_CreateOrUpdate", "number": 2})

    assert stage.apply().exit == Exit.STEP_FAILED
    assert (stage.seen()["live"], slots(stage)) == (["1"], ["blue", "green"])
    stage.order()
    advance_alone(stage.world, 1)
    visit(stage)
    assert slots(stage) == ["blue"]
    assert stage.apply().exit == 0
    assert slots(stage) == ["green"]


def two(world: World, written: str = "24h") -> str:
    """Deploy two releases, one after the other; return the name of the endpoint."""
    keep(world, written)
    assert failures(world.apply()) == []
    world.want(release="2")
    done = world.apply()
    assert failures(done) == []
    return str(done.endpoint_rows[0].name)


def behind(world: World) -> list[str]:
    return [slot.name for slot in commands.status(world.project, "law")[0].slots]


def test_plan_does_not_delete_an_expired_slot(world: World) -> None:
    """Only reap deletes an expired slot, once, and never an endpoint of the files."""
    two(world)
    assert reap(world).judged.idle == ()
    advance_alone(world, 25)
    assert commands.plan(world.project, "law").steps == ()
    assert behind(world) == ["blue", "green"]
    reaped = reap(world)

    assert (reaped.exit, [each.deployment for each in reaped.judged.idle]) == (Exit.OK, ["blue"])
    assert reaped.plan.steps[0].kind == "export"
    assert list((world.project.state / "reaped").glob("*/mip-*/deployments/blue.json"))
    assert behind(world) == ["green"]
    assert (reap(world).plan.steps, world.apply().plan.steps) == ((), ())
    with pytest.raises(Refused):
        commands.rollback(world.project, "law", ["mip"], **QUIET)
    world.want(release="3")
    assert failures(world.apply()) == []
    assert behind(world) == ["blue", "green"]


def test_wrong_files_or_forever_keep_the_slot(world: World) -> None:
    """Also when the apply that created the release had a shorter time."""
    two(world)
    advance_alone(world, 9_000)
    keep(world, "forever")
    assert reap(world).plan.steps == ()
    keep(world, "sometimes")
    reaped = reap(world)

    assert (reaped.plan.steps, [each.deployment for each in reaped.judged.kept]) == ((), ["blue"])
    keep(world, "1s")
    assert changes(reap(world).plan.steps)


def test_a_slot_that_is_used_again_is_not_deleted(world: World) -> None:
    """Between the decision and the deletion the slot receives traffic again, or another client adds the protect tag to
    its endpoint. Only the check of the step sees it, as there is no lock.
    """
    name = two(world)
    world.unlock()
    advance_alone(world, 25)

    def back(*_: Any) -> None:
        body = Outsider().get(name)
        body["properties"]["traffic"] = {"blue": 100}
        Outsider().put(f"/onlineEndpoints/{name}", body)

    def tagged(*_: Any) -> None:
        body = Outsider().get(name)
        Outsider().put(f"/onlineEndpoints/{name}", {**body, "tags": {**body["tags"], PROTECT_TAG: "yes"}})

    for meanwhile, words in ((tagged, PROTECT_TAG), (back, "blue receives 100 % of the traffic")):
        reaped = reap(world, approve=meanwhile)
        assert reaped.result
        (error,) = failures(reaped.result)
        assert (reaped.exit, error["code"]) == (Exit.STALE, "AML338")
        assert words in error["message"]
        assert behind(world) == ["blue", "green"]
        with world.project.connect(commands.validate(world.project, "law")[0]):
            body = Outsider().get(name)
            Outsider().put(
                f"/onlineEndpoints/{name}",
                {**body, "tags": {k: v for k, v in body["tags"].items() if k != PROTECT_TAG}},
            )


def test_a_protected_environment_deletes_idle_slots(world: World) -> None:
    """The guards of the shipped prod.yml protect the endpoint; the slot is deleted."""
    guards = yaml.safe_load((ROOT / "environments" / "prod.yml").read_text())["guards"]
    two(world)
    path = world.project.root / "environments" / "law.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "guards": guards}))
    advance_alone(world, 25)
    reaped = reap(world)

    assert guards["protected"] is True
    assert (reaped.exit, behind(world)) == (Exit.OK, ["green"])
    everything = commands.reap(world.project, "law", Rules(older_than=1.0), yes=True, show=lambda _: None, **QUIET)
    assert (everything.exit, everything.result) == (Exit.REFUSED, None)
    assert {finding.code for finding in everything.judged.findings} == {"AML241", "AML270"}
    assert behind(world) == ["green"]
