"""The planner chooses slots, moves callers and refuses, by values alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain import file_list, provenance
from deploy.domain.arm import RELEASE_TAG, UNVERIFIED
from deploy.domain.plan import Plan, Step, Verb
from deploy.errors import Refused
from deploy.planning import planner
from deploy.reporter import plan_json, plan_markdown, plan_text
from deploy.reporter.wording import remaining_assets
from tests.addresses import addr
from tests.unit.specs import SIZE, deployment_body, endpoint_body, environment, facts, quota_row, spec

PROBE = {"probe": {"type": "http"}}


def plan(wanted, there) -> Plan:
    return planner.plan_release(environment(), [wanted], {"mip": there})


def story(made: Plan) -> list[str]:
    return [f"{step.verb} {step.address}" for step in made.steps]


def test_first_release() -> None:
    """From nothing: check, create, probe, and only then callers."""
    made = plan(spec(pipeline=PROBE), facts())

    assert story(made) == [
        "check quota/mip/Standard_NC24ads_A100_v4",
        "create endpoint/mip",
        "create deployment/mip/blue",
        "probe probe/mip/blue",
        "shift traffic/mip",
    ]
    assert made.rescue == ()
    assert made.summary == {"check": 1, "create": 2, "update": 0, "delete": 0, "probe": 1, "gate": 0, "shift": 1}


def test_nothing_to_do() -> None:
    """What is as wanted needs no step, whatever the other slot holds."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"), deployment_body("green", release="old")))

    assert story(plan(spec(pipeline=PROBE), there)) == []


def test_new_release_goes_to_the_other_slot() -> None:
    """Blue and green: callers stay on blue until green has been probed, and go back if a step fails."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    made = plan(spec(release="r2", pipeline=PROBE), there)

    assert story(made)[1:] == ["create deployment/mip/green", "probe probe/mip/green", "shift traffic/mip"]
    assert made.steps[-1].body["document"]["traffic"] == {"green": 100}
    assert [s.body["document"]["traffic"] for s in made.rescue] == [{"blue": 100}]


@pytest.mark.parametrize(("bake", "seconds"), [("5m", 300), ("0s", 0)])
def test_stages_are_baked_and_probed(bake: str, seconds: float) -> None:
    """Each further stage waits, and is preceded by a probe of the new slot, also without a bake."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    rollout = {"rollout": {"stages": [10, 50, 100], "bake": bake}, **PROBE}
    made = plan(spec(release="r2", pipeline=rollout), there)
    moves = [s for s in made.steps if s.verb in (Verb.SHIFT, Verb.PROBE)]

    assert [s.verb.value for s in moves] == ["probe", "shift", "probe", "shift", "probe", "shift"]
    assert [s.retry.wait for s in moves] == [0, 0, seconds, 0, seconds, 0]
    shares = [s.body["document"]["traffic"] for s in moves if s.verb is Verb.SHIFT]
    assert shares == [{"green": 10, "blue": 90}, {"green": 50, "blue": 50}, {"green": 100}]


def test_an_interrupted_rollout_goes_on() -> None:
    """A run that died at the first stage is taken up there, not begun again."""
    there = facts(
        endpoint_body({"blue": 90, "green": 10}), (deployment_body("blue"), deployment_body("green", release="r2"))
    )
    made = plan(spec(release="r2", pipeline={"rollout": {"stages": [10, 50, 100]}}), there)

    assert [s.body["after"] for s in made.steps] == [{"green": 50, "blue": 50}, {"green": 100}]


