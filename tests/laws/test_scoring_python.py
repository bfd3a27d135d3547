"""Local code of a deployment on the emulator: plan refuses what the emulator cannot run, and the printed fix works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deploy import commands, emulator
from deploy.emulator.runtime import interpreter
from deploy.errors import Refused
from tests.laws.conftest import World

BRINGS = (
    'name: blue\nendpoint_name: "{{ endpoint }}-{{ unique(5) }}"\nmodel: {path: model}\n'
    "code_configuration: {code: code, scoring_script: score.py}\n"
    "environment: {image: mcr.example/x:1, conda_file: conda.yml}\n"
    "instance_type: Standard_NC24ads_A100_v4\ninstance_count: 1\n"
    'environment_variables: {RELEASE: "{{ values.release }}", DB_PASSWORD: "{{ values.canary_token }}"}\n'
)


def _python(folder: Path, name: str, line: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def test_plan_refuses_what_the_emulator_cannot_run(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the inference server plan and apply refuse before any change; with it the same command continues."""
    folder = world.project.root / "templates" / "plain"
    for name, text in {"code/score.py": "def init(): pass\n", "model/w.txt": "1\n", "conda.yml": "name: a\n"}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "deployment.yml.j2").write_text(BRINGS)
    bare, whole = _python(tmp_path, "bare", "exit 1"), _python(tmp_path, "whole", "echo 20")
    monkeypatch.setenv(interpreter.VARIABLE, bare)
    for act in (lambda: commands.plan(world.project, "law"), world.apply):
        with pytest.raises(Refused, match=r"AML254 .*is not installed for .*bare.* or set AMLDEPLOY_SCORING_PYTHON"):
            act()
    assert world.mutating() == 0
    monkeypatch.setenv(interpreter.VARIABLE, whole)
    assert commands.plan(world.project, "law").steps


def test_a_running_emulator_uses_the_variable_of_the_next_command(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was started without the variable: the value of the next command is used, and stays."""
    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    emulator.launch(world.state, profile="instant")
    try:
        assert interpreter.scoring_python(world.state) == sys.executable
        monkeypatch.setenv(interpreter.VARIABLE, _python(tmp_path, "whole", "echo 20"))
        commands.plan(world.project, "law")
        monkeypatch.delenv(interpreter.VARIABLE)
        assert interpreter.scoring_python(world.state) == str(tmp_path / "whole")
        assert emulator.scoring_problem(world.state) == ""
    finally:
        emulator.stop(world.state)


def test_an_invalid_interpreter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the message names what cannot be run and what to set."""
    monkeypatch.setenv(interpreter.VARIABLE, str(tmp_path / "gone"))
    assert emulator.scoring_problem(tmp_path).startswith(f"cannot run {tmp_path / 'gone'}: No such file")
