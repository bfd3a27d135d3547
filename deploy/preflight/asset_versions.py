"""Versions of models and environments that a deployment file pins: Azure does not change one that exists.

Each row is {field, name, version, desired, existing, versions, unread}. `desired` and `existing` are contents as in
`domain.asset_content`; `existing` is null if there is no such version, or if it is unknown. `versions`: the newest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy.domain.arm import Json
from deploy.domain.asset_content import differing
from deploy.domain.plan import Step, Verb
from deploy.errors import Finding
from deploy.preflight.check_result import CheckResult, Reason

NAME = "version"
_CODE = "AML334"
_SOURCE = "versions of the workspace"


def check(rows: Sequence[Mapping[str, Json]]) -> CheckResult:
    """Whether each version is new, or has the content of the files."""
    words = ", ".join(f"{_asset(row)}{_state(row)}" for row in rows)
    unknown = tuple(f"whether {_asset(row)} exists: {row['unread']}" for row in rows if row.get("unread"))
    reasons = [
        Reason(_CODE, f"{_asset(row)} exists with {_other(parts)}, and Azure does not change a version", _cure(row))
        for row in rows
        if (parts := _differing(row))
    ]
    return CheckResult(words, _SOURCE, tuple(reasons), unknown)


def conflicts(steps: Sequence[Step]) -> Iterator[Finding]:
    """A finding for each deployment that pins a version which another one of the same plan makes of other content."""
    first: dict[tuple[str, str, str], tuple[Step, Mapping[str, Json]]] = {}
    for step in steps:
        for row in step.body["assets"] if step.kind == NAME and step.verb is Verb.CHECK else ():
            other, made = first.setdefault((row["field"], row["name"].lower(), row["version"]), (step, row))
            parts = differing(row["desired"], made["desired"]) or sorted(row["desired"].keys() ^ made["desired"].keys())
            if parts and not _differing(row):
                where = "/".join((other.address.endpoint, other.address.name))
                cause = f"{_asset(row)} has {_other(parts)} than in {where}, and a version has one content"
                yield Finding(str(step.address), _CODE, cause, _cure(row))


def _asset(row: Mapping[str, Json]) -> str:
    return f"{row['field']} {row['name']}:{row['version']}"


def _state(row: Mapping[str, Json]) -> str:
    if row.get("unread"):
        return ""
    return " is new" if row["existing"] is None else " exists with other content" if _differing(row) else " exists"


def _differing(row: Mapping[str, Json]) -> list[str]:
    return differing(row["desired"], row.get("existing") or {})


def _other(parts: Sequence[str]) -> str:
    return f"another {' and '.join(parts)}" if parts != ["files"] else "other files"


def _cure(row: Mapping[str, Json]) -> str:
    """The next free version, if versions are numbers."""
    names = [row["version"], *row.get("versions", ())]
    numbers = [int(name) for name in names if name.isdecimal() and len(name) < 10]
    new = f"`version: {max(numbers) + 1}`" if row["version"].isdecimal() and numbers else "a new version"
    return f"Write {new} for this {row['field']}, or leave the version out: each release then gets one"