def test_traffic_leaves_a_slot_before_it_gets_another_release() -> None:
    """A rollout that was not finished, and another release: those who were sent ahead go back first. What fails then
    leaves all callers where they are; nobody goes back to a release that is gone.
    """
    there = facts(
        endpoint_body({"blue": 90, "green": 10}), (deployment_body("blue"), deployment_body("green", release="r2"))
    )
    made = plan(spec(release="r3", pipeline={"rollout": {"stages": [10, 100], "bake": "5m"}, **PROBE}), there)
    told = [s for s in made.steps if s.verb is not Verb.CHECK]

    assert story(made)[-6:] == [
        "shift traffic/mip", "update deployment/mip/green", "probe probe/mip/green", "shift traffic/mip",
        "probe probe/mip/green", "shift traffic/mip",
    ]  # fmt: skip
    assert [s.body["after"] for s in told if s.verb is Verb.SHIFT] == [
        {"blue": 100}, {"green": 10, "blue": 90}, {"green": 100},
    ]  # fmt: skip
    assert told[0].why == "blue 90 %, green 10 % -> blue 100 %; the other slot gets another release"
    assert told[0].retry.wait == 0
    assert [s.body["after"] for s in made.rescue] == [{"blue": 100}]


def test_traffic_leaves_a_slot_before_it_is_recreated() -> None:
    """Also where Azure cannot change it in place."""
    green = deployment_body("green", release="r2", size="Standard_NC48ads_A100_v4")
    there = facts(endpoint_body({"blue": 90, "green": 10}), (deployment_body("blue"), green))
    made = plan(spec(release="r3"), there)

    assert [step for step in story(made) if "quota" not in step] == [
        "shift traffic/mip", "delete deployment/mip/green", "create deployment/mip/green", "shift traffic/mip",
    ]  # fmt: skip
    slots = [step.body["expects"]["slots"]["green"] for step in made.steps if step.kind == "deployment"]
    assert slots == [["r2", None], [None, "r3"]], "a deletion that has happened already is no conflict"


def test_a_deployment_with_traffic_gets_the_unverified_mark() -> None:
    """Deployments that the user named change under their callers, however few those are, and say so until proven."""
    two = ({"name": "blue"}, {"name": "green"})
    wanted = spec(pipeline=PROBE, traffic={"blue": 90, "green": 10})
    wanted = replace(
        wanted,
        deployments=tuple({**wanted.deployments[0], **each} for each in two),
        releases={"blue": "r1", "green": "r3"},
    )
    there = facts(
        endpoint_body({"blue": 90, "green": 10}), (deployment_body("blue"), deployment_body("green", release="r2"))
    )
    made = plan(wanted, there)
    (probe,) = [s for s in made.steps if s.verb is Verb.PROBE]

    assert [s.body["document"]["tags"][RELEASE_TAG] for s in made.steps if s.kind == "deployment"] == [
        "r3" + UNVERIFIED, "r3",
    ]  # fmt: skip
    assert probe.body["traffic"] == "is on it"


def test_a_deployment_with_traffic_gets_no_mirrored_traffic() -> None:
    """Azure takes no deployment for both, so a mirror ends where the release of its deployment begins to serve."""
    body = endpoint_body({"blue": 100})
    body["properties"]["mirrorTraffic"] = {"green": 20}
    there = facts(body, (deployment_body("blue"), deployment_body("green", release="r0")))
    made = plan(spec(release="r2", pipeline={"rollout": {"stages": [10, 100]}}), there)

    assert [s.body["document"]["mirror_traffic"] for s in made.steps if s.verb is Verb.SHIFT] == [{}, {}]


def test_count_changes_in_place() -> None:
    """More instances of the same release need no other slot."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    made = plan(spec(instance_count=2), there)

    assert story(made) == ["check quota/mip/Standard_NC24ads_A100_v4", "update deployment/mip/blue"]
    assert made.quota[0]["needed"] == 24


def test_in_place() -> None:
    """With rollout.strategy in_place a change that Azure can make stays in the live slot."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    made = plan(spec(release="r2", pipeline={"rollout": {"strategy": "in_place"}}), there)

    assert story(made) == ["update deployment/mip/blue"]


