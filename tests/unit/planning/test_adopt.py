"""Adoption: tags and marks move from the owner that is named, and from no other. Plain values, no cloud."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.domain import history, leases
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Facts
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec
from deploy.errors import Refused
from deploy.planning import planner
from deploy.planning.adopt import plan_adoption
from tests.addresses import addr
from tests.unit.specs import OWNER, deployment_body, endpoint_body, environment, facts, spec

OTHER = "imaging/prod/liver"
ENVIRONMENT = replace(environment(), project="")
WHERE = f"{ENVIRONMENT.workspace_id}/onlineEndpoints/mip-ab".lower()


def row(owner: str, name: str = "r1", ends: str = "") -> dict[str, Any]:
    return {"id": f"/a/{name}", "name": name, "properties": {"description": f"amldeploy {owner} {WHERE}{ends}"}}


def theirs(owner: str = OTHER) -> Facts:
    return facts(endpoint_body({"blue": 100}, owner=owner), (deployment_body("blue", owner=owner),))


def adopt(seen: Facts, *owners: str, rows: Any = (), entry: EndpointSpec | None = None) -> Plan:
    entry = entry or spec()
    return plan_adoption(ENVIRONMENT, [entry], {entry.name: seen}, rows, owners)


def refusal(seen: Facts, *owners: str, rows: Any = ()) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as refused:
        adopt(seen, *owners, rows=rows)
    return [(f.address, f.code, f.cure) for f in refused.value.findings]


def test_another_owner_is_named_with_the_command_that_adopts() -> None:
    """Without the flag nothing is planned, and the same command with the flag plans it."""
    found = refusal(theirs(), rows=[row(OTHER)])
    assert [(where, code) for where, code, _ in found] == [
        ("endpoint/mip", "AML224"), ("deployment/mip/blue", "AML224"), ("role/mip/r1", "AML224"),
    ]  # fmt: skip
    assert {cure.rpartition(": ")[2] for *_, cure in found} == {f"amldeploy import --adopt -e test mip --from {OTHER}"}


def test_tags_and_marks_move_and_nothing_else() -> None:
    made = adopt(
        theirs(), OTHER, rows=[row(OTHER, ends=" its own identity"), row("x/y/z", "other").copy() | {"properties": {}}]
    )
    assert [(s.verb, s.address) for s in made.steps] == [
        ("update", addr("endpoint/mip")), ("update", addr("deployment/mip/blue")), ("update", addr("role/mip/r1")),
    ]  # fmt: skip
    assert all("document" not in step.body for step in made.steps)
    assert made.steps[1].body["adopted"] == {OWNER_TAG: OWNER, "amldeploy-release": "r1"}
    assert made.notes == ()


def test_a_third_owner_is_not_adopted() -> None:
    """Only the owner that was named: another one, of a deployment or of a role, still refuses, and is named."""
    mixed = {**theirs(), addr("deployment/mip/green"): deployment_body("green", owner="third/prod/mip")}
    found = refusal(mixed, OTHER)
    assert [where for where, *_ in found] == ["deployment/mip/green"]
    assert found[0][2].endswith(f"--from {OTHER} --from third/prod/mip")
    assert len(adopt(mixed, OTHER, "third/prod/mip").steps) == 3


def test_a_removed_entry_of_this_environment_needs_no_from() -> None:
    """After a rename of the key: also when an interrupted run has moved the tag of the endpoint already. Not an entry
    that exists, and not one of another environment.
    """
    assert len(adopt(theirs("test/old"), rows=[row("test/old")]).steps) == 3
    assert len(adopt({**theirs("test/old"), addr("endpoint/mip"): endpoint_body({"blue": 100})}).steps) == 1
    two = replace(ENVIRONMENT, endpoints=("mip", "old"))
    with pytest.raises(Refused, match="AML224"):
        plan_adoption(two, [spec()], {spec().name: theirs("test/old")}, ())
    assert refusal(theirs("prod/old"))


@pytest.mark.parametrize("moved", [1, 2])
def test_a_move_that_was_cut_off_is_finished(moved: int) -> None:
    """Endpoint, then deployments, then roles: what has moved already is not moved again."""
    owners = [OWNER if number < moved else OTHER for number in range(3)]
    half = facts(endpoint_body({"blue": 100}, owner=owners[0]), (deployment_body("blue", owner=owners[1]),))
    rest = adopt(half, OTHER, rows=[row(owners[2])])
    assert [s.address for s in rest.steps] == [addr("endpoint/mip"), addr("deployment/mip/blue"), addr("role/mip/r1")][
        moved:
    ]
    assert adopt(theirs(OWNER), OTHER, rows=[row(OWNER)]).steps == ()


def test_unreadable_roles_are_a_note() -> None:
    assert "cannot be read" in adopt(theirs(), OTHER, rows=None).notes[0]


@pytest.mark.parametrize("owner", ["imaging/test/mip", "prod/mip", "test/liver"], ids=["project", "environment", "key"])
def test_what_another_entry_manages_is_left_and_named(owner: str) -> None:
    """The same files: a note with the command. Other files: refused, with the same command."""
    same = planner.plan_release(ENVIRONMENT, [spec()], {"mip": theirs(owner)})
    command = f"amldeploy import --adopt -e test mip --from {owner}"
    assert [step for step in same.steps if step.changes] == []
    assert same.notes == (f"endpoint mip-ab is managed by {owner} and will not be changed; adopt it with: {command}",)
    with pytest.raises(Refused) as refused:
        planner.plan_release(ENVIRONMENT, [spec(release="r2")], {"mip": theirs(owner)})
    assert {(f.code, f.cure.partition(": ")[2]) for f in refused.value.findings} == {("AML230", command)}


def test_a_record_or_an_alias_of_another_entry_is_refused_too() -> None:
    """Every change of an entry changes its endpoint, or says that callers belong there."""
    lent = spec(pipeline={"quota": {"capacity": "shared"}, "lease": {"alias": {"file": "a.json"}}})
    with pytest.raises(Refused) as refused:
        planner.plan_release(ENVIRONMENT, [lent], {"mip": theirs()})
    assert "AML230" in {f.code for f in refused.value.findings}


def test_a_protected_endpoint_is_not_torn_down_and_others_are() -> None:
    guarded = replace(ENVIRONMENT, protected=("mip",))
    with pytest.raises(Refused) as refused:
        planner.plan_teardown(guarded, [spec()], {"mip": theirs(OWNER)})
    assert [(f.address, f.code) for f in refused.value.findings] == [("endpoint/mip", "AML241")]
    assert "endpoints.mip.protected" in refused.value.findings[0].cause
    others = replace(guarded, protected=("liver",))
    assert planner.plan_teardown(others, [spec()], {"mip": theirs(OWNER)}).steps


def test_no_fallback_deletes_a_protected_endpoint() -> None:
    """The fallback to dedicated quota would delete the endpoint on shared quota."""
    lent = spec(pipeline={"quota": {"capacity": "shared", "fallback": "dedicated"}})
    body = endpoint_body()
    body["properties"]["properties"] = leases.properties(datetime(2030, 1, 1, tzinfo=UTC))
    seen = {"mip": facts(body)}
    free, guarded = (
        planner.plan_release(e, [lent], seen) for e in (ENVIRONMENT, replace(ENVIRONMENT, protected=("mip",)))
    )
    assert any(step.kind == "endpoint" and step.verb == "delete" for step in free.fallback)
    assert guarded.fallback == ()


def test_the_live_deployment_gets_a_release_and_the_history_lists_it() -> None:
    """Also when the run was interrupted after the endpoint. A deployment without all traffic gets none."""
    unknown = deployment_body("blue", owner="")
    del unknown["tags"]
    unknown["properties"]["instanceType"] = "Standard_NC48ads_A100_v4"
    before = facts(endpoint_body({"blue": 100}, owner=""), (unknown,))
    ours, behind = adopt(before).steps
    record = ours.body["record"]
    assert record == {"slot": "blue", "release": behind.body["adopted"][RELEASE_TAG]}
    tags = {
        OWNER_TAG: OWNER,
        **history.after_live({}, record["slot"], record["release"], datetime(2030, 1, 1, tzinfo=UTC)),
    }
    half = {**before, addr("endpoint/mip"): {**endpoint_body({"blue": 100}), "tags": tags}}
    assert [step.body for step in adopt(half).steps] == [behind.body]
    split = {**before, addr("endpoint/mip"): endpoint_body({"blue": 90, "green": 10}, owner="")}
    assert ["record" in step.body or RELEASE_TAG in step.body["adopted"] for step in adopt(split).steps] == [False] * 2
