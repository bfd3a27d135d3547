"""The reaper: who goes, who stays, which guards stop it. Endpoints in, a judgement and a plan out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG
from deploy.domain.spec import Environment, Guards
from deploy.planning import reaping
from deploy.planning.reaping import PROTECT_TAG, Inventory, Rules
from tests.addresses import addr

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
DEV = Environment("dev", "AzureCloud", "s", "g", "w", ())


def endpoint(name: str, left: float | None = None, owner: str = "dev/mip", age: float = 1.0, **tags: str) -> Any:
    properties = {} if left is None else leases.properties(NOW + timedelta(hours=left))
    held = {**({OWNER_TAG: owner} if owner else {}), **{key.replace("_", "-"): value for key, value in tags.items()}}
    return {
        "name": name,
        "id": f"{WORKSPACE}/onlineEndpoints/{name}",
        "tags": held,
        "identity": {"principalId": f"principal-of-{name}"},
        "systemData": {"createdAt": leases.iso_time(NOW - timedelta(hours=age))},
        "properties": {"properties": properties},
    }


def assignment(number: int, principal: str, description: str | None = None) -> Any:
    return {
        "id": f"/a/{number}",
        "name": str(number),
        "properties": {"principalId": principal, "description": description, "scope": "/s", "roleDefinitionId": "/r"},
    }


def there(*bodies: Any, assignments: Any = (), autoscale: Any = ()) -> Inventory:
    return Inventory(WORKSPACE, {body["name"]: body for body in bodies}, assignments, autoscale)


def judged(inventory: Inventory, **rules: Any) -> reaping.Selection:
    return reaping.select(DEV, inventory, Rules(**{"force": True, **rules}), NOW)


def names(judgement: reaping.Selection) -> list[str]:
    return [each.name for each in judgement.candidates]


def test_only_expired_endpoints_are_deleted() -> None:
    """Without a word about time only leases that are over are due."""
    inventory = there(endpoint("over", -1), endpoint("soon", 3), endpoint("dedicated", None, age=9000))

    assert names(judged(inventory)) == ["over"]


def test_soonest_first() -> None:
    """With --within, those whose time is nearest come first."""
    inventory = there(endpoint("b", 20), endpoint("a", 3), endpoint("c", 30))

    assert names(judged(inventory, within=24)) == ["a", "b"]


def test_old_endpoints_are_deleted_on_request() -> None:
    """--older-than looks at the age, whatever the quota."""
    inventory = there(endpoint("old", None, age=800), endpoint("young", None, age=10))

    assert names(judged(inventory, older_than=720)) == ["old"]


@given(st.lists(st.tuples(st.floats(-100, 100), st.sampled_from(["", "prod/mip", "devx/mip", "other"])), max_size=12))
def test_resources_of_others_are_never_changed(made: list[tuple[float, str]]) -> None:
    """A workspace full of endpoints without our environment's tag: no candidate, whatever the rules."""
    inventory = there(*(endpoint(f"e{n}", left, owner) for n, (left, owner) in enumerate(made)))

    assert judged(inventory, within=1000, older_than=0).candidates == ()


def test_adoption_needs_include_and_adopt() -> None:
    """A pattern takes in what bears no tag, and only with --adopt; what is another environment's is never taken."""
    inventory = there(endpoint("demo-1", -1, ""), endpoint("demo-2", -1, "prod/mip"), endpoint("else", -1, ""))

    assert names(judged(inventory, include=("demo-*",))) == []
    assert names(judged(inventory, include=("demo-*",), adopt=True)) == ["demo-1"]


def test_protection_spares() -> None:
    """The tag spares an endpoint and the judgement says so; `false` takes the protection away."""
    inventory = there(endpoint("a", -1, amldeploy_protect="yes"), endpoint("b", -1, amldeploy_protect="false"))
    found = judged(inventory)

    assert names(found) == ["b"]
    assert [(each.name, PROTECT_TAG in each.why) for each in found.spared] == [("a", True)]


def refusals(judgement: reaping.Selection) -> list[tuple[str, str]]:
    return [(finding.code, finding.cause) for finding in judgement.findings]


def test_too_many_at_once_is_refused() -> None:
    """More than 30 % of a workspace is not deleted unless it is meant; who would go is seen all the same."""
    inventory = there(*(endpoint(f"e{n}", 5 if n < 4 else 100) for n in range(10)))
    found = judged(inventory, within=24, force=False)

    assert refusals(found) == [("AML270", "4 of 10 endpoints would be deleted, more than 30% of all")]
    assert len(names(found)) == 4
    assert refusals(judged(inventory, within=24, force=True)) == []


def test_expired_endpoints_count_and_deleted_ones_do_not() -> None:
    """A lease that is over and an endpoint that is still there is a deletion like any other."""
    over = there(endpoint("a", -1), endpoint("b", 100), endpoint("c", 100))
    row = assignment(1, "dead", f"amldeploy dev/mip {WORKSPACE}/onlineEndpoints/gone".lower() + " its own identity")

    assert [code for code, _ in refusals(judged(over, force=False))] == ["AML270"]
    assert refusals(judged(there(assignments=[row]), force=False)) == []


def test_a_protected_environment_is_refused() -> None:
    """guards.protected holds here as for teardown, and hides nobody."""
    guarded = Environment("dev", "AzureCloud", "s", "g", "w", (), Guards(protected=True))
    found = reaping.select(guarded, there(endpoint("a", -1)), Rules(force=True), NOW)

    assert refusals(found) == [("AML241", "the environment is protected")]
    assert names(found) == ["a"]