def test_instance_type_cannot_change_in_place() -> None:
    """Azure ignores a new instance type on a deployment that exists, so another slot takes it."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue", size="Standard_NC48ads_A100_v4"),))
    made = plan(spec(release="r2", pipeline={"rollout": {"strategy": "in_place"}}), there)

    assert "create deployment/mip/green" in story(made)


def test_the_idle_slot_is_recreated_when_needed() -> None:
    """An idle slot of another instance type is deleted before it is made anew."""
    there = facts(
        endpoint_body({"blue": 100}), (deployment_body("blue"), deployment_body("green", size="Standard_DS3_v2"))
    )
    made = plan(spec(release="r2"), there)

    assert [s for s in story(made) if "green" in s] == ["delete deployment/mip/green", "create deployment/mip/green"]


def test_quota_refuses_with_the_arithmetic() -> None:
    """Too few cores: refused before any step, with every number."""
    with pytest.raises(Refused) as refused:
        plan(spec(instance_count=3), facts(quota=quota_row(limit=48, in_use=24)))

    text = str(refused.value)
    assert "need 72 cores (3 instances x 24), 24 free of 48" in text
    assert "need 72, 24 free" in text


@given(st.integers(1, 200), st.integers(1, 96))
def test_reserve_is_one_fifth_rounded_up(instances: int, cores: int) -> None:
    """A size that is not exempt needs ceil(1.2 n) instances' worth of cores, in whole numbers."""
    row = {**quota_row(limit=10**9, total=10**9), "family": "standardDSv2Family", "cores": cores}
    made = plan(spec(instance_count=instances), facts(quota=row))
    needed = made.quota[0]["needed"]

    assert needed % cores == 0
    assert 10 * needed >= 12 * instances * cores
    assert 10 * (needed - cores) < 12 * instances * cores


def test_unknown_quota_blocks_nothing() -> None:
    """What we may not read is said and does not refuse."""
    row = {**quota_row(), "cores": None, "family": None, "limit": None, "in_use": None}
    made = plan(spec(), facts(quota=row))

    assert "unknown: how many cores" in made.steps[0].why
    assert made.steps[0].body["verdict"] == "unknown"


def test_changes_of_unmanaged_resources_are_refused() -> None:
    """An endpoint without our tag, or with another owner's, is never changed."""
    for owner in ("", "prod/mip"):
        with pytest.raises(Refused, match="AML230"):
            plan(spec(), facts(endpoint_body({}, owner=owner)))


def test_unmanaged_deployments_stop_a_teardown() -> None:
    """Deleting the endpoint would take a stranger's deployment with it."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"), deployment_body("theirs", owner="")))
    with pytest.raises(Refused, match=r"deployment theirs exists and is not managed by amldeploy"):
        planner.plan_teardown(environment(), [spec()], {"mip": there})


def test_teardown_goes_backwards() -> None:
    """Callers first, then deployments, roles, and the endpoint last."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    there[addr("role/mip/abc")] = {"id": "/x", "assigned_by": "azure"}
    made = planner.plan_teardown(environment(), [spec()], {"mip": there})

    assert story(made) == [
        "shift traffic/mip",
        "delete deployment/mip/blue",
        "delete role/mip/abc",
        "delete endpoint/mip",
    ]


def test_a_teardown_lists_assets_that_stay() -> None:
    """Model, environment and code of the workspace, each once; nothing of a registry, no image that is no asset."""
    own, far = "/subscriptions/s/x/workspaces/ws", "azureml://registries/r"
    blue, green = deployment_body("blue"), deployment_body("green")
    blue["properties"] |= {
        "model": f"{own}/models/m/versions/1",
        "environmentId": f"{own}/environments/e/versions/2",
        "codeConfiguration": {"codeId": f"{own}/codes/c/versions/3"},
    }
    green["properties"] |= {"model": f"{far}/models/m/versions/1", "environmentId": f"{own}/environments/e/versions/2"}
    made = planner.plan_teardown(environment(), [spec()], {"mip": facts(endpoint_body(), (blue, green))})

    assert remaining_assets(made) == ["model m:1", "environment e:2", "code c:3"]
    assert plan_json(made)["stays"] == list(made.stays)
    assert "environment e:2" in plan_text(made)
    assert "`environment e:2`" in plan_markdown(made)


