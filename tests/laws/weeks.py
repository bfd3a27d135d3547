"""Weeks on shared quota: a workspace full of endpoints, a runner whose clock is wrong, and callers who know the alias.

The emulator is a process of its own whose time is set, never waited for. Who is there at first says `populate`; what
one visit of the runner does says `Weeks.visit`.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
import yaml
from PIL import Image

from deploy import commands, emulator
from deploy.cloud.connect import Cloud
from deploy.commands.project import validate
from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG
from deploy.domain.plan import Verb
from deploy.domain.spec import EndpointSpec, Environment
from deploy.emulator.seed.open_world import open_world
from deploy.emulator.world.store import World as EmulatedWorld
from deploy.execution.progress import Event, Kind
from deploy.leasing import lineage
from deploy.planning.reaping import PROTECT_TAG, Inventory, Rules, select
from tests.laws.conftest import WORKSPACE, World, furnish

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
HOUR = timedelta(hours=1)
TOGETHER = 4
"""So many lines were deployed together and end together."""
# One clock for all endpoints runs ahead by what each of them sleeps, hence the deadline.
PIPELINE = {
    "quota": {"capacity": "shared"},
    "probe": {"type": "http", "body": "request.json", "attempts": 1},
    "retry": {"attempts": 1, "deadline": "24h"},
    "lease": {"alias": {"file": "live/{{ endpoint }}.json"}, "drain": "1m"},
}


@dataclass
class WrongClock:
    """The runner's clock: `off` beside the world's time; whoever sleeps does so in no time."""

    world: datetime
    off: timedelta = timedelta(0)
    slept: float = 0.0

    def now(self) -> datetime:
        return self.world + self.off

    def monotonic(self) -> float:
        return time.monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        time.sleep(min(seconds, 0.002))


class Elsewhere(commands.Project):
    """A runner on another machine: no lock of this folder holds it up."""

    @contextmanager
    def locked(self, environment: Environment, verb: str) -> Iterator[Cloud]:  # noqa: ARG002 one run at a time here
        with self.connect(environment) as cloud:
            yield cloud


@dataclass
class Weeks:
    """The world, the runner and the callers. `ours` are the names with our tag, `foreign` all others at first."""

    world: World
    clock: WrongClock
    running: Any
    lines: list[str]
    begin: datetime
    told: dict[str, set[int]] = field(default_factory=dict)
    called: int = 0
    failures: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    wire: requests.Session = field(default_factory=requests.Session)
    turn: int = 0
    """Which of the two runners is at work: they take turns, and no lock of one holds up the other."""

    @property
    def root(self) -> Path:
        return self.world.project.root

    def at(self, when: datetime) -> None:
        """It is `when`, everywhere but on the runner's clock; whatever is over by then, Azure has deleted."""
        self.clock.world = when
        turn = {"set": when.isoformat(), "scale": 0}
        self.wire.post(f"{self.running.url}/emulator/clock", json=turn, verify=self.running.ca, timeout=30)

    @property
    def runner(self) -> commands.Project:
        project = self.world.project
        return (project, Elsewhere(project.root, project.clock))[self.turn % 2]

    def renew(self, within: float = 24) -> commands.Result:
        return commands.renew(
            self.runner, "law", within=within, approve=_yes, emit=self.watch, show=self.world.said.append
        )

    def reap(self, within: float = 2) -> commands.ReapResult:
        return commands.reap(
            self.runner, "law", Rules(within), yes=True, approve=_yes, emit=_quiet, show=self.world.said.append
        )

    @cached_property
    def entries(self) -> tuple[Environment, list[EndpointSpec]]:
        """What the environment's file says."""
        return validate(self.world.project, "law")

    def due(self, bodies: Mapping[str, Any], when: datetime, renew: float, reap: float) -> list[Any]:
        """What a visit at `when` would decide to do about `bodies`: whom to renew, to reap, to speak of."""
        environment, specs = self.entries
        there = Inventory(WORKSPACE, bodies, (), ())
        late = [
            (name, hours)
            for name, body in bodies.items()
            if (lease := leases.of(body))
            for said in [leases.told(str(body["tags"].get(leases.NOTICED_TAG) or "")).get("stdout")]
            if (hours := leases.due(lease, said, when))
        ]
        judged = select(environment, there, Rules(reap), when)
        return [*lineage.due_renewals(specs, bodies, when, renew), *judged.candidates, *late]

    def watch(self, event: Event) -> None:
        """Callers ask through the alias while their endpoint is renewed."""
        if (
            event.kind is Kind.DONE
            and event.verb in (Verb.SHIFT, Verb.DELETE)
            and not event.address.startswith("role/")
        ):
            self.call(event.address.split("/")[1])

    def call(self, line: str) -> None:
        """One caller: looks up the alias, asks, and complains of everything but 200."""
        target = json.loads((self.root / "live" / f"{line}.json").read_text())
        key = self.keys.get(target["endpoint"]) or self._key(target["endpoint"])
        self.called += 1
        answer = self.wire.post(
            target["scoring_uri"],
            data=(self.root / "templates" / "plain" / "request.json").read_bytes(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            verify=self.running.ca,
            timeout=30,
        )
        if answer.status_code != 200:
            self.failures.append(f"{self.clock.world} {line} at {target['endpoint']}: {answer.status_code}")

    def endpoints(self) -> dict[str, Any]:
        """What there is, read in the world's file and past everything of ours: name -> body."""
        with self._held() as held:
            return {found.name: found.body for found in held.children(WORKSPACE, "endpoint")}

    def _key(self, name: str) -> str:
        with self._held() as held:
            found = held.get(f"{WORKSPACE}/onlineEndpoints/{name}")
        assert found is not None, name
        return self.keys.setdefault(name, str(found.private["primaryKey"]))

    @contextmanager
    def _held(self) -> Iterator[EmulatedWorld]:
        held = open_world(self.world.state / "world.sqlite")
        try:
            with held.transaction():
                yield held
        finally:
            held.close()


def _yes(*_: object) -> None:
    """Whatever is planned is agreed to."""


def _quiet(_: Event) -> None:
    """Nobody listens."""


def settle(folder: Path, size: int, lines: int) -> Weeks:
    """A project with `lines` entries in a workspace of `size` endpoints; from now on time is set by hand."""
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clock = WrongClock(begin)
    world = furnish(folder, clock)
    plain = world.project.root / "templates" / "plain"
    (plain / "pipeline.yml.j2").write_text(yaml.safe_dump(PIPELINE))
    for name in ("endpoint.yml.j2", "deployment.yml.j2"):
        (plain / name).write_text((plain / name).read_text().replace("-{{ unique(5) }}", ""))
    row = [base64.b64encode(_picture()).decode(), "lung"]
    asked = {"input_data": {"columns": ["image", "text"], "index": [0], "data": [row]}}
    (plain / "request.json").write_text(json.dumps(asked))
    keys = [f"line{n}" for n in range(lines)]
    path = world.project.root / "environments" / "law.yml"
    entries = {key: {"template": "plain", "values": {"release": "1"}} for key in keys}
    path.write_text(
        yaml.safe_dump({**yaml.safe_load(path.read_text()), "endpoints": entries, "notices": [{"to": "stdout"}]})
    )
    (folder / "world.yml").write_text(yaml.safe_dump(populate(begin, size, lines)))
    running = emulator.launch(world.state, profile="instant", world=folder / "world.yml")
    found = Weeks(world, clock, running, keys, begin)
    found.at(begin)
    (folder / "live").mkdir()
    for row in commands.status(world.project, "law"):
        target = {"endpoint": row.name, "scoring_uri": row.scoring_uri}
        (folder / "live" / f"{row.name}.json").write_text(json.dumps(target))
    return found


def _picture() -> bytes:
    """A small one, for callers who ask often."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "grey").save(out, "PNG")
    return out.getvalue()


def populate(begin: datetime, size: int, lines: int) -> Mapping[str, Any]:
    """`lines` endpoints of the environment's entries; of the rest a third is its former entries' (some protected), and
    the others belong to another environment or to nobody. Two thirds of all that is not an entry's is on shared quota.
    """
    ends = [begin + (50 + n // TOGETHER * 11 % 118) * HOUR for n in range(lines)]
    made = [_endpoint(f"line{n}", f"law/line{n}", end) for n, end in enumerate(ends)]
    for n in range(size - lines):
        owner = (f"law/old{n}", f"prod/their{n}", "")[n % 3]
        tags = {PROTECT_TAG: "yes"} if n % 12 == 0 else {}
        made.append(_endpoint(f"other{n}", owner, None if n % 9 >= 6 else begin + (4 + n * 5 % 164) * HOUR, tags))
    return {
        "settings": {"shared_quota_instances": 100_000},
        "regions": {
            "eastus": {
                "endpoints": 100_000,
                "deployments": 100_000,
                "total_cores": 1_000_000,
                "families": {"standardNCADSA100v4Family": 1_000_000},
            }
        },
        "endpoints": made,
    }


def _endpoint(name: str, owner: str, ends: datetime | None, tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    """On shared quota and with a deployment when its end is said; otherwise an empty one that stays."""
    owned = {OWNER_TAG: owner} if owner else {}
    body: dict[str, Any] = {"name": name, "tags": {**owned, **(tags or {})}}
    if ends is None:
        return body
    size = "Standard_NC24ads_A100_v4"
    slot = {"name": "blue", "model": MODEL, "instance_type": size, "tags": owned}
    lease = leases.properties(ends)
    return {**body, "properties": lease, "deployments": [slot], "traffic": {"blue": 100}}


def resident(pid: int) -> float:
    """Megabytes of memory that a process holds."""
    ran = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)  # noqa: S607
    return int(ran.stdout) / 1024