def test_an_endpoint_with_unreadable_roles_is_not_deleted() -> None:
    """They would stay for good, for a principal that is no more; where nobody goes, nobody minds."""
    unseen = there(endpoint("a", -1), endpoint("b", 100), assignments=None)

    assert [(found.address, found.code) for found in judged(unseen).findings] == [("role/a", "AML252")]
    assert names(judged(unseen)) == ["a"]
    assert judged(there(endpoint("b", 100), assignments=None)).findings == ()


def test_what_another_environment_owns_is_spared_by_name() -> None:
    """Named and adopted, it stays all the same, and the judgement says whose it is."""
    found = judged(there(endpoint("demo", -1, "prod/mip")), include=("demo*",), adopt=True)

    assert names(found) == []
    assert [(each.name, "prod/mip" in each.why) for each in found.spared] == [("demo", True)]
    assert judged(there(endpoint("demo", -1, "prod/mip"))).spared == ()


def test_what_an_earlier_endpoint_of_a_name_left_goes() -> None:
    """The endpoint that has the name now stays with all that it holds; each dead principal's assignments go, the marked
    ones last. While it has no principal of its own yet, none is known to be dead.
    """
    mark = f"amldeploy dev/mip {WORKSPACE}/onlineEndpoints/mip".lower() + " its own identity"
    rows = [assignment(1, "dead1", mark), assignment(2, "dead1"), assignment(3, "dead2", f"{mark}, assigned by Azure")]
    rows += [assignment(4, "principal-of-mip", f"{mark}, assigned by Azure"), assignment(5, "principal-of-mip")]
    inventory = there(endpoint("mip", 100), assignments=rows)
    found = judged(inventory)
    steps = reaping.plan(DEV, inventory, found, "kept").steps

    assert [(each.name, each.gone, each.earlier) for each in found.candidates] == [("mip", True, True)]
    assert [step.body["id"] for step in steps] == ["/a/2", "/a/1", "/a/3"]
    assert {step.kind for step in steps} == {"role"}
    assert found.deleted_names == frozenset()
    waiting = {**endpoint("mip", 100), "identity": {"type": "SystemAssigned"}}
    assert judged(there(waiting, assignments=rows)).candidates == ()


def test_an_endpoint_that_stays_without_a_record_gets_one() -> None:
    """A deploy was cut off after its endpoint was made: what Azure gave it says whose it is from now on."""
    bare = there(endpoint("a", 100), assignments=[assignment(1, "principal-of-a")])
    (step,) = reaping.plan(DEV, bare, judged(bare), "folder").steps
    whose = f"amldeploy dev/mip {WORKSPACE}/onlineEndpoints/a".lower() + " its own identity, assigned by Azure"
    noted = there(endpoint("a", 100), assignments=[assignment(1, "principal-of-a", whose)])

    assert (step.address, step.body) == (addr("identity/a"), {"endpoint": "a", "owner": "dev/mip"})
    assert reaping.plan(DEV, noted, judged(noted), "folder").steps == ()
    others = there(endpoint("b", 100, "prod/x"), assignments=[assignment(1, "principal-of-b")])
    assert reaping.plan(DEV, others, judged(others), "folder").steps == ()


def test_no_more_than_max() -> None:
    """The most urgent go; the rest is spared and says why."""
    inventory = there(*(endpoint(f"e{n}", -n - 1) for n in range(5)))
    found = judged(inventory, most=2)

    assert names(found) == ["e4", "e3"]
    assert [each.name for each in found.spared] == ["e2", "e1", "e0"]
    assert all("--max" in each.why for each in found.spared)


def test_leftovers_of_what_azure_deleted() -> None:
    """An assignment of ours that speaks of an endpoint that is gone leads to all that its identity held; to no more."""
    where = f"{WORKSPACE}/onlineEndpoints/gone".lower()
    rows = [
        assignment(1, "dead", f"amldeploy dev/mip {where} its own identity"),
        assignment(2, "dead"),
        assignment(3, "alive"),
        assignment(4, "group", f"amldeploy dev/mip {where}"),
        assignment(5, "group"),
        assignment(6, "dead-too", f"amldeploy prod/mip {where} its own identity"),
    ]
    inventory = there(endpoint("here", 100), assignments=rows)
    found = judged(inventory, force=False)
    plan = reaping.plan(DEV, inventory, found, "folder")

    assert [(each.name, each.gone) for each in found.candidates] == [("gone", True)]
    assert sorted(step.body["id"] for step in plan.steps) == ["/a/1", "/a/2", "/a/4"]


def test_the_order_of_a_deletion() -> None:
    """Kept first; then autoscale settings, roles, the endpoint: what needs its name goes before it."""
    target = f"{WORKSPACE}/onlineEndpoints/a/deployments/blue"
    setting = {"id": "/s/1", "name": "scale", "properties": {"targetResourceUri": target}}
    inventory = there(endpoint("a", -1), assignments=[assignment(1, "principal-of-a")], autoscale=[setting])
    plan = reaping.plan(DEV, inventory, judged(inventory), "folder")

    assert [step.address for step in plan.steps] == [
        addr("export/a"),
        addr("autoscale/a/scale"),
        addr("role/a/1"),
        addr("endpoint/a"),
    ]
    assert not plan.steps[0].changes
