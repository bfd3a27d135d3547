"""Endpoints on shared quota: made with a lease, and looked at afterwards, since nobody documents who keeps it.

azure-ai-ml speaks api-version 2022-02-01-preview, of which it is not known whether it keeps the two properties; the one
public use of them speaks 2025-01-01-preview to ARM. So the SDK's way is tried first, the endpoint is read back, and one
that lost its lease is made again the other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from deploy.cloud import endpoint_keys, endpoints
from deploy.cloud.connect import Cloud
from deploy.cloud.operations import Operation, run_operation
from deploy.documents.cli_v2 import AUTH_MODES
from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.errors import CloudError

KNOWN = "2025-01-01-preview"
"""The api-version with which an endpoint on shared quota has been seen to be made."""


def create(
    cloud: Cloud,
    document: Mapping[str, Json],
    seconds: float,
    api_version: str | None,
    *,
    what: str,
    patience: float,
    keys_of: str | None = None,
) -> str:
    """Create an endpoint whose lease ends in `seconds`, or in 168 h if that is sooner. Returns a sentence about it.
    `keys_of`: the endpoint whose keys it is to have.

    Raises CloudError when the service keeps no lease either way; the endpoint is then gone again.
    """
    ends = cloud.now() + min(timedelta(seconds=seconds), leases.LONGEST)
    leased = {
        **document,
        "tags": {**(document.get("tags") or {}), **leases.tags(ends)},
        "properties": {**(document.get("properties") or {}), **leases.properties(ends)},
    }
    name, until = str(document["name"]), f"its lease ends {leases.both(ends)}"
    if keys_of:
        made, keys = with_keys(cloud, leased, api_version or KNOWN, keys_of, what=what, patience=patience)
        until = f"{until}; {keys}"
        if made and _kept(cloud, name):
            return f"{until}; made with api-version {api_version or KNOWN}"
        if made:
            endpoints.delete_endpoint(cloud, name, what=what, patience=patience)
    if api_version is None:
        endpoints.put_endpoint(cloud, leased, what=what, patience=patience, settled=lambda _: True)
        if _kept(cloud, name):
            return until
        endpoints.delete_endpoint(cloud, name, what=what, patience=patience)
    version = api_version or KNOWN
    _put(cloud, leased, version, what=what, patience=patience)
    if _kept(cloud, name):
        why = "" if api_version else ", since azure-ai-ml's own did not keep the lease"
        return f"{until}; made with api-version {version}{why}"
    endpoints.delete_endpoint(cloud, name, what=what, patience=patience)
    cure = "Set quota.capacity to dedicated, or quota.api_version to one that keeps the two properties"
    cause = f"the service made the endpoint without the lease, with api-version {version} too"
    raise CloudError(what, cause, cure, code="AML318")


def with_keys(
    cloud: Cloud, document: Mapping[str, Json], version: str, former: str, *, what: str, patience: float
) -> tuple[bool, str]:
    """Whether it created an endpoint with the keys of `former`, and a sentence about its keys."""

    def put(keys: endpoint_keys.Keys) -> None:
        _put(cloud, document, version, what=what, patience=patience, keys=keys)

    return endpoint_keys.create(cloud, str(document["name"]), former, put)


def _kept(cloud: Cloud, name: str) -> bool:
    body = endpoints.read_endpoint(cloud, name)
    return body is not None and leases.of(body) is not None


def _put(
    cloud: Cloud,
    document: Mapping[str, Json],
    version: str,
    *,
    what: str,
    patience: float,
    keys: endpoint_keys.Keys | None = None,
) -> None:
    """One PUT past the SDK, seen through like any other."""
    path = endpoints.endpoint_path(cloud, str(document["name"]))
    operation = Operation(what, path, endpoints.succeeded(lambda _: True), patience)
    run_operation(cloud, operation, lambda: cloud.arm.put(path, version, what, _body(cloud, document, keys)))


def _body(cloud: Cloud, document: Mapping[str, Json], keys: endpoint_keys.Keys | None = None) -> dict[str, Any]:
    """The ARM body of a CLI v2 endpoint document."""
    identity = document.get("identity") or {"type": "system_assigned"}
    assigned: dict[str, Json] = {each["resource_id"]: {} for each in identity.get("user_assigned_identities") or ()}
    kind = str(identity["type"]).replace("_", " ").title().replace(" ", "")
    return {
        "location": cloud.workspace()["location"],
        "identity": {"type": kind, **({"userAssignedIdentities": assigned} if assigned else {})},
        "tags": {key: str(value) for key, value in (document.get("tags") or {}).items()},
        "properties": {
            "authMode": AUTH_MODES[str(document.get("auth_mode") or "key")],
            "publicNetworkAccess": str(document.get("public_network_access") or "enabled").capitalize(),
            "properties": {key: str(value) for key, value in (document.get("properties") or {}).items()},
            **({"keys": dict(keys)} if keys else {}),
            **({"description": document["description"]} if document.get("description") else {}),
        },
    }
