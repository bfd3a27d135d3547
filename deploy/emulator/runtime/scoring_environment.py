"""Makes the Python environment in which the emulator runs score.py: `<state>/scoring`, with the inference server.

It is separate from the environment of amldeploy, because the inference server pins libraries that the SDKs need newer.
pip uses the package index that the user has configured.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from deploy.emulator.runtime import interpreter
from deploy.emulator.world import private_files

_FOLDER = "scoring"
_MARK = "installed"
"""The file in the folder that lists what was installed; it is written last, so an interrupted installation has none."""
_SERVER = "azureml-inference-server-http"
"""A dependency of azureml-defaults, too."""
_WHAT = "make the scoring environment"


def create(
    state: Path,
    packages: Sequence[str] = (),
    announce: Callable[[str], None] = lambda _: None,
    python: str | None = None,
) -> bool:
    """Create the environment with these pip packages, and use it from now on. Returns False if it was up to date.

    `python`: its base, by default that of this process; naming one installs again. `announce` gets a line before the
    installation. Raises RuntimeError with the last lines of venv or pip.
    """
    folder = state.resolve() / _FOLDER
    own = folder / "bin" / "python"
    lines = [*_server(packages), *sorted(set(packages))]
    mark = folder / _MARK
    is_current = _installed(state) == lines and python is None and not _cannot_run(own)
    if not is_current:
        announce(f"Installing {', '.join(lines)} in {folder} (about a minute) ...")
        private_files.folder(state)
        mark.unlink(missing_ok=True)
        _run([python or sys.executable, "-m", "venv", "--clear", str(folder)], "")
        pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "/dev/stdin"]
        _run(pip, "\n".join(lines))
        mark.write_text("\n".join(lines), encoding="utf-8")
    interpreter.use(state, str(own))
    return not is_current


def missing_packages(state: Path, packages: Sequence[str]) -> list[str]:
    """The packages that the environment lacks; none if another interpreter is used, whose packages are unknown."""
    if interpreter.scoring_python(state) != str(state.resolve() / _FOLDER / "bin" / "python"):
        return []
    installed = _installed(state)
    return [line for line in packages if line not in installed]


def _installed(state: Path) -> list[str]:
    try:
        return (state / _FOLDER / _MARK).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []


def _server(packages: Sequence[str]) -> list[str]:
    """The requirements of the extra `local-scoring` that the packages do not name themselves."""
    try:
        lines = requires("amldeploy") or []
    except PackageNotFoundError:
        lines = []
    own = [line.partition(";")[0].strip() for line in lines if re.search(r"extra == .local-scoring.", line)]
    named = {_name(line) for line in packages}
    named |= {_SERVER} if "azureml-defaults" in named else set()
    return [line for line in own or [_SERVER] if _name(line) not in named]


def _name(requirement: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-].*", "", requirement).lower().replace("_", "-")


def _cannot_run(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode != 0
    except OSError:
        return True


def _run(words: Sequence[str], text: str) -> None:
    try:
        ran = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeError(f"cannot {_WHAT}: cannot run {words[0]}: {error.strerror}") from None
    if ran.returncode:
        last = [line.strip() for line in f"{ran.stdout}\n{ran.stderr}".splitlines() if line.strip()][-4:]
        raise RuntimeError(f"cannot {_WHAT}: {' '.join(last)}")
