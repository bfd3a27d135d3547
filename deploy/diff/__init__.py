"""The difference between a CLI v2 document and Azure's answer, by a table: one row a field (`table`, `forms`).

What the user did not set is not compared, so a default of the service is never a difference, and neither is what the
service or somebody else adds. This room decides nothing: what to do about a change is for the rooms of `steps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.diff.forms import iso_seconds, made_of_files
from deploy.diff.table import DEPLOYMENT, ENDPOINT, LEFT_OUT, RECORDS, Field, Mutability
from deploy.kept import SERVERS_OWN

__all__ = [
    "DEPLOYMENT",
    "ENDPOINT",
    "LEFT_OUT",
    "RECORDS",
    "Change",
    "Field",
    "Mutability",
    "changes",
    "filled",
    "iso_seconds",
    "records",
    "resets",
    "standing",
    "written",
]
Json = Any
_Names = tuple[str, ...]
_ANY = "*"
_SURVIVE = frozenset({"tags", "properties", "data_collector"})
_LONGEST_TAG = 256
"""Characters of a tag's value that Azure takes."""


@dataclass(frozen=True)
class Change:
    """One field that is not as wanted; `before` and `after` as CLI v2 writes them."""

    path: str
    before: Json
    after: Json
    mutability: Mutability

    @property
    def in_place(self) -> bool:
        """Whether Azure can make it on what is there: what can only be added is there for good."""
        added = self.mutability is Mutability.ADD_ONLY and self.before is None
        return added or self.mutability is Mutability.UPDATE


def changes(wanted: Mapping[str, Json], actual: Mapping[str, Json], table: Sequence[Field]) -> tuple[Change, ...]:
    """Every row of `table` that the user set and that Azure holds differently. Maps are reported key by key."""
    return tuple(change for row in table for change in _row(row, wanted, actual))


def resets(wanted: Mapping[str, Json], actual: Mapping[str, Json], table: Sequence[Field]) -> tuple[Change, ...]:
    """Every field that the user did not set and that a PUT takes back to what it is where nobody says anything. Tags
    and properties survive one; of a data collector nothing is known.
    """
    rows = [row for row in table if row.mutability is Mutability.UPDATE and row.yaml.split(".")[0] not in _SURVIVE]
    held = written(actual, rows)
    return tuple(
        Change(".".join(path), value, None, row.mutability)
        for row in rows
        for names, value in _spread(held, row.yaml.split("."), ())
        if value not in row.silent and _told(wanted, path := _filled(row.yaml, names)) is None
    )


def filled(wanted: Mapping[str, Json], actual: Mapping[str, Json], table: Sequence[Field]) -> dict[str, Json]:
    """The document with every field that it leaves open as `actual` holds it: a PUT of it changes nothing else."""
    return _over(written(actual, table), wanted)


def standing(
    wanted: Mapping[str, Json], actual: Mapping[str, Json], table: Sequence[Field]
) -> Iterator[tuple[str, bool]]:
    """ARM path of every row that the user set, and whether Azure holds it so."""
    for row in table:
        for names, after in _spread(wanted, row.yaml.split("."), ()):
            yield ".".join(_filled(row.arm, names)), row.form.same(*_meant(row, after, actual, names))


def records(wanted: Mapping[str, Json], made: Mapping[str, Json]) -> dict[str, str]:
    """The tags that say which assets were made of a deployment's files. `made`: path in the file -> ARM id."""
    return {
        row.record: str(row.form.read(made[row.yaml]))[:_LONGEST_TAG]
        for row in DEPLOYMENT
        if row.record and made.get(row.yaml)
        for _, value in _spread(wanted, row.yaml.split("."), ())
        if made_of_files(value)
    }


def written(actual: Mapping[str, Json], table: Sequence[Field]) -> dict[str, Json]:
    """The CLI v2 document that says what `actual` holds: `changes` between the two are none. Server's own left out."""
    document: dict[str, Json] = {}
    for row in table:
        for names, found in _spread(actual, row.arm.split("."), ()):
            held = found if row.yaml.count(_ANY) == row.arm.count(_ANY) else _held(actual, row.arm.split("."))
            value = row.form.read(held)
            if value is None or (row.yaml == "properties.*" and names[0].lower() in SERVERS_OWN):
                continue
            path = _filled(row.yaml, names)
            inner = document
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = value
    return document


def _over(held: Mapping[str, Json], wanted: Mapping[str, Json]) -> dict[str, Json]:
    both = {name for name in wanted if isinstance(wanted[name], Mapping) and isinstance(held.get(name), Mapping)}
    return {**held, **wanted, **{name: _over(held[name], wanted[name]) for name in both}}


def _told(document: Json, path: Sequence[str]) -> Json:
    """What a document says at a path; whoever says something above it (an asset's files) has said it too."""
    for name in path:
        if not isinstance(document, Mapping):
            break
        document = document.get(name)
    return document


def _row(row: Field, wanted: Mapping[str, Json], actual: Mapping[str, Json]) -> Iterator[Change]:
    for names, value in _spread(wanted, row.yaml.split("."), ()):
        after, before = _meant(row, value, actual, names)
        if not row.form.same(after, before):
            yield Change(".".join(_filled(row.yaml, names)), before, after, row.mutability)


def _meant(row: Field, after: Json, actual: Mapping[str, Json], names: _Names) -> tuple[Json, Json]:
    """What is wanted and what is held. Files do not say which asset was made of them; the record of it does."""
    before = row.form.read(_held(actual, _filled(row.arm, names)))
    if not row.record or not made_of_files(after):
        return after, before
    recorded = _held(actual, ["tags", row.record])
    return (before if recorded == str(before)[:_LONGEST_TAG] else recorded or after), before


def _spread(value: Json, path: Sequence[str], names: _Names) -> Iterator[tuple[_Names, Json]]:
    """Every value at a path, with the keys that its stars stand for. What is null is not there."""
    if not path:
        if value is not None:
            yield names, value
        return
    if isinstance(value, Mapping):
        for key in value if path[0] == _ANY else [path[0]]:
            more = (*names, str(key)) if path[0] == _ANY else names
            yield from _spread(value.get(key), path[1:], more)


def _filled(path: str, names: _Names) -> list[str]:
    """The path with its stars replaced; those that no name is left for stay."""
    left = list(names)
    return [left.pop(0) if part == _ANY and left else part for part in path.split(".")]


def _held(value: Json, path: Sequence[str]) -> Json:
    """The value at a path; for a star, the one value that all keys share, or the list of them."""
    caseless = path[0] == "tags" or list(path[:2]) == ["properties", "properties"]
    for number, name in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        if name == _ANY:
            found = [_held(inner, path[number + 1 :]) for inner in value.values()]
            return found[0] if found and all(each == found[0] for each in found) else found or None
        value = _folded(value, name) if caseless and name not in value else value.get(name)
    return value


def _folded(value: Mapping[str, Json], name: str) -> Json:
    """The value whose key differs in case alone: Azure's names of tags and properties have none."""
    return next((held for key, held in value.items() if key.lower() == name.lower()), None)
