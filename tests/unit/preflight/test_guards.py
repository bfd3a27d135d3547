"""Guards by values alone: what runs at the peak of a plan, and traffic that moves without a probe."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.diff import autoscale_settings
from deploy.documents.scale import Scale
from deploy.domain.arm import OWNER_TAG
from deploy.domain.plan import Plan, Step, Verb
from deploy.errors import Refused
from deploy.planning import planner
from deploy.preflight import guards
from tests.addresses import addr
from tests.unit.specs import OWNER, deployment_body, endpoint_body, environment, facts, quota_row, spec

LIVE = endpoint_body({"blue": 100})
PLENTY = quota_row(limit=9000, total=9000)


def release(wanted, there, siblings=None, **limits) -> Plan:
    return planner.plan_release(environment(**limits), [wanted], {"mip": there}, siblings=siblings)


def other(key: str, count: int):
    """Another entry of the file."""
    return replace(
        spec(instance_count=count), key=key, owner=f"test/{key}", endpoint={"name": f"{key}-ab", "auth_mode": "key"}
    )


def test_the_peak_counts_both_slots() -> None:
    """Three live instances and three of a new release are six, and the message adds them up."""
    there = facts(LIVE, (deployment_body("blue", count=3),), PLENTY)
    wanted = spec(release="r2", instance_count=3)
    with pytest.raises(Refused, match=r"6 instances would run at the peak \(mip: blue 3 \+ green 3\) and .* is 5"):
        release(wanted, there, max_instances=5)

    assert release(wanted, there, max_instances=6).steps


def test_an_idle_slot_counts() -> None:
    """A release that goes into an idle slot of its own size still runs beside the live one."""
    there = facts(LIVE, (deployment_body("blue", count=3), deployment_body("green", release="r0", count=3)), PLENTY)
    with pytest.raises(Refused, match=r"6 instances .*blue 3 \+ green 3"):
        release(spec(release="r2", instance_count=3), there, max_instances=5)


def test_removing_instances_is_never_refused() -> None:
    """Above the limit, nothing to do and a smaller count are planned: they are the way back below it."""
    there = facts(LIVE, (deployment_body("blue", count=3), deployment_body("green", release="r0", count=3)), PLENTY)

    assert release(spec(instance_count=3), there, max_instances=5).steps == ()
    assert release(spec(instance_count=2), there, max_instances=5).steps


def test_endpoints_that_were_not_chosen_count() -> None:
    """What exists of them, or what their files ask for if that is more."""
    wanted = replace(spec(), siblings=(other("two", 2), other("three", 1)))
    running = {
        "two-ab": {
            addr("deployment/two/blue"): {**deployment_body("blue"), "id": "/ws/onlineEndpoints/two-ab/deployments/b"}
        },
        "three-ab": {
            addr(f"deployment/three/{name}"): {
                **deployment_body(name, count=2),
                "id": f"/ws/onlineEndpoints/three-ab/deployments/{name}",
            }
            for name in ("blue", "green")
        },
    }
    with pytest.raises(
        Refused, match=r"7 instances .*\(three: blue 2 \+ green 2 running, two: 2 in its files, mip: blue 1\)"
    ):
        release(wanted, facts(quota=PLENTY), running, max_instances=6)

    assert release(wanted, facts(quota=PLENTY), running, max_instances=7).steps


def test_autoscale_counts_with_its_maximum() -> None:
    """Of the live slot, whatever runs now, and of the new one."""
    profiles = autoscale_settings.profiles_of(Scale(min=1, max=4))
    setting = {"id": "/as/blue", "name": "blue", "tags": {OWNER_TAG: OWNER}, "enabled": True, "profiles": profiles}
    there = {**facts(LIVE, (deployment_body("blue"),), PLENTY), addr("autoscale/mip/blue"): setting}
    wanted = spec(release="r2", pipeline={"scale": {"min": 1, "max": 4}})
    with pytest.raises(Refused, match=r"8 instances would run at the peak \(mip: blue 4 \+ green 4\) and .* is 7"):
        release(wanted, there, max_instances=7)

    assert release(wanted, there, max_instances=8).steps


@given(
    counts=st.dictionaries(st.sampled_from(["blue", "green"]), st.integers(1, 5), max_size=2),
    live=st.sampled_from(["blue", "green"]),
    asked=st.integers(1, 5),
    fresh=st.booleans(),
)
def test_the_peak_is_what_the_steps_run(counts, live, asked, fresh) -> None:
    """From any two slots: no moment of the plan runs more than the peak, and one runs exactly that."""
    bodies = tuple(deployment_body(name, count=n, release="r1" if name == live else "r0") for name, n in counts.items())
    there = facts(endpoint_body({live: 100} if live in counts else {}), bodies, PLENTY)
    wanted = spec(release="r2" if fresh else "r1", instance_count=asked)
    made = release(wanted, there)
    now, sums = dict(counts), [sum(counts.values())]
    for step in (s for s in made.steps if s.kind == "deployment" and s.changes):
        name = step.address.name
        if step.verb is Verb.DELETE:
            del now[name]
        else:
            now[name] = step.body["count"] if "count" in step.body else step.body["document"]["instance_count"]
        sums.append(sum(now.values()))

    assert sum(guards.peak_instances([wanted], {"mip": there}, made.steps)["mip"].values()) == max(sums)


def test_a_deleted_endpoint_does_not_count_as_running() -> None:
    """The peak of a teardown is what there is; what is created after it counts by itself."""
    there = facts(LIVE, (deployment_body("blue", count=3),))
    gone = planner.plan_teardown(environment(), [spec()], {"mip": there}).steps
    again = [
        Step(Verb.CREATE, addr("deployment/mip/blue"), {"document": spec().with_name("mip-ab").deployments[0]}, "")
    ]

    assert guards.peak_instances([spec()], {"mip": there}, [*gone, *again])["mip"] == {("mip-ab", "blue"): 3}


def test_traffic_without_a_probe_is_a_note() -> None:
    """From nothing to all traffic, and from one release to the next, by a shift or in place."""
    there = facts(LIVE, (deployment_body("blue"),))
    in_place = {"rollout": {"strategy": "in_place"}}
    for wanted, seen in (
        (spec(), facts()),
        (spec(release="r2"), there),
        (spec(release="r2", pipeline=in_place), there),
        (spec(traffic={"blue": 100}), facts(endpoint_body(), (deployment_body("blue"),))),
    ):
        notes = [note for note in release(wanted, seen).notes if "no probe" in note]
        assert notes == [
            "mip: traffic moves to a release that no probe tests. Add probe: to templates/mip/pipeline.yml."
        ]
        with pytest.raises(Refused, match=r"AML248 .*probe/mip.*Add probe: to templates/mip/pipeline\.yml"):
            release(wanted, seen, require_probe=True)


def test_without_traffic_or_with_a_probe_there_is_no_note() -> None:
    """A probe, nothing to do, a change of the count or of tags, a deployment that receives no traffic."""
    there = facts(LIVE, (deployment_body("blue"),))
    for wanted, seen in (
        (spec(pipeline={"probe": {"type": "http"}}), facts()),
        (spec(), there),
        (spec(instance_count=2), there),
        (spec(tags={"team": "a"}), there),
        (spec(traffic={}), facts()),
    ):
        made = release(wanted, seen, require_probe=True)
        assert [note for note in made.notes if "probe" in note] == []
