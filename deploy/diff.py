"""The difference between a CLI v2 document and Azure's answer, as a table: one row a field.

A row says where a field stands in the YAML, where in the ARM body, how the two spellings compare, and whether the
service can change it afterwards. What the user did not set is not compared, so a default of the service is never a
difference. This room decides nothing: what to do about a change is for the rooms of `steps`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = Any
Same = Callable[[Json, Json], bool]


class Mutability(StrEnum):
    """What the service lets happen to a field after creation."""

    UPDATE = "update"
    ADD_ONLY = "add_only"
    CREATE_ONLY = "create_only"


@dataclass(frozen=True)
class Field:
    """One row: `yaml` and `arm` are dotted paths, `same` compares (wanted, actual)."""

    yaml: str
    arm: str
    same: Same
    mutability: Mutability = Mutability.UPDATE


@dataclass(frozen=True)
class Change:
    """One field that is not as wanted."""

    path: str
    before: Json
    after: Json
    mutability: Mutability


def changes(wanted: Mapping[str, Json], actual: Mapping[str, Json], table: Sequence[Field]) -> tuple[Change, ...]:
    """Every row of `table` that the user set and that Azure holds differently. Maps are reported key by key."""
    return tuple(change for row in table for change in _row(row, _at(wanted, row.yaml), _at(actual, row.arm)))


def _row(row: Field, after: Json, before: Json) -> Iterator[Change]:
    if after is None:
        return
    if row.same is _is_entry:
        known = before if isinstance(before, Mapping) else {}
        for key in after:
            if str(after[key]) != str(known.get(key)):
                yield Change(f"{row.yaml}.{key}", known.get(key), after[key], row.mutability)
    elif not row.same(after, before):
        yield Change(row.yaml, before, after, row.mutability)


def _at(document: Mapping[str, Json], path: str) -> Json:
    value: Json = document
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _is_equal(wanted: Json, actual: Json) -> bool:
    return bool(wanted == actual)


def _is_word(wanted: Json, actual: Json) -> bool:
    """Enums and ids: `aad_token` is `AADToken`, whatever the case."""
    return _plain(wanted) == _plain(actual)


def _plain(value: Json) -> str:
    return str(value or "").replace("_", "").replace(",", "").replace(" ", "").lower()


def _is_empty_or_equal(wanted: Json, actual: Json) -> bool:
    return (wanted or "") == (actual or "")


def _is_entry(wanted: Json, actual: Json) -> bool:
    """Marks a map of which only the keys that the user wrote are compared."""
    raise NotImplementedError


def _is_identity_list(wanted: Json, actual: Json) -> bool:
    ids = {str(item.get("resource_id", "")).lower() for item in wanted}
    return ids == {str(key).lower() for key in (actual or {})}


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def iso_seconds(text: str) -> float | None:
    """Seconds of an ISO 8601 duration such as `PT1M30S`; None when it is none."""
    match = _DURATION.fullmatch(text)
    if not match or text in ("P", "PT"):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def _is_seconds(wanted: Json, actual: Json) -> bool:
    return isinstance(actual, str) and iso_seconds(actual) == float(wanted)


def _is_milliseconds(wanted: Json, actual: Json) -> bool:
    return isinstance(actual, str) and iso_seconds(actual) == float(wanted) / 1000


_ASSET = re.compile(r"azureml:(?P<name>[^:@/]+)(?::(?P<version>[^:/]+)|@(?P<label>[^:/]+))")
_ASSET_ID = re.compile(r".*/(?P<name>[^/]+)/versions/(?P<version>[^/]+)", re.IGNORECASE)


def _is_asset(wanted: Json, actual: Json) -> bool:
    """Model and environment references by meaning. Inline and labelled ones are told apart by the release tag alone."""
    if not isinstance(wanted, str):
        return True
    short = _ASSET.fullmatch(wanted)
    if not short:
        return _plain(wanted.removeprefix("azureml:")) == _plain(str(actual or "").removeprefix("azureml:"))
    if short["label"]:
        return True
    known = _ASSET_ID.fullmatch(str(actual or ""))
    return bool(known) and (known["name"], known["version"]) == (short["name"], short["version"])  # type: ignore[index]


def _probe(name: str, arm: str) -> tuple[Field, ...]:
    return (
        Field(f"{name}.initial_delay", f"properties.{arm}.initialDelay", _is_seconds),
        Field(f"{name}.period", f"properties.{arm}.period", _is_seconds),
        Field(f"{name}.timeout", f"properties.{arm}.timeout", _is_seconds),
        Field(f"{name}.success_threshold", f"properties.{arm}.successThreshold", _is_equal),
        Field(f"{name}.failure_threshold", f"properties.{arm}.failureThreshold", _is_equal),
    )


_SETTINGS = "properties.requestSettings"

ENDPOINT: tuple[Field, ...] = (
    Field("description", "properties.description", _is_empty_or_equal),
    Field("tags", "tags", _is_entry),
    Field("properties", "properties.properties", _is_entry, Mutability.ADD_ONLY),
    Field("auth_mode", "properties.authMode", _is_word),
    Field("identity.type", "identity.type", _is_word, Mutability.CREATE_ONLY),
    Field(
        "identity.user_assigned_identities",
        "identity.userAssignedIdentities",
        _is_identity_list,
        Mutability.CREATE_ONLY,
    ),
    Field("public_network_access", "properties.publicNetworkAccess", _is_word),
)
"""Endpoint fields. Traffic and mirrored traffic are not among them: moving callers is a step of its own."""

DEPLOYMENT: tuple[Field, ...] = (
    Field("instance_type", "properties.instanceType", _is_word, Mutability.CREATE_ONLY),
    Field("instance_count", "sku.capacity", _is_equal),
    Field("model", "properties.model", _is_asset),
    Field("model_mount_path", "properties.modelMountPath", _is_equal),
    Field("environment", "properties.environmentId", _is_asset),
    Field("code_configuration.scoring_script", "properties.codeConfiguration.scoringScript", _is_equal),
    Field("environment_variables", "properties.environmentVariables", _is_entry),
    Field("app_insights_enabled", "properties.appInsightsEnabled", _is_equal),
    Field("egress_public_network_access", "properties.egressPublicNetworkAccess", _is_word),
    Field("scale_settings.type", "properties.scaleSettings.scaleType", _is_word),
    Field("request_settings.request_timeout_ms", f"{_SETTINGS}.requestTimeout", _is_milliseconds),
    Field("request_settings.max_queue_wait_ms", f"{_SETTINGS}.maxQueueWait", _is_milliseconds),
    Field(
        "request_settings.max_concurrent_requests_per_instance",
        f"{_SETTINGS}.maxConcurrentRequestsPerInstance",
        _is_equal,
    ),
    *_probe("liveness_probe", "livenessProbe"),
    *_probe("readiness_probe", "readinessProbe"),
    Field("description", "properties.description", _is_empty_or_equal),
    Field("properties", "properties.properties", _is_entry, Mutability.ADD_ONLY),
    Field("tags", "tags", _is_entry),
)
"""Managed online deployment fields."""
