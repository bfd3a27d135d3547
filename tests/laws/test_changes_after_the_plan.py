"""Changes of other clients between a plan and its steps: what they create is not changed, what they write is
preserved. The environments have no lock here, so only the checks of each step protect them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from deploy import commands
from deploy.domain import history, leases
from deploy.domain.arm import OWNER_TAG
from deploy.errors import Exit
from deploy.execution.progress import Event, EventKind
from tests.laws.conftest import World
from tests.outsider import Outsider
from tests.table import WORKSPACE

THEIRS = {"team": "radiology"}


def first(world: World) -> str:
    """Nothing exists; another client creates the endpoint."""
    world.want()
    return ""


def second(world: World) -> str:
    """A release receives traffic; another client creates the other slot."""
    world.apply()
    world.want(release="2")
    return "/deployments/green"


@pytest.mark.parametrize("prepare", [first, second])
def test_a_resource_that_appears_after_the_plan_is_not_changed(world: World, prepare: Callable[[World], str]) -> None:
    """Before the approval another client creates the planned resource: exit 7, AML230, and the resource is
    unchanged.
    """
    world.lock = "off"
    below = prepare(world)
    made: dict[str, Any] = {}

    def think(plan: Any, _: bool) -> None:
        outsider, (step,) = Outsider(), [s for s in plan.steps if s.verb == "create" and s.kind != "role"][:1]
        name = step.body["document"].get("endpoint_name") or step.body["document"]["name"]
        if below:
            model = outsider.get(f"{name}/deployments/blue")
            outsider.deployment(name, "green", tags=THEIRS, sku=model["sku"], properties=model["properties"])
        else:
            outsider.endpoint(name, tags=THEIRS, properties={"authMode": "Key", "description": "theirs"})
        made[f"{name}{below}"] = outsider.get(f"{name}{below}")

    def look(event: Event) -> None:
        world.watch(event)
        if event.kind is EventKind.FAILED:
            made["after"] = Outsider().get(next(iter(made)))

    done = commands.apply(world.project, "law", approve=think, emit=look)
    (error,) = [outcome.error for outcome in done.report.outcomes if outcome.error]
    before, after = made.values()

    assert done.report.exit is Exit.STALE
    assert error["code"] == "AML230"
    assert "is not managed by amldeploy" in error["message"]
    assert after == before


def _apply_elsewhere(world: World, release: str) -> None:
    """Another folder, such as a runner of CI, deploys another release meanwhile."""
    world.want(release=release)
    assert commands.apply(world.project, "law", approve=lambda *_: None, emit=world.watch).report.ok


def _live() -> tuple[str, str]:
    """The slot with all traffic, and the value of RELEASE in it."""
    (body,) = Outsider().send("GET", "/onlineEndpoints")["value"]
    ((slot, share),) = body["properties"]["traffic"].items()
    assert share == 100
    deployment = Outsider().get(f"{body['name']}/deployments/{slot}")
    return slot, deployment["properties"]["environmentVariables"]["RELEASE"]


def test_a_plan_that_another_run_overtook_changes_nothing(world: World) -> None:
    """Another folder deploys another release to the slot that the plan names: exit 7, and its release stays live."""
    world.lock = "off"
    world.apply()
    world.want(release="2")
    seen: list[tuple[str, str]] = []

    def think(plan: Any, _: bool) -> None:
        assert plan.steps
        _apply_elsewhere(world, "3")
        seen.append(_live())

    def look(event: Event) -> None:
        world.watch(event)
        if event.kind is EventKind.FAILED:
            seen.append(_live())

    done = commands.apply(world.project, "law", approve=think, emit=look)

    assert done.report.exit is Exit.STALE
    assert seen == [seen[0]] * len(seen)
    assert seen[0][1] == "3"
    (error,) = [outcome.error for outcome in done.report.outcomes if outcome.error]
    assert error["code"] == "AML319"


@pytest.mark.parametrize("kind", ["probe", "traffic"])
def test_traffic_that_another_run_moves_meanwhile_stays(world: World, kind: str) -> None:
    """The other run begins after the deployment of the first one: each step checks again, and the rescue moves nothing
    that this run has not moved.
    """
    world.lock = "off"
    world.apply()
    world.want(release="2")
    seen: list[tuple[str, str]] = []

    def look(event: Event) -> None:
        world.watch(event)
        if event.kind is EventKind.STARTED and event.address.startswith(kind) and not seen:
            _apply_elsewhere(world, "3")
            seen.append(_live())
        if event.kind is EventKind.FAILED:
            seen.append(_live())

    done = commands.apply(world.project, "law", approve=lambda *_: None, emit=look)

    assert done.report.exit is Exit.STEP_FAILED
    assert seen[0][1] == "3"
    assert set(seen) == {seen[0]}
    assert not any(step.changes for step in commands.plan(world.project, "law").steps), "release 3 is live"


def test_another_run_that_deploys_meanwhile_keeps_its_traffic(world: World) -> None:
    """A runner on another machine deploys before the approval: its deployment receives traffic at every event."""
    world.lock = "off"
    world.want()
    served: list[int] = []

    def think(plan: Any, _: bool) -> None:
        assert plan.steps
        assert commands.apply(world.project, "law", approve=lambda *_: None, emit=world.watch).report.ok

    def look(event: Event) -> None:
        world.watch(event)
        if event.kind is EventKind.DONE:
            (body,) = Outsider().send("GET", "/onlineEndpoints")["value"]
            served.append(sum(body["properties"]["traffic"].values()))

    done = commands.apply(world.project, "law", approve=think, emit=look)

    assert done.report.ok
    assert set(served) == {100}


def tag(name: str, tags: dict[str, str]) -> None:
    """Another client merges tags into an endpoint, whatever operation is running on it."""
    outsider = Outsider()
    path = f"{outsider.manager}{WORKSPACE}/onlineEndpoints/{name}/providers/Microsoft.Resources/tags/default"
    body = {"operation": "Merge", "properties": {"tags": tags}}
    answer = outsider.session.patch(path, params={"api-version": "2021-04-01"}, json=body, timeout=10)
    assert answer.status_code < 300, answer.text


@pytest.mark.parametrize("capacity", ["dedicated", "shared"])
def test_tags_written_meanwhile_are_preserved(world: World, capacity: str) -> None:
    """Tags that others add while a new endpoint gets its deployment, and its lease, survive the PUT that
    moves traffic.
    """
    pipeline = {"quota": {"capacity": capacity}}
    (world.project.root / "templates" / "plain" / "pipeline.yml.j2").write_text(yaml.safe_dump(pipeline))
    seen: dict[str, Any] = {}

    def emit(event: Event) -> None:
        world.watch(event)
        done = (event.kind, event.address)
        if done == (EventKind.DONE, "endpoint/mip"):
            (body,) = Outsider().send("GET", "/onlineEndpoints")["value"]
            tag(body["name"], THEIRS)
            seen["before"] = Outsider().get(body["name"])
        if done == (EventKind.DONE, "traffic/mip"):
            seen["after"] = Outsider().get(seen["before"]["name"])

    assert commands.apply(world.project, "law", approve=lambda *_: None, emit=emit).report.ok
    before, after = seen["before"], seen["after"]

    assert after["properties"]["traffic"] == {"blue": 100}
    assert THEIRS.items() <= after["tags"].items()
    assert {n: value for n, value in after["tags"].items() if n not in history.TAGS} == before["tags"]
    assert after["tags"][OWNER_TAG] == "law/mip"
    assert (leases.ENDS_TAG in after["tags"]) == (capacity == "shared")
    assert leases.of(after) == leases.of(before)