def test_guards() -> None:
    """A protected environment is not torn down; max_instances caps what runs."""
    with pytest.raises(Refused, match="protected"):
        planner.plan_teardown(environment(protected=True), [spec()], {"mip": facts()})
    with pytest.raises(Refused, match=r"5 instances would run .* and guards\.max_instances is 4"):
        planner.plan_release(environment(max_instances=4), [spec(instance_count=5)], {"mip": facts()})


def test_tags_of_others_survive() -> None:
    """A PUT replaces all tags, so those that others set are sent along."""
    body = endpoint_body({"blue": 100})
    body["tags"]["cost-centre"] = "42"
    made = plan(spec(release="r2"), facts(body, (deployment_body("blue"),)))

    assert made.steps[-1].body["document"]["tags"]["cost-centre"] == "42"


def test_a_put_sends_one_spelling_of_a_tag() -> None:
    """Names of tags have no case: of `A` in the files and `a` in Azure, the PUT of an endpoint, of a deployment, of
    traffic and of a deployment in a used slot sends `A` alone.
    """
    tags = {"tags": {"A": "1"}}
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"), deployment_body("green", release="r0")))
    for body in there.values():
        body.setdefault("tags", {})["a"] = "2"
    in_place = {"rollout": {"strategy": "in_place"}}
    moved, changed = (
        replace(each, endpoint={**each.endpoint, **tags})
        for each in (spec(release="r2", **tags), spec(release="r2", pipeline=in_place, **tags))
    )
    found = {
        step.kind: {name: value for name, value in step.body["document"]["tags"].items() if name.lower() == "a"}
        for made in (plan(moved, there), plan(changed, there))
        for step in made.steps
        if "document" in step.body
    }

    assert found == {kind: {"A": "1"} for kind in ("endpoint", "deployment", "traffic")}


@st.composite
def worlds(draw) -> tuple[dict, str | None]:
    slots = draw(st.lists(st.sampled_from(["blue", "green"]), unique=True))
    bodies = tuple(deployment_body(s, release=draw(st.sampled_from(["r1", "r2", "r3"]))) for s in slots)
    share = draw(st.integers(0, 100))
    traffic = {1: {slots[0]: 100}, 2: {slots[0]: share, slots[-1]: 100 - share}}.get(len(slots), {}) if slots else {}
    return facts(endpoint_body({k: v for k, v in traffic.items() if v}), bodies), None


@given(worlds(), st.sampled_from(["r1", "r2"]), st.lists(st.integers(1, 99), unique=True, max_size=3).map(sorted))
def test_traffic_is_never_split_wrongly(world, release: str, stages: list[int]) -> None:
    """From any world: every shift sums to 100 and names only slots that are there by then; the last names one. No slot
    gets another release while it receives traffic.
    """
    there, _ = world
    made = plan(spec(release=release, pipeline={"rollout": {"stages": [*stages, 100]}}), there)
    known = {a.name for a in there if a.kind == "deployment"}
    last = there[addr("endpoint/mip")]["properties"]["traffic"]
    for step in made.steps:
        name = step.address.name
        known |= {name} if step.kind == "deployment" else set()
        if step.kind == "deployment" and there.get(step.address, {}).get("tags", {}).get(RELEASE_TAG) != release:
            assert not last.get(name)
        if step.verb is Verb.SHIFT:
            last = step.body["after"]
            assert sum(last.values()) == 100
            assert set(last) <= known
    assert list(last.values()) == [100]


@given(worlds(), st.sampled_from(["r1", "r2"]))
def test_fingerprint_is_of_what_matters(world, release: str) -> None:
    """The same files and world make the same plan; a moved world makes another fingerprint."""
    there, _ = world
    one, two = plan(spec(release=release), there), plan(spec(release=release), dict(reversed(there.items())))
    moved = {**there, addr("endpoint/mip"): {**there[addr("endpoint/mip")], "location": "elsewhere"}}

    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != plan(spec(release=release), moved).fingerprint


