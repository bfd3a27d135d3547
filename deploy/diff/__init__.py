"""Compares a CLI v2 document with an ARM body, by a table with one row per field (`fields`, `values`, `paths`).

Fields that the user did not set are not compared, so a default of the service is never a difference. If the user set a
map that a PUT replaces as a whole, a key that only Azure has is a removal. Step types decide what a change leads to.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from deploy.diff.bodies import to_body
from deploy.diff.environment_versions import compare
from deploy.diff.fields import DEPLOYMENT, ENDPOINT, LEFT_OUT, RECORDS, Change, Field, Mutability
from deploy.diff.paths import ANY, Names, Part, at, dotted, fill, parts, spread, stars
from deploy.diff.values import iso_seconds, made_of_files, short_reference
from deploy.documents.inline import is_inline
from deploy.domain.put_merge import AZURE_VARIABLES, SERVERS_OWN, is_ours

__all__ = [
    "DEPLOYMENT",
    "ENDPOINT",
    "LEFT_OUT",
    "RECORDS",
    "Change",
    "Field",
    "Mutability",
    "changes",
    "compare_fields",
    "differences",
    "fill_from_existing",
    "iso_seconds",
    "records",
    "resets",
    "stop_data_collection",
    "to_body",
    "to_document",
]
Json = Any
_SURVIVE = ("tags", "properties")
_LONGEST_TAG = 256
"""Azure's limit for the value of a tag, in characters."""
_COLLECTIONS, _RATE = ("data_collector", "collections"), ("data_collector", "sampling_rate")


def changes(desired: Mapping[str, Json], existing: Mapping[str, Json], table: Sequence[Field]) -> tuple[Change, ...]:
    """All fields of `table` that the user set and that differ in Azure, and the keys that a PUT removes from the maps
    that the user set. Maps are reported key by key.
    """
    return tuple(
        change for row in table for change in (*_changed(row, desired, existing), *_removed(row, desired, existing))
    )


def resets(
    desired: Mapping[str, Json], existing: Mapping[str, Json], table: Sequence[Field], *, other_deployment: bool = False
) -> tuple[Change, ...]:
    """All fields that the user did not set and that a PUT resets to their default. A PUT keeps tags and properties.
    `other_deployment`: `existing` is another deployment than the one that the PUT creates, so nothing of it is kept.
    """
    rows = [
        row
        for row in table
        if other_deployment or (row.mutability is Mutability.UPDATE and _first(row) not in _SURVIVE)
    ]
    existing_value = to_document(existing, rows)
    return tuple(
        Change(dotted(path), value, None, row.mutability)
        for row in rows
        for names, value in spread(existing_value, parts(row.yaml))
        if value not in row.service_defaults and _value_at(desired, path := fill(row.yaml, names)) is None
        if not _is_expected_reset(row, names, value, desired, existing)
    )


def differences(
    desired: Mapping[str, Json],
    other: Mapping[str, Json],
    environment: Mapping[str, Json] | None = None,
    conda: Json = None,
) -> tuple[Change, ...]:
    """All fields in which a deployment of this document would differ from another existing one with the body `other`.

    `environment`: properties of the environment version that the other uses, if known; `conda`: content of the
    document's conda_file.
    """
    fields = (*changes(desired, other, DEPLOYMENT), *resets(desired, other, DEPLOYMENT, other_deployment=True))
    existing_value = at(other, ("properties", "environmentId"))
    if not is_inline(desired) or not existing_value:
        return fields
    if environment is not None:
        return (*fields, *compare(desired["environment"], conda, environment))
    in_registry = not str(existing_value).startswith("/subscriptions/")
    replaced = Change("environment", short_reference(existing_value), desired["environment"], Mutability.UPDATE)
    return (*fields, replaced) if in_registry else fields


def fill_from_existing(
    desired: Mapping[str, Json], existing: Mapping[str, Json], table: Sequence[Field]
) -> dict[str, Json]:
    """The document, with the fields that it does not set taken from `existing`, so that a PUT changes nothing else."""
    live = to_document(existing, table)
    if not at(live, _COLLECTIONS):  # it collects nothing, and azure-ai-ml cannot send it
        live.pop("data_collector", None)
    document = _merge(live, desired, {_map_of(row) for row in table if row.put_replaces_map})
    rates = at(document, _RATE)
    if isinstance(rates, Mapping):
        named = at(document, _COLLECTIONS) or {}
        kept = {name: rate for name, rate in rates.items() if name in named and rate is not None}
        document["data_collector"] = {**document["data_collector"], "sampling_rate": kept}
    return document


def stop_data_collection(desired: Mapping[str, Json], existing: Mapping[str, Json]) -> dict[str, Json]:
    """The document of a release without a data collector, extended so that it stops data collection.

    Azure does not document what a PUT without a data collector does to an existing one (the REST reference calls the
    property optional and nullable, azure-ai-ml omits it, the emulator keeps it). So each collection is sent unchanged
    but with `dataCollectionMode: Disabled`.
    """
    existing_value = (
        to_document(existing, [row for row in DEPLOYMENT if _first(row) == "data_collector"]).get("data_collector")
        or {}
    )
    collections = existing_value.get("collections") or {}
    if "data_collector" in desired or all(each.get("enabled") != "True" for each in collections.values()):
        return dict(desired)
    off = {name: {**each, "enabled": "False"} for name, each in collections.items()}
    return {**desired, "data_collector": {**existing_value, "collections": off}}


