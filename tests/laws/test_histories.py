"""The law of histories: two projects in one workspace, each with random applies (good, bad, refused and killed),
rollbacks, reaps and teardowns.

Traffic only goes to releases that were probed. A rollback goes to the release that was live before; a second one
changes nothing. No command of one project changes anything of the other, also when its files contain the name of the
other's endpoint, and when a reap deletes all that is old. Without `--laws full` a fixed selection of histories runs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.domain.arm import RELEASE_TAG
from deploy.domain.plan import Verb
from deploy.emulator.seed.open_world import open_world
from deploy.errors import DeployError, Exit
from deploy.execution.progress import Event, EventKind
from deploy.planning.reaping import Rules
from tests.laws.conftest import WORKSPACE, write_project
from tests.laws.stage import Ahead

SOME, FULL, LENGTH = (8951, 18899), 60, 11
COMMANDS = (
    *("apply", "apply", "apply bad", "apply refused", "apply killed"),
    *("rollback", "rollback", "reap", "reap old", "teardown", "apply theirs", "teardown theirs"),
)
DAY = 25 * 3600.0
"""Seconds that pass before a reap: more than an idle slot is kept."""
REFUSED = {"kind": "refuse", "status": 403, "operation": "OnlineEndpoints_CreateOrUpdate", "number": 2}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("seed", range(FULL) if full else SOME)


class Killed(BaseException):
    """The process ends here."""


class Project:
    """One of the two: its files, the probes that ran, and the live releases, newest first."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.world, self.name = write_project(folder, Ahead()), name
        plain = folder / "templates" / "plain"
        for file in ("endpoint.yml.j2", "deployment.yml.j2"):
            text = (plain / file).read_text()
            (plain / file).write_text(text.replace("{{ endpoint }}-{{ unique(5) }}", "{{ values.name }}"))
        self.endpoint = f"mip-{name}"
        self.want("1")

    def begin(self) -> None:
        """Nothing is deployed and nothing is known."""
        self.number, self.probed, self.lived, self.moved_back = 0, set[str](), list[str](), False
        self.broken: list[str] = []
        self.kills = False
        self.want("1")

    def want(self, release: str, expect: int = 200, name: str = "") -> None:
        values = {"release": release, "expect": expect, "name": name or self.endpoint}
        body = {
            "cloud": "local", "project": self.name, "subscription_id": "00000000-0000-0000-0000-000000000001",
            "resource_group": "rg-local", "workspace": "mlw-local",
            "endpoints": {"mip": {"template": "plain", "values": values}},
        }  # fmt: skip
        (self.world.project.root / "environments" / "law.yml").write_text(yaml.safe_dump(body))

    def seen(self) -> tuple[dict[str, int], dict[str, tuple[str, str]]]:
        """Return traffic, and deployment -> (release, its digest), from the file of the world."""
        held = open_world(self.world.state / "world.sqlite")
        try:
            with held.transaction():
                held.apply_due()
            (body, *_), slots = (
                [e for e in held.children(WORKSPACE, "endpoint") if e.name == self.endpoint] or [None],
                [],
            )
            if body is None:
                return {}, {}
            slots = held.children(body.id, "deployment")
            traffic = {name: share for name, share in body.properties["traffic"].items() if share}
            return traffic, {
                s.name: (
                    s.body["properties"]["environmentVariables"]["RELEASE"],
                    str(s.body["tags"].get(RELEASE_TAG)),
                )
                for s in slots
            }
        finally:
            held.close()

    def watch(self, event: Event) -> None:
        """Record what was probed; check that everything with traffic was probed."""
        traffic, slots = self.seen()
        slot = event.address.split("/")[-1]
        if event.kind is EventKind.DONE and event.verb is Verb.PROBE and slot in slots:
            self.probed.add(slots[slot][0])
        self.broken += [
            f"{event.kind} {event.address}: {slot} holds {slots.get(slot)}, which was not probed"
            for slot in traffic
            if slots.get(slot, ("",))[0] not in self.probed
        ]
        if self.kills and event.kind is EventKind.DONE and event.verb is Verb.PROBE:
            raise Killed

    def quiet(self) -> dict[str, Any]:
        return {"approve": lambda *_: None, "emit": self.watch}

    def play(self, command: str) -> None:
        """Run one command, and check what must hold afterwards."""
        before, (traffic, slots) = self.live(), self.seen()
        code = self.run(command)
        now, (moved, held) = self.live(), self.seen()
        if sum(moved.values()) not in (0, 100):
            self.broken.append(f"{command}: {moved}")
        if command in ("teardown", "reap old"):
            self.begin_again(command, code, held)
        elif command == "rollback":
            self.check_rollback(before, now, traffic, slots)
        elif command.startswith("apply") and now and now != before:
            if command != "apply" and code:  # without a live release the fault can hit no request
                self.broken.append(f"{command}: {now} is live")
            self.lived = [now, *(each for each in self.lived if each != now)]
            self.moved_back = False
        elif command == "apply refused" and before:
            self.moved_back = True
        self.lived = [each for each in self.lived if each in {release for release, _ in held.values()}]

    def begin_again(self, command: str, code: int, held: dict[str, Any]) -> None:
        if code == 0 and held:
            self.broken.append(f"{command} leaves {held}")
        self.lived, self.moved_back = [], False

    def check_rollback(self, before: str, now: str, traffic: dict[str, int], slots: dict[str, Any]) -> None:
        candidates = [each for each in self.lived if each != before]
        if now != before and (self.moved_back or candidates[:1] != [now]):
            self.broken.append(f"rollback went from {before} to {now}; it was live before: {candidates}")
        if now == before and before and not self.moved_back and candidates and self.lived[:1] == [before]:
            self.broken.append(f"rollback stayed on {before}; it was live before: {candidates} {traffic} {slots}")
        if now != before:
            self.lived = [now, *(each for each in self.lived if each != now)]
            self.moved_back = True

    def live(self) -> str:
        traffic, slots = self.seen()
        return next((slots[slot][0] for slot, share in traffic.items() if share == 100), "")

    def run(self, command: str) -> int:
        project = self.world.project
        if command.startswith("apply") and command != "apply theirs":
            self.number += 1
            self.want(str(self.number), 418 if command == "apply bad" else 200)
        if command == "apply refused":
            emulator.begin(self.world.state, faults=[REFUSED])
        self.kills = command == "apply killed"
        try:
            if command.startswith("reap"):
                emulator.clock(self.world.state, advance=DAY)
                rules = Rules(older_than=1, force=True) if command == "reap old" else Rules()
                return int(commands.reap(project, "law", rules, yes=True, show=lambda _: None, **self.quiet()).exit)
            if command.startswith("teardown"):
                return int(commands.teardown(project, "law", **self.quiet()).report.exit)
            if command == "rollback":
                return int(commands.rollback(project, "law", ["mip"], **self.quiet()).report.exit)
            return int(commands.apply(project, "law", **self.quiet()).report.exit)
        except DeployError as error:
            return int(error.exit)
        except Killed:
            return -1
        finally:
            self.kills = False
            emulator.begin(self.world.state, faults=[])

    def reach_for(self, name: str, command: str) -> None:
        """Play a command with files that contain the name of an endpoint of the other project, and a new release. It is
        refused.
        """
        self.want(f"{self.name} {self.number}", name=name)
        code = self.run(command)
        if code != Exit.REFUSED:
            self.broken.append(f"{command} of {name}: exit {code}")
        self.want(str(self.number))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Project]]:
    folder = tmp_path_factory.mktemp("histories")
    first, second = Project(folder / "radiology", "radiology"), Project(folder / "pathology", "pathology")
    (folder / "pathology" / ".amldeploy").symlink_to(first.world.state, target_is_directory=True)
    emulator.launch(first.world.state, profile="instant")
    yield first, second
    emulator.stop(first.world.state)


def test_histories(two: tuple[Project, Project], seed: int) -> None:
    """After each command both projects are checked."""
    emulator.reset(two[0].world.state)
    for each in two:
        each.begin()
    chance = random.Random(seed)
    told: list[str] = []
    for _ in range(LENGTH):
        mine, other = chance.sample(two, 2)
        command, before = chance.choice(COMMANDS), other.seen()
        told.append(f"{mine.name}: {command}")
        if not command.endswith("theirs"):
            mine.play(command)
        elif before[1]:
            mine.reach_for(other.endpoint, command)
        told += [f"  {each.name}: {words}" for each in two for words in each.broken]
        assert other.seen() == before, told
        assert mine.broken + other.broken == [], "\n".join(told)
