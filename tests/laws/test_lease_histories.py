"""The law of leases: two entries on shared quota stay whole under any sequence of apply, renew, reap, restore, rollback
and teardown, with any failure or kill.

After each exit 0 the alias of a deployed entry names an endpoint that receives traffic, also where another program
removed or changed the alias before an apply or a renewal. A renewal never changes the live release. What a renewal or a
reap deletes was exported by the same run. Exit codes are those of the README. At the end one teardown leaves no
endpoint, role assignment or core. Without `--laws full` a fixed selection of histories runs.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.emulator.seed.open_world import open_world
from deploy.errors import DeployError, Exit
from deploy.planning.reaping import Rules
from tests.laws.stage import WORKSPACE, Stage, Victims
from tests.laws.test_deletion_faults import resources
from tests.laws.test_leases import advance_alone
from tests.laws.test_missed_leases import COMMAND
from tests.laws.test_renewals import pool
from tests.unit.aliases.test_aliases import GitHub

SOME, FULL, LENGTH = (44, 30744, 20787), 200, 8
KEYS = ("one", "two")
HOURS = (6.0, 60.0, 150.0)
COMMANDS = ("apply", "bad", "renew", "renew", "renew", "reap", "restore", "rollback", "teardown")
ERROR_RULES = ("", "", "", "refuse", "lose", "full", "kill", "alias")
CODES = {int(code) for code in Exit} - {int(Exit.BUG), int(Exit.FILES), int(Exit.AUTH)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("seed", range(FULL) if full else SOME)


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    """The variables of a repository, on a server with the API of GitHub; clients find it through the process
    environment.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    server.held, server.instead = {}, None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    place = f"http://127.0.0.1:{server.server_port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"API_URL": place, "REPOSITORY": "o/r", "TOKEN": "token"}.items():
            patch.setenv(f"GITHUB_{name}", value)
        yield server.held  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


