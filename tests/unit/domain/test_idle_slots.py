"""Idle slots: what is one, which of them reap deletes, when a rollout ends with a deletion. Values in, values out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.config import validation
from deploy.config.reader import read_environment
from deploy.documents.pipeline import Pipeline
from deploy.domain import history, idle_slots, leases
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG
from deploy.domain.plan import Step, Verb
from deploy.domain.put_merge import PROTECT_TAG
from deploy.domain.spec import Environment
from deploy.planning import expired_slots, planner, reaping
from deploy.planning.reaping import Inventory, Rules
from deploy.reporter import endpoint_row, idle_notes, status_text
from tests.addresses import addr
from tests.project import ROOT
from tests.unit.specs import OWNER, deployment_body, endpoint_body, environment, facts, spec

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
NAMES = ("blue", "green", "main")


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def record(slot: str, release: str, hours: float) -> str:
    return str(history.Record(slot, release, ago(hours)))


def rolled_back(release: str, hours: float) -> dict[str, str]:
    return {history.ROLLED_BACK_TAG: str(history.RolledBack(release, ago(hours), "jane"))}


def endpoint(live: str, traffic: dict[str, int], failed: str = "", owner: str = OWNER, **tags: str) -> Any:
    told = {history.LIVE_TAG: live, history.FAILED_TAG: failed, OWNER_TAG: owner, **tags}
    return {**endpoint_body(traffic), "tags": {name: value for name, value in told.items() if value}}


def deployment(name: str, release: str, made: float = 100, modified: float | None = None, **more: Any) -> Any:
    body = deployment_body(name, release=release, **more)
    times = {"createdAt": leases.iso_time(ago(made)), "lastModifiedAt": leases.iso_time(ago(modified or made))}
    return {**body, "systemData": times}


def usual(hours: float = 30, **more: Any) -> tuple[Any, dict[str, Any]]:
    """Blue was live, green is since `hours` ago."""
    body = endpoint(f"{record('green', 'r2', hours)} {record('blue', 'r1', 60)}", {"green": 100}, **more)
    return body, {"blue": deployment("blue", "r1"), "green": deployment("green", "r2")}


def select(body: Any, behind: dict[str, Any], keep: float | None = 86_400, **rules: Any) -> reaping.Selection:
    kept = {} if keep is None else {"mip-ab": keep}
    there = Inventory("/ws", {"mip-ab": body}, (), (), slot_data=expired_slots.SlotData({"mip-ab": behind}, kept))
    return reaping.select(environment(), there, Rules(**rules), NOW)


def slots(found: Any) -> list[str]:
    return [f"{each.endpoint}/{each.deployment}" for each in found]


def test_the_previous_release_is_idle_since_the_live_one_is_live() -> None:
    """Its size and its age are known, and so is until when it is kept."""
    found = idle_slots.of(*usual(30))

    assert found
    assert (found.slot, found.release, found.size, found.live) == (
        "blue",
        "r1",
        f"1 x {spec().deployments[0]['instance_type']}",
        "r2",
    )
    assert (found.since, found.until(3600), found.until(idle_slots.FOREVER)) == (ago(30), ago(29), None)


HOURS = st.floats(0, 200)
USUAL = st.tuples(HOURS, HOURS).map(lambda pair: [("green", "r2", min(pair)), ("blue", "r1", max(pair))])
RECORDS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["r1", "r2"]), HOURS), max_size=4)
"""Histories: any, or (below) those that most endpoints have; and likewise the rest, so that many slots are deleted."""
SHARES = st.sampled_from([*[{"green": 100}] * 9, {"blue": 100}, {"blue": 10, "green": 90}, {"main": 100}, {}])
MIRRORS = st.sampled_from([*[{}] * 9, {"blue": 10}, {"green": 10}])
STATES = st.sampled_from([*["Succeeded"] * 9, "Failed", "Canceled", "Creating", "Updating"])
OWNERS = st.sampled_from([*[OWNER] * 19, "test/x", "imaging/prod/mip", ""])


def made(release: str) -> Any:
    releases = st.sampled_from([*[release] * 9, "r1", "r1-unverified", ""])
    return st.tuples(releases, STATES, OWNERS, st.sampled_from([250.0, 250.0, 250.0, 10.0, 90.0]))


BEHIND = st.fixed_dictionaries({"blue": made("r1"), "green": made("r2")}, optional={"main": made("r1")})
BACK = st.none() | st.tuples(st.sampled_from(["r1", "r2"]), HOURS)
KEPT = st.sampled_from([0.0, 0.0, 3600.0, 86_400.0, idle_slots.FOREVER, None])
TAGGED = st.sampled_from([*[False] * 9, True])


@settings(max_examples=200)
@given(USUAL | USUAL | RECORDS, st.just([]) | RECORDS, BACK, SHARES, MIRRORS, BEHIND, TAGGED, KEPT)
def test_only_what_is_known_to_be_idle_and_over_is_deleted(
    lived: Any, failures: Any, back: Any, traffic: Any, mirror: Any, behind: Any, protected: bool, keep: float | None
) -> None:
    """Whatever the history, the traffic and the deployments: judged from the facts alone."""
    lived.sort(key=lambda each: each[2])
    last = "".join(record(*each) for each in failures[:1])
    tag = {**({PROTECT_TAG: "yes"} if protected else {}), **(rolled_back(*back) if back else {})}
    body = endpoint(" ".join(record(*each) for each in lived), traffic, last, **tag)
    body["properties"]["mirrorTraffic"] = mirror
    held = {}
    for name, one in behind.items():
        held[name] = deployment(name, one[0], one[3], owner=one[2])
        held[name]["properties"]["provisioningState"] = one[1]
    for each in select(body, held, keep).idle:
        name, since = each.deployment, leases.parse_time(each.since)
        release, state, owner, hours = behind[name]
        live = lived[0]

        assert since
        assert keep is not None
        assert name in ("blue", "green")
        assert name not in {*traffic, *mirror}
        assert (traffic, behind[live[0]][0]) == ({live[0]: 100}, live[1])
        assert (state in ("Succeeded", "Failed", "Canceled"), owner, protected) == (True, OWNER, False)
        known = [*lived[1:], *failures[:1], *([(name, *back)] if back else [])]
        assert any((name, release) == one[:2] and one[2] <= hours + 0.001 for one in known)
        assert since >= max(ago(live[2]), ago(hours)) - timedelta(seconds=1)
        assert (NOW - since).total_seconds() >= keep


@pytest.mark.parametrize(("hours", "gone"), [(23, []), (24, ["mip-ab/blue"]), (500, ["mip-ab/blue"])])
def test_an_idle_slot_is_deleted_when_it_expired(hours: float, gone: list[str]) -> None:
    """And not a moment before."""
    body = endpoint(f"{record('green', 'r2', hours)} {record('blue', 'r1', 600)}", {"green": 100})
    found = select(body, {"blue": deployment("blue", "r1", 700), "green": deployment("green", "r2", 700)})

    assert slots(found.idle) == gone


def test_what_is_not_known_is_kept() -> None:
    """A release that was never live, one made again, one being changed, files that cannot be read, or `forever`."""
    body, behind = usual()
    unknown = {**behind, "blue": deployment("blue", "r9")}
    again = {**behind, "blue": deployment("blue", "r1", made=50)}
    lately = {**behind, "blue": deployment("blue", "r1", modified=1)}
    undated = {**behind, "blue": deployment_body("blue")}
    busy = {
        **behind,
        "blue": {**behind["blue"], "properties": {**behind["blue"]["properties"], "provisioningState": "Updating"}},
    }

    mirrored = {**body, "properties": {**body["properties"], "mirrorTraffic": {"blue": 10}}}

    assert slots(select(body, behind).idle) == ["mip-ab/blue"]
    assert select(mirrored, behind).idle == ()
    assert [select(body, each).idle for each in (unknown, again, lately, undated, busy)] == [()] * 5
    assert select(body, behind, idle_slots.FOREVER).idle == ()
    unread = select(body, behind, None)
    assert (unread.idle, slots(unread.kept)) == ((), ["mip-ab/blue"])
    assert "rollout.keep_previous is not known" in unread.kept[0].why


def test_a_release_that_failed_is_kept_from_its_failure_on() -> None:
    """The release before it is live for long: what counts is when the rescue left the new one."""
    behind = {"blue": deployment("blue", "r1", 300), "green": deployment("green", "r2", 30)}

    def failed(hours: float) -> Any:
        return endpoint(record("blue", "r1", 200), {"blue": 100}, record("green", "r2", hours))

    assert select(failed(23), behind).idle == ()
    (gone,) = select(failed(25), behind).idle
    assert (gone.deployment, gone.why) == ("green", "failed 25.0 h ago, kept for 24 h")


def test_a_release_that_was_rolled_back_is_kept_from_the_rollback_on() -> None:
    """Also if it never had all traffic: the hold stops the next apply. A later deployment stays."""
    behind = {"blue": deployment("blue", "r1", 300), "green": deployment("green", "r2", 30)}

    def back(hours: float, release: str = "r2") -> Any:
        return endpoint(record("blue", "r1", 200), {"blue": 100}, **rolled_back(release, hours))

    assert [select(body, behind).idle for body in (back(23), back(31), back(25, "r9"))] == [()] * 3
    (gone,) = select(back(25), behind).idle
    assert (gone.deployment, gone.why) == ("green", "rolled back 25.0 h ago, kept for 24 h")
    row = endpoint_row(spec(), facts(back(5), tuple(behind.values())), NOW)
    assert "\n    idle for 5 h, its release was rolled back, kept until " in status_text([row])
    assert "contains a release that was rolled back, for its logs" in idle_notes("dev", [row])[0]


def test_the_tag_keeps_the_slot_and_is_named() -> None:
    """On the endpoint or on the deployment."""
    body, behind = usual(**{PROTECT_TAG: "yes"})
    other = {**behind["blue"], "tags": {**behind["blue"]["tags"], PROTECT_TAG: ""}}
    for found in (select(body, behind), select(usual()[0], {**behind, "blue": other})):
        assert (found.idle, slots(found.kept)) == ((), ["mip-ab/blue"])
        assert PROTECT_TAG in found.kept[0].why


def test_max_counts_endpoints_and_slots() -> None:
    """What is beyond it stays and says so; the longest idle go first."""
    bodies, behind = {}, {}
    for number, hours in enumerate((30, 40, 50)):
        name, (body, held) = f"e{number}", usual(hours)
        bodies[name], behind[name] = {**body, "name": name}, held
    there = Inventory("/ws", bodies, (), (), slot_data=expired_slots.SlotData(behind, dict.fromkeys(bodies, 0.0)))
    found = reaping.select(environment(), there, Rules(most=2), NOW)

    assert slots(found.idle) == ["e2/blue", "e1/blue"]
    assert [(each.endpoint, "--max" in each.why) for each in found.kept] == [("e0", True)]


def test_the_shipped_production_environment_keeps_endpoints_and_not_slots() -> None:
    """It is protected: an endpoint whose lease is over is refused, and the idle slot beside it goes, exported first."""
    prod = validation.validate_environment(read_environment(ROOT, "prod")).environment
    body, behind = usual(owner="imaging/prod/mip")
    behind = {name: {**each, "tags": {**each["tags"], OWNER_TAG: "imaging/prod/mip"}} for name, each in behind.items()}
    lent = {**endpoint("", {}, owner="imaging/prod/cxr"), "name": "cxr"}
    lent["properties"]["properties"] = leases.properties(ago(1))
    there = Inventory(
        "/ws",
        {"mip-ab": body, "cxr": lent},
        (),
        (),
        slot_data=expired_slots.SlotData({"mip-ab": behind}, {"mip-ab": 86_400}),
    )
    found = reaping.select(prod, there, Rules(), NOW)

    assert prod.guards.protected
    assert [finding.code for finding in found.findings] == ["AML241", "AML270"]
    assert ([each.name for each in found.candidates], slots(found.idle)) == (["cxr"], ["mip-ab/blue"])
    steps = reaping.plan_idle(prod, there, found, "folder").steps
    assert [(step.verb, step.address) for step in steps] == [
        (Verb.CHECK, addr("export/mip-ab")),
        (Verb.DELETE, addr("deployment/mip-ab/blue")),
    ]
    assert steps[1].body == {
        "endpoint": "mip-ab",
        "name": "blue",
        "idle": True,
        "owner": "imaging/prod/mip",
        "release": "r1",
    }


def wanted(keep: Any = 0, release: str = "r2", **pipeline: Any) -> Any:
    return spec(release=release, pipeline={"rollout": {"keep_previous": keep, **pipeline}})


def deletions(one: Any, body: Any, behind: dict[str, Any]) -> list[Step]:
    plan = planner.plan_release(environment(), [one], {"mip": facts(body, tuple(behind.values()))})
    return [step for step in plan.steps if step.verb is Verb.DELETE]


def test_with_0_the_rollout_ends_with_the_deletion() -> None:
    """After the last shift, of the deployment that had the traffic, and with its release in the body."""
    body, behind = endpoint(record("blue", "r1", 9), {"blue": 100}), {"blue": deployment("blue", "r1")}
    plan = planner.plan_release(environment(), [wanted(stages=[10, 100])], {"mip": facts(body, tuple(behind.values()))})
    *_, shift, last = plan.steps

    assert (shift.verb, shift.body["after"]) == (Verb.SHIFT, {"green": 100})
    assert (last.verb, last.address, last.body["release"]) == (Verb.DELETE, addr("deployment/mip/blue"), "r1")
    assert [step.verb for step in plan.rescue] == [Verb.SHIFT]
    assert deletions(wanted("24h"), body, behind) == deletions(wanted("forever"), body, behind) == []


def test_a_deletion_that_was_not_reached_is_made_up_for() -> None:
    """Only where the release of the files is live, and only with 0: time that passes is no step of a plan."""
    body, behind = usual(9_000)

    assert [step.address for step in deletions(wanted(), *usual())] == [addr("deployment/mip/blue")]
    assert deletions(wanted("1s"), *usual()) == []
    assert deletions(wanted("24h"), body, behind) == []
    back = [step.address for step in deletions(wanted(release="r1"), *usual())]
    assert back == [addr("deployment/mip/green")]  # the files go back to r1: green is the previous release then


@pytest.mark.parametrize("case", ["adopted", "unproven", "protected", "user named", "in place"])
def test_with_0_what_is_not_known_stays(case: str) -> None:
    """No record, a record of something else, the tag, names of the user's: nothing is deleted."""
    body, behind = endpoint(record("blue", "r1", 9), {"blue": 100}), {"blue": deployment("blue", "r1")}
    one = wanted(strategy="in_place") if case == "in place" else wanted()
    if case == "adopted":
        body = endpoint("", {"blue": 100})
    if case == "unproven":
        behind["blue"]["tags"][RELEASE_TAG] += "-unverified"
    if case == "protected":
        body["tags"][PROTECT_TAG] = "yes"
    if case == "user named":
        body, behind = usual()
        two = ({**one.deployments[0], "name": "blue"}, {**one.deployments[0], "name": "green"})
        releases = {"blue": "r1", "green": "r2"}
        one = replace(one, deployments=two, traffic={"green": 100, "blue": 0}, releases=releases)
        assert idle_slots.keep_of(one) == idle_slots.FOREVER

    assert deletions(one, body, behind) == []


