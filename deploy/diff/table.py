"""The table: a row for each field of the CLI v2 endpoint and deployment files, and what Azure can do about a change.

Not here: `traffic` and `mirror_traffic`. Moving callers is no change of the endpoint but a step of its own, with
stages, probes and a rescue; the traffic room compares and moves them. `LEFT_OUT` lists every other field that has no
row, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.diff import values
from deploy.diff.values import Conversion
from deploy.domain import manifest, provenance

Json = Any


class Mutability(StrEnum):
    """What the service lets happen to a field after creation."""

    UPDATE = "update"
    ADD_ONLY = "add_only"
    CREATE_ONLY = "create_only"


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


@dataclass(frozen=True)
class Field:
    """One row: `yaml` and `arm` are dotted paths; `*` is any key of a map, the same key on both sides.

    A `*` on Azure's side alone means that the service keeps the one value once for each key.
    """

    yaml: str
    arm: str
    conversion: Conversion = values.SAME
    mutability: Mutability = Mutability.UPDATE
    record: str = ""
    """The tag that keeps which asset was made, where files can stand instead of a reference."""
    silent: tuple[object, ...] = (None,)
    """What the service holds where nobody said anything, as CLI v2 writes it (azure-ai-ml's YAML reference)."""
    whole: bool = False
    """Whether a PUT replaces the map that the star stands in: a key that it does not send is gone."""


def _probe(name: str, arm: str) -> tuple[Field, ...]:
    return (
        Field(f"{name}.initial_delay", f"properties.{arm}.initialDelay", values.SECONDS, silent=(None, 10)),
        Field(f"{name}.period", f"properties.{arm}.period", values.SECONDS, silent=(None, 10)),
        Field(f"{name}.timeout", f"properties.{arm}.timeout", values.SECONDS, silent=(None, 2)),
        Field(f"{name}.success_threshold", f"properties.{arm}.successThreshold", silent=(None, 1)),
        Field(f"{name}.failure_threshold", f"properties.{arm}.failureThreshold", silent=(None, 30)),
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
    Field("model", "properties.model", values.ASSET, record="amldeploy-model"),
    Field("model_mount_path", "properties.modelMountPath"),
    Field("environment", "properties.environmentId", values.ASSET, record="amldeploy-environment"),
    Field("code_configuration.code", f"{_CODE}.codeId", values.ASSET, record="amldeploy-code"),
    Field("code_configuration.scoring_script", f"{_CODE}.scoringScript"),
    Field("environment_variables.*", "properties.environmentVariables.*", values.ENTRY, whole=True),
    Field("app_insights_enabled", "properties.appInsightsEnabled", values.FLAG, silent=(None, False)),
    Field(
        "egress_public_network_access", "properties.egressPublicNetworkAccess", values.WORD, silent=(None, "enabled")
    ),
    Field("private_network_connection", "properties.properties.private-network-connection", values.FLAG, _CREATE_ONLY),
    Field("scale_settings.type", "properties.scaleSettings.scaleType", values.WORD, silent=(None, "default")),
    Field(
        "request_settings.request_timeout_ms", f"{_REQUESTS}.requestTimeout", values.MILLISECONDS, silent=(None, 5000)
    ),
    Field(
        "request_settings.max_queue_wait_ms", f"{_REQUESTS}.maxQueueWait", values.MILLISECONDS, silent=(None, 0, 500)
    ),
    Field(
        "request_settings.max_concurrent_requests_per_instance",
        f"{_REQUESTS}.maxConcurrentRequestsPerInstance",
        silent=(None, 1),
    ),
    *_probe("liveness_probe", "livenessProbe"),
    *_probe("readiness_probe", "readinessProbe"),
    Field("data_collector.rolling_rate", f"{_COLLECTOR}.rollingRate", values.WORD, silent=(None, "hour")),
    Field("data_collector.sampling_rate", f"{_EACH}.samplingRate", values.RATE, silent=(None, 1)),
    Field("data_collector.request_logging.capture_headers", f"{_COLLECTOR}.requestLogging.captureHeaders", values.LIST),
    Field("data_collector.collections.*.enabled", f"{_EACH}.dataCollectionMode", values.SWITCH, whole=True),
    Field("data_collector.collections.*.data", f"{_EACH}.dataId", values.DATA, whole=True),
    Field("data_collector.collections.*.client_id", f"{_EACH}.clientId", whole=True),
    Field("description", "properties.description", values.TEXT),
    Field("properties.*", "properties.properties.*", values.ENTRY, _ADD_ONLY),
    Field("tags.*", "tags.*", values.ENTRY),
)
"""Managed online deployment fields. What files hold (code, a model or an environment of its own) is told apart by the
release; whether Azure still has what was made of them, by the record.
"""
RECORDS = frozenset(row.record for row in DEPLOYMENT if row.record) | provenance.TAGS | frozenset(manifest.TAGS)
"""Tags of a deployment that each PUT writes anew: its assets, its commit and run, its files. They are not compared."""

LEFT_OUT = {
    "endpoint": {
        "$schema": "a word to editors, never sent",
        "name": "the address: another name is another endpoint",
        "identity.principal_id": "given by Azure, never sent",
        "identity.tenant_id": "given by Azure, never sent",
        "traffic": "the traffic room compares and moves callers",
        "mirror_traffic": "the traffic room compares and moves callers",
    },
    "deployment": {
        "$schema": "a word to editors, never sent",
        "name": "the address: another name is another deployment",
        "endpoint_name": "the address",
        "type": "managed is the only one that is deployed",
    },
}
"""Fields without a row, and why."""
