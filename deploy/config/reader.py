"""Reads the files of a project: text, and values with their locations.

Limits: 1 MiB per file, UTF-8 (a byte order mark is accepted), nothing outside `environments/` and `templates/`.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from deploy.config.project_folder import ENVIRONMENTS
from deploy.documents import yaml12
from deploy.documents.locations import TEMPLATES, Source, TemplateFiles, did_you_mean
from deploy.errors import Place, Problem, SpecError

SIZE = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_YAML = (".yml", ".yaml")
_SUFFIX = re.compile(r"\.ya?ml(\.j2)?$")


def read_environment(root: Path, name: str) -> Source:
    """The file `environments/<name>.yml` (or .yaml). Raises SpecError if it is missing or invalid YAML."""
    folder = root / ENVIRONMENTS
    paths = [folder / f"{name}{suffix}" for suffix in _YAML]
    there = [path for path in paths if is_name(name) and path.is_file()]
    if len(there) > 1:
        raise SpecError([_twice(ENVIRONMENTS, *(path.name for path in there))])
    if there:
        file = f"{ENVIRONMENTS}/{there[0].name}"
        return yaml12.parse(_text(there[0], file), file)
    add = f"Add {ENVIRONMENTS}/{name}.yml."
    elsewhere = f"Change to the folder that contains {ENVIRONMENTS}/ and {TEMPLATES}/, or a"
    cure = did_you_mean(name, environment_files(root)) or (add if folder.is_dir() else elsewhere + add[1:])
    unfit = next(filter(None, (_unfit(path, name, "environment", "file") for path in paths)), None)
    raise _problem(f"{ENVIRONMENTS}/{name}.yml", "AML101", *(unfit or (f"There is no environment {name!r}.", cure)))


def is_name(text: str) -> bool:
    """Whether the text is a valid name of an environment or a template."""
    return bool(_NAME.fullmatch(text))


def template_names(root: Path) -> list[str]:
    """The names of the folders in `templates/`."""
    return [path.name for path in _entries(root / TEMPLATES) if is_name(path.name) and path.is_dir()]


def environment_files(root: Path) -> dict[str, str]:
    """Name -> path relative to the project of each file in `environments/`."""
    found = (path for path in _entries(root / ENVIRONMENTS) if path.suffix in _YAML and path.is_file())
    return {path.stem: f"{ENVIRONMENTS}/{path.name}" for path in found if is_name(path.stem)}


def read_template(root: Path, name: str, wanted: Place | None = None) -> TemplateFiles:
    """The files of a template. `wanted` is the location that names it, for the message if it is missing."""
    folder = root / TEMPLATES / name
    if not is_name(name) or not folder.is_dir():
        place = wanted or Place(f"{TEMPLATES}/{name}")
        cure = did_you_mean(name, template_names(root)) or f"Add the folder {TEMPLATES}/{name}."
        absent = (f"There is no template {name!r}.", cure)
        raise SpecError([Problem(place, "AML101", *(_unfit(folder, name, "template", "folder") or absent))])
    return template_in(root / TEMPLATES, name)


def template_in(templates: Path, name: str) -> TemplateFiles:
    """The template in the folder `name` of `templates`. Raises SpecError if a file is missing or exists twice.

    An endpoint file, at least one deployment file (`deployment`, `<slot>-deployment` or any file in `deployments/`),
    and optionally a pipeline file; each .yml or .yaml, with or without .j2.
    """
    folder = templates / name
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
        read=cache(_Reading(templates).text),
    )


def _documents(folder: Path) -> dict[str, list[str]]:
    """Name without suffixes -> the files with that name, relative to the folder."""
    found: dict[str, list[str]] = {}
    for path in (*_entries(folder), *_entries(folder / "deployments")):
        if path.is_file() and _SUFFIX.search(path.name):
            file = path.relative_to(folder).as_posix()
            found.setdefault(_SUFFIX.sub("", file), []).append(file)
    return found


def _unfit(path: Path, name: str, role: str, kind: str) -> tuple[str, str] | None:
    """Cause and cure for an existing path that cannot be used; None if nothing exists there."""
    if not os.path.lexists(path):
        return None
    if not is_name(name):
        letters = "Use letters from a to z, digits, dots, dashes and underscores, and start with a letter or digit."
        return f"{name!r} is not a valid {role} name.", letters
    what = f"not a {kind}" if path.exists() else "a broken link"
    return f"{path.name} is {what}.", f"Replace it with a {kind}."


def _twice(folder: str, first: str, second: str, *_: str) -> Problem:
    return Problem(Place(f"{folder}/{second}"), "AML101", f"{first} exists, too.", "Remove one of the two.")


def _absent(name: str, what: str) -> Problem:
    file = f"{what}.yml.j2"
    cause = f"The template {name!r} has no {what} file."
    return Problem(Place(f"{TEMPLATES}/{name}/{file}"), "AML101", cause, f"Add {file} or {what}.yml.")


class _Reading:
    """Reads files in `templates/` by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def text(self, name: str) -> str | None:
        """The text of a file, or None if there is no such file in the folder; links out of the folder count as none."""
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
    """The file as text with \\n as line end."""
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE + 1)
    except OSError as error:
        raise _problem(
            file, "AML102", f"The file cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    if len(content) > SIZE:
        raise _problem(file, "AML104", "The file is larger than 1 MiB.", "Make it shorter, or split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        place = yaml12.Lines(before, file)(len(before))
        raise SpecError([Problem(place, "AML102", "The file is not UTF-8.", "Save it as UTF-8.")]) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _entries(folder: Path) -> list[Path]:
    """The entries of a folder without hidden files; empty if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []


def _problem(file: str, code: str, cause: str, cure: str) -> SpecError:
    return SpecError([Problem(Place(file), code, cause, cure)])