def test_status_and_the_end_of_apply_say_how_long_it_stays() -> None:
    """Age, size, end, what it is good for, and the command; forever and failures in words of their own."""
    body, behind = usual(30)

    def row(keep: Any, body: Any = body, behind: Any = behind) -> Any:
        one = replace(spec(), pipeline=Pipeline.model_validate({"rollout": {"keep_previous": keep}}))
        return endpoint_row(one, facts(body, tuple(behind.values())), NOW)

    ends = leases.local_and_utc(ago(-18))
    size = "1 x Standard_NC24ads_A100_v4"
    assert f"\n    idle for 30 h, kept until {ends}\n" in status_text([row("48h")])
    assert "\n    idle for 30 h, past rollout.keep_previous: reap deletes it\n" in status_text([row("24h")])
    assert "\n    idle for 30 h, kept until rollout.keep_previous is changed\n" in status_text([row("forever")])
    (note,) = idle_notes("dev", [row("48h")])
    assert note == (
        f"mip: blue ({size}) contains the previous release, for a rollback. It is kept until {ends}; "
        "then this command deletes it: amldeploy lease reap -e dev --yes"
    )
    assert "kept forever (rollout.keep_previous)" in idle_notes("dev", [row("forever")])[0]
    failed = endpoint(record("blue", "r1", 200), {"blue": 100}, record("green", "r2", 5))
    made = {"blue": deployment("blue", "r1", 300), "green": deployment("green", "r2", 30)}
    assert "\n    idle for 5 h, its release failed, kept until " in status_text([row("24h", failed, made)])
    assert "contains a release that failed" in idle_notes("dev", [row("24h", failed, made)])[0]


