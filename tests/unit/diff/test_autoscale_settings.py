"""Autoscale settings: what `scale` becomes in Azure, what Azure returns, and when the two are the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.diff import autoscale_settings
from deploy.documents.scale import Scale
from deploy.domain.arm import OWNER_TAG
from deploy.emulator.monitor.autoscale_body import Setting
from deploy.emulator.world import parse

ENDPOINT = (
    "/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e"
)
BLUE, GREEN = f"{ENDPOINT}/deployments/blue", f"{ENDPOINT}/deployments/green"
DAYS = ["Monday", "Saturday", "Sunday"]


def bounds() -> st.SearchStrategy[dict[str, int]]:
    pairs = st.tuples(st.integers(1, 1000), st.integers(1, 1000)).map(sorted)
    return pairs.map(lambda pair: {"min": pair[0], "max": pair[1]})


def rules() -> st.SearchStrategy[list[dict[str, Any]]]:
    number = st.floats(allow_nan=False, allow_infinity=False)
    return st.lists(
        st.builds(
            lambda when, change, rest: {**when, **change, **rest},
            st.one_of(st.fixed_dictionaries({"above": number}), st.fixed_dictionaries({"below": number})),
            st.one_of(
                st.fixed_dictionaries({"add": st.integers(1, 9)}), st.fixed_dictionaries({"remove": st.integers(1, 9)})
            ),
            st.fixed_dictionaries(
                {
                    "metric": st.sampled_from(["CpuUtilizationPercentage", "RequestLatency"]),
                    "of": st.sampled_from(["deployment", "endpoint"]),
                    "window": st.sampled_from(["5m", "1h", 330.0, "12h"]),
                    "cooldown": st.sampled_from(["1m", "90m", "168h"]),
                    "aggregation": st.sampled_from(["average", "minimum", "maximum", "total", "count", "last"]),
                }
            ),
        ),
        max_size=2,
    )


def profiles() -> st.SearchStrategy[list[dict[str, Any]]]:
    weekly = {"days": DAYS[1:], "start": "08:00", "end": "23:59"}
    once = {"start": "2026-12-01T08:00:00Z", "end": "2026-12-01T20:00:00Z"}
    one = st.builds(
        lambda name, limits, when, own: {"name": name, **limits, **when, **({"rules": own} if own else {})},
        st.sampled_from(["weekend", "launch", "night shift"]),
        bounds(),
        st.sampled_from([weekly, once]),
        st.none() | rules(),
    )
    return st.lists(one, max_size=2, unique_by=lambda each: each["name"])


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    return Scale.model_validate({**draw(bounds()), "rules": draw(rules()), "profiles": draw(profiles())})


def step(scale: Scale, tag: str = "dev/e") -> dict[str, Any]:
    return {"enabled": True, "profiles": autoscale_settings.profiles_of(scale), "tag": tag}


def sent(scale: Scale, target: str = BLUE, base: Any = None) -> dict[str, Any]:
    """The setting as Azure returns it."""
    return {"id": "/s/x", "name": "x", **autoscale_settings.body_for(target, "eastus", step(scale), base)}


@settings(max_examples=25)
@given(scales())
def test_what_is_sent_is_valid_and_is_the_same_when_it_is_read(scale: Scale) -> None:
    """Azure accepts every `scale` that we accept, on every slot, and a second look finds no difference."""
    for target in (BLUE, GREEN):
        body = sent(scale, target)
        parse.validate(body["properties"], Setting)
        uris = {
            rule["metricTrigger"]["metricResourceUri"] for p in body["properties"]["profiles"] for rule in p["rules"]
        }
        assert uris <= {target, ENDPOINT}
        assert autoscale_settings.is_same(step(scale), autoscale_settings.described(body))


@settings(max_examples=25)
@given(scales(), scales())
def test_another_scale_is_another_setting(one: Scale, other: Scale) -> None:
    """Every field of `scale` counts."""
    same = autoscale_settings.profiles_of(one) == autoscale_settings.profiles_of(other)
    assert autoscale_settings.is_same(step(one), autoscale_settings.described(sent(other))) is same


@settings(max_examples=25)
@given(scales())
def test_what_azure_adds_or_spells_otherwise_is_no_difference(scale: Scale) -> None:
    """Other capitals, other spellings of a duration, added defaults, another order of profiles."""
    body = sent(scale)
    for profile in body["properties"]["profiles"]:
        for rule in profile["rules"]:
            trigger = rule["metricTrigger"]
            spelled = {name: trigger[name].upper() for name in ("metricResourceUri", "operator", "statistic")}
            trigger.update(timeGrain="PT60S", dimensions=[], metricNamespace="x", **spelled)
    body["properties"]["profiles"].reverse()
    assert autoscale_settings.is_same(step(scale), autoscale_settings.described(body))


def test_others_properties_and_tags_stay_and_are_not_in_the_facts() -> None:
    """Notifications can contain secret addresses: they are sent, and never part of a plan."""
    scale = Scale.model_validate({"min": 1, "max": 3})
    base = sent(scale)
    base["tags"] = {"cost": "7", OWNER_TAG: "other/e"}
    base["properties"]["notifications"] = [{"webhooks": [{"serviceUri": "https://hooks.example/T0/secret"}]}]
    moved = sent(scale, GREEN, copy.deepcopy(base))

    assert moved["properties"]["notifications"] == base["properties"]["notifications"]
    assert moved["tags"] == {"cost": "7", OWNER_TAG: "dev/e"}
    assert moved["properties"]["targetResourceUri"] == GREEN
    assert "hooks.example" not in str(autoscale_settings.described(moved))
    assert autoscale_settings.body_for(BLUE, "eastus", step(scale, ""), base)["tags"] == {"cost": "7"}


def test_limits() -> None:
    """The smallest and the largest of all profiles; none where it is disabled or not readable."""
    weekend = {"name": "weekend", "min": 1, "max": 9, "days": ["Sunday"], "start": "00:00", "end": "23:59"}
    wanted = step(Scale.model_validate({"min": 2, "max": 5, "profiles": [weekend]}))

    assert autoscale_settings.limits(wanted) == (1, 9)
    assert autoscale_settings.limits({**wanted, "enabled": False}) is None
    assert autoscale_settings.limits({"enabled": True, "profiles": [{"capacity": {"minimum": "?"}}]}) is None
    assert autoscale_settings.in_words(wanted) == "1 to 9 instances, 1 more profile"


def test_each_target_has_its_own_name() -> None:
    """The target of a name is immutable, and two workspaces can have endpoints of one name."""
    names = {autoscale_settings.name_for("e", slot, f"/w{n}/{slot}") for slot in ("blue", "green") for n in (1, 2)}
    assert len(names) == 4
    assert autoscale_settings.name_for("e", "blue", "/W/x") == autoscale_settings.name_for("e", "blue", "/w/x")


@pytest.mark.parametrize("value", [None, True, 7, "x", [7], [[]], [{}], {}, {"minimum": "x"}, [{"metricTrigger": 7}]])
def test_any_body_is_read(value: Any) -> None:
    """Settings of others may have any content."""
    for part in ("profiles", "rules", "capacity"):
        profiles = value if part == "profiles" else [{"name": "x", part: value}]
        row = {"id": "/x", "name": "x", "tags": None, "properties": {"targetResourceUri": BLUE, "profiles": profiles}}
        found = autoscale_settings.described(row)
        assert autoscale_settings.limits({**found, "enabled": True}) is None
        assert autoscale_settings.in_words(found)
        assert autoscale_settings.is_same(found, found)
