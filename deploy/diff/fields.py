"""The table: a row for each field of the CLI v2 endpoint and deployment files, and whether Azure can change it.

Without `traffic` and `mirror_traffic`, which are compared and changed by steps of type traffic, with stages, probes and
a rescue. `LEFT_OUT` lists all fields without a row, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.diff import values
from deploy.diff.values import Conversion
from deploy.domain import file_list, provenance

Json = Any


class Mutability(StrEnum):
    """How a field can change after creation."""

    UPDATE = "update"
    ADD_ONLY = "add_only"
    CREATE_ONLY = "create_only"


@dataclass(frozen=True)
class Change:
    """One field that differs; `before` and `after` in the form of CLI v2."""

    path: str
    before: Json
    after: Json
    mutability: Mutability

    @property
    def in_place(self) -> bool:
        """Whether Azure can change the field of the existing resource."""
        added = self.mutability is Mutability.ADD_ONLY and self.before is None
        return added or self.mutability is Mutability.UPDATE


@dataclass(frozen=True)
class Field:
    """One row: `yaml` and `arm` are dotted paths; `*` is any key of a map, the same key on both sides.

    A `*` only on Azure's side means that the service stores the value once for each key.
    """

    yaml: str
    arm: str
    conversion: Conversion = values.SAME
    mutability: Mutability = Mutability.UPDATE
    asset_tag: str = ""
    """The tag that records the created asset, for fields that can contain files instead of a reference."""
    service_defaults: tuple[object, ...] = (None,)
    """The service's defaults, in the form of CLI v2 (azure-ai-ml's YAML reference)."""
    put_replaces_map: bool = False
    """Whether a PUT replaces the map of the star, so that keys that it does not contain are removed."""


def _probe(name: str, arm: str) -> tuple[Field, ...]:
    return (
        Field(f"{name}.initial_delay", f"properties.{arm}.initialDelay", values.SECONDS, service_defaults=(None, 10)),
        Field(f"{name}.period", f"properties.{arm}.period", values.SECONDS, service_defaults=(None, 10)),
        Field(f"{name}.timeout", f"properties.{arm}.timeout", values.SECONDS, service_defaults=(None, 2)),
        Field(f"{name}.success_threshold", f"properties.{arm}.successThreshold", service_defaults=(None, 1)),
        Field(f"{name}.failure_threshold", f"properties.{arm}.failureThreshold", service_defaults=(None, 30)),
    )


_CREATE_ONLY, _ADD_ONLY = Mutability.CREATE_ONLY, Mutability.ADD_ONLY
_CODE, _REQUESTS, _COLLECTOR = "properties.codeConfiguration", "properties.requestSettings", "properties.dataCollector"
_EACH = f"{_COLLECTOR}.collections.*"

ENDPOINT: tuple[Field, ...] = (
    Field("description", "properties.description", values.TEXT),
    Field("tags.*", "tags.*", values.ENTRY),
    Field("properties.*", "properties.properties.*", values.ENTRY, _ADD_ONLY),
    Field("auth_mode", "properties.authMode", values.WORD),
    Field("identity.type", "identity.type", values.WORD, _CREATE_ONLY),
    Field("identity.user_assigned_identities", "identity.userAssignedIdentities", values.IDENTITIES, _CREATE_ONLY),
    Field("public_network_access", "properties.publicNetworkAccess", values.WORD),
)
"""Endpoint fields."""

DEPLOYMENT: tuple[Field, ...] = (
    Field("instance_count", "sku.capacity"),
    Field("instance_type", "properties.instanceType", Conversion(values.SAME.read, values.WORD.same), _CREATE_ONLY),
    Field("model", "properties.model", values.ASSET, asset_tag="amldeploy-model"),
    Field("model_mount_path", "properties.modelMountPath"),
    Field("environment", "properties.environmentId", values.ASSET, asset_tag="amldeploy-environment"),
    Field("code_configuration.code", f"{_CODE}.codeId", values.ASSET, asset_tag="amldeploy-code"),
    Field("code_configuration.scoring_script", f"{_CODE}.scoringScript"),
    Field("environment_variables.*", "properties.environmentVariables.*", values.ENTRY, put_replaces_map=True),
    Field("app_insights_enabled", "properties.appInsightsEnabled", values.FLAG, service_defaults=(None, False)),
    Field(
        "egress_public_network_access",
        "properties.egressPublicNetworkAccess",
        values.WORD,
        service_defaults=(None, "enabled"),
    ),
    Field("private_network_connection", "properties.properties.private-network-connection", values.FLAG, _CREATE_ONLY),
    Field("scale_settings.type", "properties.scaleSettings.scaleType", values.WORD, service_defaults=(None, "default")),
    Field(
        "request_settings.request_timeout_ms",
        f"{_REQUESTS}.requestTimeout",
        values.MILLISECONDS,
        service_defaults=(None, 5000),
    ),
    Field(
        "request_settings.max_queue_wait_ms",
        f"{_REQUESTS}.maxQueueWait",
        values.MILLISECONDS,
        service_defaults=(None, 0, 500),
    ),
    Field(
        "request_settings.max_concurrent_requests_per_instance",
        f"{_REQUESTS}.maxConcurrentRequestsPerInstance",
        service_defaults=(None, 1),
    ),
    *_probe("liveness_probe", "livenessProbe"),
    *_probe("readiness_probe", "readinessProbe"),
    Field("data_collector.rolling_rate", f"{_COLLECTOR}.rollingRate", values.WORD, service_defaults=(None, "hour")),
    Field("data_collector.sampling_rate", f"{_EACH}.samplingRate", values.RATE, service_defaults=(None, 1)),
    Field("data_collector.request_logging.capture_headers", f"{_COLLECTOR}.requestLogging.captureHeaders", values.LIST),
    Field("data_collector.collections.*.enabled", f"{_EACH}.dataCollectionMode", values.SWITCH, put_replaces_map=True),
    Field("data_collector.collections.*.data", f"{_EACH}.dataId", values.DATA, put_replaces_map=True),
    Field("data_collector.collections.*.client_id", f"{_EACH}.clientId", put_replaces_map=True),
    Field("description", "properties.description", values.TEXT),
    Field("properties.*", "properties.properties.*", values.ENTRY, _ADD_ONLY),
    Field("tags.*", "tags.*", values.ENTRY),
)
"""Managed online deployment fields. Changes in files (code, an inline model or environment) change the release; the
tag shows whether Azure still has the asset created from them.
"""
RECORDS = frozenset(row.asset_tag for row in DEPLOYMENT if row.asset_tag) | provenance.TAGS | frozenset(file_list.TAGS)
"""Tags of a deployment that each PUT sets: its assets, its commit and run, its files. They are not compared."""

LEFT_OUT = {
    "endpoint": {
        "$schema": "only for editors, never sent",
        "name": "the address: another name is another endpoint",
        "identity.principal_id": "set by Azure, never sent",
        "identity.tenant_id": "set by Azure, never sent",
        "traffic": "compared and changed by steps of type traffic",
        "mirror_traffic": "compared and changed by steps of type traffic",
    },
    "deployment": {
        "$schema": "only for editors, never sent",
        "name": "the address: another name is another deployment",
        "endpoint_name": "the address",
        "type": "only managed is supported",
    },
}
"""Fields without a row, and why."""
