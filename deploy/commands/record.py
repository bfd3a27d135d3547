"""`probe --record`: writes the answers of the live deployments into the case files, as expected answers.

An expected answer that was not recorded is written by a person or computed, so it is kept unless `overwrite`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from deploy.cloud import endpoints
from deploy.commands.probe import why_missing
from deploy.commands.project import Project, read_facts, validate
from deploy.documents import yaml12
from deploy.domain import history
from deploy.domain.arm import Facts, Json, address, release_of
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError
from deploy.steps import SHOWN
from deploy.steps import probe as probe_step

if TYPE_CHECKING:
    from deploy.probes.cases import Result


@dataclass(frozen=True)
class Recording:
    """What became of one case: `files` that were written, or `reason` why none was; `failed` if the answer is wrong."""

    endpoint: str
    case: str
    files: tuple[str, ...] = ()
    reason: str = ""
    failed: bool = False


def record(project: Project, name: str, only: Sequence[str] = (), *, overwrite: bool = False) -> list[Recording]:
    """Ask all cases of the live deployments and write their answers. Files of other cases are not changed."""
    from deploy.cloud import case_runs  # only for this command: it imports what draws pictures

    environment, specs = validate(project, name, only)
    found: list[Recording] = []
    with project.connect(environment) as cloud:
        specs, facts = read_facts(cloud, specs, SHOWN)
        date = f"{cloud.now():%Y-%m-%d}"
        for spec in (each for each in specs if each.cases):
            slot, body = _live(spec, facts[spec.key])
            endpoint = endpoints.read_endpoint(cloud, spec.name) or {}
            what = f"record {spec.key}/{slot}"
            step = probe_step.step_for(spec, slot, "requested")
            results = case_runs.answers(cloud, endpoint, slot, step.body, what)
            mark = {"release": release_of(body) or slot, "date": date}
            folder = project.root / spec.folder
            for named, result in zip(spec.cases, results, strict=True):
                found.append(_recorded(spec.key, named, result, folder, mark, overwrite=overwrite))
    return found


def _live(spec: EndpointSpec, facts: Facts) -> tuple[str, Json]:
    slot = history.live_in(facts, spec.key)
    if slot is None:
        cause = f"{spec.name} {why_missing(facts, spec.key)}"
        raise CloudError(f"record {spec.key}", cause, "Apply first", code="AML375")
    return slot, facts[address("deployment", spec.key, slot)]


def _recorded(
    key: str, named: Mapping[str, Json], result: Result, folder: Path, mark: Mapping[str, str], *, overwrite: bool
) -> Recording:
    from deploy.probes import recording

    case, name = named["case"], str(named["name"])
    if result.problem:
        return Recording(key, name, reason=f"its answer is not written: {result.problem}", failed=True)
    if case.get("expect") and not case.get("recorded") and not overwrite:
        return Recording(key, name, reason="its expected answer was not recorded; use --overwrite to replace it")
    start = Path(os.path.normpath(folder / str(named["folder"])))
    file = next((start / f"{name}{end}" for end in (".yml", ".yaml") if (start / f"{name}{end}").is_file()), None)
    if file is None:
        return Recording(key, name, reason="it is in a file with many cases; use a file for each case")
    expect, files = recording.expected(case, name, result)
    if expect is None:
        return Recording(key, name, reason="its answer has no form that can be written")
    text = with_blocks(file, {"expect": expect, "recorded": dict(mark)})
    if text is None:
        return Recording(key, name, reason=f"{file.name} is not written as one key per line")
    written = [start / each for each in files]
    for path, content in zip(written, files.values(), strict=True):
        _write(path, content)
    _write(file, text.encode())
    return Recording(key, name, tuple(str(path) for path in (*written, file)))


def with_blocks(file: Path, blocks: Mapping[str, Json]) -> str | None:
    """The text of a case file with these top-level keys replaced, and everything else as it is, comments included.

    None if the file is not in block style, so that its lines cannot be exchanged.
    """
    text = file.read_text(encoding="utf-8-sig")
    source = yaml12.parse(text, file.name)
    lines = text.splitlines()
    starts = sorted((place.line - 1, key) for key, place in source.root.keys.items())
    if len({line for line, _ in starts}) != len(starts) or any(lines[line].lstrip()[:1] in "{[" for line, _ in starts):
        return None
    ends = [line for line, _ in starts[1:]] + [len(lines)] * bool(starts)
    changed = {*blocks, *(("floors",) if _is_other_kind(source.value or {}, blocks) else ())}
    dropped: set[int] = set()
    for (start, key), end in zip(starts, ends, strict=True):
        if key in changed:
            dropped |= set(range(start, _end_of_block(lines, start, end)))
    kept = [line for number, line in enumerate(lines) if number not in dropped]
    added = yaml.safe_dump(dict(blocks), sort_keys=False, width=110, allow_unicode=True)
    return "\n".join([*kept, added])


def _end_of_block(lines: Sequence[str], start: int, end: int) -> int:
    """The line after a block; comments and blank lines before the next key do not belong to it."""
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def _is_other_kind(written: Mapping[str, Json], blocks: Mapping[str, Json]) -> bool:
    """Whether the expected answer becomes one of another kind, so that the floors do not fit any more."""
    before = written.get("expect") or {}
    return bool(before) and before.keys() != blocks["expect"].keys()


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole, so that an interruption leaves the old one."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.write_bytes(content)
    made.replace(path)
