"""Models: whether a reference stands for one that exists. Asks registries and workspaces; changes nothing."""

from __future__ import annotations

import re

from deploy.cloud.connect import Cloud
from deploy.errors import CloudError
from deploy.model import Json

_REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/models/(?P<name>[^/]+)/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))"
)
_WORKSPACE = re.compile(r"azureml:(?P<name>[^:@/]+)(?::(?P<version>[^:/]+)|@(?P<label>[^:/]+))")
_REGISTRY_VERSION = "2021-10-01-dataplanepreview"
_WORKSPACE_VERSION = "2024-10-01"


def read_model(cloud: Cloud, reference: str) -> Json | None:
    """The body of the model version that `reference` names; None when there is none.

    Raises CloudError (404) with the words of whoever knew, and for a reference in a form that cannot be asked about,
    returns an empty body: it is not known to be missing.
    """
    if match := _REGISTRY.fullmatch(reference):
        return _ask(cloud, _registry_path(cloud, match["registry"]), _REGISTRY_VERSION, match)
    if match := _WORKSPACE.fullmatch(reference):
        return _ask(cloud, cloud.workspace_id, _WORKSPACE_VERSION, match)
    return {}


def _ask(cloud: Cloud, parent: str | None, version: str, match: re.Match[str]) -> Json | None:
    if parent is None:
        return None
    what, path = f"read model {match['name']}", f"{parent}/models/{match['name']}/versions"
    if match["version"]:
        return cloud.arm.get(f"{path}/{match['version']}", version, what)
    newest = cloud.arm.get(path, version, what, **{"$orderBy": "createdtime desc", "$top": "1"})
    return ((newest or {}).get("value") or [None])[0]


def _registry_path(cloud: Cloud, registry: str) -> str | None:
    """Where a registry's assets are read: found by name, then asked at its own region."""
    what = f"find registry {registry}"
    found = cloud.arm.get(
        f"{cloud.hosts.registries}/registrymanagement/v1.0/registries/{registry}/discovery", "v1.0", what
    )
    if not found:
        return None
    try:
        home = str(found["primaryRegionResourceProviderUri"]).rstrip("/")
        return (
            f"{home}/mferp/managementfrontend/subscriptions/{found['subscriptionId']}/resourceGroups/{found['resourceGroup']}"
            f"/providers/Microsoft.MachineLearningServices/registries/{found['registryName']}"
        )
    except KeyError as missing:
        raise CloudError(
            what, f"its answer has no {missing}", "See whether the registry exists", code="AML303"
        ) from None
