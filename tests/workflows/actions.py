"""Stand-ins for the marketplace actions that our workflows use: each does what the real one does, on the local
disk.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.workflows.steps import Machine

Answer = tuple[bool, dict[str, str]]
_PINNED = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)@[0-9a-f]{40}")


def stand_in(machine: Machine, uses: str, given: Mapping[str, Any]) -> Answer:
    """Do what the action does. An action that is not pinned to a commit, or not known here, is refused."""
    pinned = _PINNED.fullmatch(uses)
    if pinned is None:
        raise AssertionError(f"{uses} is not pinned to a commit")
    return ACTIONS[pinned["name"]](machine, given)


def _checkout(machine: Machine, given: Mapping[str, Any]) -> Answer:
    if given.get("persist-credentials") is not False:
        raise AssertionError("checkout would leave a credential behind")
    if machine.contexts["job"]["permissions"].get("contents") is None:
        return False, {}
    shutil.copytree(machine.run.tree, machine.workspace, dirs_exist_ok=True)
    return True, {}


def _python(_machine: Machine, given: Mapping[str, Any]) -> Answer:
    return True, {"python-version": str(given["python-version"])}


def _upload(machine: Machine, given: Mapping[str, Any]) -> Answer:
    files: dict[str, bytes] = {}
    for word in str(given["path"]).split():
        place = machine.workspace / word
        if place.is_file():
            files[place.name] = place.read_bytes()
        for file in sorted(place.rglob("*")) if place.is_dir() else ():
            secrets_in = any(part.startswith(".") for part in file.relative_to(machine.workspace).parts)
            if file.is_file() and (not secrets_in or given.get("include-hidden-files")):
                files[str(file.relative_to(place))] = file.read_bytes()
    if not files:
        return given.get("if-no-files-found") != "error", {}
    key = (machine.run.id, given["name"])
    if key in machine.run.github.artifacts and not given.get("overwrite"):
        return False, {}
    for name, content in files.items():
        machine.run.github.shown(f"artifact {given['name']}, {name}", content)
    artifacts = machine.run.github.artifacts
    artifacts[key] = files
    home = f"https://github.com/{machine.run.github.repository}/actions/runs/{machine.run.id}/artifacts"
    return True, {"artifact-url": f"{home}/{list(artifacts).index(key) + 1}"}


def _download(machine: Machine, given: Mapping[str, Any]) -> Answer:
    files = machine.run.github.artifacts.get((machine.run.id, given["name"]))
    for name, content in (files or {}).items():
        place = machine.workspace / Path(given.get("path", ".")) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return files is not None, {}


def _publish(machine: Machine, given: Mapping[str, Any]) -> Answer:
    """The index accepts a job with an ID token, in the environment that it trusts."""
    if machine.contexts["job"] != {"permissions": {"id-token": "write"}, "environment": "pypi"}:
        return False, {}
    assert given["attestations"] is True
    machine.run.github.published += [path.name for path in (machine.workspace / given["packages-dir"]).iterdir()]
    return True, {}


ACTIONS: Mapping[str, Callable[[Machine, Mapping[str, Any]], Answer]] = {
    "actions/checkout": _checkout,
    "actions/setup-python": _python,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "pypa/gh-action-pypi-publish": _publish,
}
