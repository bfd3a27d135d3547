"""Two values for each row of the diff table, in CLI v2 and in Azure's response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy import diff

WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-local"
    "/providers/Microsoft.MachineLearningServices/workspaces/mlw-local"
)
REGISTRY = "azureml://registries/azureml"
_IDENTITIES = f"{WORKSPACE.split('/Microsoft.', maxsplit=1)[0]}/Microsoft.ManagedIdentity/userAssignedIdentities"


@dataclass(frozen=True)
class Sample:
    """One value in both spellings."""

    yaml: Any
    arm: Any


def _both(one: Any, other: Any) -> tuple[Sample, Sample]:
    return Sample(one, one), Sample(other, other)


def _words(one: str, other: str) -> tuple[Sample, Sample]:
    return Sample(one, one.replace("_", "").title()), Sample(other, other.replace("_", "").title())


_PROBE = {
    "initial_delay": (Sample(600, "PT10M"), Sample(90, "PT1M30S")),
    "period": (Sample(20, "PT20S"), Sample(3600, "PT1H")),
    "timeout": (Sample(4, "PT4S"), Sample(5, "PT5S")),
    "success_threshold": _both(1, 2),
    "failure_threshold": _both(30, 40),
}
SAMPLES: dict[str, tuple[Sample, Sample]] = {
    "description": _both("words: of # ours", "other words"),
    "tags.*": _both("1", "two"),
    "properties.*": _both("1", "two"),
    "environment_variables.*": _both("1", "True"),
    "auth_mode": (Sample("key", "Key"), Sample("aad_token", "AADToken")),
    "identity.type": (Sample("user_assigned", "UserAssigned"), Sample("system_assigned", "SystemAssigned")),
    "identity.user_assigned_identities": (
        Sample([{"resource_id": f"{_IDENTITIES}/one"}], {f"{_IDENTITIES}/one": {}}),
        Sample([{"resource_id": f"{_IDENTITIES}/two"}], {f"{_IDENTITIES}/two": {"principalId": "p"}}),
    ),
    "public_network_access": _words("enabled", "disabled"),
    "egress_public_network_access": _words("enabled", "disabled"),
    "private_network_connection": (Sample(True, "true"), Sample(False, "false")),
    "instance_count": _both(1, 2),
    "instance_type": _both("Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"),
    "model": (
        Sample(f"{REGISTRY}/models/MedImageParse/versions/17", f"{REGISTRY}/models/MedImageParse/versions/17"),
        Sample("azureml:m:3", f"{WORKSPACE}/models/m/versions/3"),
    ),
    "model_mount_path": _both("/var/model", "/mnt/other"),
    "environment": (
        Sample(f"{REGISTRY}/environments/e/versions/1", f"{REGISTRY}/environments/e/versions/1"),
        Sample("azureml:e:2", f"{WORKSPACE}/environments/e/versions/2"),
    ),
    "code_configuration.code": (
        Sample("azureml:c:1", f"{WORKSPACE}/codes/c/versions/1"),
        Sample("azureml:c:2", f"{WORKSPACE}/codes/c/versions/2"),
    ),
    "code_configuration.scoring_script": _both("score.py", "other.py"),
    "app_insights_enabled": _both(True, False),
    "scale_settings.type": (Sample("default", "Default"), Sample("target_utilization", "TargetUtilization")),
    "request_settings.request_timeout_ms": (Sample(90000, "PT1M30S"), Sample(1500, "PT1.5S")),
    "request_settings.max_queue_wait_ms": (Sample(500, "PT0.5S"), Sample(1000, "PT1S")),
    "request_settings.max_concurrent_requests_per_instance": _both(2, 3),
    **{f"{probe}.{name}": both for probe in ("liveness_probe", "readiness_probe") for name, both in _PROBE.items()},
    "data_collector.rolling_rate": (Sample("hour", "Hour"), Sample("day", "Day")),
    "data_collector.sampling_rate": _both(0.5, 1.0),
    "data_collector.request_logging.capture_headers": _both(["x-a", "x-b"], ["x-c"]),
    "data_collector.collections.*.enabled": (Sample("True", "Enabled"), Sample("False", "Disabled")),
    "data_collector.collections.*.data": (
        Sample({"name": "seen", "version": "1"}, f"{WORKSPACE}/data/seen/versions/1"),
        Sample({"name": "seen", "version": "2"}, f"{WORKSPACE}/data/seen/versions/2"),
    ),
    "data_collector.collections.*.client_id": _both("one", "two"),
}


def samples_of(row: diff.Field) -> tuple[Sample, Sample]:
    """Return a value and another one, for a row of either table."""
    return SAMPLES[row.yaml]
