"""Weeks on shared quota: a workspace full of endpoints, a runner with a wrong clock, and clients that use the alias.

The emulator is a separate process; tests set its time and never wait. `populate` creates the first endpoints.
`Weeks.visit` is one run of the runner.
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
from deploy.commands.project import validate
from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG
from deploy.domain.plan import Verb
from deploy.domain.spec import EndpointSpec, Environment
from deploy.emulator.seed.open_world import open_world
from deploy.emulator.world.store import World as EmulatedWorld
from deploy.execution.progress import Event, EventKind
from deploy.leasing import lineage
from deploy.planning.reaping import PROTECT_TAG, Inventory, Rules, select
from tests.laws.conftest import WORKSPACE, World, write_project

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
HOUR = timedelta(hours=1)
TOGETHER = 4
"""This number of endpoints is deployed together, and their leases end together."""
# One clock for all endpoints moves forward by the sleep of each of them, hence the deadline.
PIPELINE = {
    "quota": {"capacity": "shared"},
    "probe": {"type": "http", "body": "request.json", "attempts": 1},
    "retry": {"attempts": 1, "deadline": "24h"},
    "lease": {"alias": {"file": "live/{{ endpoint }}.json"}, "drain": "1m"},
}


@dataclass
class WrongClock:
    """The clock of the runner: `off` seconds from the world's time; sleeping takes no time."""

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


@dataclass
class Weeks:
    """The world, the runner and the clients. `ours` are the names with our tag, `foreign` all others at the start."""

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

    @property
    def root(self) -> Path:
        return self.world.project.root

    def at(self, when: datetime) -> None:
        """Set the time to `when`, except on the runner's clock; Azure has deleted every lease that expired before."""
        self.clock.world = when
        turn = {"set": when.isoformat(), "scale": 0}
        url, headers = f"{self.running.url}/emulator/clock", self.running.control_headers
        self.wire.post(url, json=turn, headers=headers, verify=self.running.ca, timeout=30).raise_for_status()

    @property
    def runner(self) -> commands.Project:
        return self.world.project

    def renew(self, within: float = 24) -> commands.Result:
        return commands.renew(
            self.runner, "law", within=within, approve=_approve, emit=self.watch, show=self.world.said.append
        )

    def reap(self, within: float = 2) -> commands.ReapResult:
        return commands.reap(
            self.runner, "law", Rules(within), yes=True, approve=_approve, emit=_ignore, show=self.world.said.append
        )

    @cached_property
    def entries(self) -> tuple[Environment, list[EndpointSpec]]:
        """Return the entries of the environment file."""
        return validate(self.world.project, "law")

    def due(self, bodies: Mapping[str, Any], when: datetime, renew: float, reap: float) -> list[Any]:
        """Return what a run at `when` would decide about `bodies`: endpoints to renew, to reap, to send notices for."""
        environment, specs = self.entries
        there = Inventory(WORKSPACE, bodies, (), ())
        late = [
            (name, hours)
            for name, body in bodies.items()
            if (lease := leases.of(body))
            for said in [leases.noticed(str(body["tags"].get(leases.NOTICED_TAG) or "")).get("stdout")]
            if (hours := leases.due(lease, said, when))
        ]
        judged = select(environment, there, Rules(reap), when)
        return [*lineage.due_renewals(specs, bodies, when, renew), *judged.candidates, *late]

    def watch(self, event: Event) -> None:
        """Clients send requests through the alias while their endpoint is renewed."""
        if (
            event.kind is EventKind.DONE
            and event.verb in (Verb.SHIFT, Verb.DELETE)
            and not event.address.startswith("role/")
        ):
            self.call(event.address.split("/")[1])

    def call(self, line: str) -> None:
        """One client: reads the alias, sends a request, and records every status but 200."""
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
        """Return the existing endpoints from the file of the world, without code of amldeploy: name -> body."""
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


def _approve(*_: object) -> None:
    """Approve every plan."""


def _ignore(_: Event) -> None:
    """Ignore the event."""


def settle(folder: Path, size: int, lines: int) -> Weeks:
    """Create a project with `lines` entries in a workspace of `size` endpoints; from now on the test sets the time."""
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clock = WrongClock(begin)
    world = write_project(folder, clock)
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
    """A small image, for clients that send many requests."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "grey").save(out, "PNG")
    return out.getvalue()


def populate(begin: datetime, size: int, lines: int) -> Mapping[str, Any]:
    """Create `lines` endpoints for the entries. A third of the others belong to former entries (some protected); the
    rest belong to another environment or have no owner. Two thirds of those are on shared quota.
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
    """Create an endpoint on shared quota with a deployment if an end is given, otherwise an empty endpoint without a
    lease.
    """
    owned = {OWNER_TAG: owner} if owner else {}
    body: dict[str, Any] = {"name": name, "tags": {**owned, **(tags or {})}}
    if ends is None:
        return body
    size = "Standard_NC24ads_A100_v4"
    slot = {"name": "blue", "model": MODEL, "instance_type": size, "tags": owned}
    lease = leases.properties(ends)
    return {**body, "properties": lease, "deployments": [slot], "traffic": {"blue": 100}}


def resident(pid: int) -> float:
    """Return the resident memory of a process in megabytes."""
    ran = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)  # noqa: S607
    return int(ran.stdout) / 1024
