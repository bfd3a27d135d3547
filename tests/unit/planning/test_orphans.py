"""Orphans: which endpoints have no entry any more, and what --prune plans. Plain values, no cloud."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy import reporter
from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG, Facts
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.put_merge import PROTECT_TAG
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Refused
from deploy.planning import orphans as planning
from deploy.planning import planner
from deploy.planning.orphans import Orphan, Orphans
from tests.addresses import addr
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec

ENVIRONMENT = environment()


def body(name: str, owner: str, **tags: str) -> dict[str, Any]:
    found = endpoint_body({"blue": 100}, owner)
    where = f"/ws/onlineEndpoints/{name}"
    return {**found, "id": where, "name": name, "tags": {OWNER_TAG: owner, **tags} if owner else tags}


def find(*bodies: dict[str, Any], entry: EndpointSpec | None = None, **more: Any) -> list[Orphan]:
    named = {each["name"]: each for each in bodies}
    return planning.find(more.pop("environment", ENVIRONMENT), [entry or spec()], named, **more)


def deletable(*bodies: dict[str, Any], **more: Any) -> list[str]:
    return [each.name for each in find(*bodies, **more) if each.can_be_deleted]


def test_only_endpoints_of_removed_entries_are_orphans() -> None:
    """Not those of an entry that exists, of other environments and projects, without a tag, or with a broken one."""
    found = find(
        body("mip-ab", "test/mip"), body("old-ab", "test/old"), body("x-ab", "prod/old"), body("y-ab", "p/test/old"),
        body("z-ab", ""), body("w-ab", "test/old/more/parts"), body("a-ab", "test/gone"),
    )  # fmt: skip

    assert [(each.name, each.entry) for each in found] == [("a-ab", "gone"), ("old-ab", "old")]


def test_an_entry_keeps_all_its_endpoints() -> None:
    """A successor of a lease, its predecessor, an endpoint under a former name; and those of entries that were not
    rendered, because their files are invalid or they are not selected.
    """
    two = Environment("test", "local", "sub", "rg", "ws", ("mip", "wrong"))
    bodies = [body(name, "test/mip") for name in ("mip-ab", "mip-ab-00abc", "mip-before")]

    assert find(*bodies, body("wrong-ab", "test/wrong"), environment=two) == []


def test_the_name_of_an_entry_is_adopted() -> None:
    """After a rename of the key: the endpoint with the entry's name is unmanaged, not an orphan; its successor is to be
    adopted, too.
    """
    shared = spec(pipeline={"quota": {"capacity": "shared"}})
    [found] = find(body("mip-ab", "test/old"), body("mip-ab-00abc", "test/old"), entry=shared)

    assert (found.name, found.can_be_deleted) == ("mip-ab-00abc", False)
    assert found.command == "amldeploy import --adopt -e test mip"
    assert planning.notes([found])[0].endswith(
        "it has a name of entry mip; adopt it with: amldeploy import --adopt -e test mip."
    )


def test_siblings_have_names_too() -> None:
    other = replace(spec(), key="other", endpoint={"name": "old-ab"})

    assert find(body("old-ab", "test/old"), entry=replace(spec(), siblings=(other,))) == []


@pytest.mark.parametrize(("value", "kept"), [("true", True), ("false", False)])
def test_the_protect_tag_keeps_an_orphan(value: str, kept: bool) -> None:
    [found] = find(body("old-ab", "test/old", **{PROTECT_TAG: value}))

    assert found.can_be_deleted != kept
    assert (found.command == "") == kept
    assert (PROTECT_TAG in planning.notes([found])[0]) == kept


def test_an_address_is_never_that_of_an_entry() -> None:
    """Addresses have the name of the orphan, which may be the key of an entry."""
    found = find(body("mip", "test/old"), body("old-ab", "test/old"))

    assert [str(each.address) for each in found] == ["endpoint/mip.orphan", "endpoint/old-ab"]


def test_deleted_orphans_with_role_assignments_are_found() -> None:
    found = find(gone={"test/old": ["old-ab"], "test/mip": ["mip-before"], "prod/old": ["x-ab"]})

    assert [(each.name, each.is_gone) for each in found] == [("old-ab", True)]


def test_the_note_names_at_most_six() -> None:
    [text] = planning.notes(find(*(body(f"old-{n}", f"test/k{n}") for n in range(8))))

    assert text == (
        "8 orphans without an entry in environments/test.yml: old-0 (entry k0), old-1 (entry k1), old-2 (entry k2), "
        "old-3 (entry k3), old-4 (entry k4), old-5 (entry k5) and 2 more. "
        "Delete them with: amldeploy apply -e test --prune"
    )


def seen(orphan: Orphan, *, deployed_by: str = "test/old") -> Facts:
    key = orphan.address.endpoint
    return {
        addr(f"endpoint/{key}"): body(orphan.name, orphan.owner),
        addr(f"deployment/{key}/blue"): {
            **deployment_body("blue", owner=deployed_by), "id": f"/ws/onlineEndpoints/{orphan.name}/deployments/blue"
        },
        addr(f"role/{key}/AcrPull/cr"): {"id": "/r1", "assigned_by": "azure", "marked": False},
        addr(f"autoscale/{key}/blue"): {"id": "/a1", "name": "a1"},
    }  # fmt: skip


def plan(orphans: Orphans, environment: Environment = ENVIRONMENT, release: str = "r1") -> Plan:
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    return planner.plan_release(environment, [spec(release=release)], {"mip": there}, orphans=orphans)


def pruned(**more: Any) -> Orphans:
    [orphan] = find(body("old-ab", "test/old"))
    return Orphans([orphan], {"old-ab": seen(orphan, **more)})


def test_without_prune_an_orphan_is_only_noted() -> None:
    """It changes neither the steps nor the fingerprint, so that a saved plan stays valid."""
    made, before = plan(Orphans(pruned().every)), plan(Orphans())

    assert (made.steps, made.pruned, made.fingerprint) == ((), frozenset(), before.fingerprint)
    [note] = made.notes
    assert note.startswith("1 orphan without an entry in environments/test.yml: old-ab (entry old). Delete it with: ")
    assert [each["name"] for each in made.orphans] == ["old-ab"]
    assert reporter.plan_text(made).endswith("No changes. The resources match the files, except for 1 orphan.\n")


def test_prune_plans_a_teardown_of_the_orphan() -> None:
    made = plan(pruned())

    assert [f"{step.verb} {step.address}" for step in made.steps] == [
        "shift traffic/old-ab", "delete autoscale/old-ab/blue", "delete deployment/old-ab/blue",
        "delete role/old-ab/AcrPull/cr", "delete endpoint/old-ab",
    ]  # fmt: skip
    assert (made.endpoints, made.pruned, made.notes) == (("mip",), frozenset({"old-ab"}), ())
    assert made.steps[-1].why.startswith("no entry names it: ")
    assert made.steps[3].body["owner"] == "test/old"


def test_a_plan_file_contains_the_pruning() -> None:
    made = plan(pruned())
    read = reporter.plan_load(reporter.plan_dump(made))

    assert (read.fingerprint, read.pruned) == (made.fingerprint, made.pruned)


def test_a_protected_environment_refuses_with_the_names() -> None:
    """With --prune; without it the plan is made, and the orphan is noted."""
    protected = environment(protected=True)
    assert plan(Orphans(pruned().every), protected).steps == ()
    with pytest.raises(Refused) as refused:
        plan(pruned(), protected)

    [finding] = refused.value.findings
    assert finding.code == "AML241"
    assert finding.cause == "the environment is protected, and --prune would delete old-ab (entry old)"


def test_an_unmanaged_deployment_refuses() -> None:
    with pytest.raises(Refused) as refused:
        plan(pruned(deployed_by="others/test/x"))

    [finding] = refused.value.findings
    assert (finding.address, finding.code) == ("deployment/old-ab/blue", "AML230")
    assert "adopt" not in finding.cure


def test_every_reason_is_in_one_refusal() -> None:
    """The reasons against the release and those against the deletion."""
    with pytest.raises(Refused) as refused:
        plan(pruned(deployed_by="others/test/x"), environment(max_instances=0), release="r2")

    assert {finding.code for finding in refused.value.findings} == {"AML240", "AML230"}


def test_a_plan_without_orphans_to_delete_has_no_guard() -> None:
    """Protection concerns deletions: --prune without an orphan is no deletion."""
    assert plan(Orphans(), environment(protected=True)).steps == ()


def test_steps_of_other_kinds_are_not_changed() -> None:
    step = Step(Verb.DELETE, addr("deployment/old-ab/blue"), {"name": "blue"}, "why")

    assert list(planning.explained_steps(pruned(), [step])) == [step]


def test_a_successor_of_a_removed_entry_is_an_orphan_too() -> None:
    """A whole chain: each endpoint has its own address."""
    chain = [body("old-ab", "test/old"), body("old-ab-00abc", "test/old", **{leases.SUCCEEDS_TAG: "old-ab"})]

    assert deletable(*chain) == ["old-ab", "old-ab-00abc"]