@given(share=st.integers(0, 100))
def test_without_a_map_traffic_stays(share: int) -> None:
    """Several deployments and no traffic map, as CLI v2 has them: who sent callers there by hand finds them there."""
    one = spec(instance_count=2)
    two = replace(
        one,
        deployments=(one.deployments[0], {**one.deployments[0], "name": "green"}),
        releases={"blue": "r1", "green": "r1"},
    )
    traffic = {name: n for name, n in {"blue": share, "green": 100 - share}.items() if n}
    there = facts(endpoint_body(traffic), (deployment_body("blue"), deployment_body("green")))

    assert [s for s in plan(two, there).steps if s.verb is Verb.SHIFT] == []
    assert [s for s in plan(two, facts()).steps if s.verb is Verb.SHIFT] == []


def test_fixed_deployments_keep_their_names() -> None:
    """Who writes a traffic map keeps his names and his map."""
    made = plan(spec(traffic={"blue": 100}), facts())

    assert isinstance(made.steps[-1], Step)
    assert made.steps[-1].body["after"] == {"blue": 100}


def test_endpoints_share_a_quota() -> None:
    """Two endpoints that each find cores enough, and not together, are refused with the sum."""
    other = replace(spec(instance_count=3), key="mi2", endpoint={"name": "mi2-ab"})
    there = {
        "mip": facts(quota=quota_row(limit=96)),
        "mi2": {addr(f"quota/mi2/{SIZE.lower()}"): quota_row(limit=96)},
    }
    with pytest.raises(Refused, match=r"cores of standardNCADSA100v4Family in eastus: need 48 \+ 72 = 120, 96 free"):
        planner.plan_release(environment(), [spec(instance_count=2), other], there)


def test_shared_quota_needs_no_cores_of_the_family() -> None:
    """On shared quota the family's cores are not needed, however few are left."""
    made = plan(spec(pipeline={"quota": {"capacity": "shared"}}), facts(quota=quota_row(limit=0)))

    assert made.quota[0]["capacity"] == "shared"


def test_a_former_name_is_not_forgotten() -> None:
    """An endpoint of the same owner under another name would be left behind, serving and paid for."""
    there = facts() | {addr("endpoint/mip/old-name"): endpoint_body({"blue": 100}) | {"name": "old-name"}}
    with pytest.raises(Refused, match=r"AML232.*old-name of the same owner still exists"):
        plan(spec(), there)


def test_roles_of_others_stay() -> None:
    """A role that somebody else gave satisfies us, and is never taken back."""
    there = facts(endpoint_body({}))
    there[addr("role/mip/Reader/workspace")] = {"id": "/theirs", "assigned_by": "others"}
    made = planner.plan_teardown(environment(), [spec()], {"mip": there})

    assert not any(step.kind == "role" for step in made.steps)


def test_an_unverified_change_with_traffic_is_probed_again() -> None:
    """In place: the release counts as reached only when its probe was answered; until then every plan asks again."""
    in_place = spec(release="r2", pipeline={"rollout": {"strategy": "in_place"}, **PROBE})
    before = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    failed = facts(endpoint_body({"blue": 100}), (deployment_body("blue", release="r2-unverified"),))
    done = facts(endpoint_body({"blue": 100}), (deployment_body("blue", release="r2"),))

    assert story(plan(in_place, before)) == [
        "update deployment/mip/blue",
        "probe probe/mip/blue",
        "update deployment/mip/blue",
    ]
    assert story(plan(in_place, failed)) == ["probe probe/mip/blue", "update deployment/mip/blue"]
    assert story(plan(in_place, done)) == []


def test_tags_of_others_survive_the_verification() -> None:
    """The PUT that takes the mark off sends the tags and properties of others along, as every other does."""
    body = deployment_body("blue", release="r2-unverified")
    body["tags"] |= {"cost": "42", "amldeploy-environment": "azureml:made:1"}
    body["properties"]["properties"] = {"theirs": "1", "createdAt": "now"}
    there = facts(endpoint_body({"blue": 100}), (body,))
    made = plan(spec(release="r2", pipeline={"rollout": {"strategy": "in_place"}, **PROBE}), there)
    document = made.steps[-1].body["document"]

    assert document["tags"] == {"cost": "42", "amldeploy-owner": "test/mip", "amldeploy-release": "r2"}
    assert document["properties"] == {"theirs": "1"}


