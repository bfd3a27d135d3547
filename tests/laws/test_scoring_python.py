"""Local code of a deployment on the emulator: plan refuses what the emulator cannot run, and the printed fix works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deploy import commands, emulator
from deploy.clock import SystemClock
from deploy.cloud import connect
from deploy.domain.spec import Environment
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


def test_plan_names_packages_that_the_scoring_environment_lacks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of the conda file the environment is made again before a deployment fails."""
    folder = world.project.root / "templates" / "plain"
    (folder / "code").mkdir()
    (folder / "code/score.py").write_text("def init(): pass\n")
    (folder / "model").mkdir()
    (folder / "conda.yml").write_text(
        "dependencies: [python=3.11, {pip: [pandas==2, azureml-inference-server-http]}]\n"
    )
    (folder / "deployment.yml.j2").write_text(BRINGS)
    monkeypatch.setenv(interpreter.VARIABLE, "")
    assert commands.scoring_packages(world.project) == ["azureml-inference-server-http", "pandas==2"]
    made = world.state.resolve() / "scoring"
    (made / "bin").mkdir(parents=True)
    interpreter.use(world.state, _python(made / "bin", "python", "echo 20"))
    (made / "installed").write_text("azureml-inference-server-http\n")
    with pytest.raises(Refused, match=r"AML254 .*lacks pandas==2. Run amldeploy emulator scoring"):
        commands.plan(world.project, "law")
    (made / "installed").write_text("azureml-inference-server-http\npandas==2\n")
    assert commands.plan(world.project, "law").steps


SERVER = ", ".join(f"{name}_route: {{port: 5001, path: /}}" for name in ("liveness", "readiness", "scoring"))
CONTAINER = f"environment: {{image: mcr.example/x:1, inference_config: {{{SERVER}}}}}\n"
MODELS = {
    "model: {path: model, type: mlflow_model}\n": "no stand-in for model.",
    CONTAINER: "no stand-in for a deployment without a model.",
    "model: azureml://registries/azureml/models/MedImageParse/versions/17\n": "",
}
"""Lines of a deployment without scoring code -> the part of the note that names its model."""


@pytest.mark.parametrize("lines", MODELS)
def test_plan_warns_of_a_model_that_the_emulator_does_not_run(world: World, lines: str) -> None:
    """An MLflow model or a container, which Azure runs without code. Plan and apply continue."""
    folder = world.project.root / "templates" / "plain"
    (folder / "model").mkdir()
    (folder / "model" / "MLmodel").write_text("flavors: {}\n")
    kept = [
        line for line in BRINGS.splitlines() if not line.startswith(("model", "code_configuration", "environment:"))
    ]
    (folder / "deployment.yml.j2").write_text("\n".join([*kept, lines]))
    (folder / "pipeline.yml.j2").write_text("{}")
    notes = [note for note in commands.plan(world.project, "law").notes if note.startswith("AML255")]
    assert len(notes) == bool(MODELS[lines])
    for note in notes:
        assert note.startswith("AML255 deployment/mip/blue: the emulator has ")
        assert MODELS[lines] in note
        assert "does not run models without scoring code, such as MLflow models" in note
    assert world.apply().report.ok
    assert [note for note in commands.plan(world.project, "law").notes if note.startswith("AML255")] == []


def test_plan_does_not_warn_in_azure() -> None:
    """A connection to Azure knows no such model."""
    environment = Environment("prod", "AzureCloud", "s", "g", "w", ())
    cloud = connect.Cloud(environment, connect.CLOUDS["AzureCloud"], Path(), SystemClock())
    assert cloud.why_unanswered("azureml:mine:1") == ""
    cloud.close()


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
