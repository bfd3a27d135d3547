"""Endpoints and deployments: reads return ARM bodies, writes use CLI v2 documents.

Each write is one PUT or DELETE of azure-ai-ml, polled to its end. No write is based on a previous read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.clock import Task
from deploy.cloud import response_schemas, sdk_entities
from deploy.cloud.connect import Cloud
from deploy.cloud.operations import VERSION, Operation, run_operation
from deploy.domain.arm import Json
from deploy.errors import CloudError

Condition = Callable[[Json], bool]
"""Whether an ARM body is in the desired state."""
_LATELY, _REMEMBERED = 5.0, 30.0
"""Seconds for which a list of endpoints is shared by all steps that need it, and for which other reads are cached."""
CONTAINERS = ("StorageInitializer", "InferenceServer")
TAIL = 200
"""Lines of a log that are saved."""


_NAME_CHECK = "/checkNameAvailability"


def endpoint_path(cloud: Cloud, name: str) -> str:
    return path_in(cloud.workspace_id, name)


def path_in(workspace_id: str, name: str) -> str:
    return f"{workspace_id}/onlineEndpoints/{name}"


def deployment_path(cloud: Cloud, endpoint: str, name: str) -> str:
    return f"{endpoint_path(cloud, endpoint)}/deployments/{name}"


def read_endpoint(cloud: Cloud, name: str) -> Json | None:
    """The endpoint's ARM body, or None."""
    body = cloud.arm.get(endpoint_path(cloud, name), VERSION, f"read endpoint {name}", response_schemas.Resource)
    return None if body is None else _caseless(body)


def read_recent_endpoint(cloud: Cloud, name: str) -> Json | None:
    """The endpoint's body as of a moment ago, for its identity, scoring URI and auth mode; None if missing."""
    body = cloud.arm.recent(endpoint_path(cloud, name), VERSION, f"read endpoint {name}", response_schemas.Resource)
    return None if body is None else _caseless(body)


def list_endpoints(cloud: Cloud) -> dict[str, Json]:
    """All endpoints of the workspace: name -> ARM body. Read once inside `cached_reads`."""
    found: dict[str, Json] = cloud.arm.once(f"{_every_path(cloud)} by name", lambda: _list_endpoints(cloud))
    return found


def forget(cloud: Cloud) -> None:
    """Remove all cached responses about endpoints and deployments. A name that was free still is, or is listed now."""
    cloud.arm.forget_all(_every_path(cloud), _NAME_CHECK)


def list_recent_endpoints(cloud: Cloud) -> dict[str, Json]:
    """All endpoints of the workspace, at most a few seconds old, even inside `cached_reads`."""
    with cloud.arm.cached_reads(_REMEMBERED):
        moment = int(cloud.clock.monotonic() / _LATELY)
        found: dict[str, Json] = cloud.arm.once(f"all endpoints at {moment}", lambda: _list_uncached(cloud))
    return found


def _list_uncached(cloud: Cloud) -> dict[str, Json]:
    cloud.arm.forget(_every_path(cloud))
    return _list_endpoints(cloud)


def _every_path(cloud: Cloud) -> str:
    return f"{cloud.workspace_id}/onlineEndpoints"


def _list_endpoints(cloud: Cloud) -> dict[str, Json]:
    path, what = _every_path(cloud), "list the endpoints of the workspace"
    found = cloud.arm.find(path, VERSION, what, response_schemas.Resource)
    if found is None:
        cloud.workspace()
        raise CloudError(what, "Azure returned the workspace but no list", "Try again", code="AML304", status=404)
    return {body["name"]: body for body in map(_caseless, found)}


def read_deployments(cloud: Cloud, endpoint: str) -> dict[str, Json]:
    """Deployment name -> ARM body; empty if the endpoint does not exist.

    A 404 is checked against the list of endpoints, because a slot with traffic must not be taken for an empty one.
    """
    path, what = f"{endpoint_path(cloud, endpoint)}/deployments", f"list the deployments of {endpoint}"
    found = cloud.arm.find(path, VERSION, what, response_schemas.Resource)
    if found is None:
        if endpoint in list_endpoints(cloud):
            cause = "Azure lists the endpoint but returned 404 for it"
            raise CloudError(what, cause, "Try again", code="AML304", status=404)
        return {}
    return {body["name"]: body for body in map(_caseless, found)}


def read_deployment(cloud: Cloud, endpoint: str, name: str) -> Json | None:
    """The deployment's ARM body, or None."""
    what = f"read deployment {name} of {endpoint}"
    return cloud.arm.get(deployment_path(cloud, endpoint, name), VERSION, what, response_schemas.Resource)


