"""The environment for score.py: made once, made again when packages change or an installation was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import emulator
from deploy.emulator.runtime import interpreter

PYTHON = """#!/bin/sh
# `-m venv --clear FOLDER` puts a copy of this script there; the copy's pip writes down what it should install.
case "$2" in
venv) rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
pip) cat >"${{0%/*}}/../asked"; echo pip >>"{log}"; [ -e "{broken}" ] && echo "ERROR: no such package" && exit 1 ;;
esac
exit 0
"""
SERVER = "azureml-inference-server-http<2,>=1.5\nnumpy>=1.26"


class Stage:
    """A state folder, and a Python whose venv and pip do nothing but take notes."""

    def __init__(self, folder: Path) -> None:
        self.state, self.python, self.broken, self.log = (folder / n for n in ("state", "python", "broken", "log"))
        self.python.write_text(PYTHON.format(log=self.log, broken=self.broken))
        self.python.chmod(0o755)

    def create(self, *packages: str) -> bool:
        return emulator.create_scoring_environment(self.state, packages, python=self.named)

    named: str | None = None

    @property
    def asked(self) -> str:
        return (self.state / "scoring" / "asked").read_text()

    @property
    def runs(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(tmp_path)
    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    monkeypatch.setattr("sys.executable", str(made.python))
    return made


def test_it_is_made_once_for_the_same_packages(stage: Stage) -> None:
    """Other packages make it again, and a package that it lacks is known before a deployment fails."""
    assert stage.create("pandas", "joblib==1") is True
    assert stage.asked == f"{SERVER}\njoblib==1\npandas"
    assert stage.create("joblib==1", "pandas") is False
    assert interpreter.scoring_python(stage.state) == str(stage.state / "scoring/bin/python")
    assert emulator.missing_packages(stage.state, ["pandas", "scipy"]) == ["scipy"]
    assert stage.create("scipy") is True
    assert emulator.missing_packages(stage.state, ["scipy"]) == []
    stage.named = str(stage.python)
    assert stage.create("scipy") is True
    assert stage.runs == 3


@pytest.mark.parametrize(
    ("packages", "lines"),
    [
        (["numpy==1.21"], ["azureml-inference-server-http<2,>=1.5", "numpy==1.21"]),
        (["azureml_inference_server_http"], ["numpy>=1.26", "azureml_inference_server_http"]),
        (["azureml-defaults==1.60", "NumPy"], ["NumPy", "azureml-defaults==1.60"]),
    ],
)
def test_the_packages_of_the_user_come_first(stage: Stage, packages: list[str], lines: list[str]) -> None:
    """A pin of theirs would contradict ours."""
    stage.create(*packages)
    assert stage.asked.splitlines() == lines


def test_a_failed_or_killed_installation_is_repeated(stage: Stage) -> None:
    """The error has pip's words; the next run installs again. So it does if the interpreter is gone."""
    stage.create()
    stage.broken.touch()
    with pytest.raises(RuntimeError, match="cannot make the scoring environment: ERROR: no such package"):
        stage.create("nothing")
    stage.broken.unlink()
    assert stage.create() is True
    (stage.state / "scoring/bin/python").unlink()
    assert stage.create() is True
    assert stage.create() is False
    stage.named = str(stage.state / "gone")
    with pytest.raises(RuntimeError, match=r"cannot run .*gone: No such file"):
        stage.create()
    stage.named = None
    assert stage.create() is True


def test_the_packages_of_another_interpreter_are_unknown(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable nothing is missing."""
    stage.create()
    assert emulator.missing_packages(stage.state, ["x"]) == ["x"]
    assert emulator.scoring_variable() == ""
    monkeypatch.setenv(interpreter.VARIABLE, str(stage.python))
    assert emulator.scoring_variable() == interpreter.VARIABLE
    emulator.save_scoring_python(stage.state)
    assert emulator.missing_packages(stage.state, ["x"]) == []
