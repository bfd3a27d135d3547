"""The stages of a rollout in a plan: gates, pauses, mirrored requests, and where a plan continues."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain import history
from deploy.domain.plan import Plan, Step, Verb
from deploy.planning import planner
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec

NOW = datetime(2026, 11, 29, 13, 0, tzinfo=UTC)
STAGES = st.lists(st.integers(1, 99), unique=True, max_size=4).map(sorted)


def plan(rollout: dict[str, Any], there: dict[str, Any], *, probe: bool = False, release: str = "new") -> Plan:
    pipeline = {"rollout": rollout, **({"probe": {"type": "http"}} if probe else {})}
    return planner.plan_release(environment(), [spec(release=release, pipeline=pipeline)], {"mip": there})


def world(share: int, *, live: str = "blue", mirror: int = 0) -> dict[str, Any]:
    """Release `old` is live in `live`, and release `new` in the other slot has a share of the traffic."""
    other = {"blue": "green", "green": "blue"}[live]
    traffic = {live: 100 - share, **({other: share} if share else {})}
    body = endpoint_body(traffic)
    body["properties"]["mirrorTraffic"] = {other: mirror} if mirror else {}
    body["tags"] |= history.after_live({"tags": {}}, live, "old", NOW)
    body["tags"] |= history.after_stage(body, other, "new", share, NOW, is_paused=False)
    return facts(body, (deployment_body(live, release="old"), deployment_body(other, release="new")))


def shares(made: Plan, slot: str = "green") -> list[int]:
    """What a slot has after each shift."""
    return [step.body["after"].get(slot, 0) for step in made.steps if step.verb is Verb.SHIFT]


def records(made: Plan) -> list[tuple[Any, ...]]:
    found = [step.body.get("record") or {} for step in made.steps if step.verb is Verb.SHIFT]
    return [(each.get("kind"), each.get("percent"), each.get("paused", False)) for each in found]


@given(STAGES, st.data(), st.sampled_from(["blue", "green"]))
def test_a_plan_continues_after_the_stage_that_is_reached(stages: list[int], data: st.DataObject, live: str) -> None:
    """Whichever slot is live, and whichever has more traffic; each stage but the last is recorded."""
    new = {"blue": "green", "green": "blue"}[live]
    reached = data.draw(st.sampled_from([0, *stages]))
    made = plan({"stages": [*stages, 100]}, world(reached, live=live))

    left = [each for each in [*stages, 100] if each > reached]
    assert shares(made, new) == left
    assert records(made) == [("stage", each, False) for each in left[:-1]] + [("live", None, False)]
    assert [step.body["after"] for step in made.rescue] == [{live: 100}]


@given(STAGES.filter(bool), st.data())
def test_a_plan_ends_at_the_first_pause_ahead(stages: list[int], data: st.DataObject) -> None:
    """A plan at a pause goes on to the next one. What comes after the last stage is not in a plan that pauses."""
    pauses = data.draw(st.lists(st.sampled_from(stages), unique=True))
    reached = data.draw(st.sampled_from([0, *stages]))
    written = [{"traffic": each, "pause": each in pauses} for each in stages]
    made = plan({"stages": [*written, 100], "keep_previous": 0}, world(reached))

    ahead = [each for each in [*stages, 100] if each > reached]
    stop = next((each for each in ahead if each in pauses), 100)
    assert shares(made) == [each for each in ahead if each <= stop]
    assert records(made)[-1] == (("live", None, False) if stop == 100 else ("stage", stop, True))
    assert any(step.verb is Verb.DELETE for step in made.steps) is (stop == 100)


@given(STAGES.filter(bool), st.booleans(), st.data())
def test_a_gate_stands_before_each_shift_that_ends_a_stage(stages: list[int], probe: bool, data: st.DataObject) -> None:
    """With the bake of that stage, and followed by a probe; the shift itself does not wait."""
    reached = data.draw(st.sampled_from([0, *stages]))
    bakes = {each: 600.0 + each for each in stages}
    written = [{"traffic": each, "bake": bakes[each]} for each in stages]
    made = plan({"stages": [*written, 100], "gate": {}}, world(reached), probe=probe)
    gates = [step for step in made.steps if step.verb is Verb.GATE]

    ended = ([reached] if reached else []) + [each for each in stages if each > reached]
    assert [step.body["percent"] for step in gates] == ended
    assert [step.body["bake"] for step in gates] == [bakes[each] for each in ended]
    assert all(step.retry.wait == 0 for step in made.steps)
    after = {step.address.kind: made.steps[number + 1].verb for number, step in enumerate(made.steps) if step in gates}
    assert after == {"gate": Verb.PROBE if probe else Verb.SHIFT}


def test_the_release_that_has_traffic_already_goes_back_if_a_check_of_it_fails() -> None:
    """Only in a plan that continues a rollout: there no step has moved traffic yet."""
    rollout = {"stages": [10, 50, 100], "gate": {}, "bake": "10m"}
    marks = {
        share: {bool(s.body.get("exposed")) for s in plan(rollout, world(share), probe=True).steps if s.verb in _JUDGES}
        for share in (0, 10)
    }

    assert marks == {0: {False}, 10: {True}}


_JUDGES = (Verb.PROBE, Verb.GATE)


def mirrored(step: Step) -> dict[str, int]:
    return dict(step.body["document"]["mirror_traffic"])


def test_requests_are_mirrored_before_the_first_stage() -> None:
    """For one bake; the first stage ends it, and so does the rescue."""
    rollout = {"stages": [10, 100], "mirror_traffic": 20, "bake": "5m"}
    made = plan(rollout, world(0))
    shifts = [step for step in made.steps if step.verb is Verb.SHIFT]

    assert [(step.body["after"], mirrored(step)) for step in shifts] == [
        ({"blue": 100}, {"green": 20}),
        ({"blue": 90, "green": 10}, {}),
        ({"green": 100}, {}),
    ]
    assert [step.retry.wait for step in shifts] == [0, 300, 300]
    assert "mirroring 20 % to green starts" in shifts[0].why
    assert [(step.body["after"], mirrored(step)) for step in made.rescue] == [({"blue": 100}, {})]


def test_a_plan_continues_while_requests_are_mirrored() -> None:
    rollout = {"stages": [10, 100], "mirror_traffic": 20, "gate": {}, "bake": "10m"}
    made = plan(rollout, world(0, mirror=20))

    assert shares(made) == [10, 100]
    assert [step.body["percent"] for step in made.steps if step.verb is Verb.GATE] == [0, 10]
    assert [(step.body["after"], mirrored(step)) for step in made.rescue] == [({"blue": 100}, {})]


def test_another_release_begins_at_the_first_stage() -> None:
    """The traffic goes back to the live release first, also from the stage of a pause."""
    rollout = {"stages": [10, {"traffic": 50, "pause": True}, 100]}
    made = plan(rollout, world(50), release="newer")

    assert shares(made) == [0, 10, 50]
    assert records(made)[-1] == ("stage", 50, True)
