"""The law of provenance: each PUT records commit, identity and files, and no comparison uses them."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy import commands, emulator, reporter
from deploy.domain import file_list, provenance
from deploy.domain.plan import Plan
from tests.laws.conftest import PLAIN, WORKSPACE, World
from tests.unit.domain.test_provenance import ACTIONS, SHA, git

BUILD = "environment: {build: {path: context}}\n"


def commit(world: World, message: str) -> str:
    git(world.project.root, "add", "-A", ":!/agreed.json")
    git(world.project.root, "commit", "-qm", message)
    return git(world.project.root, "rev-parse", "HEAD")


@pytest.fixture
def committed(world: World) -> World:
    """A project in a repository; its deployment has a folder of files."""
    folder = world.project.root / "templates" / "plain"
    folder.joinpath("deployment.yml.j2").write_text(PLAIN["deployment.yml.j2"] + BUILD)
    (folder / "context").mkdir()
    folder.joinpath("context", "Dockerfile").write_text("FROM scratch\n")
    folder.joinpath("context", ".amlignore").write_text("*.md\n")
    git(world.project.root, "init", "-q")
    return world


def deployments(world: World) -> dict[str, dict[str, Any]]:
    """ARM bodies of the deployments, by name."""
    with emulator.embed(world.state):
        pass
    found: dict[str, dict[str, Any]] = {}
    environment, _ = commands.project.validate(world.project, "law")
    with world.project.connect(environment):
        for endpoint in world.read(f"{WORKSPACE}/onlineEndpoints"):
            path = f"{WORKSPACE}/onlineEndpoints/{endpoint['name']}/deployments"
            found |= {body["name"]: body for body in world.read(path)}
    return found


def whys(made: Plan) -> list[str]:
    return [step.why for step in made.steps]


def test_a_deployment_records_its_origin(committed: World) -> None:
    """Commit, identity, time and files are in the PUT; then nothing is left to do, whatever is committed later."""
    sha = commit(committed, "first")
    done = committed.apply()
    assert done.exit == 0
    body = deployments(committed)["blue"]
    found = provenance.recorded(body)
    assert (found.commit, found.dirty, found.run_url) == (sha, False, "")
    assert found.by
    assert found.at is not None
    assert abs((datetime.now(UTC) - found.at).total_seconds()) < 3600
    assert provenance.commit_of(body) == sha
    assert sorted(file_list.read_tags(body) or ()) == ["environment/.amlignore", "environment/Dockerfile"]
    (committed.project.root / "environments" / "note.txt").touch()
    commit(committed, "second")
    again = commands.plan(committed.project, "law")
    assert [step.address for step in again.steps if step.changes] == []
    assert deployments(committed)["blue"]["tags"] == body["tags"]
    (row,) = commands.status(committed.project, "law")
    assert row.slots[0].provenance == found
    assert done.report.provenance is not None
    assert done.report.provenance.commit == sha
    assert sha[:8] in reporter.report_html(done.report, done.plan)
    assert reporter.report_json(done.report)["provenance"]["commit"] == sha


def test_a_plan_names_the_files_that_changed(committed: World) -> None:
    """Added, changed and removed, in another slot and in place; ignored ones are not named."""
    commit(committed, "first")
    committed.apply()
    context = committed.project.root / "templates" / "plain" / "context"
    context.joinpath("todo.md").write_text("not uploaded")
    context.joinpath("Dockerfile").write_text("FROM scratch\nRUN true\n")
    context.joinpath("requirements.txt").write_text("numpy\n")
    told = "files: environment/Dockerfile changed, environment/requirements.txt added"
    assert f"{told}, next to blue" in whys(commands.plan(committed.project, "law"))
    committed.want(strategy="in_place")
    in_place = commands.plan(committed.project, "law")
    assert told in whys(in_place)
    assert "Dockerfile changed" in reporter.plan_text(in_place)
    committed.apply()
    assert provenance.recorded(deployments(committed)["blue"]).dirty


def test_a_plan_file_of_another_commit_is_applied(committed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Created on a laptop and applied in CI, it records the commit and the run of CI; the fingerprint
    contains neither.
    """
    first = commit(committed, "first")
    made = commands.plan(committed.project, "law")
    file = committed.project.root / "agreed.json"
    file.write_text(reporter.plan_dump(made))
    assert first not in file.read_text()
    committed.project.root.joinpath("README.md").write_text("x")
    second = commit(committed, "second")
    assert second != first
    for name, value in ACTIONS.items():
        monkeypatch.setenv(name, value)
    commands.apply(committed.project, None, approve=lambda *_: None, emit=committed.watch, plan_file=file)
    found = provenance.recorded(deployments(committed)["blue"])
    assert (found.commit, found.dirty) == (second, False)
    assert found.commit != SHA
    assert found.run_url == "https://github.com/contoso/imaging/actions/runs/77"


def test_the_next_put_updates_the_origin(committed: World) -> None:
    """A change of tags in place is a PUT of the same release: it records its own commit and keeps the list of files."""
    commit(committed, "first")
    committed.apply()
    before = deployments(committed)["blue"]
    template = committed.project.root / "templates" / "plain" / "deployment.yml.j2"
    template.write_text(template.read_text() + "tags: {team: imaging}\n")
    second = commit(committed, "second")
    committed.apply()
    after = deployments(committed)["blue"]
    assert after["tags"]["team"] == "imaging"
    assert provenance.commit_of(after) == second != provenance.commit_of(before)
    assert file_list.read_tags(after) == file_list.read_tags(before)


def test_a_deployment_full_of_tags_is_deployed(committed: World) -> None:
    """Azure allows 50 tags: as many as files can have, and ours."""
    template = committed.project.root / "templates" / "plain" / "deployment.yml.j2"
    tags = {f"tag{n}": "x" for n in range(40)}
    template.write_text(template.read_text() + f"tags: {json.dumps(tags)}\n")
    commit(committed, "first")
    assert committed.apply().exit == 0
    held = deployments(committed)["blue"]["tags"]
    assert len(tags) < len(held) <= 50
    assert tags.items() <= held.items()
    assert [step for step in commands.plan(committed.project, "law").steps if step.changes] == []


def test_reading_commands_do_not_start_git(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`validate` and `plan` do not start git."""
    program, marker = tmp_path / "bin" / "git", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{marker}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    commands.validate(world.project, "law")
    commands.plan(world.project, "law")
    assert not marker.exists()
    subprocess.run([program], check=False)
    assert marker.exists()
