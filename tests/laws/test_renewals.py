"""The law of renewal: wherever a renewal is interrupted, renewing until nothing is due has the same result as without
interruption.

Each case is one fault at one request of a renewal: it is refused, its answer is lost, the connection is reset, or the
process is killed; or a second runner renews in between. Then one endpoint of the entry exists and receives traffic, the
alias names it, and roles, cores and principals are those of an undisturbed renewal. At every moment a client finds an
endpoint through the alias, except with `--in-place`, which announces it. `--laws full` injects half
of the faults at every request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.emulator.seed.open_world import open_world
from deploy.errors import DeployError, Exit
from deploy.execution.progress import Event, EventKind
from deploy.planning.reaping import Rules
from tests.laws.stage import Stage, Victims, spread
from tests.laws.test_deletion_faults import FAULTS, resources
from tests.laws.test_leases import advance_alone, alias, lend

REQUESTS = 75
"""More requests than a renewal sends; a number after the last request has no effect."""
TEAM = {"object_id": "11111111-1111-1111-1111-111111111111", "type": "Group"}
WAYS = ("renew", "in-place")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--laws", default="some") == "full"
    numbers = range(1, REQUESTS + 1)
    if "fault" in metafunc.fixturenames:
        cases: list[Any] = [(way, fault) for way in WAYS for fault in spread(FAULTS, numbers, every=2 if full else 1)]
        ids = [f"{way}-{fault['kind']}{fault.get('status', '')}-{fault['number']}" for way, fault in cases]
        pick = slice(None) if full else slice(3, None, 67)
        metafunc.parametrize(("way", "fault"), cases[pick], ids=ids[pick])
    elif "number" in metafunc.fixturenames:
        cases = [(way, n) for way in WAYS for n in numbers]
        metafunc.parametrize(("way", "number"), cases[::2] if full else cases[9::41])
    elif "event" in metafunc.fixturenames:
        cases = [(way, n) for way in WAYS for n in range(1, 60)]
        metafunc.parametrize(("way", "event"), cases[::2] if full else cases[7::29])


@dataclass
class Renewing:
    """One endpoint on shared quota, near its end. `silent` are moments at which the alias led to no endpoint."""

    stage: Stage
    way: str
    silent: list[str]
    was: str

    def served(self) -> bool:
        traffic, states = self.stage.seen()["endpoints"].get(alias(self.stage.world)["endpoint"], ({}, {}))
        return sum(traffic.values()) == 100 and {states[slot] for slot in traffic} == {"Succeeded"}

    def watch(self, event: Event) -> None:
        if event.kind in (EventKind.PLANNED, EventKind.WAITING):
            return
        self.stage.watch(event)
        if not self.served():
            self.silent.append(f"{event.kind} {event.verb} {event.address}")

    def renew(self, *, in_place: bool = False, emit: Any = None, project: Any = None) -> tuple[int, bool]:
        """Exit code, and whether there was nothing to do."""
        try:
            done = commands.renew(
                project or self.stage.world.project,
                "law",
                within=24,
                in_place=in_place,
                approve=lambda *_: None,
                emit=emit or self.watch,
                show=lambda _: None,
            )
        except DeployError as error:
            return int(error.exit), False
        return int(done.report.exit), done.plan.steps == () and done.report.exit == Exit.OK

    def to_the_end(self) -> None:
        """Renew until there is nothing to do, as a schedule does, and reap, which adds missing records."""
        for _ in range(4):
            code, idle = self.renew()
            if idle:
                break
            assert code == 0
        else:
            raise AssertionError("it never came to rest")
        reaped = commands.reap(self.stage.world.project, "law", Rules(), yes=True, approve=lambda *_: None,
            emit=self.watch, show=lambda _: None)  # fmt: skip
        assert reaped.judged.candidates == ()

    def end(self) -> dict[str, Any]:
        """What every good end has in common; names and identities are new each time."""
        (name,) = self.stage.seen()["endpoints"]
        assert alias(self.stage.world)["endpoint"] == name != self.was
        assert self.served()
        counts = {part: len(ids) for part, ids in resources(self.stage).items()}
        return {**counts, "described": described(self.stage, name), "live": self.stage.seen()["live"]}


def described(stage: Stage, endpoint: str) -> list[tuple[str, str, str]]:
    """Scope, role and description of every role assignment."""
    world = open_world(stage.state / "world.sqlite")
    try:
        rows = world.db.execute("SELECT scope, role, body FROM role_assignments").fetchall()
    finally:
        world.close()
    words = [(scope, role, str(json.loads(body)["properties"].get("description") or "")) for scope, role, body in rows]
    new = f"/{endpoint}", "/NEW"
    return sorted((scope.replace(*new), role, text.replace(*new)) for scope, role, text in words)


def near_its_end(stage: Stage, way: str) -> Renewing:
    """A new world with one endpoint of release 1, eighteen hours before its lease ends."""
    emulator.reset(stage.state)
    stage.order()
    stage.broken.clear()
    stage.want("1")
    lend(stage.world)
    pipeline = stage.world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    asked = yaml.safe_load(pipeline.read_text())
    asked["roles"] += [
        {"role": "Storage Blob Data Reader", "scope": "workspace_storage", "principal": TEAM},
        {"role": "AzureML Data Scientist", "scope": "endpoint", "principal": TEAM},
    ]
    pipeline.write_text(yaml.safe_dump(asked))
    assert stage.apply().exit == 0
    advance_alone(stage.world, 150)
    return Renewing(stage, way, [], alias(stage.world)["endpoint"])


UNDISTURBED: dict[str, dict[str, Any]] = {}


def undisturbed(stage: Stage) -> dict[str, Any]:
    """The end of a renewal without faults."""
    if not UNDISTURBED:
        here = near_its_end(stage, "renew")
        before = described(stage, here.was)
        here.to_the_end()
        found = here.end()
        assert here.silent == []
        assert found["described"] == before
        assert stage.apply().exit == 0
        assert here.end() == found
        UNDISTURBED["end"] = found
    return UNDISTURBED["end"]


def select(here: Renewing, wanted: dict[str, Any]) -> None:
    here.stage.order()
    assert here.way == "in-place" or here.served()
    here.to_the_end()

    assert here.end() == wanted
    assert here.stage.broken == []
    assert here.silent == [] or here.way == "in-place"


def test_a_fault_at_any_request(stage: Stage, way: str, fault: dict[str, Any]) -> None:
    """Refused, lost, reset: the next runs complete it. Exit 5 means that an endpoint receives traffic, 6 that none
    does.
    """
    wanted = undisturbed(stage)
    here = near_its_end(stage, way)
    stage.order(fault)
    code, _ = here.renew(in_place=way == "in-place")
    stage.order()

    assert code in (0, Exit.REFUSED, Exit.STEP_FAILED, *([Exit.RESCUE_FAILED] if way == "in-place" else []))
    assert here.served() or code == Exit.RESCUE_FAILED
    select(here, wanted)


@pytest.mark.parametrize("kind", ["reset", "lose"])
def test_a_shared_role_names_the_successor(stage: Stage, kind: str) -> None:
    """Whatever happens to the request that updates its description: with the old name, a reap would remove the role."""
    wanted = undisturbed(stage)
    here = near_its_end(stage, "renew")
    stage.order({"kind": kind, "operation": "RoleAssignments_Create", "number": 4})
    assert here.renew() == (0, False)
    select(here, wanted)


def test_killed_at_any_request(stage: Stage, victims: Victims, way: str, number: int) -> None:
    """The request takes effect, the answer never arrives, and the process cannot undo anything."""
    wanted = undisturbed(stage)
    here = near_its_end(stage, way)
    victims.kill_one(stage, {"number": number}, at_work=way)
    select(here, wanted)


def test_a_second_runner_at_any_moment(stage: Stage, way: str, event: int) -> None:
    """Without locks both runners complete it: the second one runs completely in the middle of the first."""
    wanted = undisturbed(stage)
    here = near_its_end(stage, way)
    second = here.stage.world.project
    stage.world.unlock()
    heard = 0

    def listen(one: Event) -> None:
        nonlocal heard
        here.watch(one)
        if one.kind not in (EventKind.PLANNED, EventKind.WAITING):
            heard += 1
            if heard == event:
                here.renew(project=second)

    here.renew(in_place=way == "in-place", emit=listen)
    select(here, wanted)


@pytest.mark.parametrize("size", [0, 1])
def test_a_full_pool_keeps_traffic(stage: Stage, size: int) -> None:
    """No second capacity: exit 5, nothing is lost; in place it succeeds, or exit 6 reports that nothing receives
    traffic.
    """
    wanted = undisturbed(stage)
    here = near_its_end(stage, "renew")
    with pool(stage, size):
        assert here.renew()[0] == Exit.STEP_FAILED
        assert here.renew()[0] == Exit.STEP_FAILED
        assert here.silent == []
        code, _ = here.renew(in_place=True)
        assert code == (0 if size else Exit.RESCUE_FAILED)
        assert here.served() == bool(size)
    here.silent.clear()
    if size:
        assert here.renew() == (0, True)
        assert here.end() == wanted
    else:
        select(Renewing(stage, "in-place", [], here.was), wanted)


def pool(stage: Stage, size: int) -> AbstractContextManager[None]:
    """The shared pool has room for this number of instances, for the block."""

    @contextmanager
    def sized() -> Iterator[None]:
        _settings(stage, size)
        try:
            yield
        finally:
            _settings(stage, 8)

    return sized()


def _settings(stage: Stage, size: int) -> None:
    import requests

    running = emulator.find(stage.state)
    assert running
    url = f"{running.url}/emulator/settings"
    body, headers = {"shared_quota_instances": size}, running.control_headers
    assert requests.put(url, json=body, headers=headers, verify=running.ca, timeout=10).ok
