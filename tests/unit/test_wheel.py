"""The wheel: it contains the templates of the repository, and it is all that a new project needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.project import ROOT

VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def pythons() -> list[str]:
    """One interpreter of each version: on PATH, or installed by pyenv."""
    found = {}
    installed = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
    for path in (*map(shutil.which, (f"python{version}" for version in VERSIONS)), *installed):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        ran = subprocess.run([str(path), "-c", code], capture_output=True, text=True, check=False) if path else None
        if ran and ran.stdout.strip() in VERSIONS:
            found.setdefault(ran.stdout.strip(), str(path))
    return list(found.values())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout. pip gets the build backend from the package index of this machine."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ("wheel", "--quiet", "--no-deps", "--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT))
    built = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    if "No matching distribution found for hatchling" in built.stderr:
        pytest.skip("there is no package index from which pip could install hatchling")
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


def run(words: list[str], folder: Path, **variables: str) -> str:
    """The output of a program in a folder. It must end with 0."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ran = subprocess.run(words, cwd=folder, env={**kept, **variables}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_wheel_contains_the_templates(wheel: Path) -> None:
    """Each file of templates/ that git has, with the same content, and no other."""
    names = subprocess.run(
        ["git", "ls-files", "templates"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name.removeprefix("deploy/"): archive.read(name) for name in archive.namelist()}
    assert {name: text for name, text in shipped.items() if name.startswith("templates/")} == {
        name: (ROOT / name).read_bytes() for name in names
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The wheel unpacked, for this Python; with --laws full also installed in a clean environment of each Python."""
    if "installed" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("installed", ["unpacked", *(pythons() if full else ())])


def install(wheel: Path, python: str, folder: Path) -> Path:
    """The command of a new environment in which pip installed the wheel and what the emulator needs."""
    run([python, "-m", "venv", str(folder)], folder.parent)
    run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", f"{wheel}[local]"], folder.parent)
    return folder / "bin/amldeploy"


def test_a_new_project_needs_only_the_wheel(wheel: Path, tmp_path: Path, installed: str) -> None:
    """init, apply and invoke in an empty folder, without this checkout."""
    package, folder = tmp_path / "package", tmp_path / "project"
    folder.mkdir()
    if installed == "unpacked":
        zipfile.ZipFile(wheel).extractall(package)
        python, command, variables = sys.executable, [sys.executable, "-m", "deploy"], {"PYTHONPATH": str(package)}
    else:
        command, variables = [str(install(wheel, installed, package))], {}
        python = str(package / "bin/python")
    where = run([python, "-c", "import deploy; print(deploy.__file__)"], folder, **variables)
    assert where.startswith(str(package))
    start = time.monotonic()
    assert "written  environments/local.yml" in run([*command, "init"], folder, **variables)
    assert "100 %  Succeeded" in run([*command, "apply", "-e", "local"], folder, **variables)
    assert time.monotonic() - start < 30
    assert "2 masks" in run([*command, "invoke", "-e", "local"], folder, **variables)
