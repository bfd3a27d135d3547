"""Autoscale in plans, by values alone: counts that it owns, the place of its steps, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.diff import autoscale_settings
from deploy.documents.scale import Scale
from deploy.domain.arm import OWNER_TAG
from deploy.domain.history import LIVE_TAG
from deploy.domain.plan import Plan, Verb
from deploy.errors import Refused
from deploy.planning import planner, rollback
from tests.addresses import addr
from tests.unit.specs import OWNER, deployment_body, endpoint_body, environment, facts, quota_row, spec

SCALE = {"min": 2, "max": 5}
PLENTY = quota_row(limit=9000, total=9000)
BLUE_LIVE = endpoint_body({"blue": 100})
STAGES = {"rollout": {"stages": [10, 100], "bake": "5m"}, "probe": {"type": "http"}}


def setting(slot: str, owner: str = OWNER, *, least: int = 2, most: int = 5, enabled: bool = True) -> dict[Any, Any]:
    """A fact: the setting of one deployment."""
    profiles = autoscale_settings.profiles_of(Scale(min=least, max=most))
    body = {
        "id": f"/as/{slot}", "name": f"as-{slot}", "target": f"/ws/onlineEndpoints/mip-ab/deployments/{slot}",
        "tags": {OWNER_TAG: owner} if owner else {}, "enabled": enabled, "profiles": profiles,
    }  # fmt: skip
    return {addr(f"autoscale/mip/{slot}"): body}


def seen(endpoint: Any = BLUE_LIVE, *settings: dict[Any, Any], **counts: int) -> dict[Any, Any]:
    """An endpoint with release r1 in blue and r0 in green, where they have a count."""
    releases = {"blue": "r1", "green": "r0"}
    bodies = tuple(deployment_body(name, release=releases[name], count=n) for name, n in counts.items())
    found = facts(endpoint, bodies, PLENTY)
    for each in settings:
        found |= each
    return found


def plan(there: Any, *, release: str = "r2", scale: Any = SCALE, count: int = 1, **more: Any) -> Plan:
    pipeline = {**({"scale": scale} if scale else {}), **more.pop("pipeline", {})}
    wanted = spec(release=release, pipeline=pipeline, instance_count=count, **more)
    return planner.plan_release(environment(), [wanted], {"mip": there})


def story(made: Plan) -> list[str]:
    return [f"{step.verb} {step.address}" for step in made.steps if step.verb is not Verb.CHECK]


def counts(made: Plan) -> dict[str, int]:
    """Deployment -> the instances that a plan gives it."""
    found = {}
    for step in made.steps:
        if step.kind == "deployment" and "document" in step.body:
            found[step.address.name] = step.body["document"]["instance_count"]
        elif step.kind == "deployment" and "count" in step.body:
            found[step.address.name] = step.body["count"]
    return found


def refusals(there: Any, **more: Any) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        plan(there, **more)
    return [(finding.code, finding.cure) for finding in refused.value.findings]


def test_the_setting_moves_around_the_last_stage() -> None:
    """Made right before the last shift, after its bake and probe; removed once the old slot has no traffic."""
    made = plan(seen(BLUE_LIVE, setting("blue"), blue=3), pipeline=STAGES)

    assert story(made) == [
        "create deployment/mip/green",
        "probe probe/mip/green",
        "shift traffic/mip",
        "probe probe/mip/green",
        "create autoscale/mip/green",
        "shift traffic/mip",
        "delete autoscale/mip/blue",
    ]
    assert [f"{step.verb} {step.address}" for step in made.rescue] == [
        "update autoscale/mip/blue",
        "shift traffic/mip",
        "delete autoscale/mip/green",
    ]
    assert counts(made) == {"green": 3}


def test_the_previous_release_goes_after_its_setting() -> None:
    """With keep_previous 0: the setting first, so that nothing is left of the deployment."""
    endpoint = endpoint_body({"blue": 100}, tags={OWNER_TAG: OWNER, LIVE_TAG: "blue=r1@2026-11-29T12:00:00Z"})
    made = plan(seen(endpoint, setting("blue"), blue=2), pipeline={"rollout": {"keep_previous": 0}})

    assert story(made)[-2:] == ["delete autoscale/mip/blue", "delete deployment/mip/blue"]


def test_a_first_release_has_a_setting_before_it_gets_traffic() -> None:
    """With as many instances as the limits ask for."""
    made = plan(facts(None, (), PLENTY))

    assert story(made)[-2:] == ["create autoscale/mip/blue", "shift traffic/mip"]
    assert counts(made) == {"blue": 2}


def test_what_was_scaled_outside_is_no_difference() -> None:
    """Within the limits, whether the setting is ours, that of others, or only in the files."""
    for settings, scale in (
        ((setting("blue"),), SCALE),
        ((setting("blue", ""),), None),
        ((setting("blue", "o/x"),), None),
    ):
        assert story(plan(seen(BLUE_LIVE, *settings, blue=4), release="r1", scale=scale)) == []
    assert story(plan(seen(BLUE_LIVE, blue=4), release="r1")) == ["create autoscale/mip/blue"]


def test_a_count_outside_the_limits_is_moved_inside() -> None:
    """By us, as far as the files and the limits ask."""
    for held, wrote, after in ((1, 1, 2), (9, 1, 2), (9, 4, 4), (1, 9, 5)):
        assert counts(plan(seen(BLUE_LIVE, setting("blue"), blue=held), release="r1", count=wrote)) == {"blue": after}


def test_a_disabled_setting_scales_nothing() -> None:
    """The count of the files holds."""
    there = seen(BLUE_LIVE, setting("blue", "", enabled=False), blue=4)
    assert counts(plan(there, release="r1", scale=None)) == {"blue": 1}


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))
def test_a_new_slot_is_never_smaller(live: int, wrote: int, idle: int, one: int, other: int) -> None:
    """At least the live count, at most the limit, whatever the files and the idle slot have."""
    least, most = sorted((one, other))
    there = seen(BLUE_LIVE, setting("blue", least=least, most=most), blue=live, **({"green": idle} if idle else {}))
    (after,) = counts(plan(there, scale={"min": least, "max": most}, count=wrote)).values()
    assert min(max(live, least), most) <= after <= most
    assert after == max(min(live, most), min(max(wrote, least), most))


def test_an_interrupted_rollout_goes_on_from_each_point() -> None:
    """After the setting was made, after the last shift, and after the old setting was removed."""
    both = {**setting("blue"), **setting("green")}
    half, whole = endpoint_body({"blue": 90, "green": 10}), endpoint_body({"green": 100})

    assert story(
        plan(seen(half, both, blue=3, green=3), release="r0", pipeline={"rollout": {"stages": [10, 100]}})
    ) == [
        "shift traffic/mip",
        "delete autoscale/mip/blue",
    ]
    assert story(plan(seen(whole, both, blue=3, green=3), release="r0")) == ["delete autoscale/mip/blue"]
    assert story(plan(seen(whole, setting("green"), blue=3, green=3), release="r0")) == []


def test_other_limits_change_the_setting_in_place() -> None:
    """One PUT; the old setting of another slot is removed, too."""
    there = seen(BLUE_LIVE, setting("blue", most=3), blue=3)
    assert story(plan(there, release="r1")) == ["update autoscale/mip/blue"]


def test_without_scale_in_the_files_ours_is_deleted() -> None:
    """And the count is that of the files again."""
    made = plan(seen(BLUE_LIVE, setting("blue"), blue=3), release="r1", scale=None)
    assert story(made) == ["update deployment/mip/blue", "delete autoscale/mip/blue"]
    assert counts(made) == {"blue": 1}


def test_a_rollout_away_from_a_setting_of_others_is_refused() -> None:
    """With the cures; in place it is allowed, and the count stays."""
    for owner in ("", "prod/other"):
        there = seen(BLUE_LIVE, setting("blue", owner), blue=3)
        ((code, cure),) = refusals(there, scale=None)
        assert code == "AML234"
        assert all(words in cure for words in ("scale: {adopt: true}", "in_place", "templates/mip/pipeline.yml"))
        assert [code for code, _ in refusals(there)] == ["AML234"]
        made = plan(there, scale=None, pipeline={"rollout": {"strategy": "in_place"}})
        assert story(made) == ["update deployment/mip/blue"]
        assert counts(made) == {"blue": 3}


def test_a_setting_of_others_in_the_way_is_refused() -> None:
    """Azure allows one for a deployment; without `scale` it scales the new release."""
    there = seen(BLUE_LIVE, setting("green", ""), blue=1, green=1)
    assert [code for code, _ in refusals(there)] == ["AML234"]
    assert not any("autoscale" in line for line in story(plan(there, scale=None)))


def test_an_adopted_setting_keeps_its_content() -> None:
    """Without a rollout it gets our tag; in a rollout a copy is made for the new slot, and it is deleted."""
    there = seen(BLUE_LIVE, setting("blue", "", least=1, most=7), blue=6)
    adopted = plan(there, release="r1", scale={"adopt": True})
    assert story(adopted) == ["update autoscale/mip/blue"]
    moved = plan(there, scale={"adopt": True})
    made = next(step for step in moved.steps if step.kind == "autoscale")

    assert story(moved)[-3:] == ["create autoscale/mip/green", "shift traffic/mip", "delete autoscale/mip/blue"]
    assert autoscale_settings.limits(made.body) == (1, 7)
    assert made.body["like"] == "blue"
    assert counts(moved) == {"green": 6}
    back = moved.rescue[0].body
    assert (back["id"], back["tag"], back["like"]) == ("/as/blue", "", "green")
    limited = plan(there, scale={"adopt": True, **SCALE})
    assert [
        autoscale_settings.limits(s.body) for s in limited.steps if s.address.name == "green" and s.kind == "autoscale"
    ] == [(2, 5)]
    assert story(plan(seen(BLUE_LIVE, blue=1), release="r1", scale={"adopt": True})) == []


def test_deployments_that_the_user_names_each_have_a_setting() -> None:
    """Where they receive traffic; a setting of others on a deployment that stays in the files is not our business."""
    written = spec(pipeline={"scale": SCALE}, traffic={"blue": 90, "green": 10}, instance_count=2)
    (blue,) = written.deployments
    wanted = replace(written, deployments=(blue, {**blue, "name": "green"}), releases={"blue": "r1", "green": "r0"})
    there = seen(endpoint_body({"blue": 90, "green": 10}), blue=2, green=2)
    made = planner.plan_release(environment(), [wanted], {"mip": there})
    assert story(made) == ["create autoscale/mip/blue", "create autoscale/mip/green"]

    moved = replace(wanted, traffic={"green": 100}, pipeline=spec().pipeline)
    left = {"mip": {**there, **setting("blue", "")}}
    assert story(planner.plan_release(environment(), [moved], left)) == ["shift traffic/mip"]


def test_settings_that_cannot_be_listed_refuse_scale_only() -> None:
    """The right is named; without `scale` it is a question that the permission check leaves open."""
    answer = {"word": "workspace", "scope": "/ws", "blocks": [{"actions": ["*"]}], "unread": "", "settings": False}
    there = {**seen(BLUE_LIVE, blue=1), addr("permission/mip/workspace"): answer}
    assert [code for code, _ in refusals(there)] == ["AML250"]
    made = plan(there, scale=None)
    check = next(step for step in made.steps if step.kind == "permission")
    assert "Microsoft.Insights/AutoscaleSettings/Read" in check.why


def test_the_right_is_checked_on_the_resource_group() -> None:
    """Its absence refuses the plan; Contributor has it, AzureML Data Scientist does not."""
    actions = ["Microsoft.MachineLearningServices/*", "*/read"]
    ours = {"word": "workspace", "scope": "/g/ws", "blocks": [{"actions": actions}], "unread": ""}
    group = {"word": "resource_group", "scope": "/g", "blocks": [{"actions": actions}], "unread": ""}
    there = {
        **seen(BLUE_LIVE, blue=2),
        addr("permission/mip/workspace"): ours,
        addr("permission/mip/resource_group"): group,
    }
    with pytest.raises(Refused, match=r"lacks Microsoft.Insights/AutoscaleSettings/Write on /g.*Contributor"):
        plan(there, release="r1")


def test_the_guard_counts_what_autoscale_may_run() -> None:
    """`max` of the setting, beside what runs."""
    there = seen(BLUE_LIVE, blue=2)
    wanted = spec(pipeline={"scale": SCALE}, release="r2")
    with pytest.raises(Refused, match=r"blue 2 \+ green 5"):
        planner.plan_release(environment(max_instances=6), [wanted], {"mip": there})
    assert planner.plan_release(environment(max_instances=7), [wanted], {"mip": there}).steps


def test_a_teardown_deletes_every_setting() -> None:
    """Also those of others: they hang on our deployments."""
    there = seen(BLUE_LIVE, setting("blue", ""), setting("green"), blue=1, green=1)
    made = planner.plan_teardown(environment(), [spec()], {"mip": there})
    assert [line for line in story(made) if "autoscale" in line] == [
        "delete autoscale/mip/blue",
        "delete autoscale/mip/green",
    ]


def rolled_back(*settings: dict[Any, Any], scale: Any = SCALE) -> Plan:
    tags = {OWNER_TAG: OWNER, LIVE_TAG: "green=r0@2026-11-29T13:00:00Z blue=r1@2026-11-29T12:00:00Z"}
    there = seen(endpoint_body({"green": 100}, tags=tags), *settings, blue=2, green=4)
    wanted = spec(release="r0", pipeline={"scale": scale} if scale else {})
    return rollback.plan(environment(), [wanted], {"mip": there})


def test_a_rollback_moves_the_setting_back() -> None:
    """With as many instances as are live; ours moves even if the files no longer have `scale`."""
    for scale in (SCALE, {"adopt": True}, None):
        made = rolled_back(setting("green"), scale=scale)
        assert story(made) == [
            "update deployment/mip/blue",
            "create autoscale/mip/blue",
            "shift traffic/mip",
            "delete autoscale/mip/green",
        ]
        assert counts(made) == {"blue": 4}
        assert [str(step.address) for step in made.rescue] == [
            "autoscale/mip/green", "traffic/mip", "autoscale/mip/blue",
        ]  # fmt: skip


def test_a_rollback_away_from_a_setting_of_others_has_a_note() -> None:
    """An emergency is not refused."""
    made = rolled_back(setting("green", ""), scale=None)
    assert story(made) == ["update deployment/mip/blue", "shift traffic/mip"]
    assert any("as-green is not managed by amldeploy and stays on green" in note for note in made.notes)
