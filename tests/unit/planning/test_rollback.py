"""Where a rollback moves traffic, and where it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain import history
from deploy.domain.arm import OWNER_TAG
from deploy.domain.history import LIVE_TAG
from deploy.domain.plan import Plan, Verb
from deploy.errors import Refused
from deploy.planning import planner, rollback
from deploy.planning.rollback import NothingToDo
from tests.addresses import addr
from tests.unit.specs import OWNER, deployment_body, endpoint_body, environment, facts, quota_row, spec

NOW = datetime(2026, 11, 29, 13, 0, tzinfo=UTC)
PROBED = {"probe": {"type": "http"}}


def there(
    traffic: dict[str, int], releases: dict[str, str], *, tags: dict[str, str] | None = None, **counts: int
) -> dict[str, Any]:
    """Facts of an endpoint with these deployments."""
    bodies = tuple(deployment_body(n, release=r, count=counts.get(n, 1)) for n, r in releases.items())
    return facts(endpoint_body(traffic, tags={OWNER_TAG: OWNER, **(tags or {})}), bodies)


def live(*records: tuple[str, str]) -> dict[str, str]:
    """The tag of these releases, newest first."""
    return {LIVE_TAG: " ".join(f"{slot}={release}@2026-11-29T12:00:00Z" for slot, release in records)}


def plan(seen: dict[str, Any], *, release: str = "r2", **more: Any) -> Plan:
    return rollback.plan(environment(), [spec(release=release, pipeline=PROBED)], {"mip": seen}, **more)


def test_traffic_goes_to_the_release_that_was_live_before() -> None:
    """Probed first, all of it in one step; the rescue moves it back."""
    made = plan(there({"green": 100}, {"blue": "r1", "green": "r2"}, tags=live(("green", "r2"), ("blue", "r1"))))

    assert [(s.verb, s.address) for s in made.steps] == [
        (Verb.PROBE, addr("probe/mip/blue")),
        (Verb.SHIFT, addr("traffic/mip")),
    ]
    assert made.steps[1].body["after"] == {"blue": 100}
    assert made.steps[1].body["record"] == {"kind": "rolled_back", "slot": "blue", "release": "r1", "left": "r2"}
    assert made.rescue[0].body["after"] == {"green": 100}
    assert made.rescue[0].body["record"]["kind"] == "live"


def test_the_target_gets_as_many_instances_as_the_live_release() -> None:
    """Quota is checked, the deployment grows, then it is probed, then traffic moves."""
    tags = live(("green", "r2"), ("blue", "r1"))
    made = plan(there({"green": 100}, {"blue": "r1", "green": "r2"}, tags=tags, green=3))

    assert [(s.verb, s.kind) for s in made.steps] == [
        (Verb.CHECK, "quota"),
        (Verb.UPDATE, "deployment"),
        (Verb.PROBE, "probe"),
        (Verb.SHIFT, "traffic"),
    ]
    assert made.steps[1].body["count"] == 3
    assert (made.steps[0].body["instances"], made.steps[0].body["held"]) == (3, 1)


def test_a_rollback_beyond_quota_is_refused() -> None:
    """Before anything changes."""
    seen = there({"green": 100}, {"blue": "r1", "green": "r2"}, tags=live(("green", "r2"), ("blue", "r1")), green=3)
    row = {key: body if key.kind != "quota" else quota_row(limit=96, in_use=96) for key, body in seen.items()}
    with pytest.raises(Refused, match="quota"):
        plan(row)


@pytest.mark.parametrize(
    ("traffic", "releases", "records"),
    [
        ({"blue": 100}, {"blue": "r1"}, [("blue", "r1")]),
        ({"blue": 100}, {"blue": "r1", "green": "r2"}, [("blue", "r1")]),
        ({"blue": 100}, {"blue": "r1", "green": "r2"}, []),
        ({"green": 100}, {"green": "r2", "blue": "r9"}, [("green", "r2"), ("blue", "r1")]),
        ({"green": 100}, {"green": "r2"}, [("green", "r2"), ("blue", "r1")]),
        ({"blue": 100}, {"blue": "r2"}, [("blue", "r1")]),
        ({"green": 100}, {"green": "r2", "blue": "r1-unverified"}, [("green", "r2"), ("blue", "r1")]),
    ],
    ids=["only one", "other never live", "no record", "slot reused", "deleted", "changed in place", "not probed"],
)
def test_without_a_release_that_was_live_there_is_no_target(
    traffic: dict[str, int], releases: dict[str, str], records: list[tuple[str, str]]
) -> None:
    """Refused, and nothing is planned."""
    with pytest.raises(Refused) as refused:
        plan(there(traffic, releases, tags=live(*records)))
    assert [finding.code for finding in refused.value.findings] == ["AML650"]


@pytest.mark.parametrize("to", ["", "r1"], ids=["previous", "named"])
@pytest.mark.parametrize(
    ("tags", "state"),
    [({OWNER_TAG: "test/other"}, "Succeeded"), ({}, "Failed"), ({}, "Updating")],
    ids=["another owner", "failed", "updating"],
)
def test_a_deployment_that_cannot_receive_traffic_is_no_target(tags: dict[str, str], state: str, to: str) -> None:
    """Its release was live; it belongs to another entry now, or it is not Succeeded. Nothing is planned."""
    seen = there({"green": 100}, {"blue": "r1", "green": "r2"}, tags=live(("green", "r2"), ("blue", "r1")))
    assert plan(seen, to=to).steps
    body = seen[addr("deployment/mip/blue")]
    body["tags"] |= tags
    body["properties"]["provisioningState"] = state
    with pytest.raises(Refused) as refused:
        plan(seen, to=to)
    assert [finding.code for finding in refused.value.findings] == ["AML650"]


def test_a_rescue_of_an_unfinished_rollout_returns_to_the_last_whole_release() -> None:
    """That is the one that was live, not the older one."""
    seen = there({"blue": 90, "green": 10}, {"blue": "r1", "green": "r2"}, tags=live(("blue", "r1")))
    made = plan(seen)

    assert made.steps[-1].body["after"] == {"blue": 100}
    assert made.steps[-1].body["record"]["left"] == "r2"


@pytest.mark.parametrize("to", ["r1", "R1", "c0ffee"])
def test_a_release_or_a_commit_can_be_named(to: str) -> None:
    """By the first characters of either."""
    seen = there({"green": 100}, {"blue": "r1", "green": "r2"}, tags=live(("green", "r2"), ("blue", "r1")))
    seen[addr("deployment/mip/blue")]["tags"]["amldeploy-commit"] = "c0ffee" + "0" * 34
    assert plan(seen, to=to).steps[-1].body["after"] == {"blue": 100}


def test_a_named_release_that_has_all_traffic_needs_no_step() -> None:
    """A note says so; a release that has a part of the traffic gets the rest."""
    releases, tags = {"blue": "r1", "green": "r2"}, live(("green", "r2"), ("blue", "r1"))
    made = plan(there({"green": 100}, releases, tags=tags), to="r2")

    assert (made.steps, made.rescue, len(made.notes)) == ((), (), 1)
    part = plan(there({"green": 90, "blue": 10}, releases, tags=tags), to="r2")
    assert part.steps[-1].body["after"] == {"green": 100}


@pytest.mark.parametrize("to", ["r3", "r"])
def test_a_named_release_must_have_been_live(to: str) -> None:
    """One that is deployed and never was live is refused like one that is not there, or not one alone."""
    releases = {"blue": "r1", "green": "r2", "red": "r3"}
    with pytest.raises(Refused) as refused:
        plan(there({"green": 100}, releases, tags=live(("green", "r2"), ("blue", "r1"))), to=to)
    assert refused.value.findings[0].code == "AML652"


def test_endpoints_without_a_previous_release_do_not_block_the_others() -> None:
    """With `every`; named, they are refused."""
    alone = {**there({"blue": 100}, {"blue": "r1"}, tags=live(("blue", "r1")))}
    other = {where._replace(endpoint="two"): body for where, body in alone.items()}
    first = there({"green": 100}, {"blue": "r1", "green": "r2"}, tags=live(("green", "r2"), ("blue", "r1")))
    one = spec(release="r2")
    two = type(one)(**{**vars(one), "key": "two"})
    made = rollback.plan(environment(), [one, two], {"mip": first, "two": other}, every=True)

    assert {step.endpoint for step in made.steps} == {"mip"}
    assert any(note.startswith("two is skipped") for note in made.notes)
    with pytest.raises(Refused):
        rollback.plan(environment(), [one, two], {"mip": first, "two": other})
    with pytest.raises(Refused):
        rollback.plan(environment(), [two], {"two": other}, every=True)


def test_a_canary_that_fails_is_recorded_and_not_the_live_deployment() -> None:
    """Of deployments that the user named: the one that was to receive more traffic."""
    one = spec(release="ra", traffic={"blue": 90, "green": 10})
    green = {**one.deployments[0], "name": "green"}
    canary = replace(one, deployments=(*one.deployments, green), releases={"blue": "ra", "green": "rb"})
    seen = there({"blue": 100}, {"blue": "ra", "green": "rb"}, tags=live(("blue", "ra")))
    (rescue,) = planner.plan_release(environment(), [canary], {"mip": seen}).rescue

    assert rescue.body["record"] == {"kind": "failed", "slot": "green", "release": "rb"}


def test_a_rollback_out_of_an_unfinished_rollout_records_no_failure_of_the_live_release() -> None:
    """The files are reverted: traffic goes back to blue, which cannot fail by that."""
    seen = there({"blue": 90, "green": 10}, {"blue": "r1", "green": "r2"}, tags=live(("blue", "r1")))
    made = planner.plan_release(environment(), [spec(release="r1")], {"mip": seen})

    assert [step.body["after"] for step in made.steps if step.verb is Verb.SHIFT] == [{"blue": 100}]
    assert all("record" not in step.body for step in made.rescue)


@pytest.mark.parametrize(("traffic", "is_held"), [({"blue": 100, "green": 0}, False), ({"green": 100}, True)])
def test_what_the_files_send_no_traffic_to_is_not_held_back(traffic: dict[str, int], is_held: bool) -> None:
    """The user accepted the rollback in the files."""
    one = spec(release="ra", traffic=traffic)
    green = {**one.deployments[0], "name": "green"}
    both = replace(one, deployments=(*one.deployments, green), releases={"blue": "ra", "green": "rb"})
    tags = {**live(("blue", "ra")), history.ROLLED_BACK_TAG: "rb@2026-11-29T12:00:00Z jane"}
    seen = there({"blue": 100}, {"blue": "ra", "green": "rb"}, tags=tags)

    assert bool(planner.plan_release(environment(), [both], {"mip": seen}).held) is is_held


def test_a_successor_keeps_what_was_rolled_back() -> None:
    """The tag that a renewal carries outlives the PUT that gives the successor its traffic; a new release ends it."""
    carried = {"tags": {history.ROLLED_BACK_TAG: "r2@2026-11-29T12:00:00Z jane"}}
    tags = history.after_live(carried, "blue", "r1", NOW)

    assert history.rolled_back({"tags": tags}) is not None
    assert history.rolled_back({"tags": history.after_live({"tags": tags}, "green", "r3", NOW)}) is None
    assert history.rolled_back({"tags": history.after_live(carried, "blue", "r2", NOW)}) is None


EVENTS = st.sampled_from(["good", "bad", "refused", "killed", "not made", "rollback", "again"])


class Endpoint:
    """An endpoint as a list of events leaves it, and which releases were live and did not fail since."""

    def __init__(self) -> None:
        self.traffic: dict[str, int] = {}
        self.held: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.lived: list[tuple[str, str]] = []
        self.moved_back, self.number = False, 0

    @property
    def facts(self) -> dict[str, Any]:
        return there(self.traffic, self.held, tags=self.tags)

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = self.facts[addr("endpoint/mip")]
        return body

    @property
    def now(self) -> tuple[str, str] | None:
        whole = next((slot for slot, share in self.traffic.items() if share == 100), None)
        return (whole, self.held[whole]) if whole else None

    @property
    def settled(self) -> bool:
        """Whether a rescue or a rollback has moved traffic back since a release was live, and it is still there."""
        return self.moved_back and self.lived[:1] == [self.now]

    def at(self) -> datetime:
        return NOW + timedelta(minutes=self.number)

    def release(self, how: str) -> None:
        """A new release in the other slot, which ends in this way."""
        self.number += 1
        busiest = max(self.traffic, key=lambda slot: self.traffic[slot], default="green")
        slot, name = ("green" if busiest == "blue" else "blue"), f"r{self.number}"
        self.lived = [each for each in self.lived if each[0] != slot]
        self.held[slot] = name
        if self.traffic:
            self.traffic = {busiest: 100}
        if how == "good":
            self.move(slot, history.after_live(self.body, slot, name, self.at()))
            self.lived.insert(0, (slot, name))
            self.moved_back = False
        elif how == "killed":
            self.traffic = {busiest: 90, slot: 10}
        elif how in ("bad", "refused"):
            self.move(busiest, history.after_rescue(self.body, slot, name, self.at()))
            self.moved_back = True

    def move(self, slot: str, tags: dict[str, str]) -> None:
        self.traffic, self.tags = {slot: 100}, tags


@given(st.lists(EVENTS, max_size=25))
def test_a_rollback_never_goes_to_a_release_that_was_not_live(events: list[str]) -> None:
    """After any history: to the release that was live before and did not fail since; twice is once."""
    endpoint = Endpoint()
    endpoint.release("good")
    for event in events:
        if event not in ("rollback", "again"):
            endpoint.release(event)
            continue
        try:
            found = rollback.find(spec(release=f"r{endpoint.number}"), endpoint.facts)
        except Refused:
            assert not endpoint.settled
            continue
        if isinstance(found, NothingToDo):
            assert endpoint.settled
            continue
        assert not endpoint.settled
        candidates = [each for each in endpoint.lived if each != endpoint.now]
        assert candidates[:1] == [(found.slot, found.release)]
        left, by = found.left, "jane"
        tags = history.after_rollback(endpoint.body, found.slot, found.release, left, endpoint.at(), by)
        endpoint.move(found.slot, tags)
        endpoint.lived.remove((found.slot, found.release))
        endpoint.lived.insert(0, (found.slot, found.release))
        endpoint.moved_back = True
        assert isinstance(rollback.find(spec(release=left), endpoint.facts), NothingToDo)
