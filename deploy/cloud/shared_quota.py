"""Creates endpoints on shared quota, and checks that Azure saved the lease, which is not documented.

azure-ai-ml uses api-version 2022-02-01-preview; whether that version saves the two properties is unknown. The only
public example uses 2025-01-01-preview with ARM. So azure-ai-ml is tried first, the endpoint is read back, and one
without a lease is recreated with the other api-version.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from deploy.clock import Task
from deploy.cloud import endpoint_keys, endpoints
from deploy.cloud.connect import Cloud
from deploy.cloud.operations import Operation, run_operation
from deploy.documents.endpoint_and_deployment import AUTH_MODES
from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.errors import CloudError

KNOWN = "2025-01-01-preview"
"""The api-version of the only public example of an endpoint on shared quota."""


def create(
    cloud: Cloud,
    document: Mapping[str, Json],
    seconds: float,
    api_version: str | None,
    *,
    what: str,
    timeout_seconds: float,
    keys_of: str | None = None,
) -> Task[str]:
    """Create an endpoint with a lease that ends in `seconds`, at most 168 h. Returns a note about it.
    `keys_of`: the endpoint with the keys to use.

    Raises CloudError if the service saves the lease with neither api-version; the endpoint is then deleted.
    """
    ends = cloud.now() + min(timedelta(seconds=seconds), leases.LONGEST)
    leased = {
        **document,
        "tags": {**(document.get("tags") or {}), **leases.tags(ends)},
        "properties": {**(document.get("properties") or {}), **leases.properties(ends)},
    }
    name, until = str(document["name"]), f"its lease ends {leases.local_and_utc(ends)}"
    if keys_of:
        made, keys = yield from with_keys(
            cloud, leased, api_version or KNOWN, keys_of, what=what, timeout_seconds=timeout_seconds
        )
        until = f"{until}; {keys}"
        if made and _has_lease(cloud, name):
            return f"{until}; created with api-version {api_version or KNOWN}"
        if made:
            yield from endpoints.delete_endpoint(cloud, name, what=what, timeout_seconds=timeout_seconds)
    if api_version is None:
        yield from endpoints.put_endpoint(
            cloud, leased, what=what, timeout_seconds=timeout_seconds, is_desired=lambda _: True
        )
        if _has_lease(cloud, name):
            return until
        yield from endpoints.delete_endpoint(cloud, name, what=what, timeout_seconds=timeout_seconds)
    version = api_version or KNOWN
    yield from _put(cloud, leased, version, what=what, timeout_seconds=timeout_seconds)
    if _has_lease(cloud, name):
        why = "" if api_version else ", because azure-ai-ml's own did not save the lease"
        return f"{until}; created with api-version {version}{why}"
    yield from endpoints.delete_endpoint(cloud, name, what=what, timeout_seconds=timeout_seconds)
    cure = "Set quota.capacity to dedicated, or quota.api_version to one that saves the two properties"
    cause = f"the service created the endpoint without the lease, also with api-version {version}"
    raise CloudError(what, cause, cure, code="AML318")


def with_keys(
    cloud: Cloud, document: Mapping[str, Json], version: str, former: str, *, what: str, timeout_seconds: float
) -> Task[tuple[bool, str]]:
    """Whether the endpoint was created with the keys of `former`, and a note about its keys."""

    def put(keys: endpoint_keys.Keys) -> Task[None]:
        return _put(cloud, document, version, what=what, timeout_seconds=timeout_seconds, keys=keys)

    return endpoint_keys.create(cloud, str(document["name"]), former, put)


def _has_lease(cloud: Cloud, name: str) -> bool:
    body = endpoints.read_endpoint(cloud, name)
    return body is not None and leases.of(body) is not None


def _put(
    cloud: Cloud,
    document: Mapping[str, Json],
    version: str,
    *,
    what: str,
    timeout_seconds: float,
    keys: endpoint_keys.Keys | None = None,
) -> Task[None]:
    """One PUT to ARM without azure-ai-ml, polled to its end."""
    path = endpoints.endpoint_path(cloud, str(document["name"]))
    operation = Operation(what, path, endpoints.succeeded(lambda _: True), timeout_seconds)
    return run_operation(cloud, operation, lambda: cloud.arm.put(path, version, what, _body(cloud, document, keys)))


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
