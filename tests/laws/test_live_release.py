"""What a renewal carries is what is live: release, settings and tags as Azure holds them, whatever the files say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import emulator, leases, verbs
from deploy.cloud import leftovers
from deploy.errors import Exit
from deploy.kept import PROTECT_TAG
from deploy.model import Plan
from tests.laws.conftest import PLAIN, WORKSPACE, World
from tests.laws.stage import Stage
from tests.laws.test_laws import everything, failures
from tests.laws.test_leases import advance_alone, alias, lend, renew, tell

WAYS = ("an edit", "rolled back", "named")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "way" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("way", WAYS if full else WAYS[:1])


@pytest.fixture
def world(stage: Stage) -> Iterator[World]:
    """A new world on the emulator that all tests here share: they turn its clock, and each command is quicker so."""
    found: World = stage.world
    emulator.reset(found.state)
    plain = found.project.root / "templates" / "plain"
    for folder in (found.project.root / "live", found.state / "reaped", *filter(Path.is_dir, plain.iterdir())):
        shutil.rmtree(folder, ignore_errors=True)
    for file in plain.glob("*.y*ml*"):
        file.unlink()
    for name, text in PLAIN.items():
        (plain / name).write_text(text)
    found.want()
    found.said.clear()
    yield found
    assert found.broken == []


OURS = frozenset({leases.ENDS_TAG, leases.SUCCEEDS_TAG, "amldeploy-owner"})


def plan(world: World) -> Plan:
    return verbs.plan(world.project, "law")


def words(made: Plan) -> list[tuple[str, str]]:
    """Each change, without the name of the endpoint, and why."""
    return [(f"{step.verb} {step.address}", step.why) for step in made.steps if step.changes]


def endpoints(world: World) -> dict[str, Any]:
    return {body["name"]: body for body in everything(world)["endpoints"]}


def live(world: World) -> dict[str, dict[str, Any]]:
    """The deployments that get requests, by name: settings, tags and share."""
    environment, _ = verbs.validate(world.project, "law")
    with world.project.connect(environment):
        found = {}
        for endpoint in world.read(f"{WORKSPACE}/onlineEndpoints"):
            traffic = endpoint["properties"]["traffic"]
            for body in world.read(f"{WORKSPACE}/onlineEndpoints/{endpoint['name']}/deployments"):
                if share := traffic.get(body["name"]):
                    properties = {
                        k: v for k, v in body["properties"].items() if k not in ("properties", "endpointComputeType")
                    }
                    found[body["name"]] = {"share": share, "sku": body["sku"], "tags": body["tags"], **properties}
        return found


def behind(world: World, name: str) -> list[str]:
    environment, _ = verbs.validate(world.project, "law")
    with world.project.connect(environment):
        return [body["name"] for body in world.read(f"{WORKSPACE}/onlineEndpoints/{name}/deployments")]


def tagged(world: World, resource: str, **tags: str) -> None:
    """Somebody writes tags on a resource."""
    environment, _ = verbs.validate(world.project, "law")
    with world.project.connect(environment) as cloud:
        leftovers.merge_tags(cloud, f"{WORKSPACE}/onlineEndpoints/{resource}", tags, "tag it")


def named(world: World) -> None:
    """Two deployments that the user named, with a split of the traffic."""
    plain = world.project.root / "templates" / "plain"
    text = (plain / "deployment.yml.j2").read_text()
    (plain / "deployment.yml.j2").unlink()
    for name, count in (("old", 2), ("new", 1), ("spare", 1)):
        document = text.replace("name: blue", f"name: {name}").replace("default(1)", f"default({count})")
        (plain / f"{name}-deployment.yml.j2").write_text(document)
    with (plain / "endpoint.yml.j2").open("a") as file:
        file.write("traffic: {old: 80, new: 20, spare: 0}\n")


def test_a_renewal_deploys_no_release_that_is_not_live(world: World, way: str) -> None:
    """The files hold an edit that was not applied, or what was rolled back from: afterwards the same release serves
    with the same settings, tags and shares, the plan shows what it showed before, and the report says what to do.
    """
    lend(world)
    if way == "named":
        named(world)
    assert failures(world.apply()) == []
    if way == "rolled back":
        world.want(release="2")
        lend(world)
        assert failures(world.apply()) == []
        done = verbs.rollback(world.project, "law", approve=lambda *_: None, tell=world.watch)
        assert failures(done) == []
    name, slots = alias(world)["endpoint"], live(world)
    tagged(world, f"{name}/deployments/{min(slots)}", **{"amldeploy-commit": "abc123", "reviewed": "yes"})
    if way != "rolled back":
        world.want(release="2", count=2)
        lend(world)
    slots, before = live(world), words(plan(world))
    assert before != []
    advance_alone(world, 150)
    done = renew(world)

    assert failures(done) == []
    assert live(world) == slots
    assert {body["environmentVariables"]["RELEASE"] for body in slots.values()} == {"1"}
    assert list(endpoints(world)) == [alias(world)["endpoint"]] != [name]
    assert [note for note in done.plan.notes if "which renew does not deploy" in note and "apply -e law mip" in note]
    if way == "an edit":
        assert words(plan(world)) == before
    assert renew(world).plan.steps == ()
    assert failures(world.apply()) == []
    assert world.apply().plan.steps == ()


def test_what_is_made_of_files_is_not_uploaded_again(world: World) -> None:
    """Scoring code and an environment of its own: the successor names the assets that are registered, and the files
    still describe what is there.
    """
    lend(world)
    plain = world.project.root / "templates" / "plain"
    (plain / "src").mkdir()
    (plain / "src" / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    text = (plain / "deployment.yml.j2").read_text()
    (plain / "deployment.yml.j2").write_text(text.split("environment_variables")[0])  # the emulator keeps them
    with (plain / "deployment.yml.j2").open("a") as file:
        file.write(
            "environment_variables: {RELEASE: '{{ values.release }}'}\n"
            "code_configuration: {code: src, scoring_script: score.py}\n"
            "environment: {image: 'mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:latest'}\n"
        )
    assert failures(world.apply()) == []
    slots = live(world)
    assert any(name.startswith("amldeploy-code") for body in slots.values() for name in body["tags"])
    advance_alone(world, 150)
    after = int(emulator.requests(world.state)[-1]["number"])
    assert failures(renew(world)) == []

    sent = [row["path"] for row in emulator.requests(world.state, after=after, mutating=True)]
    assert [path for path in sent if "/codes/" in path or "/environments/" in path] == []
    assert live(world) == slots
    assert plan(world).steps == ()


def test_tags_of_others_carry_over(world: World) -> None:
    """A cost centre on the endpoint is on its successor too; what we noted about the former is not."""
    lend(world)
    world.apply()
    tagged(
        world,
        alias(world)["endpoint"],
        **{"cost-centre": "4711", PROTECT_TAG: "false", "amldeploy-noticed": "stdout=24"},
    )
    advance_alone(world, 150)
    assert failures(renew(world)) == []
    (body,) = endpoints(world).values()

    others = {name: value for name, value in body["tags"].items() if name not in OURS}
    assert others == {"cost-centre": "4711", PROTECT_TAG: "false"}
    assert world.apply().plan.steps == ()


def test_a_protected_endpoint_keeps_its_place(world: World) -> None:
    """With the protect tag it is neither replaced nor deleted: exit 4 while it is due, and a notice that says why."""
    lend(world)
    world.apply()
    first = alias(world)["endpoint"]
    tagged(world, first, **{PROTECT_TAG: "yes"})
    assert renew(world).exit is Exit.OK
    advance_alone(world, 150)
    sent = world.mutating()
    done = renew(world)

    assert (done.exit, [error["code"] for error in failures(done)], done.plan.steps) == (Exit.REFUSED, ["AML275"], ())
    assert list(endpoints(world)) == [first]
    assert world.mutating() == sent + 1, "the notice is noted, and nothing else"
    assert ["carries the tag amldeploy-protect" in said for said in world.said] == [True]
    tagged(world, first, **{PROTECT_TAG: "false"})
    assert renew(world).exit is Exit.OK
    assert list(endpoints(world)) != [first]


def test_a_protected_environment_renews(world: World) -> None:
    """Its endpoint gets a successor and ends when that serves. In place, which deletes first, is refused: exit 4."""
    lend(world)
    world.apply()
    first = alias(world)["endpoint"]
    tell(world, {"to": "stdout"}, guards={"protected": True, "max_instances": 1})
    advance_alone(world, 150)
    refused = renew(world, in_place=True)
    assert (refused.exit, [error["code"] for error in failures(refused)]) == (Exit.REFUSED, ["AML241"])
    assert alias(world)["endpoint"] == first
    done = renew(world)
    assert (done.exit, failures(done)) == (Exit.OK, [])
    assert list(endpoints(world)) == [alias(world)["endpoint"]] != [first]
    assert world.apply().plan.steps == ()


def test_in_place_needs_files_that_describe_what_is_live(world: World) -> None:
    """Cut off between deletion and creation only the files would be left: where they differ it is refused, exit 4."""
    lend(world)
    world.apply()
    first = alias(world)["endpoint"]
    world.want(release="2")
    lend(world)
    advance_alone(world, 150)
    done = renew(world, in_place=True)
    assert (done.exit, [error["code"] for error in failures(done)]) == (Exit.REFUSED, ["AML276"])
    assert (alias(world)["endpoint"], list(endpoints(world))) == (first, [first])


def test_what_goes_is_exported_before(world: World) -> None:
    """The predecessor is kept as the reaper keeps it, and comes back from there when its successor is torn down."""
    lend(world)
    world.apply()
    first, slots = alias(world)["endpoint"], live(world)
    advance_alone(world, 150)
    assert failures(renew(world)) == []
    (folder,) = (world.state / "reaped").glob(f"*/{first}")
    world.teardown()
    done = verbs.restore(world.project, "law", folder, approve=lambda *_: None, tell=world.watch)
    assert (failures(done), alias(world)["endpoint"], live(world)) == ([], first, slots)


def test_a_release_of_an_earlier_try_does_not_stay(world: World) -> None:
    """A renewal was cut off with its deployment made; a new release went live meanwhile: the successor holds that."""
    lend(world)
    world.apply()
    advance_alone(world, 150)
    probe = {"kind": "refuse", "status": 503, "operation": "Score*", "times": "always"}
    emulator.begin(world.state, faults=[probe])
    assert renew(world).exit is Exit.STEP_FAILED
    emulator.begin(world.state, faults=[])
    assert len(endpoints(world)) == 2
    world.want(release="2")
    lend(world)
    assert failures(world.apply()) == []
    slots = live(world)
    assert failures(renew(world)) == []
    assert live(world) == slots
    assert {body["environmentVariables"]["RELEASE"] for body in slots.values()} == {"2"}
    assert behind(world, alias(world)["endpoint"]) == list(slots)
    assert renew(world).plan.steps == ()


def capacity(world: World, where: str) -> None:
    path = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "quota": {"capacity": where}}))


def test_shared_becomes_dedicated_by_succession(world: World) -> None:
    """The files say dedicated while the endpoint is on shared quota: plan says so and comes to rest; the lease is
    renewed, by a successor on dedicated quota that every command then finds; teardown leaves nothing.
    """
    lend(world)
    before = everything(world)
    world.apply()
    advance_alone(world, 150)
    assert failures(renew(world)) == []
    second = alias(world)["endpoint"]
    capacity(world, "dedicated")
    done = world.apply()
    assert (failures(done), done.plan.steps) == ([], ())
    assert [note for note in done.plan.notes if "on shared quota and the files say dedicated" in note]
    (row,) = verbs.status(world.project, "law")
    assert (row.name, row.hours_left is not None) == (second, True)
    assert renew(world).plan.steps == ()
    done = renew(world, within=168)
    assert failures(done) == []
    ((name, body),) = endpoints(world).items()
    assert (alias(world)["endpoint"], leases.of(body)) == (name, None)
    assert name != second
    assert alias(world)["lease_ends"] == ""
    again = world.apply()
    assert (again.plan.steps, again.plan.notes) == ((), ())
    (row,) = verbs.status(world.project, "law")
    assert (row.name, row.hours_left) == (name, None)
    advance_alone(world, 200)
    assert renew(world).plan.steps == ()
    assert failures(world.teardown()) == []
    assert everything(world) == before


def test_dedicated_becomes_shared_by_teardown(world: World) -> None:
    """The files say shared while the endpoint is on dedicated quota: plan says how, and the way works."""
    lend(world)
    capacity(world, "dedicated")
    world.apply()
    capacity(world, "shared")
    done = world.apply()
    assert done.plan.steps == ()
    assert [
        note for note in done.plan.notes if "is on dedicated quota, not on shared" in note and "tear it down" in note
    ]
    assert (renew(world, within=168).plan.steps, world.apply().plan.steps) == ((), ())
    world.teardown()
    assert failures(world.apply()) == []
    (body,) = endpoints(world).values()
    assert leases.of(body) is not None