def test_another_slot_lists_its_differences() -> None:
    """What is made next to the live slot names the difference: in its reason and as changes, secrets hidden."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue", size="Standard_F4s_v2"),))
    there[addr("deployment/mip/blue")]["properties"]["environmentVariables"] = {"API_KEY": "the-old-secret"}
    wanted = spec(release="r2", environment_variables={"API_KEY": "the-new-secret"})
    (made,) = [step for step in plan(wanted, there).steps if step.verb is Verb.CREATE]

    assert made.address == addr("deployment/mip/green")
    assert made.body["beside"] == "blue"
    assert [change["path"] for change in made.body["changes"]] == [
        "instance_type",
        "environment_variables.API_KEY",
        "tags.amldeploy-release",
    ]
    assert made.why == (
        f"instance_type Standard_F4s_v2 -> {SIZE}, environment_variables.API_KEY (hidden) -> (hidden), next to blue"
    )


@pytest.mark.parametrize("size", [SIZE, "Standard_F4s_v2"], ids=["changed", "recreated"])
def test_each_old_value_names_its_slot(size: str) -> None:
    """The idle slot has a value of its own, and the reason has that of the live slot."""
    there = facts(
        endpoint_body({"blue": 100}), (deployment_body("blue"), deployment_body("green", release="r0", size=size))
    )
    for slot, value in (("blue", "of-blue"), ("green", "of-green")):
        there[addr(f"deployment/mip/{slot}")]["properties"]["environmentVariables"] = {"A": value}
    made = plan(spec(release="r2", environment_variables={"A": "new"}), there)
    text = plan_text(made, width=200)

    assert "environment_variables.A of-blue -> new, next to blue" in text
    assert "environment_variables.A: of-green (green) -> new" in text
    assert "- environment_variables.A: of-green (green)" in plan_markdown(made)
    assert "of-green ->" not in text


def test_a_slot_that_is_used_again_lists_both_differences() -> None:
    """Its reason is the difference from the live slot; its changes are from what it was itself."""
    there = facts(
        endpoint_body({"blue": 100}),
        (deployment_body("blue", count=2), deployment_body("green", release="r0", count=3)),
    )
    count, rest = _updates(plan(spec(release="r2", instance_count=1), there))

    assert count.why == "instance_count 3 -> 1, in green"
    assert rest.why == "instance_count 2 -> 1, next to blue"
    assert [change["path"] for change in rest.body["changes"]] == ["tags.amldeploy-release"]


def test_files_that_changed_are_named() -> None:
    """Where no field differs, and beside fields that do; what no list says is not guessed."""
    before, now = {"code/score.py": "1"}, {"code/score.py": "2", "code/new.py": "1"}
    there, wanted = deployment_body("blue"), replace(spec(release="r2"), files={"blue": now})

    def why(body: dict[str, Any], **changes: Any) -> list[str]:
        made = plan(replace(wanted, **changes), facts(endpoint_body({"blue": 100}), (body,)))
        return [step.why for step in made.steps if step.address == addr("deployment/mip/green")]

    listed = {**there, "tags": {**there["tags"], **file_list.tags_of(before)}}
    told = "files: code/new.py added, code/score.py changed"
    assert why(listed) == [f"{told}, next to blue"]
    two = {**wanted.deployments[0], "environment_variables": {"A": "b"}}
    assert why(listed, deployments=(two,)) == [f"environment_variables.A (none) -> b, {told}, next to blue"]
    assert why(there) == ["files (not recorded), next to blue"]
    assert why(listed, files={"blue": before}) == ["the definition of the model or the environment, next to blue"]


def test_the_list_of_files_is_sent_with_each_put() -> None:
    """It is part of the step, and a plan does not change with the commit."""
    files = {"blue": {"code/score.py": "1"}}
    (made,) = [s for s in plan(replace(spec(), files=files), facts()).steps if s.kind == "deployment"]
    assert made.body["files"] == file_list.tags_of(files["blue"])
    assert not provenance.TAGS & made.body["document"]["tags"].keys()


def test_what_a_run_records_voids_no_plan() -> None:
    """A plan stands on what is deployed, not on who deployed it, when, and from which commit."""
    body = deployment_body("blue")
    more = dict.fromkeys((*provenance.TAGS, *file_list.TAGS), "x")
    tagged = {**body, "tags": {**body["tags"], **more}}
    made, again = (plan(spec(), facts(endpoint_body({"blue": 100}), (each,))) for each in (body, tagged))
    assert made.fingerprint == again.fingerprint
    assert made.world == again.world
    changed = plan(spec(tags={"a": "b"}), facts(endpoint_body({"blue": 100}), (tagged,)))
    (step,) = [s for s in changed.steps if "document" in s.body]
    assert not more.keys() & step.body["document"]["tags"].keys()


def _updates(made: Plan) -> list[Step]:
    return [step for step in made.steps if step.verb is Verb.UPDATE]


def test_count_and_the_rest_are_two_steps() -> None:
    """Azure scales before it changes anything else, so the two are separate steps, each with its own words."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    wanted = spec(release="r2", instance_count=2, pipeline={"rollout": {"strategy": "in_place"}})
    count, rest = _updates(plan(wanted, there))

    assert count.why == "instance_count 1 -> 2"
    assert count.body["count"] == 2
    assert "document" not in count.body
    assert rest.why == "tags.amldeploy-release"
    assert rest.body["document"]["instance_count"] == 2


