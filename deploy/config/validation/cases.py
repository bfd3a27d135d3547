"""Reads and checks the case files of a probe: their keys, their files, and that no DICOM file identifies a person.

Every problem has the place in the case file. Bounded: the number of cases, the size of each file and of all together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from deploy import probes
from deploy.config.validation.schema import check, problem
from deploy.documents import yaml12
from deploy.documents.cases import Case, CaseTable
from deploy.documents.locations import FieldPath, Source
from deploy.domain.arm import Json
from deploy.errors import Place, Problem, SpecError
from deploy.probes import cases, dicom, inputs
from deploy.probes.metrics import METRICS, expected_kind
from deploy.probes.samples import Unreadable, files_of

MOST_CASES = 200
MOST_FILES = 2000
MOST_TOGETHER = 2 << 30
"""Bytes of all files in the folder of the cases."""
_MOST_YAML = 1 << 20
_ENDINGS = (".yml", ".yaml")
_FIX = "Fix the file."


@dataclass(frozen=True)
class Written:
    """One case: where it is written (`at` is empty in a file of its own), and the folder where its paths start."""

    name: str
    source: Source
    at: FieldPath
    folder: Path


def read(pipeline: Source, probe: Mapping[str, Json], folder: Path, root: Path) -> tuple[list[Json], list[Problem]]:
    """The cases of a probe as {name, folder, case}, and all problems. `folder`: of the template."""
    written = str(probe["cases"])
    start = folder / written
    if not start.exists():
        cause = f"There is no file or folder {written!r}."
        return [], [problem(pipeline, ("probe", "cases"), "AML128", cause, "Check the path.")]
    try:
        files = _files(start)
        found = [each for file in files for each in _of_file(file, start, root)]
    except _TooMuch as much:
        return [], [problem(pipeline, ("probe", "cases"), "AML148", str(much), "Use fewer or smaller files.")]
    except SpecError as error:
        return [], list(error.problems)
    if not found:
        cause = f"{written!r} has no case."
        return [], [problem(pipeline, ("probe", "cases"), "AML148", cause, "Add a .yml file for each case.")]
    named, problems = [], [*_identified(start, root)]
    for each in found:
        case, more = _checked(each, probe, folder, written)
        problems += more
        named += [case] if case else []
    return named, problems


class _TooMuch(Exception):
    """The folder is larger than what is read."""


def _files(start: Path) -> list[Path]:
    """The case files in a folder; a file is the only one. Raises _TooMuch."""
    if start.is_file():
        return [start]
    total = 0
    for seen, path in enumerate(_below(start), 1):
        with suppress(OSError):
            total += path.stat().st_size
        if seen > MOST_FILES or total > MOST_TOGETHER:
            raise _TooMuch(f"The folder of the cases has more than {MOST_FILES} files or {MOST_TOGETHER >> 30} GB.")
    found = sorted(
        path for path in start.iterdir() if path.suffix in _ENDINGS and path.is_file() and not path.name.startswith(".")
    )
    if len(found) > MOST_CASES:
        raise _TooMuch(f"There are {len(found)} cases; the maximum is {MOST_CASES}.")
    return found


def _below(start: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(start):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder) / name for name in sorted(files))


def _shown(path: Path, root: Path) -> str:
    """A path for messages: relative to the project if it is inside."""
    whole = path.resolve()
    return str(whole.relative_to(root.resolve())) if whole.is_relative_to(root.resolve()) else str(path)


def _of_file(file: Path, start: Path, root: Path) -> list[Written]:
    shown = _shown(file, root)
    try:
        if file.stat().st_size > _MOST_YAML:
            raise SpecError([Problem(Place(shown), "AML104", "The file is larger than 1 MiB.", "Split it.")])
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SpecError([Problem(Place(shown), "AML102", f"The file cannot be read: {cause}.", _FIX)]) from None
    source = yaml12.parse(text, shown)
    if start.is_dir() and not (isinstance(source.value, dict) and "cases" in source.value):
        return [Written(file.stem, source, (), file.parent)]
    table = check(CaseTable, source)
    if table.problems:
        raise SpecError(table.problems)
    names = source.value["cases"]
    if len(names) > MOST_CASES:
        raise _TooMuch(f"There are {len(names)} cases; the maximum is {MOST_CASES}.")
    return [Written(str(name), source, ("cases", str(name)), file.parent) for name in names]


def _checked(
    each: Written, probe: Mapping[str, Json], folder: Path, written: str
) -> tuple[dict[str, Json] | None, list[Problem]]:
    node = each.source.find(each.at)
    assert node is not None  # noqa: S101 its path comes from the document
    found = check(Case, Source(each.source.file, node, each.source.secrets))
    if not isinstance(found.model, Case):
        return None, list(found.problems)
    case = found.model.model_dump(mode="json")
    start = written if (folder / written).is_dir() else os.path.dirname(written) or "."  # noqa: PTH120 may be relative
    named = {"name": each.name, "folder": start, "case": case}
    problems = [*_unfit(Source(each.source.file, node), case, probe)]
    if not problems and (invalid := _invalid(json.dumps([named, probe]), folder, _stamps(named, probe, folder))):
        key, cause, cure = invalid
        problems.append(problem(Source(each.source.file, node), (key,), "AML148", _sentence(cause), f"{cure}."))
    return named, problems


@lru_cache(maxsize=1024)
def _invalid(text: str, folder: Path, stamps: tuple[object, ...]) -> tuple[str, str, str] | None:  # noqa: ARG001 - part of the key
    """Key, cause and cure if the request or the expected answer cannot be read. Entries with one template share it."""
    named, probe = json.loads(text)
    try:
        with cases.prepared(named, probe, folder):
            return None
    except cases.InvalidCase as invalid:
        return invalid.key, invalid.cause, invalid.cure


def _stamps(named: Mapping[str, Json], probe: Mapping[str, Json], folder: Path) -> tuple[object, ...]:
    """Time and size of each file that a case reads."""
    own = [probe.get(key) for key in ("image", "body", "answer")]
    paths = [*files_of([named], folder).values(), *(folder / name for name in own if isinstance(name, str))]
    found: list[object] = []
    for path in paths:
        try:
            seen = path.stat()
            found.append((seen.st_mtime_ns, seen.st_size, seen.st_ino))
        except OSError as error:
            found.append(error.errno)
    return tuple(found)


def _sentence(cause: str) -> str:
    """A phrase with a capital letter, unless it begins with the name of a file."""
    first = cause.partition(" ")[0]
    return f"{cause if '.' in first else cause[:1].upper() + cause[1:]}."


def _unfit(source: Source, case: Mapping[str, Any], probe: Mapping[str, Json]) -> Iterator[Problem]:
    """Keys that do not fit the type of the probe, and metrics that do not fit the expected answer."""
    kind, known = expected_kind(case), probes.find(str(probe["type"]))
    if kind and kind not in known.EXPECTS:
        cause = f"A model with a probe of type {probe['type']} has no {kind!r} in its answer."
        yield problem(source, ("expect", kind), "AML148", cause, f"Use {' or '.join(known.EXPECTS)}.")
    for name in case["floors"]:
        if kind not in METRICS[name].expects:
            fitting = [each for each, metric in METRICS.items() if kind in metric.expects]
            cause = f"The metric {name!r} needs {' or '.join(METRICS[name].expects)} in `expect`."
            cure = f"Use {', '.join(fitting)}." if fitting else "Add `expect`, or remove `floors`."
            yield problem(source, ("floors", name), "AML148", cause, cure)


def _identified(start: Path, root: Path) -> Iterator[Problem]:
    """DICOM files in the folder that identify a person. The message has the names of the tags, never their values."""
    for path in _below(start if start.is_dir() else start.parent):
        try:
            if not path.is_file() or path.stat().st_size > inputs.MOST_BYTES or not dicom.is_dicom(path):
                continue
            tags = dicom.identifying_tags(path)
        except Unreadable as unfit:
            yield Problem(Place(_shown(path, root)), "AML148", _sentence(unfit.cause), f"{unfit.cure}.")
            continue
        except OSError:
            continue
        if tags:
            more = f" and {len(tags) - 8} more" if len(tags) > 8 else ""
            cause = f"The DICOM file identifies a person: {', '.join(tags[:8])}{more}."
            yield Problem(Place(_shown(path, root)), "AML149", cause, "De-identify it by DICOM PS3.15, Annex E.")