class History:
    """Two entries: one with an alias in a file (in every second seed a variable), one with a command and a fallback."""

    def __init__(self, stage: Stage, victims: Victims, variables: dict[str, str] | None) -> None:
        emulator.reset(stage.state)
        stage.order()
        stage.broken.clear()
        self.stage, self.victims, self.number, self.told = stage, victims, 1, list[str]()
        self.variables = variables
        (self.root / "live" / "one.json").unlink(missing_ok=True)
        (self.root / "moved").unlink(missing_ok=True)
        shutil.rmtree(stage.state / "reaped", ignore_errors=True)
        if variables:
            variables.clear()
        self.files("1")
        self.before = resources(stage)

    @property
    def root(self) -> Path:
        return self.stage.world.project.root

    def files(self, release: str, expect: int = 200) -> None:
        """Return the content of the files: this release for both entries."""
        values = {"release": release, "expect": expect}
        body = {
            "cloud": "local", "subscription_id": "00000000-0000-0000-0000-000000000001",
            "resource_group": "rg-local", "workspace": "mlw-local",
            "endpoints": {key: {"template": key, "values": values} for key in KEYS},
        }  # fmt: skip
        (self.root / "environments" / "law.yml").write_text(yaml.safe_dump(body))
        plain = self.root / "templates" / "plain"
        own = {"file": "live/one.json"} if self.variables is None else {"github_variable": "ONE"}
        for key in KEYS:
            folder = self.root / "templates" / key
            folder.mkdir(exist_ok=True)
            for name in ("endpoint.yml.j2", "deployment.yml.j2", "request.json"):
                (folder / name).write_text((plain / name).read_text())
            pipeline = {
                "quota": {"capacity": "shared", **({"fallback": "dedicated"} if key == "two" else {})},
                "probe": {"type": "http", "body": "request.json", "attempts": 1, "status": "{{ values.expect }}"},
                "retry": {"attempts": 1, "deadline": "60s"},
                "lease": {"alias": own if key == "one" else {"command": COMMAND}, "drain": 0},
                "roles": [{"role": "Storage Blob Data Contributor", "scope": "workspace_storage"}],
            }
            (folder / "pipeline.yml.j2").write_text(yaml.safe_dump(pipeline))

    def endpoints(self) -> dict[str, tuple[str, str]]:
        """Name -> (key of its entry, release with all traffic or empty), from the file of the world."""
        world = open_world(self.stage.state / "world.sqlite")
        try:
            with world.transaction():
                world.apply_due()
            found = {}
            for endpoint in world.children(WORKSPACE, "endpoint"):
                traffic = {k: v for k, v in endpoint.properties["traffic"].items() if v}
                slots = {s.name: s.body["properties"] for s in world.children(endpoint.id, "deployment")}
                live = [slots[name]["environmentVariables"]["RELEASE"] for name in traffic if name in slots]
                key = str(endpoint.body["tags"].get("amldeploy-owner", "")).rpartition("/")[2]
                found[endpoint.name] = (key, live[0] if len(live) == 1 else "")
            return found
        finally:
            world.close()

    def live(self) -> dict[str, set[str]]:
        """Key -> releases that receive traffic."""
        there = self.endpoints().values()
        return {key: {release for owner, release in there if owner == key and release} for key in KEYS}

    def alias(self) -> str:
        """Return the endpoint that the file or variable names; empty without one."""
        if self.variables is not None:
            return str(json.loads(self.variables["ONE"])["endpoint"]) if "ONE" in self.variables else ""
        path = self.root / "live" / "one.json"
        return str(json.loads(path.read_text())["endpoint"]) if path.exists() else ""

    def mangle_alias(self, chance: random.Random) -> None:
        """Another program removes the alias, or lets it name an endpoint that does not exist."""
        path, text = self.root / "live" / "one.json", chance.choice(["", '{"endpoint": "mip-another"}'])
        if self.variables is None:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text) if text else path.unlink(missing_ok=True)
        elif text:
            self.variables["ONE"] = text
        else:
            self.variables.pop("ONE", None)

    def exported(self) -> dict[str, set[Path]]:
        """Endpoint -> the folders with an export of it, one for each run."""
        found: dict[str, set[Path]] = {}
        for path in (self.stage.state / "reaped").glob("*/*/endpoint.json"):
            found.setdefault(path.parent.name, set()).add(path.parent)
        return found

    def play(self, command: str, trouble: str, chance: random.Random) -> None:
        """Run one command, with or without a fault, and check what must hold afterwards."""
        before, live, saved = self.endpoints(), self.live(), self.exported()
        number = chance.randint(1, 12)
        if trouble == "alias" and command in ("apply", "renew"):
            self.mangle_alias(chance)
        code = self.killed(command, number) if trouble == "kill" else self.disturbed(command, trouble, number, chance)
        after = self.endpoints()
        said = f"{command} {trouble} {number}: exit {code}"
        self.told.append(f"{said}, {before} -> {after}")
        if code is not None and code not in CODES:
            self.broken(f"{said} is no exit code of it")
        exported = {name for name, folders in self.exported().items() if folders - saved.get(name, set())}
        gone = before.keys() - after.keys()
        if command in ("renew", "reap") and not gone <= exported:
            self.broken(f"{said}: {gone - exported} went without an export")
        if command == "renew":
            changed = {key: (live[key], now) for key, now in self.live().items() if live[key] and not live[key] & now}
            if changed and trouble != "full":
                self.broken(f"{said} changed what is live: {changed}")
        if code == 0 and command != "teardown" and self.live()["one"]:
            named = after.get(self.alias(), ("", ""))
            if not named[1]:
                self.broken(f"{said}: the alias names {self.alias()}, of {after}")
        self.told += [f"  broken: {each}" for each in self.stage.broken]

    def broken(self, words: str) -> None:
        self.stage.broken.append(words)

    def killed(self, command: str, number: int) -> None:
        """Kill a client at a change; only apply and renew support it."""
        work = "renew" if command == "renew" else "apply"
        if command in ("apply", "renew"):
            self.victims.kill_one(self.stage, {"mutating": True, "number": number}, at_work=work, ends=CODES)

    def disturbed(self, command: str, trouble: str, number: int, chance: random.Random) -> int:
        if trouble == "full":
            with pool(self.stage, 0):
                return self.run(command, chance)
        fault = {"refuse": {"kind": "refuse", "status": 403}, "lose": {"kind": "lose", "times": 4}}.get(trouble)
        with self.fault({**fault, "number": number, "mutating": True} if fault else None):
            return self.run(command, chance)

    @contextmanager
    def fault(self, fault: dict[str, Any] | None) -> Iterator[None]:
        self.stage.order(*([fault] if fault else []))
        yield
        self.stage.order()

    def run(self, command: str, chance: random.Random) -> int:
        project, quiet = self.stage.world.project, {"approve": lambda *_: None, "emit": lambda _: None}
        show = {"show": lambda _: None}
        if command in ("apply", "bad"):
            self.number += 1
            self.files(str(self.number), 418 if command == "bad" else 200)
        try:
            if command == "renew":
                return int(commands.renew(project, "law", within=24, **quiet, **show).exit)
            if command == "reap":
                return int(commands.reap(project, "law", Rules(within=6, force=True), yes=True, **quiet, **show).exit)
            if command == "restore":
                folders = sorted((self.stage.state / "reaped").glob("*/*"))
                return int(commands.restore(project, "law", folders[-1], **quiet).exit) if folders else 0
            if command == "rollback":
                return int(commands.rollback(project, "law", every=True, **quiet).exit)
            if command == "teardown":
                return int(commands.teardown(project, "law", [chance.choice(KEYS)], **quiet).exit)
            return int(commands.apply(project, "law", **quiet).exit)
        except DeployError as error:
            return int(error.exit)


def test_histories_of_leases(variables: dict[str, str], stage: Stage, victims: Victims, seed: int) -> None:
    """Time passes between the commands, sometimes more than a lease."""
    chance = random.Random(seed)
    history = History(stage, victims, variables if seed % 2 else None)
    history.play("apply", "", chance)
    for _ in range(LENGTH):
        advance_alone(stage.world, chance.choice(HOURS))
        history.play(chance.choice(COMMANDS), chance.choice(ERROR_RULES), chance)
        assert not stage.broken, "\n".join(history.told)
    stage.order()
    commands.teardown(stage.world.project, "law", approve=lambda *_: None, emit=lambda _: None)
    assert resources(stage) == history.before, "\n".join(history.told)
