"""Endpoint and deployment documents drawn by Hypothesis: every field, each present or absent."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Co", "Cn"]), max_size=20)
KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
SCALARS = st.one_of(TEXTS, st.integers(-(2**40), 2**40), st.booleans(), st.floats(-9, 9).map(lambda n: round(n, 3)))
SMALL = st.integers(1, 900)
SWITCHES = st.sampled_from(["enabled", "disabled"])
_SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups"
_ASSETS = f"{_SUBSCRIPTION}/RG-Local/providers/Microsoft.MachineLearningServices/workspaces/MLW-local"
_LOWER = _ASSETS.replace("RG-Local", "rg-local").replace("MLW", "mlw")


def _maps(keys: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(keys, SCALARS, max_size=3).map(_once)


def _once(held: dict[str, Any]) -> dict[str, Any]:
    """Names of tags and properties ignore case: keep one of each."""
    return dict({name.lower(): (name, held[name]) for name in held}.values())


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_PROBE = {"initial_delay": SMALL, "period": SMALL, "timeout": SMALL, "failure_threshold": SMALL}
_COLLECTION = st.fixed_dictionaries(
    {"enabled": st.sampled_from([True, False, "True", "false"])}, optional={"client_id": KEYS}
)
_IDENTITY = f"{_SUBSCRIPTION}/RG-local/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ID-Local"

ENDPOINTS = _some(
    description=TEXTS,
    tags=_maps(KEYS),
    properties=_maps(KEYS),
    auth_mode=st.sampled_from(["key", "aml_token", "aad_token"]),
    identity=st.sampled_from(
        [
            {"type": "system_assigned"},
            {"type": "user_assigned", "user_assigned_identities": [{"resource_id": _IDENTITY}]},
        ]
    ),
    public_network_access=SWITCHES,
)
DEPLOYMENTS = st.fixed_dictionaries(
    {
        "model": st.sampled_from(
            [
                "azureml://registries/azureml/models/MedImageParse/versions/17",
                f"azureml:{_ASSETS}/models/M/versions/3",
                f"azureml:{_LOWER}/models/M/versions/3",
            ]
        ),
        "instance_type": st.sampled_from(["Standard_DS3_v2", "STANDARD_ds3_V2"]),
        "instance_count": st.integers(1, 20),
    },
    optional={
        "description": TEXTS,
        "tags": _maps(KEYS),
        "properties": _maps(KEYS),
        "model_mount_path": KEYS,
        "environment": st.sampled_from(
            ["azureml://registries/azureml/environments/e/versions/1", f"azureml:{_ASSETS}/environments/E/versions/2"]
        ),
        "environment_variables": st.dictionaries(KEYS, SCALARS, max_size=4),
        "app_insights_enabled": st.booleans(),
        "egress_public_network_access": SWITCHES,
        "private_network_connection": st.booleans(),
        "scale_settings": st.just({"type": "default"}),
        "request_settings": _some(
            request_timeout_ms=st.integers(1, 180_000),
            max_queue_wait_ms=st.integers(0, 100_000),
            max_concurrent_requests_per_instance=SMALL,
        ),
        "liveness_probe": _some(**_PROBE, success_threshold=st.just(1)),
        "readiness_probe": _some(**_PROBE, success_threshold=SMALL),
        "data_collector": st.fixed_dictionaries(
            {"collections": st.dictionaries(KEYS, _COLLECTION, min_size=1, max_size=2)},
            optional={
                "rolling_rate": st.sampled_from(["minute", "Hour", "day"]),
                "sampling_rate": st.sampled_from([0.0, 0.25, 1.0]),
                "request_logging": st.fixed_dictionaries({"capture_headers": st.lists(KEYS, max_size=2)}),
            },
        ),
    },
)
