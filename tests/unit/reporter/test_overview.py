"""The traffic before and after a run: from Azure's answer, or from the steps that ran."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Evidence, Outcome, Report, State
from deploy.reporter import EndpointRow
from deploy.reporter.overview import endpoint_traffic
from tests.addresses import addr

from . import examples as g

BLUE, SPLIT, GREEN = {"blue": 100}, {"blue": 90, "green": 10}, {"green": 100}
UNKNOWN = "unknown: see amldeploy status"


def shift(before: dict[str, int], after: dict[str, int]) -> Step:
    return Step(Verb.SHIFT, addr("traffic/mip"), {"before": before, "after": after}, "")


STEPS = (shift(BLUE, SPLIT), shift(SPLIT, GREEN))
RESCUE = (shift(GREEN, BLUE),)
CREATE = Step(Verb.CREATE, addr("endpoint/mip"), {}, "")
DELETE = Step(Verb.DELETE, addr("endpoint/mip"), {}, "")


def world(**traffic: dict[str, int]):
    """Endpoints by name, under the key mip; the first one has the name of the entry."""
    first, *_ = traffic
    return {
        addr("endpoint/mip" if name == first else f"endpoint/mip/{name}"):
            {"name": name, "properties": {"traffic": shares}} for name, shares in traffic.items()
    }  # fmt: skip


def found(plan: Plan, *outcomes: Outcome, rows: tuple[EndpointRow, ...] = ()) -> list[str]:
    (only,) = endpoint_traffic(Report("dev", "f", outcomes), plan, rows)
    return [only.before, only.after]


def ran(step: Step, state: State = State.DONE, **more: object) -> Outcome:
    return Outcome(step.address, step.verb, state, 1, 1.0, **more)


@pytest.mark.parametrize(
    ("outcomes", "after"),
    [
        ([ran(STEPS[0]), ran(STEPS[1])], "green 100 %"),
        ([ran(STEPS[0]), Outcome(addr("traffic/mip"), Verb.SHIFT, State.NOT_REACHED)], "blue 90 %, green 10 %"),
        ([ran(STEPS[0]), ran(STEPS[1], State.FAILED)], UNKNOWN),
        ([ran(STEPS[0]), ran(STEPS[1], State.INTERRUPTED)], UNKNOWN),
        ([ran(STEPS[0]), ran(STEPS[1], State.FAILED), ran(RESCUE[0], State.RESCUED, rescue=True)], "blue 100 %"),
        ([ran(STEPS[0]), ran(STEPS[1], State.FAILED), ran(RESCUE[0], State.FAILED, rescue=True)], UNKNOWN),
        ([ran(STEPS[0], evidence=Evidence("another run has moved the traffic"))], UNKNOWN),
        ([ran(STEPS[0], State.FAILED, error={"code": "AML338", "message": "it has moved"})], UNKNOWN),
    ],
)
def test_traffic_by_the_steps(outcomes, after):
    """A step that may have had its effect leaves the traffic unknown, until another one is done."""
    assert found(Plan("dev", STEPS, RESCUE, endpoints=("mip",), facts="f", world=world(mip=BLUE)), *outcomes) == [
        "blue 100 %",
        after,
    ]


@pytest.mark.parametrize(
    ("steps", "before", "states", "expected"),
    [
        ((CREATE, shift({}, BLUE)), {}, (State.DONE, State.DONE), ["no endpoint", "blue 100 %"]),
        ((CREATE,), {}, (State.DONE,), ["no endpoint", "none"]),
        ((CREATE,), {}, (State.FAILED,), ["no endpoint", UNKNOWN]),
        ((shift(BLUE, {}), DELETE), world(mip=BLUE), (State.DONE, State.DONE), ["blue 100 %", "no endpoint"]),
        ((), world(mip={}), (), ["none", "none"]),
        ((), world(mip={}, old=BLUE), (), ["mip: none; old: blue 100 %", "none"]),
    ],
)
def test_endpoints_that_come_and_go(steps, before, states, expected):
    """An endpoint that does not exist is named so; several of one entry are named."""
    plan = Plan("dev", steps, endpoints=("mip",), facts="f", world=before)
    assert found(plan, *(ran(step, state) for step, state in zip(steps, states, strict=True))) == expected


def test_azure_has_the_last_word():
    """What was read after the run, with name and scoring URI; not that of an orphan."""
    plan = Plan("dev", STEPS, endpoints=("mip",), facts="f", world=world(mip=BLUE))
    (only,) = endpoint_traffic(Report("dev", "f", (ran(STEPS[0]),)), plan, g.ROWS)
    assert (only.title, only.after, only.uri) == ("mip (mip-dev)", "blue 90 %, green 10 %", g.ROWS[0].scoring_uri)
    assert found(plan, rows=(EndpointRow("mip", "mip", "absent"),)) == ["blue 100 %", "no endpoint"]
    assert found(plan, rows=(EndpointRow("mip", "mip", "absent", orphan="x"),)) == ["blue 100 %", "blue 100 %"]
    assert endpoint_traffic(Report("dev", "f", ()), None) == []


def test_nothing_is_claimed_without_facts():
    """Plans of probe, renew and reap have none: only what was read after the run is shown."""
    plan = Plan("dev", (CREATE, *STEPS), endpoints=("mip",))
    report = Report("dev", "f", (ran(CREATE), ran(STEPS[0])))
    assert endpoint_traffic(report, plan) == []
    assert found(plan, rows=(g.ROWS[0],)) == ["not read", "blue 90 %, green 10 %"]
    assert endpoint_traffic(report, replace(plan, facts="f", endpoints=())) == []
