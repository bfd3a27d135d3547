"""Reads models of registries and workspaces, and versions of the workspace's assets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.domain.arm import Json

_REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/models/(?P<name>[^/]+)/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))"
)
_WORKSPACE = re.compile(r"azureml:(?P<name>[^:@/]+)(?::(?P<version>[^:/]+)|@(?P<label>[^:/]+))")
_ARM_ID = re.compile(
    r"(?:azureml:)?(?P<parent>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices"
    r"/workspaces/[^/]+)/(?P<kind>models|environments)/(?P<name>[^/]+)/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))",
    re.IGNORECASE,
)
_REGISTRY_VERSION = "2021-10-01-dataplanepreview"
_WORKSPACE_VERSION = "2024-10-01"


@dataclass(frozen=True)
class Asset:
    """The version's ARM body (None if it does not exist), the newest version, and where it was looked up."""

    body: Json | None
    newest: str
    source: str
    published: bool


def read_model(cloud: Cloud, reference: str) -> Asset | None:
    """The model version of a reference; None for a reference in a form that cannot be looked up. Raises CloudError."""
    if match := _REGISTRY.fullmatch(reference):
        parent = _registry_path(cloud, match["registry"])
        return _find(cloud, parent, _REGISTRY_VERSION, match, f"registry {match['registry']}")
    return _of_workspace(cloud, reference, "models")


def read_environment(cloud: Cloud, reference: str) -> Asset | None:
    """The environment version of a reference to a workspace; None for any other reference. Raises CloudError."""
    return _of_workspace(cloud, reference, "environments")


def _of_workspace(cloud: Cloud, reference: str, kind: str) -> Asset | None:
    if match := _WORKSPACE.fullmatch(reference):
        return _find(cloud, cloud.workspace_id, _WORKSPACE_VERSION, match, f"the workspace's {kind}", kind)
    match = _ARM_ID.fullmatch(reference)
    if match is None or match["kind"].lower() != kind:
        return None
    return _find(cloud, match["parent"], _WORKSPACE_VERSION, match, source(reference), kind)


def source(reference: str) -> str:
    """Where the model of a reference is looked up."""
    if match := _REGISTRY.fullmatch(reference):
        return f"registry {match['registry']}"
    match = _ARM_ID.fullmatch(reference)
    return f"the {match['kind'].lower()} of {match['parent'].rsplit('/', 1)[-1]}" if match else "the workspace's models"


def _find(
    cloud: Cloud, parent: str | None, version: str, match: re.Match[str], source: str, kind: str = "models"
) -> Asset:
    """The version and the newest version; mostly one page of versions, newest first, contains both."""
    published = match.re is _REGISTRY
    if parent is None:
        return Asset(None, "", source, published)
    what, path = f"read {kind[:-1]} {match['name']}", f"{parent}/{kind}/{match['name']}/versions"
    body, names = _version(cloud, path, version, what, match["version"] or "")
    return Asset(body, names[0] if names else "", source, published)


def read_version(cloud: Cloud, kind: str, name: str, version: str) -> tuple[Json | None, list[str]]:
    """A version of a workspace's asset, such as `models`: its ARM body (None if it does not exist), and the newest
    versions of the asset. Raises CloudError.
    """
    path, what = f"{cloud.workspace_id}/{kind}/{name}/versions", f"read version {version} of {kind}/{name}"
    return _version(cloud, path, _WORKSPACE_VERSION, what, version)


def _version(cloud: Cloud, path: str, api_version: str, what: str, version: str) -> tuple[Json | None, list[str]]:
    """The body of a version ("": the newest one), and the names of the first page of versions, newest first."""
    page = cloud.arm.get(
        path, api_version, what, response_schemas.page(response_schemas.Version), **{"$orderBy": "createdtime desc"}
    )
    found = page["value"] if page else []
    body = next((row for row in found if not version or str(row["name"]) == version), None)
    if body is None and version and page is not None:
        body = cloud.arm.get(f"{path}/{version}", api_version, what, response_schemas.Version)
    return body, [str(row["name"]) for row in found]


def _registry_path(cloud: Cloud, registry: str) -> str | None:
    """The URL of a registry's assets in its region, found by the name of the registry; None if it does not exist."""
    where = f"{cloud.hosts.registries}/registrymanagement/v1.0/registries/{registry}/discovery"
    found = cloud.arm.get(where, "v1.0", f"find registry {registry}", response_schemas.Registry)
    if found is None:
        return None
    home = str(found["primaryRegionResourceProviderUri"]).rstrip("/")
    return (
        f"{home}/mferp/managementfrontend/subscriptions/{found['subscriptionId']}/resourceGroups/{found['resourceGroup']}"
        f"/providers/Microsoft.MachineLearningServices/registries/{found['registryName']}"
    )
