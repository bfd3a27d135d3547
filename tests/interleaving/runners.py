"""Runners: commands in threads of this process, each from a project folder and with a principal of its own."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml
from azure.core.credentials import AccessToken

from deploy import commands
from deploy.cloud.arm import Arm
from deploy.cloud.connect import Cloud, Hosts
from deploy.commands import lock
from deploy.domain.spec import Environment
from deploy.emulator import Running
from deploy.emulator.seed.default_world import SUBSCRIPTION
from deploy.errors import DeployError
from tests.laws.conftest import write_project
from tests.laws.stage import Ahead

RUNNERS = 4
PRINCIPALS = [str(uuid.UUID(int=0xA0 + number)) for number in range(RUNNERS)]
"""The object ids of the runners: so order control and the request log name them."""
THEIRS = "theirs"
"""An endpoint without our tag."""
BAD = "bad"
LONGEST_LIFE = 80_000
"""Seconds for which a token is used; the emulator's are valid for a day."""
NAME = "law"
WORKSPACE = {
    "cloud": "local", "subscription_id": SUBSCRIPTION, "resource_group": "rg-local", "workspace": "mlw-local",
}  # fmt: skip


def world_file(*, closed: bool) -> dict[str, Any]:
    """The initial resources: the runners' principals with their roles, and an endpoint of others."""
    scope = f"/subscriptions/{SUBSCRIPTION}"
    roles = ("Owner", "Storage Blob Data Contributor")
    who = ["signed-in", *PRINCIPALS]
    body: dict[str, Any] = {
        "principals": [
            {"id": each, "name": f"runner-{i}", "type": "ServicePrincipal"} for i, each in enumerate(PRINCIPALS)
        ],
        "roles": [{"principal": each, "role": role, "scope": scope} for each in who for role in roles],
        "endpoints": [
            {
                "name": THEIRS, "workspace": "mlw-local", "auth_mode": "key", "traffic": {"blue": 100},
                "deployments": [
                    {"name": "blue", "model": "azureml://registries/azureml/models/MedImageParse/versions/17",
                     "instance_type": "Standard_NC24ads_A100_v4", "instance_count": 1},
                ],
            }
        ],
    }  # fmt: skip
    return {**body, "settings": {"storage": {"network": "closed"}}} if closed else body


class Credential:
    """A principal's tokens, kept from schedule to schedule. The variables of azure-identity are those of a process."""

    def __init__(self, running: Running, principal: str) -> None:
        self._running, self._principal = running, principal
        self._tokens: dict[str, str] = {}

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The token for the resource of the scope."""
        (scope,) = scopes
        if scope not in self._tokens:
            asked = {"resource": scope.removesuffix("/.default"), "object_id": self._principal}
            answer = requests.get(
                self._running.identity_url,
                params=asked,
                headers={"X-IDENTITY-HEADER": "amldeploy-emulator"},
                timeout=10,
            )
            answer.raise_for_status()
            self._tokens[scope] = answer.json()["access_token"]
        return AccessToken(self._tokens[scope], int(time.time()) + LONGEST_LIFE)

    def close(self) -> None:
        """Keep the tokens."""


@dataclass(frozen=True)
class Folder(commands.Project):
    """A project whose commands use one running emulator, with one credential."""

    running: Any = None
    credential: Any = None

    @contextmanager
    def connect(self, environment: Environment) -> Iterator[Cloud]:
        """Connect without the variables of the process, which other threads use, too."""
        url, ca = self.running.url, str(self.running.ca)
        hosts = Hosts(url, "https://ml.azure.com/.default", url, storage="core.windows.net", private=url)
        cloud = Cloud(environment, hosts, self.root, self.clock, ca=ca, on_secret=self.on_secret)
        cloud.credential.close()
        cloud.credential = self.credential
        cloud.arm = Arm(url, self.credential, f"{url}/.default", self.clock, ca=ca)
        try:
            yield cloud
        finally:
            cloud.close()


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, error codes, and the error itself, if it is none of ours."""

    exit: int
    codes: tuple[str, ...] = ()
    bug: str = ""


class Runner:
    """One folder with its principal. `begin` prepares a command, which `work` runs."""

    def __init__(self, root: Path, running: Running, number: int) -> None:
        root.mkdir(parents=True)
        self.principal = PRINCIPALS[number]
        self._project = write_project(root).project
        self.request = (root / "templates" / "plain" / "request.json").read_bytes()
        self._running, self._credential = running, Credential(running, self.principal)
        self.clock = Ahead()

    def begin(self, command: str, mode: str) -> Callable[[], Ended]:
        """Write the environment file for a command; return what runs it, on a clock of its own."""
        shutil.rmtree(self._project.state / "reports", ignore_errors=True)
        self.clock = Ahead()
        folder = Folder(self._project.root, self.clock, running=self._running, credential=self._credential)
        word, _, release = command.partition("-")
        values = {"release": release or "2", **({"release": BAD, "expect": 299} if word == BAD else {})}
        body: dict[str, Any] = {**WORKSPACE, "endpoints": {"mip": {"template": "plain", "values": values}}}
        body["lock"] = "off" if mode == "off" else "required"
        (folder.root / "environments" / f"{NAME}.yml").write_text(yaml.safe_dump(body))
        return lambda: _run(folder, word)


def _run(folder: Folder, word: str) -> Ended:
    try:
        result = COMMANDS[word](folder)
        report = getattr(result, "report", None)
        if report is None:
            return Ended(0)
        return Ended(int(result.exit), tuple(str(each.error["code"]) for each in report.outcomes if each.error))
    except DeployError as error:
        return Ended(int(error.exit), (error.code,))
    except Exception as bug:  # noqa: BLE001 - the oracle shows it, with the schedule
        return Ended(-1, (), repr(bug))


def _approve(*_: object) -> None:
    """Approve every plan."""


def _ignore(*_: object) -> None:
    """Ignore every event."""


def _take_over(folder: Folder) -> Any:
    """Roll back, and stop the run that holds the lock, if there is one."""
    environment, _ = commands.validate(folder, NAME)
    with folder.connect(environment) as cloud:
        locks = lock.held_locks(cloud) or {}
    lock_id = next((each.lock_id for each in locks.values()), "")
    return commands.rollback(folder, NAME, ["mip"], force_unlock=lock_id, **_WAYS)


_WAYS: dict[str, Any] = {"approve": _approve, "emit": _ignore}
COMMANDS: dict[str, Callable[[Folder], Any]] = {
    "apply": lambda folder: commands.apply(folder, NAME, **_WAYS),
    "heal": lambda folder: commands.apply(folder, NAME, allow_rolled_back=True, **_WAYS),
    "bad": lambda folder: commands.apply(folder, NAME, **_WAYS),
    "rollback": lambda folder: commands.rollback(folder, NAME, every=True, **_WAYS),
    "takeover": _take_over,
    "teardown": lambda folder: commands.teardown(folder, NAME, **_WAYS),
    "adopt": lambda folder: commands.adopt(folder, NAME, **_WAYS),
    "plan": lambda folder: commands.plan(folder, NAME),
    "status": lambda folder: commands.status(folder, NAME),
}
