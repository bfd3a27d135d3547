"""A project on its own emulator, driven through the commands, with a check of the world at every event."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from deploy import commands, emulator
from deploy.clock import Clock
from deploy.domain.plan import Plan
from deploy.emulator.world import timing
from deploy.execution.progress import Event
from tests.laws.stage import Ahead, Stage, Victims, unlawful
from tests.project import CANARY, ROOT, make_project

WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-local"
    "/providers/Microsoft.MachineLearningServices/workspaces/mlw-local"
)
PLAIN = {
    "endpoint.yml.j2": 'name: "{{ endpoint }}-{{ unique(5) }}"\nauth_mode: key\n',
    "deployment.yml.j2": (
        'name: blue\nendpoint_name: "{{ endpoint }}-{{ unique(5) }}"\n'
        "model: azureml://registries/azureml/models/MedImageParse/versions/17\n"
        "instance_type: Standard_NC24ads_A100_v4\ninstance_count: {{ values.count | default(1) }}\n"
        'environment_variables: {RELEASE: "{{ values.release }}", '
        'DB_PASSWORD: "{{ values.canary_token | default(0) }}"}\n'
    ),
    "pipeline.yml.j2": (
        "roles: [{role: Storage Blob Data Contributor, scope: workspace_storage}]\n"
        'probe: {type: http, body: request.json, status: "{{ values.expect | default(200) }}", attempts: 1}\n'
        "rollout: {strategy: \"{{ values.strategy | default('blue_green') }}\", stages: [10, 100]}\n"
        "retry: {attempts: {{ values.attempts | default(1) }}, deadline: 10m}\n"
    ),
}

DISC = (
    "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYCAAAAADFHGIkAAAAT0lEQVR42mMUYcAOmBioJsECZ21hYGBg8IFzGUWQhJGlmNDE4SwmNHE4G7+rtqAI"
    "baG2B/FL+KAI+RBjlA+GBpgOH3RxeCDiDF2aexAbAADxsgl/HfDcWQAAAABJRU5ErkJggg=="
)
"""An image of 24 by 24 pixels: the masks of a large image would take longer than the test itself."""


@dataclass
class World:
    """The project and emulator of a test."""

    project: commands.Project
    broken: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    lock: str = "required"
    """`lock` of the environment file."""
    _reader: tuple[str, requests.Session] | None = None
    """The emulator that was read last, and the session for it."""

    @property
    def state(self) -> Path:
        return self.project.state

    def want(self, **values: Any) -> None:
        """Write the environment file with these values."""
        body = {
            "cloud": "local",
            "subscription_id": "00000000-0000-0000-0000-000000000001",
            "resource_group": "rg-local",
            "workspace": "mlw-local",
            "lock": self.lock,
            "values": {"canary_token": CANARY},
            "endpoints": {"mip": {"template": "plain", "values": {"release": "1", **values}}},
        }
        (self.project.root / "environments" / "law.yml").write_text(yaml.safe_dump(body))

    def unlock(self) -> None:
        """Let the environment run without locks, as written now."""
        path = self.project.root / "environments" / "law.yml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "lock": "off"}))

    def apply(self, name: str = "law") -> commands.Result:
        return commands.apply(self.project, name, approve=_approve, emit=self.watch)

    def teardown(self, name: str = "law") -> commands.Result:
        return commands.teardown(self.project, name, approve=_approve, emit=self.watch)

    def mutating(self) -> int:
        return sum(bool(row["mutating"]) for row in emulator.requests(self.state))

    def watch(self, event: Event) -> None:
        """Law 5, at every event: traffic sums to 100 or 0 and names only Succeeded deployments."""
        self.broken += unlawful(self.state, event)

    def read(self, path: str) -> list[Any]:
        """Return a list from the emulator without using code of amldeploy, while a command holds the emulator open."""
        manager = os.environ["REGISTRY_DISCOVERY_ENDPOINT_URL"].rstrip("/")
        if self._reader is None or self._reader[0] != manager:
            self._reader = (manager, _signed_in())
        answer = self._reader[1].get(manager + path, params={"api-version": "2024-10-01"}, timeout=10)
        return list(answer.json()["value"])


def _signed_in() -> requests.Session:
    """A session that trusts the emulator that the environment names, with a token for it."""
    session = requests.Session()
    session.verify = os.environ["REQUESTS_CA_BUNDLE"]
    token = session.get(
        os.environ["IDENTITY_ENDPOINT"],
        params={"api-version": "2019-08-01", "resource": "https://management.azure.com"},
        headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
        timeout=10,
    ).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def _approve(plan: Plan, needed: bool) -> None:
    """Approve every plan."""


def write_project(folder: Path, clock: Clock | None = None) -> World:
    """A project in `folder` with the plain template and the environment `law` for release 1."""
    project = make_project(folder)
    (project / "templates" / "plain").mkdir()
    for name, text in PLAIN.items():
        (project / "templates" / "plain" / name).write_text(text)
    body = '{"input_data": {"columns": ["image", "text"], "index": [0], "data": [["%s", "lung"]]}}'
    (project / "templates" / "plain" / "request.json").write_text(body % DISC)
    found = World(commands.Project(project, clock or Ahead()))
    found.want()
    return found


@pytest.fixture(scope="module", autouse=True)
def brief_operations() -> Iterator[None]:
    """Operations of an emulator in this process take so long that each state is seen once or twice, and no longer."""
    quick = timing.PROFILES["quick"]
    operations = [each.name for each in fields(quick) if each.name.startswith(("endpoint_", "deployment_"))]
    timing.PROFILES["quick"] = replace(quick, **dict.fromkeys((*operations, "keys"), 0.02))
    yield
    timing.PROFILES["quick"] = quick


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = write_project(tmp_path)
    yield found
    assert found.broken == []


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A world for many cases, in a separate process."""
    found = write_project(tmp_path_factory.mktemp("stage"))
    emulator.launch(found.state, profile="instant")
    yield Stage(found)
    emulator.stop(found.state)


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    """Clients to kill, for many cases."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.laws.victim"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield Victims(process)
        assert process.stdin
        process.stdin.close()