def test_what_others_added_survives() -> None:
    """A PUT of endpoint, deployment or traffic sends the tags and properties of others along, never the service's."""
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))
    for body in (there[addr("endpoint/mip")], there[addr("deployment/mip/blue")]):
        body["tags"]["Theirs"] = "t"
        body["properties"]["properties"] = {"theirs": "p", "createdBy": "x", "AzureAsyncOperationUri": "x"}
    moved = spec(release="r2")
    changed = spec(release="r2", pipeline={"rollout": {"strategy": "in_place"}})
    retagged = replace(spec(), endpoint={**spec().endpoint, "description": "new"})
    documents = [
        plan(moved, there).steps[-1].body["document"],
        _updates(plan(changed, there))[0].body["document"],
        _updates(plan(retagged, there))[0].body["document"],
        planner.plan_teardown(environment(), [spec()], {"mip": there}).steps[0].body["document"],
    ]

    assert [d["tags"]["Theirs"] for d in documents] == ["t"] * 4
    assert [d["properties"] for d in documents] == [{"theirs": "p"}] * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"identity": {"type": "none"}},
            "AML220.*identity of an.*system_assigned, the files set none.*tear the endpoint down.*another key and name",
        ),
        ({"properties": {"old": "2"}}, "AML221.*properties.old.*another name.*only be added"),
    ],
)
def test_what_an_endpoint_keeps_is_refused_with_a_way_out(change: dict, words: str) -> None:
    """Azure cannot change the identity, nor a property that is there: the plan says what can be done instead."""
    body = endpoint_body({})
    body["properties"]["properties"] = {"old": "1"}
    wanted = replace(spec(), endpoint={**spec().endpoint, **change})
    with pytest.raises(Refused, match=words):
        plan(wanted, facts(body))


def test_a_property_is_added_in_place() -> None:
    """A new property is an update like any other."""
    wanted = replace(spec(), endpoint={**spec().endpoint, "properties": {"new": "1"}})

    assert [s.why for s in _updates(plan(wanted, facts(endpoint_body({"blue": 100}), (deployment_body("blue"),))))] == [
        "properties.new"
    ]


