"""An environment that a deployment file defines inline: a plan names what a release changes in it, or that it could not
tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy import emulator
from deploy.config import reader, validation
from tests.addresses import addr
from tests.laws.ground import Ground


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """An emulator with a deployment that has its packages in a separate file; then other packages."""
    found = Ground(tmp_path, "blue_green")
    needed = ("name", "endpoint_name", "instance_type", "instance_count", "model")
    found.endpoint = {"name": "all-here"}
    found.deployment = {name: found.deployment[name] for name in needed}
    found.deployment["environment"] = {"image": "mcr.microsoft.com/mine:1", "conda_file": "conda.yml"}
    found.files()
    found.write("templates/all/conda.yml", {"channels": ["c"], "dependencies": ["python=3.11", "numpy=1.26"]})
    file = validation.validate_environment(reader.read_environment(found.project.root, "law"))
    with found.project.connect(file.environment):
        assert found.apply() == []
        yield found


def reads(ground: Ground) -> list[object]:
    rows = emulator.requests(ground.project.state)
    return [row for row in rows if row["operation"] == "AssetVersions_Get" and "/environments/" in row["path"]]


def release(ground: Ground) -> str:
    """The reason of the step that creates another release with other packages."""
    packages = yaml.safe_dump({"dependencies": ["python=3.11", "numpy=2.0"], "channels": ["c"]})
    (ground.project.root / "templates/all/conda.yml").write_text(packages)
    (step,) = [step for step in ground.plan().steps if step.address == addr("deployment/all/green")]
    return str(step.why)


def test_changed_packages_are_named(ground: Ground) -> None:
    """They are read from the live version, once, and only while the live release is not the one of the files."""
    before = len(reads(ground))
    assert ground.plan().steps == ()
    assert len(reads(ground)) == before
    why = release(ground)

    packages = 'environment.conda_file.dependencies ["numpy=1.26"] -> ["numpy=2.0"]'
    assert why == f"{packages}, files: environment/conda.yml changed, next to blue"
    assert len(reads(ground)) == before + 1
    assert ground.apply() == []
    assert ground.plan().steps == ()


@pytest.mark.parametrize(("status", "why"), [(403, "could not be read: permission denied"), (404, "it does not exist")])
def test_an_environment_that_cannot_be_read_is_noted(ground: Ground, status: int, why: str) -> None:
    """A missing permission or a missing version does not block a plan."""
    fault = {
        "kind": "refuse",
        "status": status,
        "operation": "AssetVersions_Get",
        "path": "*/environments/*",
        "times": "always",
    }
    emulator.begin(ground.project.state, faults=[fault])

    assert release(ground).endswith(f"; differences of the environment are unknown: {why}")
