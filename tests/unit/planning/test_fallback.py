"""The fallback is planned where nobody is served, from nothing, on dedicated quota; and it is part of the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy import reporter
from deploy.domain import leases
from deploy.domain.leases import DEADLINE, ENABLED
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.errors import POOL_FULL, Refused
from deploy.planning import plan_check, planner
from tests.addresses import addr
from tests.unit.specs import SIZE, deployment_body, endpoint_body, environment, facts, quota_row, spec

LENT: dict[str, Any] = {"quota": {"capacity": "shared", "fallback": "dedicated"}, "probe": {"type": "http"}}
LEASE = {ENABLED: "true", DEADLINE: "Mon, 30 Nov 2026 08:00:00 GMT"}


def plan(there: dict[str, Any], pipeline: dict[str, Any] | None = None, **more: Any) -> Plan:
    return planner.plan_release(environment(), [spec(pipeline=pipeline or LENT, **more)], {"mip": there})


def story(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.verb} {step.address}" for step in steps]


def lent(state: str = "Failed", traffic: dict[str, int] | None = None, owner: str = "test/mip") -> dict[str, Any]:
    """An endpoint that is on shared quota already, with one deployment."""
    body = endpoint_body(traffic)
    body["properties"]["properties"] = LEASE
    slot = deployment_body("blue", owner=owner)
    slot["properties"]["provisioningState"] = state
    return facts(body, (slot,))


def test_from_nothing() -> None:
    """Quota is looked at before anything goes; then the endpoint on shared quota goes, and the same is made without."""
    roles = {**LENT, "roles": [{"role": "AcrPull", "scope": "workspace_registry"}]}
    made = plan(facts(), roles)

    assert story(made.fallback) == [
        f"check quota/mip/{SIZE}",
        "delete role/mip/mip-ab",
        "delete endpoint/mip",
        "create endpoint/mip",
        "create role/mip/AcrPull/workspace_registry",
        "create deployment/mip/blue",
        "probe probe/mip/blue",
        "shift traffic/mip",
    ]
    by_address = {(step.verb, step.kind): step for step in made.fallback}
    assert by_address[Verb.CHECK, "quota"].body["capacity"] == "dedicated"
    assert by_address[Verb.CHECK, "quota"].body["needed"] == 24
    assert by_address[Verb.CREATE, "endpoint"].body["shared"] is None
    assert by_address[Verb.DELETE, "endpoint"].body == {"name": "mip-ab"}
    assert by_address[Verb.CREATE, "deployment"].retry.fresh_role
    first = next(step for step in made.steps if step.address == addr("endpoint/mip"))
    assert first.body["shared"] is not None
    assert made.quota[0]["capacity"] == "shared"


@pytest.mark.parametrize("quota", [{"capacity": "shared"}, {"capacity": "dedicated"}])
def test_only_if_the_files_say_so(quota: dict[str, str]) -> None:
    """Without the key there is none, and the plan's fingerprint is that of its steps alone."""
    made = plan(facts(), {"quota": quota})

    assert made.fallback == ()
    assert made.fingerprint == replace(made, fallback=()).fingerprint


def test_an_endpoint_without_traffic_may_be_deleted_too() -> None:
    """Left by an apply that failed: ours, on shared quota, without callers and without a healthy deployment."""
    assert "delete endpoint/mip" in story(plan(lent()).fallback)
    assert "create deployment/mip/blue" in story(plan(lent()).fallback)


def test_an_endpoint_with_a_healthy_deployment_stays() -> None:
    """With callers, with a healthy deployment, or off shared quota: there is no fallback, whatever is to be done."""
    assert plan(lent("Succeeded", {"blue": 100}), release="r2").fallback == ()
    assert plan(lent("Succeeded"), release="r2").fallback == ()
    assert plan(facts(endpoint_body())).fallback == ()
    assert plan(lent("Succeeded", {"blue": 100})).steps[0].verb is not Verb.DELETE


def test_one_off_shared_quota_counts_against_the_family() -> None:
    """What is there says itself where its cores come from: growth is checked, nothing is recorded, and it is said."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    assert plan(there).steps == ()
    (note,) = plan(there).notes
    assert "endpoint mip-ab is on dedicated quota, not on shared" in note
    with pytest.raises(Refused) as refused:
        plan(there | {addr(f"quota/mip/{SIZE.lower()}"): quota_row(limit=24, in_use=24)}, instance_count=2)
    assert refused.value.code == "AML200"
    assert not leases.is_on_shared_quota("shared", endpoint_body())
    assert leases.is_on_shared_quota("shared", None)


def test_dedicated_quota_that_is_short_is_a_note() -> None:
    """It is the second way only, so it blocks nothing; whoever agrees knows it."""
    made = plan(facts(quota=quota_row(limit=24, in_use=24)))

    (note,) = made.notes
    assert "if the shared pool stays full, dedicated quota is not enough now" in note
    assert "need 24, 0 free" in note
    assert "delete endpoint/mip" in story(made.fallback)


def test_it_is_part_of_what_is_agreed_to() -> None:
    """A plan file holds it, an edited one is refused by its fingerprint, and it is shown in a block of its own."""
    made = plan(facts())
    again = reporter.plan_load(reporter.plan_dump(made))

    assert story(again.fallback) == story(made.fallback)
    assert made.fingerprint != replace(made, fallback=()).fingerprint
    assert plan_check.remaining_plan(again, made).fallback == made.fallback
    for shown in (reporter.plan_text(made), reporter.plan_markdown(made)):
        assert "If the shared quota pool stays full: use dedicated quota instead" in shown
        assert "need 24 cores" in shown


def test_a_fallback_that_was_not_approved_is_not_run() -> None:
    """A plan file without one is carried out without one, although the files have one by now."""
    agreed = plan(facts(), {**LENT, "quota": {"capacity": "shared"}})

    assert plan_check.remaining_plan(agreed, plan(facts())).fallback == ()


def test_a_report_lists_what_was_superseded() -> None:
    """The pool's error stands in a report that went well, in every form, and is a warning to whoever reads the job."""
    made = plan(facts())
    error = {"code": POOL_FULL, "message": "cannot create deployment/mip/blue: the pool is full", "cure": "Wait"}
    outcomes = (
        Outcome(addr("deployment/mip/blue"), Verb.CREATE, State.SUPERSEDED, 20, 1790.0, error),
        Outcome(addr("probe/mip/blue"), Verb.PROBE, State.SUPERSEDED),
        *(Outcome(step.address, step.verb, State.DONE, 1, 1.0) for step in made.fallback),
    )
    report = Report("test", made.fingerprint, outcomes)

    assert report.ok
    for shown in (reporter.report_text(report, made), reporter.report_markdown(report, made)):
        assert POOL_FULL in shown
        assert "superseded, 29 min 50 s, 20 attempts" in shown
    assert "Azure cannot move an endpoint to dedicated quota" in reporter.report_html(report, made)
    (warning,) = reporter.report_annotations(report, {})
    assert (warning.level.name, warning.title) == ("WARNING", f"{POOL_FULL} deployment/mip/blue")
