"""The two spellings of a value: how Azure's is read as CLI v2 writes it, and when two of those mean the same.

Pure functions on JSON values; which field has which form is the table's to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.documents.cli_v2 import AUTH_MODES

Json = Any


@dataclass(frozen=True)
class Form:
    """`read` turns Azure's value into CLI v2's; `same` compares (wanted, actual), both as CLI v2 writes them."""

    read: Callable[[Json], Json]
    same: Callable[[Json, Json], bool]


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_ID = re.compile(r"/subscriptions/(?:(?!/registries/).)*/(?P<name>[^/]+)/versions/(?P<version>[^/]+)", re.IGNORECASE)
_SHORT = re.compile(r"(?P<name>[^:@/]+)(?::(?P<version>[^:/]+)|@(?P<label>[^:/]+))")
_LABEL = re.compile(r"(?P<stem>azureml://.+)/labels/[^/]+", re.IGNORECASE)
_ENUMS = {arm.lower(): word for word, arm in AUTH_MODES.items()} | {
    "systemassigned": "system_assigned",
    "userassigned": "user_assigned",
    "targetutilization": "target_utilization",
    "systemassigneduserassigned": "user_assigned",  # CLI v2 has no word for both
}


def iso_seconds(text: str) -> float | None:
    """Seconds of an ISO 8601 duration such as `PT1M30S`; None when it is none."""
    match = _DURATION.fullmatch(text)
    if not match or text in ("P", "PT"):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def _as_is(value: Json) -> Json:
    return value


def _equal(wanted: Json, actual: Json) -> bool:
    return bool(wanted == actual)


def _plain(value: Json) -> str:
    return re.sub(r"[_, ]", "", str("" if value is None else value)).lower()


def _alike(wanted: Json, actual: Json) -> bool:
    return _plain(wanted) == _plain(actual)


def _word(value: Json) -> Json:
    return _ENUMS.get(_plain(value), str(value).lower()) if isinstance(value, str) else value


def _lasting(unit: float) -> Callable[[Json], Json]:
    def read(value: Json) -> Json:
        seconds = iso_seconds(value) if isinstance(value, str) else None
        if seconds is None:
            return value
        count = round(seconds / unit, 6)
        return int(count) if count == int(count) else count

    return read


def _identities(value: Json) -> Json:
    return [{"resource_id": key} for key in value or ()] or None


def _same_identities(wanted: Json, actual: Json) -> bool:
    return _ids(wanted) == _ids(actual)


def _ids(given: Json) -> set[str]:
    return {str(each.get("resource_id", "")).lower() for each in given or ()}


def short_reference(value: Json) -> Json:
    """`azureml:<name>:<version>` for the ARM id of an asset in a workspace; any other id with `azureml:` before it."""
    if not isinstance(value, str) or not value:
        return None
    found = _ID.fullmatch(value.removeprefix("azureml:"))
    if found:
        return f"azureml:{found['name']}:{found['version']}"
    return value if value.startswith("azureml:") else f"azureml:{value}"


def made_of_files(wanted: Json) -> bool:
    """Whether Azure's name for it is not known before it is made."""
    if isinstance(wanted, Mapping):
        return not wanted.get("name") or wanted.get("version") is None
    return not str(wanted).startswith("azureml:")


def _same_asset(wanted: Json, actual: Json) -> bool:
    """References by meaning. What is made of files and has no version of its own may be anything."""
    if made_of_files(wanted):
        return bool(actual)
    if isinstance(wanted, Mapping):
        wanted = f"azureml:{wanted['name']}:{wanted['version']}"
    actual, wanted = str(actual or ""), str(short_reference(str(wanted)))
    if label := _LABEL.fullmatch(wanted):
        return bool(actual.lower().startswith(f"{label['stem']}/".lower()))
    short, held = (_SHORT.fullmatch(each.removeprefix("azureml:")) for each in (wanted, actual))
    if short and short["label"]:
        return bool(held) and held["name"].lower() == short["name"].lower()  # type: ignore[index]
    return str(wanted).lower() == str(actual).lower()


def _data(value: Json) -> Json:
    found = _ID.fullmatch(value) if isinstance(value, str) else None
    return {"name": found["name"], "version": found["version"]} if found else None


def _same_data(wanted: Json, actual: Json) -> bool:
    if not isinstance(wanted, Mapping) or not wanted.get("name"):
        return True
    held = actual or {}
    version = str(wanted.get("version") or "1")
    return (wanted["name"], version) == (held.get("name"), held.get("version"))


def _same_rate(wanted: Json, actual: Json) -> bool:
    """One rate for all collections, or a rate for each of some."""
    if isinstance(wanted, Mapping):
        return all((actual.get(n) if isinstance(actual, Mapping) else actual) == rate for n, rate in wanted.items())
    return bool(wanted == actual)


def _switch(value: Json) -> Json:
    return None if value is None else str(str(value).lower() in ("true", "enabled"))


SAME = Form(_as_is, _equal)
TEXT = Form(_as_is, lambda wanted, actual: (wanted or "") == (actual or ""))
ENTRY = Form(_as_is, lambda wanted, actual: actual is not None and str(wanted) == str(actual))
WORD = Form(_word, _alike)
RATE = Form(_as_is, _same_rate)
SECONDS = Form(_lasting(1), _equal)
MILLISECONDS = Form(_lasting(0.001), _equal)
ASSET = Form(short_reference, _same_asset)
DATA = Form(_data, _same_data)
IDENTITIES = Form(_identities, _same_identities)
SWITCH = Form(_switch, _alike)
FLAG = Form(
    lambda value: None if value is None else str(value).lower() == "true", lambda wanted, actual: wanted == bool(actual)
)
LIST = Form(lambda value: value or None, lambda wanted, actual: list(wanted) == list(actual or ()))