def compare_fields(
    desired: Mapping[str, Json], existing: Mapping[str, Json], table: Sequence[Field]
) -> Iterator[tuple[str, bool, Json]]:
    """ARM path of each field that the user set, whether Azure has the desired value, and Azure's value."""
    for row in table:
        for names, after in spread(desired, parts(row.yaml)):
            arm = fill(row.arm, names)
            yield (
                dotted(arm),
                row.conversion.same(*_desired_and_existing(row, after, existing, names)),
                at(existing, arm),
            )


def records(desired: Mapping[str, Json], made: Mapping[str, Json]) -> dict[str, str]:
    """The tags that record the assets created from a deployment's files. `made`: path in the file -> ARM id."""
    return {
        row.asset_tag: str(row.conversion.read(made[row.yaml]))[:_LONGEST_TAG]
        for row in DEPLOYMENT
        if row.asset_tag and made.get(row.yaml)
        for _, value in spread(desired, parts(row.yaml))
        if made_of_files(value)
    }


def to_document(existing: Mapping[str, Json], table: Sequence[Field]) -> dict[str, Json]:
    """The CLI v2 document that is equal to `existing`, so that `changes` finds none. Skips read-only properties.

    If collections have different sampling rates, which CLI v2 does not support, the rate is a map: collection -> rate.
    """
    document: dict[str, Json] = {}
    for row in table:
        for names, found in spread(existing, parts(row.arm)):
            existing_value = found if stars(row.yaml) == stars(row.arm) else at(existing, parts(row.arm))
            value = row.conversion.read(existing_value)
            if value is None or (row.yaml == "properties.*" and names[0].lower() in SERVERS_OWN):
                continue
            path = fill(row.yaml, names[: stars(row.yaml)])
            inner = document
            for name in path[:-1]:
                inner = inner.setdefault(str(name), {})
            inner[str(path[-1])] = value
    return document


def _merge(
    existing_value: Mapping[str, Json],
    desired: Mapping[str, Json],
    wholes: Container[tuple[Part, ...]],
    above: Names = (),
) -> dict[str, Json]:
    """The existing document updated with the desired one. Of a map that a PUT replaces as a whole, only the desired
    keys and Azure's own are kept; of tags and properties, one of two spellings.
    """
    left = dict(existing_value)
    if above in wholes:
        left = {name: value for name, value in left.items() if name in desired or name in AZURE_VARIABLES}
    if above and above[0] in _SURVIVE:
        spelled = {name.lower() for name in desired}
        left = {name: value for name, value in left.items() if name.lower() not in spelled}
    both = {name for name in desired if isinstance(desired[name], Mapping) and isinstance(left.get(name), Mapping)}
    return {**left, **desired, **{name: _merge(left[name], desired[name], wholes, (*above, name)) for name in both}}


def _value_at(document: Json, path: Sequence[Part]) -> Json:
    """The value at a path of a document, or the value above it that is not a mapping (a reference to an asset)."""
    for name in path:
        if not isinstance(document, Mapping):
            break
        document = document.get(name)
    return document


def _changed(row: Field, desired: Mapping[str, Json], existing: Mapping[str, Json]) -> Iterator[Change]:
    for names, value in spread(desired, parts(row.yaml)):
        after, before = _desired_and_existing(row, value, existing, names)
        if not row.conversion.same(after, before):
            yield Change(dotted(fill(row.yaml, names)), before, after, row.mutability)


def _removed(row: Field, desired: Mapping[str, Json], existing: Mapping[str, Json]) -> Iterator[Change]:
    """The keys that only Azure has in a map that the user set and that a PUT replaces."""
    user_map = at(desired, _map_of(row)) if row.put_replaces_map else None
    if not isinstance(user_map, Mapping):
        return
    for names, found in spread(existing, parts(row.arm)):
        value = row.conversion.read(found)
        if value is not None and names[0] not in user_map and names[0] not in AZURE_VARIABLES:
            yield Change(dotted(fill(row.yaml, names)), value, None, row.mutability)


def _is_expected_reset(
    row: Field, names: Names, value: Json, desired: Mapping[str, Json], existing: Mapping[str, Json]
) -> bool:
    """Whether a reset is not worth reporting: `changes` reports it, Azure or we set the value again, or it was off."""
    if (
        row.put_replaces_map
        and isinstance(at(desired, _map_of(row)), Mapping)
        and names[0] not in at(desired, _map_of(row))
    ):
        return True
    if _first(row) == "data_collector":
        own = f"{desired.get('endpoint_name')}-{existing.get('name')}-{''.join(names)}"
        is_default_data = row.yaml.endswith(".data") and value == {"name": own, "version": "1"}
        return is_default_data or ("data_collector" not in desired and (row.yaml[-8:], value) != (".enabled", "True"))
    return bool(names) and (is_ours(names[0]) if row.yaml == "tags.*" else names[0] in AZURE_VARIABLES)


def _map_of(row: Field) -> tuple[Part, ...]:
    """Path of the map with the keys that match the row's star."""
    return parts(row.yaml)[: parts(row.yaml).index(ANY)]


def _first(row: Field) -> str:
    return str(parts(row.yaml)[0])


def _desired_and_existing(row: Field, after: Json, existing: Mapping[str, Json], names: Names) -> tuple[Json, Json]:
    """The desired and the existing value. If files define an asset, its tag has the id of the asset made of them."""
    before = row.conversion.read(at(existing, fill(row.arm, names)))
    if not row.asset_tag or not made_of_files(after):
        return after, before
    recorded = at(existing, ("tags", row.asset_tag))
    return (before if recorded == str(before)[:_LONGEST_TAG] else recorded or after), before
