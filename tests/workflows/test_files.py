"""Checks of the workflow files without running them, including CI, which only GitHub runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import ROOT
from tests.workflows.actions import ACTIONS
from tests.workflows.expressions import FUNCTIONS, Scope

FILES = sorted([*(ROOT / ".github/workflows").glob("*.yml"), *(ROOT / ".github/actions").glob("*/action.yml")])
COMMAND = re.compile(r"(?<![\w/.-])(?:scripts|\.venv/bin)/[\w-]+")
PINNED = re.compile(r"uses: ([\w-]+/[\w-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def steps(file: Path) -> Iterator[Any]:
    document = yaml.safe_load(file.read_text())
    for part in (*document.get("jobs", {}).values(), document.get("runs", {})):
        yield from part.get("steps", ())


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_scripts_and_commands_exist(file: Path) -> None:
    """Each script is valid bash, and each of our commands in it is executable."""
    for script in (step["run"] for step in steps(file) if "run" in step):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)  # noqa: S607
        for name in COMMAND.findall(script):
            place = ROOT / name if name.startswith("scripts/") else Path(sys.executable).with_name(Path(name).name)
            assert place.stat().st_mode & 0o111, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_used_actions_exist(file: Path) -> None:
    """Each action is ours or known to the scenarios, pinned to a commit with the version in a comment."""
    for line in (line.strip().removeprefix("- ") for line in file.read_text().splitlines() if " uses: " in line):
        if "uses: $/" in line:
            place = ROOT / line.removeprefix("uses: $/")
            assert place.is_file() or (place / "action.yml").is_file(), line
        else:
            pinned = PINNED.fullmatch(line)
            assert pinned, line
            assert pinned[1] in ACTIONS, line


def test_ci_runs_the_tests_and_the_lock() -> None:
    """CI runs scripts/test on the oldest and a new Python, and one apply from the lock."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    runs = {name: "".join(step.get("run", "") for step in job["steps"]) for name, job in jobs.items()}
    assert runs["test"].endswith("exec scripts/test")
    assert jobs["test"]["strategy"]["matrix"] == {"python": ["3.11", "3.13"]}
    assert runs["lock"] == 'exec "$AMLDEPLOY" apply -e local'
    assert "zizmor" in runs["pins"]


@pytest.mark.parametrize("chosen", [(), ("allow-rolled-back",), ("allow-exposure", "prune")])
def test_plan_passes_its_options(tmp_path: Path, chosen: tuple[str, ...]) -> None:
    """Each boolean input of plan.yml is the option of `plan` with its name; release.yml passes on all of them."""
    folder = ROOT / ".github/workflows"
    release, plan = (yaml.safe_load((folder / name).read_text()) for name in ("release.yml", "plan.yml"))
    every = {name for name, each in plan[True]["workflow_call"]["inputs"].items() if each["type"] == "boolean"}
    assert every == {"allow-exposure", "allow-rolled-back", "prune"}
    asked = Scope({"inputs": {name: name in chosen for name in every}}, FUNCTIONS)
    given = {name: asked.fill(text) for name, text in release["jobs"]["plan"]["with"].items() if name in every}
    step = next(step for step in plan["jobs"]["plan"]["steps"] if step.get("id") == "plan")
    scope = Scope({"inputs": given, "steps": {}, "vars": {}}, FUNCTIONS)
    env = {name: str(scope.fill(text) or "") for name, text in step["env"].items()}
    tool = tmp_path / "amldeploy"
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    tool.chmod(0o700)
    subprocess.run(["bash", "-c", step["run"]], env={**env, "AMLDEPLOY": str(tool)}, cwd=tmp_path, check=True)  # noqa: S607
    seen = (tmp_path / "plan.md").read_text().split()
    assert {word.removeprefix("--") for word in seen} & every == set(chosen)


def test_saved_pictures_are_linked(tmp_path: Path) -> None:
    """Each picture is linked once, without characters of Markdown syntax; of many, a hundred and a count."""
    for name in ("a-1/masks.png", "a-2/masks.png", "a-1/x](http:y).svg", "a-1/report.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    summary = tmp_path / "summary"
    command = [str(ROOT / "scripts/link"), "reports-dev", "https://g/1", str(tmp_path)]
    env = {"GITHUB_STEP_SUMMARY": str(summary), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, env=env, check=True)
    assert summary.read_text().splitlines() == [
        "**Saved**: [reports-dev](https://g/1)", "", "- [masks.png](https://g/1)", "- [xhttpy.svg](https://g/1)",
    ]  # fmt: skip
    for number in range(120):
        (tmp_path / f"p{number:03}.png").touch()
    subprocess.run(command, env=env, check=True)
    assert summary.read_text().splitlines()[-1] == "- and 22 more"


def test_no_pictures_is_no_list(tmp_path: Path) -> None:
    """Reports without pictures are one line."""
    env = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "PATH": "/usr/bin:/bin"}
    subprocess.run([str(ROOT / "scripts/link"), "reports-dev", "https://g/1", str(tmp_path)], env=env, check=True)
    assert (tmp_path / "summary").read_text() == "**Saved**: [reports-dev](https://g/1)\n"
