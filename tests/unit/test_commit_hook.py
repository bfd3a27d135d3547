"""The hook of .pre-commit-hooks.yaml: which files start it, and its command as pre-commit runs it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import ROOT, make_project


@pytest.fixture
def hook() -> dict[str, Any]:
    (found,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return dict(found)


def run(hook: dict[str, Any], folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """In the root of the repository: the entry, then the args of the hook or of the user, and no file names."""
    name, *entry = shlex.split(hook["entry"])
    words = [str(Path(sys.executable).with_name(name)), *entry, *(args or hook["args"])]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_hook_validates_the_files(hook: dict[str, Any], tmp_path: Path) -> None:
    """Exit 0 for a project of `init`; 3, with the place, after a mistake; the user names another environment."""
    make_project(tmp_path)
    assert run(hook, tmp_path).returncode == 0
    (tmp_path / "environments/broken.yml").write_text("cloud: local\nworkspaces: mlw\n")
    failed = run(hook, tmp_path, "-e", "broken")
    assert (failed.returncode, "environments/broken.yml:2:1" in failed.stderr) == (3, True)


def test_only_files_of_amldeploy_start_it(hook: dict[str, Any]) -> None:
    """pre-commit searches the pattern in the path from the root of the repository."""
    chosen = ["environments/prod.yml", "templates/mip/deployment.yml.j2", "templates/mip/code/score.py"]
    others = ["README.md", "src/templates/page.html", "docs/environments/x.md"]
    assert [path for path in (*chosen, *others) if re.search(hook["files"], path)] == chosen
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
