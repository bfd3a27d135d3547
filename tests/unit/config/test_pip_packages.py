"""The pip packages of a conda file."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.config.pip_packages import pip_packages

FILE = (
    "channels: [x]\ndependencies:\n- python=3.11\n- pip\n- pip: [a==1, ' b ', -r more/r.txt, --no-deps]\n- pip: [c]\n"
)


def found(conda: object, folder: Path) -> list[str]:
    return pip_packages({"environment": {"image": "x", "conda_file": conda}}, folder)


def test_a_conda_file_has_pip_packages(tmp_path: Path) -> None:
    """Requirements files are relative to it; conda's own packages are left out."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env/conda.yml").write_text(FILE)
    listed = ["a==1", "b", f"-r {(tmp_path / 'env/more/r.txt').resolve()}", "--no-deps", "c"]
    assert found("env/conda.yml", tmp_path) == listed
    assert found({"dependencies": ["numpy", {"pip": ["d"]}]}, tmp_path) == ["d"]


@pytest.mark.parametrize("text", ["", "a: [", "- x", "dependencies: 3", "dependencies: [{pip: x}, {pip: [1]}]", "\x00"])
def test_any_file_is_read(tmp_path: Path, text: str) -> None:
    """What is no conda file has no packages; Azure says what is wrong with it."""
    (tmp_path / "conda.yml").write_text(text)
    assert found("conda.yml", tmp_path) == []
    assert found("gone.yml", tmp_path) == []
    assert pip_packages({"environment": "azureml:e:1"}, tmp_path) == []
