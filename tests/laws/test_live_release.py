"""A renewal copies the live release: release, settings and tags as Azure holds them, whatever the files contain."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.cloud import autoscale_and_tags
from deploy.domain import history, leases
from deploy.domain.plan import Plan
from deploy.domain.put_merge import PROTECT_TAG
from deploy.errors import Exit
from tests.laws.conftest import PLAIN, WORKSPACE, World
from tests.laws.stage import Stage
from tests.laws.test_laws import everything, failures
from tests.laws.test_leases import advance_alone, alias, emit, lend, renew


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--laws", default="some") == "full"
    for name, cases in (("scenario", SCENARIOS), ("move", MOVES)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, cases if full else cases[:1])


@pytest.fixture
def world(stage: Stage) -> Iterator[World]:
    """A new world on the emulator that all tests here share; tests set its clock. A shared emulator is faster."""
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
    return commands.plan(world.project, "law")


def words(made: Plan) -> list[tuple[str, str]]:
    """Each change without the name of the endpoint, and its reason."""
    return [(f"{step.verb} {step.address}", step.why) for step in made.steps if step.changes]


def endpoints(world: World) -> dict[str, Any]:
    return {body["name"]: body for body in everything(world)["endpoints"]}


def live(world: World) -> dict[str, dict[str, Any]]:
    """The deployments that receive traffic, by name: settings, tags and share."""
    environment, _ = commands.validate(world.project, "law")
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
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment):
        return [body["name"] for body in world.read(f"{WORKSPACE}/onlineEndpoints/{name}/deployments")]


def tagged(world: World, resource: str, **tags: str) -> None:
    """Another client writes tags on a resource."""
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment) as cloud:
        autoscale_and_tags.merge_tags(cloud, f"{WORKSPACE}/onlineEndpoints/{resource}", tags, "tag it")


def codes(done: commands.Result) -> tuple[int, list[str]]:
    """The exit code and every reason."""
    errors = [outcome.error for outcome in done.report.outcomes if outcome.error]
    return done.exit, [str(found["code"]) for error in errors for found in error.get("findings", [error])]


def edited(world: World) -> None:
    """The files contain an edit that was not applied, in a protected environment. Afterwards the same release receives
    traffic with the same settings and tags, also those of others, and the plan shows the same as before. The deleted
    endpoint was exported. With the protect tag on the endpoint, and in place, nothing is changed: exit 4.
    """
    lend(world)
    assert failures(world.apply()) == []
    name, slots = alias(world)["endpoint"], live(world)
    tagged(world, f"{name}/deployments/{min(slots)}", **{"amldeploy-commit": "abc123", "reviewed": "yes"})
    world.want(release="2", count=2)
    lend(world)
    emit(world, {"to": "stdout"}, guards={"protected": True})
    tagged(world, name, **{"cost-centre": "4711", PROTECT_TAG: "yes"})
    slots, before = live(world), words(plan(world))
    assert renew(world).exit is Exit.OK
    advance_alone(world, 150)
    assert codes(renew(world)) == (Exit.REFUSED, ["AML275"])
    assert ["has the tag amldeploy-protect" in said for said in world.said] == [True]
    tagged(world, name, **{PROTECT_TAG: "false"})
    sent = world.mutating()
    assert codes(renew(world, in_place=True)) == (Exit.REFUSED, ["AML241", "AML276"])
    assert (world.mutating(), live(world)) == (sent, slots)
    done = renew(world)

    assert codes(done) == (Exit.OK, [])
    assert live(world) == slots
    assert list(endpoints(world)) == [alias(world)["endpoint"]] != [name]
    (body,) = endpoints(world).values()
    others = {tag: value for tag, value in body["tags"].items() if tag not in (*OURS, *history.TAGS)}
    assert others == {"cost-centre": "4711", PROTECT_TAG: "false"}
    assert [note for note in done.plan.notes if "which renew does not deploy" in note and "apply -e law mip" in note]
    assert words(plan(world)) == before
    assert len(list((world.state / "reaped").glob(f"*/{name}/deployments/*.json"))) == 1
    assert renew(world).plan.steps == ()


def rolled_back(world: World) -> None:
    """The files contain the release that was rolled back."""
    lend(world)
    assert failures(world.apply()) == []
    world.want(release="2")
    lend(world)
    assert failures(world.apply()) == []
    ways: dict[str, Any] = {"approve": lambda *_: None, "emit": world.watch}
    assert failures(commands.rollback(world.project, "law", ["mip"], **ways)) == []
    the_same_release_is_live(world)
    assert [each["endpoint"] for each in plan(world).held] == ["mip"]
    assert {body["environmentVariables"]["RELEASE"] for body in live(world).values()} == {"1"}
    assert failures(commands.apply(world.project, "law", allow_rolled_back=True, **ways)) == []
    assert {body["environmentVariables"]["RELEASE"] for body in live(world).values()} == {"2"}


def named(world: World) -> None:
    """Deployments that the user named, with a traffic split; and an edit of each that was not applied."""
    lend(world)
    plain = world.project.root / "templates" / "plain"
    text = (plain / "deployment.yml.j2").read_text()
    (plain / "deployment.yml.j2").unlink()
    for name, count in (("old", 2), ("new", 1), ("spare", 1)):
        document = text.replace("name: blue", f"name: {name}").replace("default(1)", f"default({count})")
        (plain / f"{name}-deployment.yml.j2").write_text(document)
    with (plain / "endpoint.yml.j2").open("a") as file:
        file.write("traffic: {old: 80, new: 20, spare: 0}\n")
    assert failures(world.apply()) == []
    world.want(release="2")
    lend(world)
    the_same_release_is_live(world, before=words(plan(world)))


def the_same_release_is_live(world: World, before: list[tuple[str, str]] | None = None) -> None:
    """After a renewal release 1 receives the same traffic, and the plan shows the same as before; the next apply
    deploys the files.
    """
    slots = live(world)
    advance_alone(world, 150)
    assert failures(renew(world)) == []
    assert live(world) == slots
    assert {body["environmentVariables"]["RELEASE"] for body in slots.values()} == {"1"}
    assert before is None or words(plan(world)) == before
    assert failures(world.apply()) == []
    assert world.apply().plan.steps == ()


def made_of_files(world: World) -> None:
    """Local scoring code and a local environment: the successor names the registered assets, and the files
    still match.
    """
    lend(world)
    pipeline = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    pipeline.write_text(pipeline.read_text().replace("60s", "30m"))
    plain = world.project.root / "templates" / "plain"
    (plain / "src").mkdir()
    (plain / "src" / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    text = (plain / "deployment.yml.j2").read_text()
    (plain / "deployment.yml.j2").write_text(text.split("environment_variables")[0])  # the emulator preserves them
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


def tried_before(world: World) -> None:
    """A renewal was interrupted after its deployment was created, and then a new release went live: the successor has
    the new one.
    """
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


SCENARIOS = (edited, rolled_back, named, made_of_files, tried_before)


def test_the_live_release_is_renewed(world: World, scenario: Callable[[World], None]) -> None:
    """Whatever the files contain."""
    scenario(world)


def capacity(world: World, where: str) -> None:
    path = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "quota": {"capacity": where}}))


def to_dedicated(world: World) -> None:
    """The files contain dedicated while the endpoint is on shared quota: plan prints a note and has no step; the lease
    is renewed by a successor on dedicated quota, which every command then finds; teardown leaves nothing.
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
    assert [note for note in done.plan.notes if "on shared quota and the files set dedicated" in note]
    (row,) = commands.status(world.project, "law")
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
    (row,) = commands.status(world.project, "law")
    assert (row.name, row.hours_left) == (name, None)
    advance_alone(world, 200)
    assert renew(world).plan.steps == ()
    assert failures(world.teardown()) == []
    assert everything(world) == before


def to_shared(world: World) -> None:
    """The files contain shared while the endpoint is on dedicated quota: plan prints how to change it, and the way
    works.
    """
    lend(world)
    capacity(world, "dedicated")
    world.apply()
    capacity(world, "shared")
    done = world.apply()
    assert done.plan.steps == ()
    assert [
        note for note in done.plan.notes if "is on dedicated quota, not on shared" in note and "tear it down" in note
    ]
    assert (renew(world, within=167).plan.steps, world.apply().plan.steps) == ((), ())
    world.teardown()
    assert failures(world.apply()) == []
    (body,) = endpoints(world).values()
    assert leases.of(body) is not None


MOVES = (to_dedicated, to_shared)


def test_a_changed_quota_kind_in_the_files(world: World, move: Callable[[World], None]) -> None:
    """The files contain another capacity than the existing endpoint."""
    move(world)
