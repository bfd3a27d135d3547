"""Finds the differences between two answers to the same request, and prints them as a table.

Both answers are cleaned (`clean`). Compared are the status, which headers exist, and of the body the keys, the types,
and the values that are the same in every subscription: words such as a state, booleans, error messages, the form of
ids, times and URLs. Of lists only the keys and types of all items together are compared, because each subscription has
its own resources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = Any
ABSENT = "(absent)"
MOST_ROWS = 500
_OWN_WORDS = frozenset(["name", "value", "localizedvalue", "location", "region", "family"])
"""Keys with words that differ from subscription to subscription."""
_GUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_REPLACED = re.compile(r"recorded-?[0-9a-f]{8,}")
_WORD = re.compile(r"[A-Za-z]\w{0,39}")
_URL = re.compile(r"[a-z][\w+.-]*://\S*")


@dataclass(frozen=True)
class Difference:
    """One row: the operation, where in the answer, and both sides."""

    operation: str
    where: str
    azure: str
    emulator: str


def differences(operation: str, azure: Mapping[str, Json], emulator: Mapping[str, Json]) -> Iterator[Difference]:
    """The differences of two answers {"status", "headers", "body"}."""
    found = [("status", str(azure["status"]), str(emulator["status"]))] if azure["status"] != emulator["status"] else []
    for where, *sides in (
        *found,
        *_headers(azure["headers"], emulator["headers"]),
        *_values("body", [azure["body"]], [emulator["body"]], single=True),
    ):
        yield Difference(operation, where, *sides)


def table(rows: Iterable[Difference], summary: str) -> str:
    """The differences as a Markdown table, each once, below the summary."""
    unique = list(dict.fromkeys(rows))
    lines = [summary, ""]
    if unique:
        lines += ["| operation | where | Azure | emulator |", "|---|---|---|---|"]
    lines += [
        f"| {' | '.join(map(_cell, (row.operation, row.where, row.azure, row.emulator)))} |"
        for row in unique[:MOST_ROWS]
    ]
    lines += [f"\n{len(unique) - MOST_ROWS} more differences."] if len(unique) > MOST_ROWS else []
    lines += [] if unique else ["No differences."]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _headers(azure: Mapping[str, str], emulator: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    ours, theirs = ({name.lower(): value for name, value in each.items()} for each in (azure, emulator))
    for name in dict.fromkeys((*ours, *theirs)):
        sides = [_header(name, each[name]) if name in each else ABSENT for each in (ours, theirs)]
        if sides[0] != sides[1]:
            yield f"header {name}", sides[0], sides[1]


def _header(name: str, value: str) -> str:
    """What is compared of a header: the media type, the form of a URL, otherwise only that it exists."""
    if name == "content-type":
        return value.lower().replace(" ", "")
    return _form_of_url(value) if name in ("location", "azure-asyncoperation") else "present"


def _values(
    where: str, azure: Sequence[Json], emulator: Sequence[Json], *, single: bool
) -> Iterator[tuple[str, str, str]]:
    """The differences of the values at one place; several are the values of all items of lists around it."""
    kinds = [sorted({_kind(value) for value in each}) for each in (azure, emulator)]
    if not set(kinds[0]) & set(kinds[1]):
        if all(kinds):
            yield where, _shown(azure[0]), _shown(emulator[0])
        return
    ours, theirs = ([each for each in side if isinstance(each, Mapping)] for side in (azure, emulator))
    if ours and theirs:
        yield from _keys(where, ours, theirs, single=single)
    lists = [[item for each in side if isinstance(each, list) for item in each] for side in (azure, emulator)]
    yield from _values(f"{where}[]", *lists, single=False)
    if single and not isinstance(azure[0], Mapping | list):
        sides = _leaf(where, azure[0]), _leaf(where, emulator[0])
        if sides[0] != sides[1]:
            yield where, *sides


def _keys(
    where: str, azure: Sequence[Mapping[str, Json]], emulator: Sequence[Mapping[str, Json]], *, single: bool
) -> Iterator[tuple[str, str, str]]:
    for key in dict.fromkeys(key for each in (*azure, *emulator) for key in each):
        ours, theirs = ([each[key] for each in side if key in each] for side in (azure, emulator))
        if ours and theirs:
            yield from _values(f"{where}.{key}", ours, theirs, single=single)
        elif ours:
            yield f"{where}.{key}", _shown(ours[0]), ABSENT
        else:
            yield f"{where}.{key}", ABSENT, _shown(theirs[0])


def _kind(value: Json) -> str:
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    for kind, name in ((int | float, "number"), (str, "text"), (list, "list"), (Mapping, "object")):
        if isinstance(value, kind):
            return name
    return type(value).__name__


def _shown(value: Json) -> str:
    """A value in the table: short, and without what differs in every subscription."""
    if isinstance(value, Mapping | list):
        return f"{_kind(value)}{'' if value else ' (empty)'}"
    return _form(value) if isinstance(value, str) else json.dumps(value)


def _leaf(where: str, value: Json) -> str:
    """What is compared of a value without parts."""
    key = where.rpartition(".")[2].lower()
    if isinstance(value, str):
        if key in ("type", "message", "code"):
            return json.dumps(value[:200], ensure_ascii=False)
        form = _form(value)
        return "text" if key in _OWN_WORDS and form.startswith('"') else form
    return "number" if _kind(value) == "number" else json.dumps(value)


def _form(text: str) -> str:
    """The form of a text; of a word the word itself."""
    if _GUID.fullmatch(text):
        return "GUID"
    if found := _TIME.fullmatch(text):
        return f"time{'.fraction' if found[1] else ''}{'Z' if found[2] == 'Z' else '+00:00' if found[2] else ''}"
    if _URL.fullmatch(text):
        return f"URL {urlsplit(text).scheme}"
    if text.startswith("/"):
        return "id"
    if _REPLACED.search(text):
        return "text"
    return json.dumps(text) if not text or _WORD.fullmatch(text) or text == "(hidden)" else "text"


def _form_of_url(text: str) -> str:
    """Path and names of the query, without ids and names."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "text"
    path = _REPLACED.sub("NAME", _GUID.sub("GUID", parts.path))
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    return f"{path}{'?' if names else ''}{'&'.join(names)}"
