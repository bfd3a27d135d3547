"""The law of a plan file: interrupted after any step it continues there; a change of another client makes it stale."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy import commands, reporter
from deploy.domain.plan import Plan
from deploy.errors import StalePlan
from deploy.execution.progress import Event, EventKind
from tests.addresses import addr
from tests.laws.conftest import WORKSPACE, World
from tests.laws.stage import copy_world
from tests.outsider import Outsider


class Killed(BaseException):
    """Simulates a killed process."""


def plan_file(world: World) -> tuple[Path, Plan]:
    """Write a plan file; return it with its plan."""
    made = commands.plan(world.project, "law")
    file = world.project.root / "agreed.json"
    file.write_text(reporter.plan_dump(made))
    return file, made


def carry_out(world: World, file: Path, emit: Callable[[Event], None] | None = None) -> commands.Result:
    return commands.apply(world.project, None, approve=lambda *_: None, emit=emit or world.watch, plan_file=file)


def killed_after(world: World, file: Path, steps: int) -> None:
    """Apply, and stop for good after this number of steps."""
    left = [steps]

    def emit(event: Event) -> None:
        left[0] -= event.kind is EventKind.DONE
        if event.kind is EventKind.DONE and not left[0]:
            raise Killed

    with pytest.raises(Killed):
        carry_out(world, file, emit)


def seen(world: World) -> Any:
    """The existing resources without times."""
    return [(r.name, r.state, [(s.name, s.traffic, s.release, s.state) for s in r.slots]) for r in rows(world)]


def rows(world: World) -> list[Any]:
    return commands.status(world.project, "law")


def first(world: World) -> None:
    """Nothing exists."""


def second(world: World) -> None:
    """One release receives traffic, another is desired."""
    world.apply()
    world.want(release="2")


def in_place(world: World) -> None:
    """The live deployment changes in place."""
    world.want(strategy="in_place")
    world.apply()
    world.want(release="2", strategy="in_place")


def scaled(world: World) -> None:
    """The live deployment gets one instance more and another release."""
    world.want(strategy="in_place")
    world.apply()
    world.want(release="2", strategy="in_place", count=2)


def unfinished(world: World) -> None:
    """A second release has a tenth of the traffic, its rollout stopped, and a third is desired."""
    second(world)
    file, made = plan_file(world)
    killed_after(world, file, until(made, "traffic"))
    world.want(release="3")


@pytest.mark.parametrize("prepare", [first, second, in_place, scaled, unfinished])
def test_a_killed_apply_is_completed_by_the_same_plan(
    world: World, prepare: Callable[[World], None], request: pytest.FixtureRequest
) -> None:
    """Killed after step k, for every fifth k, or every k with `--laws full`: the same plan has the same result."""
    every = 1 if request.config.getoption("--laws", default="some") == "full" else 5
    prepare(world)
    file, made = plan_file(world)
    before = copy_world(world.state / "world.sqlite", world.state / "world-before.sqlite")
    for steps in range(len(made.steps) - 1, 0, -every):
        killed_after(world, file, steps)
        done = carry_out(world, file)
        assert done.report.ok, steps
        assert sum(s.changes for s in done.plan.steps) <= sum(s.changes for s in made.steps)
        assert commands.plan(world.project, "law").steps == ()
        end = seen(world)
        assert carry_out(world, file).plan.steps == ()
        copy_world(before, world.state / "world.sqlite")
    assert carry_out(world, file).report.ok
    assert seen(world) == end


def put_tags(world: World, path: str, **tags: str) -> None:
    """Another client changes the tags of a resource."""
    environment, specs = commands.validate(world.project, "law")
    with world.project.connect(environment) as cloud:
        from azure.core.rest import HttpRequest

        where = f"{cloud.arm.base_url}{WORKSPACE}/onlineEndpoints/{specs[0].name}{path}"
        now = cloud.arm.get(where.removeprefix(cloud.arm.base_url), "2024-10-01", "read it")
        body = {"tags": {**now["tags"], **tags}}  # a PATCH replaces all tags
        answer = cloud.arm._client.send_request(
            HttpRequest("PATCH", where, params={"api-version": "2024-10-01"}, json=body)
        )
        assert answer.status_code < 300


def until(made: Plan, step_type: str) -> int:
    """The number of steps before the first step of this type."""
    return 1 + [step.kind for step in made.steps].index(step_type)


@pytest.mark.parametrize("step_type", ["deployment", "probe", "traffic"])
def test_another_clients_change_makes_the_plan_stale(world: World, step_type: str) -> None:
    """Killed, and then another client changes an existing resource: exit 7 with field, before and after."""
    second(world)
    file, made = plan_file(world)
    killed_after(world, file, until(made, step_type))
    put_tags(world, "/deployments/blue", colour="red")

    with pytest.raises(StalePlan, match=r"deployment/mip/blue: tags\.colour \(none\) -> red"):
        carry_out(world, file)


def test_traffic_moved_by_hand_makes_the_plan_stale(world: World) -> None:
    """Traffic that fits no stage of the plan was moved by another client."""
    second(world)
    file, made = plan_file(world)
    killed_after(world, file, until(made, "deployment"))
    environment, specs = commands.validate(world.project, "law")
    with world.project.connect(environment):
        share = {"blue": 70, "green": 30}
        put_with(specs[0].name, lambda body: body["properties"].update(traffic=share))(Outsider())

    with pytest.raises(StalePlan, match=r"properties\.traffic\.(blue 100 -> 70|green \(none\) -> 30)"):
        carry_out(world, file)


@pytest.mark.parametrize("value", ["2", "AccountName=st;AccountKey=another-secret-than-before=="])
def test_changed_files_make_the_plan_stale(world: World, value: str) -> None:
    """The plan is for the earlier files: the changed steps are named, also for a secret."""
    world.want(release="AccountName=st;AccountKey=the-secret-that-was-agreed-on==")
    file, _ = plan_file(world)
    assert "agreed-on" not in file.read_text()
    world.want(release=value)

    with pytest.raises(StalePlan, match=r"a hidden value changed: deployment/mip environment_variables\.RELEASE"):
        carry_out(world, file)


def test_a_step_that_was_not_done_is_not_taken_for_done(world: World) -> None:
    """The files need one step less, and Azure is unchanged: that is not the rest of the plan."""
    file, _ = plan_file(world)
    template = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    text = template.read_text()
    template.write_text(text.replace("roles: [{role: Storage Blob Data Contributor, scope: workspace_storage}]", ""))

    with pytest.raises(StalePlan, match="role/mip"):
        carry_out(world, file)


def test_a_continued_plan_keeps_its_rescue(world: World) -> None:
    """Interrupted between stages, traffic goes back to the release that was live before, not to the stage."""
    second(world)
    file, made = plan_file(world)
    killed_after(world, file, until(made, "traffic"))
    done = carry_out(world, file)

    assert done.plan.rescue == made.rescue
    assert [s.body["after"] for s in done.plan.rescue] == [{"blue": 100}]


OURS = {"amldeploy-owner": "law/mip"}


def put_with(where: str, change: Callable[[Any], None]) -> Callable[[Outsider], None]:
    """Another client PUTs the existing body with a change."""

    def act(outsider: Outsider) -> None:
        body = outsider.get(where)
        change(body)
        outsider.put(f"/onlineEndpoints/{where}", body)

    return act


def changes_by_others(outsider: Outsider, name: str) -> dict[str, Callable[[Outsider], None]]:
    """What another client can change on an endpoint and on each of its deployments, by name; no step of ours
    does it.
    """
    there = outsider.send("GET", "/onlineEndpoints")["value"]
    if name not in [body["name"] for body in there]:
        return {"endpoint/mip appeared": lambda o: o.endpoint(name, tags=OURS, properties={"authMode": "AADToken"})}
    slots = {body["name"]: body for body in outsider.send("GET", f"/onlineEndpoints/{name}/deployments")["value"]}
    traffic = outsider.get(name)["properties"]["traffic"]
    changes: dict[str, Callable[[Outsider], None]] = {
        "endpoint/mip tag": put_with(name, lambda b: b["tags"].update(colour="red")),
        "endpoint/mip words": put_with(name, lambda b: b["properties"].update(description="theirs")),
    }
    for slot, body in slots.items():
        path, where = f"{name}/deployments/{slot}", addr(f"deployment/mip/{slot}")
        changes |= {
            f"{where} tag": put_with(path, lambda b: b["tags"].update(colour="red")),
            f"{where} count": put_with(path, lambda b: b["sku"].update(capacity=3)),
            f"{where} words": put_with(path, lambda b: b["properties"].update(description="theirs")),
            f"{where} variable": put_with(
                path, lambda b: b["properties"]["environmentVariables"].update(RELEASE="theirs")
            ),
            f"{where} another variable": put_with(
                path, lambda b: b["properties"]["environmentVariables"].update(THEIRS="1")
            ),
            f"{where} mark": put_with(path, lambda b: b["tags"].update({"amldeploy-release": "theirs"})),
        }
        if traffic.get(slot) and len(slots) == 2:
            share = {slot: 70, **dict.fromkeys(slots.keys() - {slot}, 30)}
            changes["endpoint/mip traffic"] = put_with(name, lambda b, s=share: b["properties"].update(traffic=s))
        changes[f"deployment/mip/other beside {slot}"] = lambda o, b=body: o.deployment(
            name, "other", tags=OURS, sku=b["sku"], properties=b["properties"]
        )
    return changes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`--laws full` tries many more interruptions and changes."""
    if "examples" in metafunc.fixturenames:
        metafunc.parametrize("examples", [60 if metafunc.config.getoption("laws", "some") == "full" else 6])


