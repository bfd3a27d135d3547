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
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
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
    add = f"Add {ENVIRONMENTS}/{name}.yml."
    elsewhere = f"Go to the folder that holds {ENVIRONMENTS}/ and {TEMPLATES}/, or a"
    cure = _nearest(name, known, add if folder.is_dir() else elsewhere + add[1:])
    raise _problem(f"{ENVIRONMENTS}/{name}.yml", "AML101", f"There is no environment {name!r}.", cure)


def is_name(text: str) -> bool:
    """Whether an environment or a template can be called so."""
    return bool(_NAME.fullmatch(text))


def read_template(root: Path, name: str, wanted: Place | None = None) -> TemplateFiles:
    """Which files the template has. `wanted` is the place that names it, for the message when it is absent.

    An endpoint file, at least one deployment file (`deployment`, `<slot>-deployment` or anything in `deployments/`),
    perhaps a pipeline file; each .yml or .yaml, with or without .j2.
    """
    folder = root / TEMPLATES / name
    if not _NAME.fullmatch(name) or not folder.is_dir():
        known = [path.name for path in _entries(root / TEMPLATES) if path.is_dir()]
        place = wanted or Place(f"{TEMPLATES}/{name}")
        cure = _nearest(name, known, f"Add the folder {TEMPLATES}/{name}.")
        raise SpecError([Problem(place, "AML101", f"There is no template {name!r}.", cure)])
    files = _documents(folder)
    deployments = sorted(stem for stem in files if re.fullmatch(r"deployments/.+|(.+-)?deployment", stem))
    problems = [_twice(name, *claims) for claims in files.values() if len(claims) > 1]
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


def _twice(name: str, first: str, second: str, *_: str) -> Problem:
    return Problem(Place(f"{TEMPLATES}/{name}/{second}"), "AML101", f"There is also {first}.", "Keep one of the two.")


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


def _nearest(name: str, known: Iterable[str], otherwise: str) -> str:
    return did_you_mean(name, known) or otherwise


def _problem(file: str, code: str, cause: str, cure: str) -> SpecError:
    return SpecError([Problem(Place(file), code, cause, cure)])
