"""Completion of names in the shell. Reads only files of the project and of this package; never asks Azure.

A file that cannot be read, or is too large to be read quickly, completes nothing: an error would be printed into the
line that the user types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from deploy.config import project_folder, starter

_FILES = 100
"""At most so many environment files are read, and so many template folders."""
_SIZE = 2**16
"""Bytes of a file that is read."""
_NAME = re.compile(r"\w[\w.-]*")
"""Scripts of the shells evaluate what they get, so other names are left out."""
_SLOT = re.compile(r"^name:\s*[\"']?([\w-]+)[\"']?\s*(?:#.*)?$", re.MULTILINE)
_CODE = re.compile(r"^(AML\d{3}):\n  title: [\"']?(.*?)[\"']?$", re.MULTILINE)
_Names = Callable[[Path, dict[str, Any]], Iterable[str]]


def _completion(names: _Names) -> Callable[[typer.Context, str], list[Any]]:
    """A function for typer's `autocompletion`: those of `names(root, parameters)` that begin as typed."""

    def complete(ctx: typer.Context, incomplete: str) -> list[Any]:
        try:
            start = Path(*(ctx.find_root().params.get("folders") or ()))
            found = dict.fromkeys(names(project_folder.find(start) or start, ctx.params))
        except Exception:  # noqa: BLE001 no traceback in the line that the user types
            return []
        return [name for name in found if name.startswith(incomplete) and _NAME.fullmatch(name)]

    return complete


def _environments(root: Path, _: dict[str, Any]) -> Iterable[str]:
    folder = root / project_folder.ENVIRONMENTS  # listed here, because config.reader imports a YAML parser
    return sorted(path.stem for path in folder.iterdir() if path.suffix in (".yml", ".yaml"))


def _keys(root: Path, parameters: dict[str, Any]) -> Iterator[str]:
    typed = parameters.get("endpoints") or parameters.get("arguments") or ()
    return (key for key, _ in _entries(root, parameters) if key not in typed)


def _slots(root: Path, parameters: dict[str, Any]) -> Iterator[str]:
    """The slots of a release, and the names of deployments in the templates of the environment."""
    from deploy.config import reader
    from deploy.documents.locations import TEMPLATES

    yield from ("blue", "green")
    key = parameters.get("endpoint")
    templates = dict.fromkeys(template for name, template in _entries(root, parameters) if key in (None, name))
    for template in islice(templates, _FILES):
        for file in reader.read_template(root, template).deployments:
            yield from _SLOT.findall(_text(root / TEMPLATES / file))


def _entries(root: Path, parameters: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and template of each entry: of the environment in the command line, or else of all."""
    from deploy.config import reader
    from deploy.errors import SpecError

    named = parameters.get("environment") or parameters.get("environments")
    files = reader.environment_files(root)
    for name in islice([named] if isinstance(named, str) else named or files, _FILES):
        try:
            text = _text(root / files[name])
            value = reader.read_environment(root, name).value if text else {}
        except (SpecError, KeyError):
            continue
        entries = value.get("endpoints") if isinstance(value, dict) else None
        for key, entry in entries.items() if isinstance(entries, dict) else ():
            yield str(key), str(entry.get("template", "")) if isinstance(entry, dict) else ""


def _text(path: Path) -> str:
    """The text of a file; empty if it is too large."""
    with path.open("rb") as stream:
        content = stream.read(_SIZE + 1)
    return content.decode(errors="replace") if len(content) <= _SIZE else ""


def _templates(_: Path, __: dict[str, Any]) -> Iterable[str]:
    return starter.names()


def _schemas(_: Path, __: dict[str, Any]) -> Iterable[str]:
    return sorted(path.stem for path in (Path(__file__).parents[1] / "schemas").glob("*.json"))


environments = _completion(_environments)
keys = _completion(_keys)
slots = _completion(_slots)
templates = _completion(_templates)
schemas = _completion(_schemas)


def codes(incomplete: str) -> list[tuple[str, str]]:
    """Error codes with their titles, in each form that `explain` accepts."""
    text = (Path(__file__).parents[1] / "error_codes.yml").read_text(encoding="utf-8")  # no YAML parser: it is slow
    return [(code, title) for code, title in _CODE.findall(text) if code.startswith(incomplete.upper())]
