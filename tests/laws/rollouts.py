"""A rollout with a gate on an emulator, with a client that sends requests at a constant rate of the world's clock."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import yaml

from deploy import commands, emulator
from deploy.domain import history
from deploy.emulator import Running
from deploy.execution.progress import Event, EventKind
from tests.laws.conftest import write_project
from tests.laws.stage import unlawful

PIPELINE = {
    "probe": {"type": "http", "body": "request.json", "answer": {"type": "array"}, "attempts": 2},
    "rollout": {"stages": [10, 50, 100], "bake": "10m", "gate": {}},
}
NOTICES = [{"to": "stdout"}]
WRONG = {"kind": "answer", "body": {"label": "odd"}, "times": "always"}
"""The fault of a model that answers something else."""


class Clock:
    """A clock that moves the world's clock forward in each sleep, and lets a client send its requests then."""

    def __init__(self, state: Path) -> None:
        self._state, self.ahead = state, 0.0
        self.during: Callable[[float], None] = lambda _: None

    def now(self) -> datetime:
        return datetime.fromtimestamp(emulator.clock(self._state)["seconds"], UTC)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds
        emulator.clock(self._state, advance=seconds)
        self.during(seconds)


class Client:
    """Sends `rate` requests a minute to the endpoint, and counts the statuses of the answers."""

    def __init__(self, running: Running, state: Path, body: bytes, rate: float) -> None:
        self._url, self._world, self._body, self.rate = running.url, state / "world.sqlite", body, rate
        self._session = requests.Session()
        self._session.verify, self._session.trust_env = running.ca, False
        self._session.headers["Content-Type"] = "application/json"
        self._due = 0.0
        self.statuses: Counter[int] = Counter()
        self.slots: Counter[str] = Counter()

    def during(self, seconds: float) -> None:
        """The requests of a time."""
        self._due += seconds * self.rate / 60
        while self._due >= 1:
            self._due -= 1
            body, private = endpoint(self._world)
            uri = f"{self._url}/inference/{body['location']}/{body['name']}/score"
            answer = self._session.post(
                uri, self._body, headers={"Authorization": f"Bearer {private['primaryKey']}"}, timeout=30
            )
            self.statuses[answer.status_code] += 1
            self.slots[answer.headers.get("azureml-model-deployment", "")] += 1


def elsewhere(project: commands.Project, folder: Path) -> Path:
    """A copy of the files of a project in another folder, with the same emulator: as on another machine."""
    shutil.copytree(project.root, folder, ignore=shutil.ignore_patterns(".amldeploy"))
    (folder / ".amldeploy").symlink_to(project.state)
    return folder


def endpoint(world: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body and the secrets of the only endpoint, read from the world's file."""
    with closing(sqlite3.connect(world, timeout=30)) as db:
        ((body, private),) = db.execute("SELECT body, private FROM resources WHERE kind = 'endpoint'").fetchall()
    return json.loads(body), json.loads(private)


@dataclass
class Rollout:
    """A project whose endpoint has release 1 live; `want` and `apply` roll another one out."""

    world: Any
    clock: Clock
    client: Client
    events: list[Event] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    noticed: list[str] = field(default_factory=list)
    """The notices of the last run."""
    on: Callable[[Event], None] = lambda _: None
    _before: int = 0
    """The number of the last request before the last run."""

    @property
    def state(self) -> Path:
        return Path(self.world.state)

    def want(self, release: int, **rollout: Any) -> None:
        """The files describe another release, and perhaps another `rollout`."""
        self.world.want(release=str(release))
        environment = self.world.project.root / "environments" / "law.yml"
        environment.write_text(yaml.safe_dump({**yaml.safe_load(environment.read_text()), "notices": NOTICES}))
        pipeline = {**PIPELINE, "rollout": {**PIPELINE["rollout"], **rollout}}  # type: ignore[dict-item]
        (self.world.project.root / "templates" / "plain" / "pipeline.yml").write_text(yaml.safe_dump(pipeline))

    def apply(self, **more: Any) -> commands.Result:
        self.events.clear()
        self.noticed.clear()
        self._before = int((emulator.requests(self.state) or [{"number": 0}])[-1]["number"])
        ways: dict[str, Any] = {"approve": lambda *_: None, "emit": self._emit, "show": self.noticed.append}
        name = None if "plan_file" in more else "law"
        return commands.apply(self.world.project, name, **ways, **more)

    def rollback(self, **more: Any) -> commands.Result:
        ways: dict[str, Any] = {"every": True, "approve": lambda *_: None, "emit": lambda _: None, **more}
        return commands.rollback(self.world.project, "law", **ways)

    def fault(self, *faults: Mapping[str, Any]) -> None:
        emulator.begin(self.state, faults=faults)

    def spoil(self, *faults: Mapping[str, Any]) -> None:
        """Let the new deployment have faults as soon as it has traffic."""

        def begin(event: Event) -> None:
            if event.kind is EventKind.STARTED and event.address.startswith("gate/"):
                self.on = lambda _: None
                self.fault(*({**each, "deployment": event.address.rpartition("/")[2]} for each in faults))

        self.on = begin

    def pass_minutes(self, minutes: int) -> None:
        """Time passes in the world; the client goes on."""
        for _ in range(minutes):
            self.clock.sleep(60)

    def moved(self, folder: Path) -> Rollout:
        """The same rollout from another folder."""
        project = commands.Project(elsewhere(self.world.project, folder), self.clock)
        return replace(self, world=replace(self.world, project=project), on=lambda _: None)

    def stop_when(self, reached: Callable[[], bool]) -> None:
        """Interrupt the run, as Ctrl-C does, at the first wait after `reached`."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        self.when(reached, interrupt)

    def when(self, reached: Callable[[], bool], do: Callable[[], object]) -> None:
        """Do something at the first wait of the run after `reached`."""

        def during(seconds: float) -> None:
            self.client.during(seconds)
            if reached():
                self.clock.during = self.client.during
                do()

        self.clock.during = during

    @property
    def body(self) -> dict[str, Any]:
        """The endpoint now."""
        return endpoint(self.state / "world.sqlite")[0]

    @property
    def changes(self) -> list[str]:
        """The operations of the last run that changed something, oldest first."""
        return [str(row["operation"]) for row in emulator.requests(self.state, after=self._before) if row["mutating"]]

    @property
    def traffic(self) -> dict[str, int]:
        return {name: share for name, share in self.body["properties"]["traffic"].items() if share}

    @property
    def stage(self) -> history.Stage | None:
        return history.stage(self.body)

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        self.on(event)
        if event.kind not in (EventKind.PLANNED, EventKind.WAITING):
            self.broken += unlawful(self.state, event)


def open_rollout(folder: Path, rate: float = 12.0) -> Rollout:
    """A project with release 1 live, on an emulator of its own, and a client with `rate` requests a minute."""
    (folder / ".amldeploy").mkdir(parents=True)
    clock = Clock(folder / ".amldeploy")
    world = write_project(folder, clock)
    (folder / "templates" / "plain" / "pipeline.yml.j2").unlink()
    world.lock = "off"
    running = emulator.launch(world.state, profile="instant")
    body = (folder / "templates" / "plain" / "request.json").read_bytes()
    found = Rollout(world, clock, Client(running, world.state, body, rate))
    found.want(1)
    assert found.apply().exit == 0
    found.clock.during = found.client.during
    return found
