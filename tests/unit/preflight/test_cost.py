"""Costs by values alone: guards and their arithmetic, prices that are unknown, and what runs after a run."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.diff import autoscale_settings
from deploy.documents.environment import GuardsDocument
from deploy.documents.scale import Scale
from deploy.domain.arm import OWNER_TAG
from deploy.domain.history import LIVE_TAG
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.errors import Refused
from deploy.planning import planner, rollback
from deploy.preflight import cost
from deploy.reporter.cost import cost_json, plan_cost, plan_cost_json, running_cost
from tests.addresses import addr
from tests.unit.preflight.given import A100, H100, region
from tests.unit.specs import OWNER, deployment_body, endpoint_body, environment, facts, spec

LIVE = endpoint_body({"blue": 100})


def priced(endpoint: Any = None, *bodies: Any, prices: Any = (3.673, 7), **more: Any) -> dict[Any, Any]:
    """Facts with the prices of two sizes."""
    found = region(a100=9000, h100=9000, total=9000, prices=prices)
    return {**facts(endpoint, bodies), addr("quota/mip/in/eastus"): {**found, **more}}


def release(there: Any, wanted: Any = None, siblings: Any = None, **limits: Any) -> Plan:
    return planner.plan_release(environment(**limits), [wanted or spec()], {"mip": there}, siblings=siblings)


def other(key: str, count: int, size: str = A100):
    """Another entry of the file."""
    found = spec(instance_count=count, instance_type=size)
    return replace(found, key=key, owner=f"test/{key}", endpoint={"name": f"{key}-ab", "auth_mode": "key"})


def setting(slot: str, least: int, most: int) -> dict[Any, Any]:
    profiles = autoscale_settings.profiles_of(Scale(min=least, max=most))
    return {addr(f"autoscale/mip/{slot}"): {"id": f"/as/{slot}", "name": slot, "enabled": True, "profiles": profiles}}


def test_a_first_release() -> None:
    """From nothing to one instance."""
    made = release(priced())

    assert plan_cost(made) == (
        "Cost: 3.67 EUR an hour, 2681.29 EUR a month (730 h); +3.67 EUR an hour compared with now."
    )


def test_a_rollout_names_its_peak_and_what_has_no_traffic() -> None:
    """The previous release stays in the idle slot: it is part of the cost."""
    made = release(priced(LIVE, deployment_body("blue")), spec(release="r2", instance_type=H100))

    assert plan_cost(made) == (
        "Cost: 10.67 EUR an hour, 7791.29 EUR a month (730 h); +7.00 EUR an hour compared with now; peak 10.67 EUR"
        " an hour; 3.67 EUR an hour of it for slots without traffic."
    )


def test_without_a_change_it_costs_as_now() -> None:
    """No difference and no peak; nothing at all without instances."""
    made = release(priced(LIVE, deployment_body("blue")))

    assert plan_cost(made) == "Cost: 3.67 EUR an hour, 2681.29 EUR a month (730 h); as now."
    gone = planner.plan_teardown(environment(), [spec()], {"mip": facts(LIVE, (deployment_body("blue"),))})
    assert (plan_cost(gone), plan_cost_json(gone)) == ("", None)


def test_autoscale_makes_it_a_range() -> None:
    """From the minimum to the maximum; now is what runs."""
    there = {**priced(LIVE, deployment_body("blue", count=2)), **setting("blue", 1, 4)}
    made = release(there, spec(pipeline={"scale": {"min": 1, "max": 4, "adopt": True}}))
    found = plan_cost_json(made)

    assert [found[name]["hourly"] for name in ("now", "after", "peak")] == [7.346, 3.673, 14.692]
    assert [found[name]["max_hourly"] for name in ("now", "after", "difference")] == [7.346, 14.692, 7.346]
    assert plan_cost(made) == (
        "Cost: 3.67 to 14.69 EUR an hour, 2681.29 to 10725.16 EUR a month (730 h); -3.67 to +7.35 EUR an hour compared"
        " with now; peak 14.69 EUR an hour."
    )


@pytest.mark.parametrize("price", [None, 0])
def test_an_unknown_price_is_never_zero(price: float | None) -> None:
    """A size without a price, or with zero, which no machine costs. The sizes with a price are a lower bound."""
    made = release(priced(LIVE, deployment_body("blue"), prices=(3.673, price)), spec(release="r2", instance_type=H100))
    found = plan_cost_json(made)

    assert (found["after"]["hourly"], found["after"]["max_monthly"]) == (None, None)
    assert found["after"]["unknown"] == [H100]
    assert found["now"]["hourly"] == 3.673
    assert plan_cost(made).startswith(
        f"Cost: at least 3.67 EUR an hour, at least 2681.29 EUR a month (730 h) (no price of {H100});"
    )
    assert plan_cost(release(priced(prices=(None, None)))) == f"Cost: unknown (no price of {A100})."


def test_a_peak_with_an_unknown_price_is_a_lower_bound() -> None:
    """Two known slots before one without a price."""
    there = priced(LIVE, deployment_body("blue"), prices=(3.673, None))
    made = release(there, spec(release="r2", instance_count=2))
    run = replace(made, steps=(*made.steps, *steps_of((Verb.UPDATE, "blue", 1))))
    unpriced = run.steps[-1].body["document"] | {"instance_type": H100}
    run = replace(run, steps=(*run.steps[:-1], replace(run.steps[-1], body={"document": unpriced})))

    assert "; peak at least 11.02 EUR an hour" in plan_cost(run)


def test_a_list_that_cannot_be_read_is_unknown_with_its_reason() -> None:
    """As Azure refused it."""
    unread = {"sizes": None, "unanswered": {"vmSizes": "could not be read: permission denied"}}
    made = release(priced(**unread))

    assert plan_cost(made) == "Cost: unknown (vmSizes of eastus could not be read: permission denied)."
    assert plan_cost_json(made)["after"]["problem"] == "vmSizes of eastus could not be read: permission denied"


def test_the_hourly_guard_counts_both_slots() -> None:
    """Three live instances and three of a new release, with the arithmetic."""
    there = priced(LIVE, deployment_body("blue", count=3))
    wanted = spec(release="r2", instance_count=3)
    with pytest.raises(
        Refused,
        match=r"AML256 .*would cost 22\.038 EUR an hour at the peak of the plan"
        r" \(mip: blue 3 x 3\.673 \+ green 3 x 3\.673\), and guards\.max_hourly_cost is 22\.",
    ):
        release(there, wanted, max_hourly_cost=22)

    assert release(there, wanted, max_hourly_cost=22.038).steps
    assert release(there, wanted, max_hourly_cost=22.04).notes == release(there, wanted).notes


def test_the_monthly_guard_counts_what_stays() -> None:
    """730 hours of what runs after the plan: with the idle slot, without it if the rollout deletes it."""
    records = {OWNER_TAG: OWNER, LIVE_TAG: "blue=r1@2026-11-29T12:00:00Z"}
    there = priced(endpoint_body({"blue": 100}, tags=records), deployment_body("blue"))
    kept, deleted = spec(release="r2"), spec(release="r2", pipeline={"rollout": {"keep_previous": 0}})
    with pytest.raises(
        Refused,
        match=r"AML256 .*5362\.58 EUR a month after the plan: 730 h x 7\.346 EUR \(mip: .*max_monthly_cost is 5000",
    ):
        release(there, kept, max_monthly_cost=5000)

    assert release(there, deleted, max_monthly_cost=5000).steps


def test_a_plan_that_adds_no_cost_is_not_refused() -> None:
    """Above the limit, nothing to do, a smaller count and a change of tags are planned, with a note."""
    there = priced(LIVE, deployment_body("blue", count=3))
    for wanted in (spec(instance_count=3), spec(instance_count=2), spec(instance_count=3, tags={"team": "a"})):
        made = release(there, wanted, max_hourly_cost=5, max_monthly_cost=10)
        assert [note for note in made.notes if "This plan adds no cost, so it is not refused." in note] == [
            note for note in made.notes if "guards." in note
        ]
        assert len([note for note in made.notes if "max_hourly_cost" in note]) == 1


def test_a_guard_counts_every_endpoint_of_the_file() -> None:
    """What runs of the others, or what their files request if that costs more."""
    wanted = replace(spec(), siblings=(other("two", 2, H100), other("three", 1)))
    running = {
        "three-ab": {
            addr(f"deployment/three/{name}"): {
                **deployment_body(name, count=2),
                "id": f"/ws/onlineEndpoints/three-ab/deployments/{name}",
            }
            for name in ("blue", "green")
        }
    }
    with pytest.raises(
        Refused,
        match=r"would cost 32\.365 EUR an hour .*\(three: blue 2 x 3\.673 \+ green 2 x 3\.673 running, two: 14 in its"
        r" files, mip: blue 1 x 3\.673\)",
    ):
        release(priced(), wanted, running, max_hourly_cost=32)

    assert release(priced(), wanted, running, max_hourly_cost=32.365).steps


def test_a_guard_with_an_unknown_price_is_a_note() -> None:
    """Nothing is refused for it, unless the known prices alone exceed the limit."""
    there = priced(LIVE, deployment_body("blue"), prices=(3.673, None))
    wanted = spec(release="r2", instance_type=H100)

    notes = release(there, wanted, max_hourly_cost=100).notes
    assert f"guards.max_hourly_cost is not checked: the price of {H100} is unknown." in notes
    with pytest.raises(Refused, match=r"AML256 .*would cost at least 7\.346 EUR an hour"):
        release(there, replace(spec(release="r2"), siblings=(other("two", 1, H100),)), max_hourly_cost=7)


def test_an_unknown_price_that_is_added_adds_cost() -> None:
    """Above the limit without it, the plan is refused."""
    there = priced(LIVE, deployment_body("blue"), prices=(3.673, None))
    with pytest.raises(
        Refused, match=r"would cost at least 3\.673 EUR an hour .*\(mip: blue 1 x 3\.673 \+ green 1 x unknown\)"
    ):
        release(there, spec(release="r2", instance_type=H100), max_hourly_cost=3)


def test_a_rollback_is_guarded_too() -> None:
    """A rollback that scales the previous release up adds cost, which its plan prints."""
    records = " ".join(f"{each}@2026-11-29T12:00:00Z" for each in ("green=r2", "blue=r1"))
    endpoint = endpoint_body({"green": 100}, tags={OWNER_TAG: OWNER, LIVE_TAG: records})
    bodies = (deployment_body("blue"), deployment_body("green", release="r2", count=2))
    there = {"mip": priced(endpoint, *bodies)}
    made = rollback.plan(environment(max_hourly_cost=14.692), [spec(release="r2")], there)

    assert [str(step.address) for step in made.steps if step.verb is Verb.UPDATE] == ["deployment/mip/blue"]
    assert "+3.67 EUR an hour compared with now" in plan_cost(made)
    with pytest.raises(Refused, match=r"AML256 .*mip: blue 2 x 3\.673 \+ green 2 x 3\.673"):
        rollback.plan(environment(max_hourly_cost=14), [spec(release="r2")], there)


def steps_of(*steps: tuple[Verb, str, int]) -> list[Step]:
    document = {"endpoint_name": "mip-ab", "instance_type": A100}
    return [
        Step(
            verb,
            addr(f"deployment/mip/{slot}"),
            {"endpoint": "mip-ab", "name": slot}
            if verb is Verb.DELETE
            else {"document": {**document, "name": slot, "instance_count": count}},
            "",
        )
        for verb, slot, count in steps
    ]


@given(states=st.lists(st.sampled_from(State), min_size=2, max_size=2), attempts=st.integers(0, 2))
def test_after_a_run_a_step_that_failed_leaves_it_open(states: list[State], attempts: int) -> None:
    """Done steps count, steps that never began do not, and what else was begun may have its effect or not."""
    there = {"mip": priced(LIVE, deployment_body("blue"))}
    steps = steps_of((Verb.CREATE, "green", 2), (Verb.DELETE, "blue", 0))
    plan = Plan("test", tuple(steps), running=cost.running(there.items()), prices=cost.prices(there))
    outcomes = [
        Outcome(step.address, step.verb, state, attempts=attempts) for step, state in zip(steps, states, strict=True)
    ]
    sure = [state is State.DONE for state in states]
    begun = [each or attempts > 0 for each in sure]
    found = cost.after_run(plan, Report("test", "", tuple(outcomes)))

    least = 2 * sure[0] + (not begun[1])
    most = 2 * begun[0] + (not sure[1])
    assert found is not None
    assert (found.least, found.most) == (Decimal("3.673") * least, Decimal("3.673") * most)


def test_what_runs_after_a_run_in_words() -> None:
    """A range, and nothing where nothing runs or no price was read."""
    there = {"mip": priced()}
    plan = Plan("test", tuple(steps_of((Verb.CREATE, "blue", 1))), prices=cost.prices(there))
    failed = Outcome(addr("deployment/mip/blue"), Verb.CREATE, State.FAILED, attempts=1)

    assert running_cost(cost.after_run(plan, Report("test", "", (failed,)))) == (
        "Running cost: 0.00 to 3.67 EUR an hour, 0.00 to 2681.29 EUR a month (730 h)."
    )
    assert running_cost(cost.after_run(plan, Report("test", "", ()))) == ""
    assert cost.after_run(replace(plan, prices=None), Report("test", "", ())) is None
    assert cost_json(None) is None


def test_prices_are_exact() -> None:
    """0.1 three times is 0.3, and half a cent is rounded up."""
    made = release(priced(prices=(0.1, 7)), spec(instance_count=3))
    assert plan_cost_json(made)["after"]["hourly"] == 0.3
    assert cost.rounded(Decimal("2.675")) == Decimal("2.68")


@pytest.mark.parametrize("written", [-1, "10", True, float("inf"), float("nan")])
def test_a_limit_of_cost_is_a_number(written: Any) -> None:
    """Not negative and finite; null is no limit."""
    for name in ("max_hourly_cost", "max_monthly_cost"):
        with pytest.raises(ValidationError):
            GuardsDocument.model_validate({name: written})
        assert getattr(GuardsDocument.model_validate({name: 9.5}), name) == 9.5
        assert getattr(GuardsDocument.model_validate({name: 10}), name) == 10
