"""Files to text and values, each value with its place. The only room that reads what users write.

Bounds: 1 MiB a file, UTF-8 (a byte order mark is forgiven), nothing outside `environments/` and `templates/`. It never
renders and never judges.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from deploy.documents import yaml12
from deploy.documents.places import TEMPLATES, Source, TemplateFiles, did_you_mean
from deploy.errors import Place, Problem, SpecError

ENVIRONMENTS = "environments"
SIZE = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_YAML = (".yml", ".yaml")
_SUFFIX = re.compile(r"\.ya?ml(\.j2)?$")


def read_environment(root: Path, name: str) -> Source:
    """The file `environments/<name>.yml` (or .yaml). Raises SpecError when it is absent or no YAML."""
    folder = root / ENVIRONMENTS
    paths = [folder / f"{name}{suffix}" for suffix in _YAML]
    there = [path for path in paths if is_name(name) and path.is_file()]
    if len(there) > 1:
        raise SpecError([_twice(ENVIRONMENTS, *(path.name for path in there))])
    if there:
        file = f"{ENVIRONMENTS}/{there[0].name}"
        return yaml12.parse(_text(there[0], file), file)
    known = [path.stem for path in _entries(folder) if path.suffix in _YAML and is_name(path.stem) and path.is_file()]
    add = f"Add {ENVIRONMENTS}/{name}.yml."
    elsewhere = f"Go to the folder that holds {ENVIRONMENTS}/ and {TEMPLATES}/, or a"
    cure = did_you_mean(name, known) or (add if folder.is_dir() else elsewhere + add[1:])
    unfit = next(filter(None, (_unfit(path, name, "environment", "file") for path in paths)), None)
    raise _problem(f"{ENVIRONMENTS}/{name}.yml", "AML101", *(unfit or (f"There is no environment {name!r}.", cure)))


def is_name(text: str) -> bool:
    """Whether an environment or a template can be called so."""
    return bool(_NAME.fullmatch(text))


def read_template(root: Path, name: str, wanted: Place | None = None) -> TemplateFiles:
    """Which files the template has. `wanted` is the place that names it, for the message when it is absent.

    An endpoint file, at least one deployment file (`deployment`, `<slot>-deployment` or anything in `deployments/`),
    perhaps a pipeline file; each .yml or .yaml, with or without .j2.
    """
    folder = root / TEMPLATES / name
    if not is_name(name) or not folder.is_dir():
        known = [path.name for path in _entries(root / TEMPLATES) if is_name(path.name) and path.is_dir()]
        place = wanted or Place(f"{TEMPLATES}/{name}")
        cure = did_you_mean(name, known) or f"Add the folder {TEMPLATES}/{name}."
        absent = (f"There is no template {name!r}.", cure)
        raise SpecError([Problem(place, "AML101", *(_unfit(folder, name, "template", "folder") or absent))])
    files = _documents(folder)
    deployments = sorted(stem for stem in files if re.fullmatch(r"deployments/.+|(.+-)?deployment", stem))
    problems = [_twice(f"{TEMPLATES}/{name}", *claims) for claims in files.values() if len(claims) > 1]
    problems += [_absent(name, "endpoint")] if "endpoint" not in files else []
    problems += [_absent(name, "deployment")] if not deployments else []
    if problems:
        raise SpecError(problems)
    return TemplateFiles(
        name=name,
        folder=folder.resolve(),
        endpoint=f"{name}/{files['endpoint'][0]}",
        deployments=tuple(f"{name}/{files[stem][0]}" for stem in deployments),
        pipeline=f"{name}/{files['pipeline'][0]}" if "pipeline" in files else None,
        read=cache(_Reading(root / TEMPLATES).text),
    )


def _documents(folder: Path) -> dict[str, list[str]]:
    """Name without suffixes -> the files of that name, below the folder."""
    found: dict[str, list[str]] = {}
    for path in (*_entries(folder), *_entries(folder / "deployments")):
        if path.is_file() and _SUFFIX.search(path.name):
            file = path.relative_to(folder).as_posix()
            found.setdefault(_SUFFIX.sub("", file), []).append(file)
    return found


def _unfit(path: Path, name: str, role: str, kind: str) -> tuple[str, str] | None:
    """Cause and cure for what is there and cannot be taken; None when nothing is there."""
    if not os.path.lexists(path):
        return None
    if not is_name(name):
        letters = "Use letters from a to z, digits, dots, dashes and underscores, a letter or digit first."
        return f"No {role} can be called {name!r}.", letters
    what = f"no {kind}" if path.exists() else "a link to nothing"
    return f"{path.name} is {what}.", f"Put a {kind} there."


def _twice(folder: str, first: str, second: str, *_: str) -> Problem:
    return Problem(Place(f"{folder}/{second}"), "AML101", f"There is also {first}.", "Keep one of the two.")


def _absent(name: str, what: str) -> Problem:
    file = f"{what}.yml.j2"
    cause = f"The template {name!r} has no {what} file."
    return Problem(Place(f"{TEMPLATES}/{name}/{file}"), "AML101", cause, f"Add {file} or {what}.yml.")


class _Reading:
    """Texts below `templates/`, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def text(self, name: str) -> str | None:
        """The file's text, or None when there is no such file inside the folder (also not by way of a link)."""
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder) or not path.is_file():
                return None
        except (OSError, ValueError):
            return None
        file = f"{TEMPLATES}/{name}"
        text = _text(path, file)
        yaml12.refuse_characters(text, yaml12.Lines(text, file))
        return text


def _text(path: Path, file: str) -> str:
    """The file as text with \\n for every line end."""
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE + 1)
    except OSError as error:
        raise _problem(file, "AML102", f"The file cannot be read: {error.strerror}.", "Check its rights.") from None
    if len(content) > SIZE:
        raise _problem(file, "AML104", "The file is larger than 1 MiB.", "Write less, or split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        place = yaml12.Lines(before, file)(len(before))
        raise SpecError([Problem(place, "AML102", "The file is not UTF-8.", "Save it as UTF-8.")]) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, hidden files left out; nothing when it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []


def _problem(file: str, code: str, cause: str, cure: str) -> SpecError:
    return SpecError([Problem(Place(file), code, cause, cure)])
