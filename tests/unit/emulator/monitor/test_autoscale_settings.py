"""The resource: answers, validation, one setting for a target, permissions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.emulator.monitor import autoscale_settings
from deploy.emulator.monitor.autoscale_body import Capacity, Setting
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.emulator.world import parse
from tests.unit.emulator.azure import Azure
from tests.unit.emulator.monitor.setting import BLUE, ENDPOINT, GROUP, SCALE, profile, rule, setting, weekly

ONE = f"{SCALE}/mip-blue"


def test_a_setting_outlives_its_deployment(azure: Azure) -> None:
    """201, 200, listed in group and subscription, deleted: 200, then 204."""
    everywhere = f"/subscriptions/{default_world.SUBSCRIPTION}/providers/microsoft.insights/autoscalesettings"
    assert azure.send("GET", everywhere).json == {"value": []}
    assert azure.send("PUT", ONE, setting()).status == 201
    assert azure.send("PUT", ONE, setting(profile(1, 5))).status == 200
    found = azure.send("GET", ONE.lower()).json
    assert (found["properties"]["name"], found["type"]) == ("mip-blue", autoscale_settings.TYPE)
    assert found["properties"]["profiles"][0]["capacity"]["maximum"] == "5"
    azure.serving_endpoint(blue=100)
    azure.send("DELETE", ENDPOINT)
    azure.finish_operations()
    for place in (SCALE, everywhere):
        assert [item["name"] for item in azure.send("GET", place).json["value"]] == ["mip-blue"]
    assert [azure.send("DELETE", ONE).status, azure.send("DELETE", ONE).status] == [200, 204]
    assert azure.send("GET", ONE).code == "ResourceNotFound"
    assert azure.send("PATCH", ONE, {}).code == "ResourceNotFound"


def test_a_setting_is_disabled_by_default(azure: Azure) -> None:
    """`enabled` is false if absent or null."""
    for enabled in (None, False, True):
        body = setting(enabled=enabled)
        assert azure.send("PUT", ONE, body).json["properties"]["enabled"] is bool(enabled)
    del body["properties"]["enabled"]
    assert azure.send("PUT", ONE, body).json["properties"]["enabled"] is False


def test_a_target_has_one_setting(azure: Azure) -> None:
    """A second one is refused with 409, in any case of the id; after the first is deleted it is accepted."""
    assert azure.send("PUT", ONE, setting()).status == 201
    for body in (setting(), setting(targetResourceUri=BLUE.upper())):
        refused = azure.send("PUT", f"{SCALE}/other", body)
        assert (refused.status, refused.json["code"]) == (409, "Conflict")
    assert azure.send("PUT", f"{SCALE}/other", setting(targetResourceUri=f"{BLUE}2")).status == 201
    azure.send("DELETE", ONE)
    assert azure.send("PUT", f"{SCALE}/third", setting()).status == 201


def test_the_target_cannot_change(azure: Azure) -> None:
    """400 with the recorded body, by PUT and by PATCH; another case of the same id is no change."""
    azure.send("PUT", ONE, setting())
    other = f"{ENDPOINT}/deployments/green"
    for method, body in (
        ("PUT", setting(targetResourceUri=other)), ("PATCH", {"properties": {"targetResourceUri": other}}),
    ):  # fmt: skip
        refused = azure.send(method, ONE, body)
        assert (refused.status, refused.json) == (400, {
            "code": "TargetResourceIdIsImmutable",
            "message": f"The autoscale setting 'mip-blue' under resource group 'rg-local' is referencing target "
            f"resource '{BLUE}'. The target resource reference is immutable. If you want to change it, please create "
            "a new autoscale setting with a different name.",
        })  # fmt: skip
    assert azure.send("PUT", ONE, setting(targetResourceUri=BLUE.lower())).status == 200


def test_patch_replaces_only_what_it_contains(azure: Azure) -> None:
    """Tags as a whole, properties one by one."""
    azure.send("PUT", ONE, {**setting(), "tags": {"a": "1"}})
    changed = azure.send("PATCH", ONE, {"tags": {"b": "2"}})
    assert (changed.status, changed.json["tags"]) == (200, {"b": "2"})
    assert changed.json["properties"]["enabled"] is True
    changed = azure.send("PATCH", ONE, {"properties": {"enabled": False}}).json
    assert (changed["tags"], changed["properties"]["enabled"]) == ({"b": "2"}, False)
    assert changed["properties"]["profiles"] == setting()["properties"]["profiles"]
    assert azure.send("PATCH", ONE, {"properties": {"profiles": []}}).status == 400
    assert azure.send("GET", ONE).json == changed


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_a_capacity_must_be_ordered(least: int, default: int, most: int) -> None:
    """Only minimum <= default <= maximum is valid."""
    try:
        parse.validate(profile(least, most, default)["capacity"], Capacity)
        accepted = True
    except parse.InvalidValue:
        accepted = False
    assert accepted == (least <= default <= most)


DATE = {"timeZone": "UTC", "start": "2026-12-01T08:00:00Z", "end": "2026-12-01T20:00:00Z"}
VALID = rule("Increase", "GreaterThan", 1)
INVALID: dict[str, Any] = {
    "no profile": [],
    "21 profiles": [profile(1, 2, name=str(n), recurrence=weekly("Monday")) for n in range(21)],
    "not an object": ["x"],
    "two default profiles": [profile(1, 2), profile(1, 2)],
    "11 rules": [profile(1, 2, None, *[VALID] * 11)],
    "a capacity of numbers": [{**profile(1, 2), "capacity": {"minimum": 1, "maximum": 2, "default": 1}}],
    "a negative capacity": [profile(-1, 2)],
    "a capacity of 1001": [profile(1, 1001)],
    "a value of zero": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, value="0"))],
    "a value that is a number": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, value=1))],
    "a grain of 30 s": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, timeGrain="PT30S"))],
    "a grain of 13 h": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, timeGrain="PT13H"))],
    "a window of 4 min": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, timeWindow="PT4M"))],
    "a window of 13 h": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, timeWindow="PT13H"))],
    "no cooldown": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, cooldown="PT0S"))],
    "a cooldown of 8 days": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, cooldown="P8D"))],
    "a window that is no duration": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, timeWindow="5m"))],
    "an unknown direction": [profile(1, 2, None, rule("Up", "GreaterThan", 1))],
    "an unknown operator": [profile(1, 2, None, rule("Increase", ">", 1))],
    "an unknown statistic": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, statistic="P99"))],
    "an unknown aggregation": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, timeAggregation="First"))],
    "an unknown type": [profile(1, 2, None, rule("Increase", "GreaterThan", 1, type="Double"))],
    "a threshold that is text": [profile(1, 2, None, {**VALID, "metricTrigger": {"threshold": "1"}})],
    "a daily recurrence": [profile(1, 2, recurrence={**weekly("Monday"), "frequency": "Day"})],
    "an unknown day": [profile(1, 2, recurrence=weekly("Someday"))],
    "an hour of 24": [profile(1, 2, recurrence=weekly("Monday", 24))],
    "an unknown time zone": [profile(1, 2, recurrence=weekly("Monday", 0, "Mars Standard Time"))],
    "a date that ends before it begins": [profile(1, 2, fixedDate={**DATE, "end": DATE["start"]})],
    "a date of 366 days": [profile(1, 2, fixedDate={**DATE, "end": "2027-12-02T08:00:01Z"})],
    "a start that is no time": [profile(1, 2, fixedDate={**DATE, "start": "soon"})],
}


@pytest.mark.parametrize("what", INVALID)
def test_an_invalid_setting_has_a_message(what: str) -> None:
    """It names the field."""
    with pytest.raises(parse.InvalidValue, match="profiles"):
        parse.validate(setting(profiles=INVALID[what])["properties"], Setting)


def test_an_invalid_setting_is_refused(azure: Azure) -> None:
    """Without a target or a location, too; nothing is stored."""
    assert azure.send("PUT", ONE, {**setting(), "location": None}).code == "LocationRequired"
    for properties, message in (
        ({"targetResourceUri": None}, "targetResourceUri: expected a valid string"),
        ({"profiles": [profile(1, 1001)]}, "profiles[0].capacity: expected minimum <= default <= maximum <= 1000."),
    ):
        refused = azure.send("PUT", ONE, setting(**properties))
        assert (refused.status, refused.json["code"]) == (400, "BadRequest")
        assert message in refused.json["message"]
    assert azure.send("GET", SCALE).json["value"] == []


def test_words_are_accepted_in_any_case(azure: Azure) -> None:
    """And returned as written; what the engine does not use is stored, too."""
    low = rule("increase", "greaterthan", 1, type="changecount", statistic="average", timeAggregation="last")
    dates = [profile(1, 2, recurrence=weekly("sunday", 7, "w. europe standard time")), profile(1, 2, fixedDate=DATE)]
    notices = [{"operation": "Scale", "email": {"customEmails": ["a@b.example"]}}]
    wanted = setting(profile(1, 2, None, low), *dates, notifications=notices, targetResourceLocation="eastus")
    assert azure.send("PUT", ONE, wanted).status == 201
    found = azure.send("GET", ONE).json["properties"]
    assert {key: found[key] for key in wanted["properties"]} == wanted["properties"]


def test_a_region_has_100_settings(azure: Azure) -> None:
    """More are refused; existing ones can change."""
    for number in range(autoscale_settings.LIMIT):
        azure.send("PUT", f"{SCALE}/s{number}", setting(targetResourceUri=f"{BLUE}{number}"))
    assert azure.send("PUT", ONE, setting()).json["code"] == "AutoscaleSettingsLimitReached"
    assert azure.send("PUT", f"{SCALE}/s7", setting(targetResourceUri=f"{BLUE}7")).status == 200
    assert azure.send("PUT", ONE, {**setting(), "location": "westeurope"}).status == 201


def test_settings_have_their_own_permissions(azure: Azure) -> None:
    """A data scientist of the workspace has none of them; a reader of the group reads; a contributor writes."""
    azure.send("PUT", ONE, setting())
    who = azure.sign_in("x")
    azure.assign_role(who, builtin_roles.DATA_SCIENTIST, default_world.WORKSPACE_ID)
    refused = azure.send("PUT", ONE, setting())
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    assert "'Microsoft.Insights/autoscaleSettings/write'" in refused.message
    assert azure.send("GET", ONE).status == 403
    azure.assign_role(who, builtin_roles.READER, GROUP)
    assert azure.send("GET", ONE).status == 200
    assert [azure.send(method, ONE, {}).status for method in ("PATCH", "DELETE")] == [403, 403]
    azure.assign_role(who, builtin_roles.CONTRIBUTOR, GROUP)
    assert [azure.send(method, ONE, {}).status for method in ("PATCH", "DELETE")] == [200, 200]


KEYS = ["name", "capacity", "rules", "recurrence", "schedule", "fixedDate", "start", "end", "timeZone", "days"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)


@settings(max_examples=25)
@given(st.lists(VALUES, max_size=2))
def test_any_profiles_are_valid_or_refused(profiles: Any) -> None:
    """Validation raises nothing else."""
    with pytest.raises(parse.InvalidValue, match="profiles"):
        parse.validate({"targetResourceUri": BLUE, "profiles": profiles}, Setting)