def check_name(cloud: Cloud, name: str) -> tuple[bool | None, str]:
    """Whether the name is free in the region, and Azure's message; None if Azure does not answer that.

    The action is documented, its response is not: it is read in the form of Azure's other name checks.
    """
    path = endpoint_path(cloud, name) + _NAME_CHECK
    try:
        body = cloud.arm.get(path, VERSION, f"check whether the name {name} is free", response_schemas.Availability)
    except CloudError as error:
        if error.status is not None and 400 <= error.status < 500:
            return None, error.cause
        raise
    free = (body or {}).get("nameAvailable")
    words = str((body or {}).get("message") or "the response has no message")
    return (free, words) if isinstance(free, bool) else (None, words)


def put_endpoint(
    cloud: Cloud, document: Mapping[str, Json], *, what: str, timeout_seconds: float, is_desired: Condition
) -> Task[None]:
    """Create or replace an endpoint from its CLI v2 document; `is_desired`: whether a body has the desired state.

    azure-ai-ml changes an entity while sending it, so each attempt loads its own.
    """

    def begin() -> None:
        cloud.ml.online_endpoints.begin_create_or_update(sdk_entities.load_endpoint(document))

    return run_operation(
        cloud,
        Operation(what, endpoint_path(cloud, str(document["name"])), succeeded(is_desired), timeout_seconds),
        begin,
    )


def put_deployment(
    cloud: Cloud,
    document: Mapping[str, Json],
    folder: Path,
    *,
    what: str,
    timeout_seconds: float,
    is_desired: Condition,
    record: sdk_entities.Record,
) -> Task[None]:
    """Create or replace a deployment from its CLI v2 document; relative paths start at `folder`.

    azure-ai-ml changes an entity while sending it (a data collector loses its sampling rate and cannot be sent again),
    so each attempt loads its own.
    """

    def begin() -> None:
        cloud.ml.online_deployments.begin_create_or_update(sdk_entities.load_deployment(document, folder, record))

    above = endpoint_path(cloud, str(document["endpoint_name"]))
    operation = Operation(
        what, f"{above}/deployments/{document['name']}", succeeded(is_desired), timeout_seconds, above
    )
    return run_operation(cloud, operation, begin)


def patch(cloud: Cloud, path: str, body: Mapping[str, Json], *, what: str, timeout_seconds: float) -> Task[None]:
    """Change the tags or the number of instances of the resource at `path` with a PATCH."""

    def scaled(existing: Json) -> bool:  # Azure's sku has more fields than the capacity
        return bool((existing.get("sku") or {}).get("capacity") == body["sku"]["capacity"])

    def tagged(existing: Json | None) -> bool:  # a failed resource can be adopted, too
        return existing is not None and existing.get("tags") == body["tags"]

    is_desired = succeeded(scaled) if "sku" in body else tagged
    return run_operation(
        cloud, Operation(what, path, is_desired, timeout_seconds), lambda: cloud.arm.patch(path, VERSION, what, body)
    )


def delete_endpoint(cloud: Cloud, name: str, *, what: str, timeout_seconds: float) -> Task[None]:
    """Delete an endpoint and its deployments; success if it does not exist."""
    operation = Operation(what, endpoint_path(cloud, name), _is_gone, timeout_seconds)
    return run_operation(cloud, operation, lambda: cloud.ml.online_endpoints.begin_delete(name=name))


def delete_deployment(cloud: Cloud, endpoint: str, name: str, *, what: str, timeout_seconds: float) -> Task[None]:
    """Delete a deployment, which must have no traffic; success if it does not exist."""
    above = endpoint_path(cloud, endpoint)
    operation = Operation(what, f"{above}/deployments/{name}", _is_gone, timeout_seconds, above)
    return run_operation(
        cloud, operation, lambda: cloud.ml.online_deployments.begin_delete(name=name, endpoint_name=endpoint)
    )


def read_logs(cloud: Cloud, endpoint: str, deployment: str, container: str, lines: int) -> str:
    """The last `lines` of one of CONTAINERS."""
    body = cloud.arm.post(
        f"{deployment_path(cloud, endpoint, deployment)}/getLogs",
        VERSION,
        f"read the logs of {endpoint}/{deployment}",
        response_schemas.Log,
        {"containerType": container, "tail": lines},
    )
    return body.get("content") or ""


def succeeded(is_desired: Condition) -> Callable[[Json | None], bool]:
    """Whether a resource exists, was provisioned successfully, and is in the desired state."""
    return lambda body: (
        body is not None and body["properties"].get("provisioningState") == "Succeeded" and is_desired(body)
    )


def _caseless(body: Json) -> dict[str, Json]:
    """The body with lower-case names: they are case-insensitive, and azure-ai-ml sends them in lower case."""
    properties = body.get("properties") or {}
    maps = {
        arm: {str(name).lower(): share for name, share in properties[arm].items()}
        for arm in ("traffic", "mirrorTraffic")
        if isinstance(properties.get(arm), Mapping)
    }
    return {**body, "name": str(body["name"]).lower(), "properties": {**properties, **maps}}


def _is_gone(body: Json | None) -> bool:
    return body is None