def test_any_change_by_others_makes_the_plan_stale(world: World, examples: int) -> None:
    """Killed after any step, or not started, and then changed by another client: exit 7 with the change."""
    environment, specs = commands.validate(world.project, "law")

    with world.project.connect(environment):
        outsider = Outsider()
        for seed in range(examples):
            chance = random.Random(seed)
            world.teardown()
            world.want()
            prepare = chance.choice([first, second, in_place, scaled, unfinished])
            prepare(world)
            file, made = plan_file(world)
            if steps := chance.randint(0, len(made.steps)):
                killed_after(world, file, steps)
            changes = changes_by_others(outsider, specs[0].name)
            what = chance.choice(sorted(changes))
            changes[what](outsider)
            case = (seed, prepare.__name__, steps, what)
            with pytest.raises(StalePlan) as stale:
                pytest.fail(f"{case}: {[s.why for s in carry_out(world, file).plan.steps]}")
            assert what.split()[0] in str(stale.value), case


@pytest.mark.parametrize("taken_back", [True, False])
@pytest.mark.parametrize("field", ["count", "release"])
def test_another_apply_makes_the_plan_stale(world: World, field: str, taken_back: bool) -> None:
    """Another run applied other files meanwhile: the plan does not continue from there and does not count as done."""
    world.want(**{field: 1, "strategy": "in_place"})
    world.apply()
    world.want(**{field: 2, "strategy": "in_place"})
    file, _ = plan_file(world)
    world.want(**{field: 3, "strategy": "in_place"})
    world.apply()
    if taken_back:
        world.want(**{field: 2, "strategy": "in_place"})

    with pytest.raises(
        StalePlan, match=r"deployment/mip/blue: (sku\.capacity|properties\.env\S+RELEASE|tags\S+) 1 -> 3"
    ):
        carry_out(world, file)
