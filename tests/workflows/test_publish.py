"""publish.yml: only a tag that is the version is published. tests/unit/test_wheel.py installs and runs the wheel."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import ROOT
from tests.workflows.github import PATH, GitHub

FILE = ROOT / ".github/workflows/publish.yml"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["jobs"]
    return found


@pytest.mark.parametrize(("tag", "code"), [(f"v{VERSION}", 0), (VERSION, 1), (f"v{VERSION}.1", 1), ("v9.9.9", 1)])
def test_the_tag_is_the_version(tag: str, code: int) -> None:
    """Any other tag ends the run, with both and what to do."""
    (script,) = (step["run"] for step in jobs()["build"]["steps"] if step["name"].startswith("Check that the tag"))
    env = {"PATH": PATH, "TAG": tag}
    ran = subprocess.run(["bash", "-ec", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # noqa: S607
    assert ran.returncode == code, ran.stderr
    assert (f"::error::The tag is {tag} and the version" in ran.stdout) == (code == 1)


def test_only_the_last_job_can_publish() -> None:
    """It has the ID token and the environment, runs no code of the repository, and needs the tested wheel."""
    found = jobs()
    assert {name for name, job in found.items() if "id-token" in job["permissions"]} == {"publish"}
    assert {name for name, job in found.items() if "environment" in job} == {"publish"}
    assert found["publish"]["needs"] == ["build", "test"]
    assert [step for step in found["publish"]["steps"] if "run" in step] == []


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    return GitHub(tmp_path, ROOT)


def test_another_tag_publishes_nothing(github: GitHub, tmp_path: Path) -> None:
    """The run fails in its first job."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    run = github.start("push", tmp_path / "tree", ref="refs/tags/v1.2.4")
    assert run.workflow("publish.yml", {})[0] == "failure"
    assert run.jobs == [
        ("publish.yml/build", "failure"),
        ("publish.yml/test", "skipped"),
        ("publish.yml/publish", "skipped"),
    ]
    assert github.published == []