def test_a_named_deployment_is_recreated_only_without_traffic() -> None:
    """Who names the deployment gets it deleted and made anew; with callers on it that is refused, with the ways out."""
    idle = facts(endpoint_body({}), (deployment_body("blue", size="Standard_DS3_v2"),))
    named = spec(traffic={})

    assert [s for s in story(plan(named, idle)) if "blue" in s] == [
        "delete deployment/mip/blue",
        "create deployment/mip/blue",
    ]
    served = facts(endpoint_body({"blue": 100}), (deployment_body("blue", size="Standard_DS3_v2"),))
    with pytest.raises(Refused, match=r"AML222.*instance_type in place, and it has traffic"):
        plan(spec(traffic={"blue": 100}), served)


def test_a_changed_property_of_a_deployment_goes_to_the_other_slot() -> None:
    """Properties can only be added, so one that changes needs a deployment of its own."""
    blue = deployment_body("blue")
    blue["properties"]["properties"] = {"kind": "old"}
    wanted = spec(release="r2", properties={"kind": "new"}, pipeline={"rollout": {"strategy": "in_place"}})

    assert "create deployment/mip/green" in story(plan(wanted, facts(endpoint_body({"blue": 100}), (blue,))))


def test_an_identity_that_is_not_written_stays() -> None:
    """Azure would read an absent identity as another one and refuse the whole PUT."""
    body = endpoint_body({"blue": 100})
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {"/subscriptions/i": {}}}
    made = plan(spec(release="r2"), facts(body, (deployment_body("blue"),)))

    assert made.steps[-1].body["document"]["identity"] == {
        "type": "user_assigned",
        "user_assigned_identities": [{"resource_id": "/subscriptions/i"}],
    }


def test_one_change_of_identity_is_one_finding() -> None:
    """Type and identities differ together, and both what is there and what is wanted are named."""
    resource = "/subscriptions/i/userAssignedIdentities/mine"
    wanted = spec()
    written = {"type": "user_assigned", "user_assigned_identities": [{"resource_id": resource}]}
    wanted = replace(wanted, endpoint={**wanted.endpoint, "identity": written})
    with pytest.raises(Refused) as refused:
        plan(wanted, facts(endpoint_body({"blue": 100}), (deployment_body("blue"),)))

    [finding] = [f for f in refused.value.findings if f.code == "AML220"]
    assert "it is system_assigned, the files set user_assigned with " in finding.cause
    assert resource.lower() in finding.cause.lower()
    assert "None" not in finding.cause


@pytest.mark.parametrize(
    ("state", "share", "goes"), [("Failed", 0, True), ("Failed", 10, False), ("Succeeded", 0, False), (None, 0, True)]
)
def test_cleanup_deletes_only_deployments_without_traffic(state: str | None, share: int, goes: bool) -> None:
    """A slot that this run makes, or that had failed before it; never one that is whole, or that has callers."""
    green = deployment_body("green", release="old")
    green["properties"]["provisioningState"] = state
    there = facts(
        endpoint_body({"blue": 100 - share, "green": share}), (deployment_body("blue"), *([green] if state else ()))
    )
    made = planner.plan_release(environment(), [spec(release="r2")], {"mip": there}, planner.Choices(cleanup=True))
    assert any(s.address == addr("deployment/mip/green") and s.changes for s in made.steps)
    deletes = [step.address for step in made.rescue if step.verb is Verb.DELETE]

    assert deletes == ([addr("deployment/mip/green")] if goes else [])


def test_cleanup_deletes_a_failed_slot_that_is_recreated() -> None:
    """What cannot change in place is deleted and made again, and if that fails, it is gone as well."""
    green = deployment_body("green", release="old", size="Standard_DS3_v2")
    green["properties"]["provisioningState"] = "Failed"
    there = facts(endpoint_body({"blue": 100}), (deployment_body("blue"), green))
    made = planner.plan_release(environment(), [spec(release="r2")], {"mip": there}, planner.Choices(cleanup=True))

    assert [s.verb for s in made.steps if s.address == addr("deployment/mip/green")] == [Verb.DELETE, Verb.CREATE]
    assert [s.address for s in made.rescue if s.verb is Verb.DELETE] == [addr("deployment/mip/green")]
