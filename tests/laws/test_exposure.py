"""A protected environment is exposed only if --allow-exposure was used, with the command or in the plan file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from deploy import commands, reporter
from deploy.errors import Refused, UsageError
from tests.laws.conftest import World


def _write(world: World, mode: str) -> None:
    folder = world.project.root / "templates" / "plain"
    text = (folder / "endpoint.yml.j2").read_text().splitlines()[0]
    (folder / "endpoint.yml.j2").write_text(f"{text}\nauth_mode: {mode}\n")
    path = world.project.root / "environments" / "law.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "guards": {"protected": True}}))


def test_a_plan_file_remembers_what_is_allowed(world: World, tmp_path: Path) -> None:
    """Refused without the flag; a plan with the flag is applied without it; a second apply has nothing to do."""
    _write(world, "aad_token")
    assert world.apply().report.ok
    _write(world, "key")
    before = world.mutating()
    with pytest.raises(Refused, match="AML249"):
        world.apply()
    with pytest.raises(Refused, match="AML249"):
        commands.plan(world.project, "law")
    assert world.mutating() == before

    made = commands.plan(world.project, "law", allow_exposure=True)
    file = tmp_path / "law.plan"
    file.write_text(reporter.plan_dump(made))
    with pytest.raises(UsageError, match="Use --allow-exposure with plan"):
        commands.apply(
            world.project, None, approve=lambda *_: None, emit=world.watch, plan_file=file, allow_exposure=True
        )
    done = commands.apply(world.project, None, approve=lambda *_: None, emit=world.watch, plan_file=file)

    assert done.report.ok
    assert [each["after"] for each in done.plan.exposure] == ["key"]
    assert json.loads(file.read_text())["allow_exposure"] is True
    assert world.apply().plan.steps == ()