@pytest.mark.parametrize(
    ("written", "seconds"), [("24h", 86_400), (0, 0), ("0s", 0), ("forever", idle_slots.FOREVER), (90, 90)]
)
def test_how_long_is_written(written: Any, seconds: float) -> None:
    """A duration, 0 or forever; a day without a word."""
    assert Pipeline.model_validate({"rollout": {"keep_previous": written}}).rollout.keep_previous == seconds
    assert Pipeline().rollout.keep_previous == 86_400


@pytest.mark.parametrize("written", ["0", "30d", "never", -1, True, 4e7, float("inf"), float("nan")])
def test_what_is_no_time_is_refused(written: Any) -> None:
    """Above a year it is forever that is meant."""
    with pytest.raises(ValueError, match="keep_previous"):
        Pipeline.model_validate({"rollout": {"keep_previous": written}})


def test_an_environment_of_another_name_is_left_alone() -> None:
    """Only endpoints with the tag of the environment that was asked for."""
    there = Inventory(
        "/ws", {"mip-ab": usual()[0]}, (), (), slot_data=expired_slots.SlotData({"mip-ab": usual()[1]}, {"mip-ab": 0.0})
    )

    assert reaping.select(Environment("other", "local", "s", "g", "w", ()), there, Rules(), NOW).idle == ()


def test_the_autoscale_setting_of_an_idle_slot_is_deleted_with_it() -> None:
    """After the slot, also if it is not ours; the setting of the live one stays."""
    body, behind = usual(30)
    rows = [
        {"id": f"/as/{slot}", "name": slot, "properties": {"targetResourceUri": behind[slot]["id"].upper()}}
        for slot in behind
    ]
    slot_data = expired_slots.SlotData({"mip-ab": behind}, {"mip-ab": 86_400})
    there = Inventory("/ws", {"mip-ab": body}, (), rows, slot_data=slot_data)
    made = reaping.plan(environment(), there, reaping.select(environment(), there, Rules(), NOW), "x")

    assert [(step.verb, step.kind, step.body.get("id")) for step in made.steps[1:]] == [
        (Verb.DELETE, "deployment", None),
        (Verb.DELETE, "autoscale", "/as/blue"),
    ]
