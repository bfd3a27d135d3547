"""Conversions of values from ARM to CLI v2, and their comparison. Pure functions on JSON values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.documents.endpoint_and_deployment import AUTH_MODES

Json = Any


@dataclass(frozen=True)
class Conversion:
    """`read` converts ARM's value to the form of CLI v2; `same` compares (desired, existing), both in that form.

    `write` converts a value of CLI v2 to ARM's form; None: it depends on Azure.
    """

    read: Callable[[Json], Json]
    same: Callable[[Json, Json], bool]
    write: Callable[[Json], Json] = lambda value: value


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_ID = re.compile(r"/subscriptions/(?:(?!/registries/).)*/(?P<name>[^/]+)/versions/(?P<version>[^/]+)", re.IGNORECASE)
_SHORT = re.compile(r"(?P<name>[^:@/]+)(?::(?P<version>[^:/]+)|@(?P<label>[^:/]+))")
_LABEL = re.compile(r"(?P<stem>azureml://.+)/labels/[^/]+", re.IGNORECASE)
_ENUMS = {arm.lower(): word for word, arm in AUTH_MODES.items()} | {
    "systemassigned": "system_assigned",
    "userassigned": "user_assigned",
    "targetutilization": "target_utilization",
    "systemassigneduserassigned": "user_assigned",  # CLI v2 has no value for both
}
_ARM_WORDS = {
    **AUTH_MODES,
    "system_assigned": "SystemAssigned",
    "user_assigned": "UserAssigned",
    "target_utilization": "TargetUtilization",
}


def iso_seconds(text: str) -> float | None:
    """Seconds of an ISO 8601 duration such as `PT1M30S`; None for any other text.

    Our own instead of isodate, which accepts `PT` and signs, and raises OverflowError for long numbers.
    """
    match = _DURATION.fullmatch(text)
    if not match or text in ("P", "PT"):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def _as_is(value: Json) -> Json:
    return value


def _equal(desired: Json, existing: Json) -> bool:
    return bool(desired == existing)


def _plain(value: Json) -> str:
    return re.sub(r"[_, ]", "", str("" if value is None else value)).lower()


def _same_word(desired: Json, existing: Json) -> bool:
    return _plain(desired) == _plain(existing)


def _word(value: Json) -> Json:
    return _ENUMS.get(_plain(value), str(value).lower()) if isinstance(value, str) else value


def _duration_in(unit: float) -> Callable[[Json], Json]:
    def read(value: Json) -> Json:
        seconds = iso_seconds(value) if isinstance(value, str) else None
        if seconds is None:
            return value
        count = round(seconds / unit, 6)
        return int(count) if count == int(count) else count

    return read


def _identities(value: Json) -> Json:
    return [{"resource_id": key} for key in value or ()] or None


def _same_identities(desired: Json, existing: Json) -> bool:
    return _ids(desired) == _ids(existing)


def _ids(given: Json) -> set[str]:
    return {str(each.get("resource_id", "")).lower() for each in given or ()}


def short_reference(value: Json) -> Json:
    """`azureml:<name>:<version>` for the ARM id of an asset in a workspace; any other id with the prefix `azureml:`."""
    if not isinstance(value, str) or not value:
        return None
    found = _ID.fullmatch(value.removeprefix("azureml:"))
    if found:
        return f"azureml:{found['name']}:{found['version']}"
    return value if value.startswith("azureml:") else f"azureml:{value}"


def made_of_files(desired: Json) -> bool:
    """Whether a deployment creates the asset from files, so that its ARM id is not known before."""
    if isinstance(desired, Mapping):
        return not desired.get("name") or desired.get("version") is None
    return not str(desired).startswith("azureml:")


def _same_asset(desired: Json, existing: Json) -> bool:
    """Whether two references mean the same asset. Any existing asset matches one created from files."""
    if made_of_files(desired):
        return bool(existing)
    if isinstance(desired, Mapping):
        desired = f"azureml:{desired['name']}:{desired['version']}"
    existing, desired = str(existing or ""), str(short_reference(str(desired)))
    if label := _LABEL.fullmatch(desired):
        return bool(existing.lower().startswith(f"{label['stem']}/".lower()))
    short, existing_value = (_SHORT.fullmatch(each.removeprefix("azureml:")) for each in (desired, existing))
    if short and short["label"]:
        return bool(existing_value) and existing_value["name"].lower() == short["name"].lower()  # type: ignore[index]
    return str(desired).lower() == str(existing).lower()


def _data(value: Json) -> Json:
    found = _ID.fullmatch(value) if isinstance(value, str) else None
    return {"name": found["name"], "version": found["version"]} if found else None


def _same_data(desired: Json, existing: Json) -> bool:
    if not isinstance(desired, Mapping) or not desired.get("name"):
        return True
    existing_value = existing or {}
    version = str(desired.get("version") or "1")
    return (desired["name"], version) == (existing_value.get("name"), existing_value.get("version"))


def _same_rate(desired: Json, existing: Json) -> bool:
    """One rate for all collections, or a map with rates of some."""
    if isinstance(desired, Mapping):
        return all(
            (existing.get(n) if isinstance(existing, Mapping) else existing) == rate for n, rate in desired.items()
        )
    return bool(desired == existing)


def _switch(value: Json) -> Json:
    return None if value is None else str(str(value).lower() in ("true", "enabled"))


def _arm_word(value: Json) -> Json:
    return _ARM_WORDS.get(str(value).lower(), value)


def _iso_in(unit: float) -> Callable[[Json], Json]:
    def write(value: Json) -> Json:
        seconds = f"{value * unit:.6f}".rstrip("0").rstrip(".") if isinstance(value, int | float) else None
        return f"PT{seconds}S" if seconds else None

    return write


def _arm_id(value: Json) -> Json:
    """A reference that Azure does not have to resolve: a registry's version, or an ARM id."""
    text = value.removeprefix("azureml:") if isinstance(value, str) else ""
    text = value if text.startswith("//") else text
    return text if text.startswith(("azureml://registries/", "/subscriptions/")) and "/labels/" not in text else None


SAME = Conversion(_as_is, _equal)
TEXT = Conversion(_as_is, lambda desired, existing: (desired or "") == (existing or ""))
ENTRY = Conversion(_as_is, lambda desired, existing: existing is not None and str(desired) == str(existing))
WORD = Conversion(_word, _same_word, _arm_word)
RATE = Conversion(_as_is, _same_rate)
SECONDS = Conversion(_duration_in(1), _equal, _iso_in(1))
MILLISECONDS = Conversion(_duration_in(0.001), _equal, _iso_in(0.001))
ASSET = Conversion(short_reference, _same_asset, _arm_id)
DATA = Conversion(_data, _same_data, lambda _: None)
IDENTITIES = Conversion(
    _identities, _same_identities, lambda value: {str(each["resource_id"]): {} for each in value or ()} or None
)
SWITCH = Conversion(
    _switch, _same_word, lambda value: "Enabled" if str(value).lower() in ("true", "enabled") else "Disabled"
)
FLAG = Conversion(
    lambda value: None if value is None else str(value).lower() == "true",
    lambda desired, existing: desired == bool(existing),
)
LIST = Conversion(lambda value: value or None, lambda desired, existing: list(desired) == list(existing or ()))
