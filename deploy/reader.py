"""Files to text and values, each value with its place. The only room that reads what users write.

Bounds: 1 MiB a file, UTF-8 (a byte order mark is forgiven), nothing outside `environments/` and `templates/`. It never
renders and never judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from deploy import yaml12
from deploy.errors import Place, Problem, SpecError
from deploy.sources import TEMPLATES, Source, TemplateFiles, did_you_mean

ENVIRONMENTS = "environments"
SIZE = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SUFFIX = re.compile(r"\.ya?ml(\.j2)?$")


def read_environment(root: Path, name: str) -> Source:
    """The file `environments/<name>.yml` (or .yaml). Raises SpecError when it is absent or no YAML."""
    folder = root / ENVIRONMENTS
    for suffix in (".yml", ".yaml"):
        path = folder / f"{name}{suffix}"
        if _NAME.fullmatch(name) and path.is_file():
            file = f"{ENVIRONMENTS}/{path.name}"
            return yaml12.parse(_text(path, file), file)
    known = [path.stem for path in _entries(folder) if path.suffix in (".yml", ".yaml")]
    raise _problem(f"{ENVIRONMENTS}/{name}.yml", "AML101", f"There is no environment {name!r}.", _nearest(name, known))


def read_template(root: Path, name: str, wanted: Place | None = None) -> TemplateFiles:
    """Which files the template has. `wanted` is the place that names it, for the message when it is absent.

    An endpoint file, at least one deployment file (`deployment`, `<slot>-deployment` or anything in `deployments/`),
    perhaps a pipeline file; each .yml or .yaml, with or without .j2.
    """
    folder = (root / TEMPLATES / name).resolve()
    if not _NAME.fullmatch(name) or not folder.is_dir() or folder.parent != (root / TEMPLATES).resolve():
        known = [path.name for path in _entries(root / TEMPLATES) if path.is_dir()]
        place = wanted or Place(f"{TEMPLATES}/{name}")
        raise SpecError([Problem(place, "AML101", f"There is no template {name!r}.", _nearest(name, known))])
    files = {path.name: f"{name}/{path.name}" for path in _entries(folder) if path.is_file()}
    several = {
        f"deployments/{path.name}": f"{name}/deployments/{path.name}" for path in _entries(folder / "deployments")
    }
    stems = {file: _SUFFIX.sub("", file) for file in (*files, *several) if _SUFFIX.search(file)}
    problems = _twice(name, stems)
    deployments = sorted(file for file, stem in stems.items() if re.fullmatch(r"deployments/.+|(.+-)?deployment", stem))
    endpoint = next((file for file, stem in stems.items() if stem == "endpoint"), None)
    for found, file in ((endpoint, "endpoint.yml.j2"), (deployments, "deployment.yml.j2")):
        if not found:
            cause = f"The template {name!r} has no {file.split('.')[0]} file."
            problems.append(
                Problem(Place(f"{TEMPLATES}/{name}/{file}"), "AML101", cause, f"Add {file} or {file[:-3]}.")
            )
    if problems or endpoint is None:
        raise SpecError(problems)
    pipeline = next((f"{name}/{file}" for file, stem in stems.items() if stem == "pipeline"), None)
    reading = _Reading(root / TEMPLATES)
    return TemplateFiles(
        name,
        folder,
        f"{name}/{endpoint}",
        tuple(f"{name}/{file}" for file in deployments),
        pipeline,
        cache(reading.text),
    )


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


def _twice(name: str, stems: dict[str, str]) -> list[Problem]:
    """One problem for every document that two files claim."""
    problems = []
    for stem in sorted(set(stems.values())):
        claims = sorted(file for file in stems if stems[file] == stem)
        if len(claims) > 1:
            place = Place(f"{TEMPLATES}/{name}/{claims[1]}")
            problems.append(Problem(place, "AML101", f"There is also {claims[0]}.", "Keep one of the two."))
    return problems


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _nearest(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, known) or "Add it."


def _problem(file: str, code: str, cause: str, cure: str) -> SpecError:
    return SpecError([Problem(Place(file), code, cause, cure)])
