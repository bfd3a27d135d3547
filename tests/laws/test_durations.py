"""The duration that a plan announces is the one that the run takes: within a tenth, on the emulator's clock.

Environments are generated from a seed: endpoints, probes, stages, bakes, one or two releases. Operations take as long
as in Azure. Sleeping advances the world, so an hour passes at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.emulator.world.timing import REALISTIC
from tests.laws.conftest import write_project

SEEDS = range(1, 21)
MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
ENDPOINT = 'name: "{{ endpoint }}-{{ unique(5) }}"\nauth_mode: key\n'
DEPLOYMENT = (
    'name: blue\nendpoint_name: "{{ endpoint }}-{{ unique(5) }}"\n'
    f"model: {MODEL}\ninstance_type: Standard_NC24ads_A100_v4\ninstance_count: 1\n"
    'environment_variables: {RELEASE: "{{ values.release }}"}\n'
)
WORLD = {"regions": {"eastus": {"total_cores": 100000, "families": {"standardNCADSA100v4Family": 100000}}}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("seed", SEEDS if full else [11])


class Advancing:
    """A clock that advances the world by the time of each sleep."""

    def __init__(self, state: Path) -> None:
        self._state, self.ahead = state, 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        emulator.clock(self._state, advance=seconds)
        self.ahead += seconds


@pytest.fixture
def project(tmp_path: Path) -> Iterator[commands.Project]:
    root = write_project(tmp_path).project.root
    (root / "world.yml").write_text(yaml.safe_dump(WORLD))
    state = commands.Project(root).state
    emulator.launch(state, world=root / "world.yml", profile="realistic")
    yield commands.Project(root, Advancing(state))
    emulator.stop(state)


def write(root: Path, dice: random.Random) -> int:
    """Write an environment of generated endpoints, and return how many releases each gets."""
    endpoints: dict[str, Any] = {}
    for number in range(dice.randint(1, 4)):
        folder = root / "templates" / f"made{number}"
        folder.mkdir(parents=True)
        stages = sorted(dice.sample(range(5, 95, 5), dice.randint(0, 2)))
        pipeline: dict[str, Any] = {
            "rollout": {"stages": [*stages, 100], "bake": dice.choice(["0s", "1m", "10m"])},
            "roles": [{"role": "Storage Blob Data Contributor", "scope": "workspace_storage"}] * dice.randint(0, 1),
        }
        if dice.random() < 0.8:
            pipeline["probe"] = {"type": "http", "body": "request.json"}
            (folder / "request.json").write_text((root / "templates" / "plain" / "request.json").read_text())
        (folder / "endpoint.yml.j2").write_text(ENDPOINT)
        (folder / "deployment.yml.j2").write_text(DEPLOYMENT)
        (folder / "pipeline.yml").write_text(yaml.safe_dump(pipeline))
        endpoints[f"e{number}"] = {"template": f"made{number}", "values": {"release": 1}}
    want(root, endpoints)
    return dice.randint(1, 2)


def want(root: Path, endpoints: dict[str, Any]) -> None:
    body = {
        "cloud": "local",
        "subscription_id": "00000000-0000-0000-0000-000000000001",
        "resource_group": "rg-local",
        "workspace": "mlw-local",
        "endpoints": endpoints,
    }
    (root / "environments" / "made.yml").write_text(yaml.safe_dump(body))


def test_a_plan_announces_how_long_it_takes(project: commands.Project, seed: int) -> None:
    """Each release of each environment, the first one and one beside it."""
    releases = write(project.root, random.Random(seed))
    for release in range(1, releases + 1):
        body = yaml.safe_load((project.root / "environments" / "made.yml").read_text())
        want(project.root, {key: {**entry, "values": {"release": release}} for key, entry in body["endpoints"].items()})
        announced = max(commands.plan(project, "made").duration.values())
        result = commands.apply(project, "made", approve=lambda *_: None, emit=lambda _: None)

        assert result.exit == 0
        assert announced > 500
        assert abs(result.report.seconds - announced) <= announced / 10, (announced, result.report.seconds)


def test_one_endpoint_takes_as_long_as_its_operations(project: commands.Project) -> None:
    """It waits for them, and two seconds at most for each end, also if others of the same resource take longer. Within
    2 % of their time; our processor time, which depends on the machine, is not counted.
    """
    (project.root / "templates" / "one").mkdir()
    (project.root / "templates" / "one" / "endpoint.yml.j2").write_text(ENDPOINT)
    (project.root / "templates" / "one" / "deployment.yml.j2").write_text(DEPLOYMENT)
    want(project.root, {"one": {"template": "one", "values": {"release": 1}}})
    result = commands.apply(project, "made", approve=lambda *_: None, emit=lambda _: None)
    took = {outcome.address.kind: outcome.seconds for outcome in result.report.outcomes}
    chain = REALISTIC.endpoint_create + REALISTIC.deployment_create + REALISTIC.endpoint_update

    assert result.exit == 0
    assert isinstance(project.clock, Advancing)
    assert project.clock.ahead <= chain + 3 * 2 < 1.02 * chain
    assert took["endpoint"] > REALISTIC.endpoint_create
    assert took["traffic"] < REALISTIC.endpoint_update + 8  # two seconds, and requests on a busy machine
