"""Endpoints and deployments: read as ARM says them, written as the CLI v2 documents say them.

Each write is one PUT or DELETE made by azure-ai-ml, followed to its end. Nothing is read in order to be written back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.cloud import entities, response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.operations import VERSION, Operation, run_operation
from deploy.domain.arm import Json
from deploy.errors import CloudError

Condition = Callable[[Json], bool]
"""Whether an ARM body is what its document says."""
_LATELY, _REMEMBERED = 5.0, 30.0
"""Seconds for which one list serves all who make something; and for which other reads of theirs are kept meanwhile."""
CONTAINERS = ("StorageInitializer", "InferenceServer")
TAIL = 200
"""Lines of a log that are kept."""


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
    """The same as it was a moment ago: for its identity, its URI, and its way to be asked."""
    body = cloud.arm.recent(endpoint_path(cloud, name), VERSION, f"read endpoint {name}", response_schemas.Resource)
    return None if body is None else _caseless(body)


def list_endpoints(cloud: Cloud) -> dict[str, Json]:
    """Every endpoint of the workspace: name -> ARM body. Read once in an observation, however many specs look."""
    found: dict[str, Json] = cloud.arm.once("every endpoint", lambda: _list_endpoints(cloud))
    return found


def list_recent_endpoints(cloud: Cloud) -> dict[str, Json]:
    """The same as of the last few seconds, whatever a look before was told."""
    with cloud.arm.cached_reads(_REMEMBERED):
        moment = int(cloud.clock.monotonic() / _LATELY)
        found: dict[str, Json] = cloud.arm.once(f"every endpoint at {moment}", lambda: _list_anew(cloud))
    return found


def _list_anew(cloud: Cloud) -> dict[str, Json]:
    cloud.arm.forget(_every_path(cloud))
    return _list_endpoints(cloud)


def _every_path(cloud: Cloud) -> str:
    return f"{cloud.workspace_id}/onlineEndpoints"


def _list_endpoints(cloud: Cloud) -> dict[str, Json]:
    path, what = _every_path(cloud), "list the endpoints of the workspace"
    found = cloud.arm.find(path, VERSION, what, response_schemas.Resource)
    if found is None:
        cloud.workspace()
        raise CloudError(what, "Azure knows the workspace and finds no list", "Try again", code="AML304", status=404)
    return {body["name"]: body for body in map(_caseless, found)}


def read_deployments(cloud: Cloud, endpoint: str) -> dict[str, Json]:
    """Deployment name -> ARM body; empty when there is no such endpoint.

    That there is none is not taken from this answer alone: a slot with callers would be taken for an empty one.
    """
    path, what = f"{endpoint_path(cloud, endpoint)}/deployments", f"list the deployments of {endpoint}"
    found = cloud.arm.find(path, VERSION, what, response_schemas.Resource)
    if found is None:
        if endpoint in list_endpoints(cloud):
            cause = "Azure lists the endpoint and says it is not there"
            raise CloudError(what, cause, "Try again", code="AML304", status=404)
        return {}
    return {body["name"]: body for body in map(_caseless, found)}


def read_deployment(cloud: Cloud, endpoint: str, name: str) -> Json | None:
    """The deployment's ARM body, or None."""
    what = f"read deployment {name} of {endpoint}"
    return cloud.arm.get(deployment_path(cloud, endpoint, name), VERSION, what, response_schemas.Resource)


def check_name(cloud: Cloud, name: str) -> tuple[bool | None, str]:
    """Whether no endpoint of the region has this name, and Azure's words; None where it does not say.

    The action is documented, its answer is not: read as the form that Azure's other name checks share.
    """
    path = f"{endpoint_path(cloud, name)}/checkNameAvailability"
    try:
        body = cloud.arm.get(path, VERSION, f"ask whether the name {name} is free", response_schemas.Availability)
    except CloudError as error:
        if error.status is not None and 400 <= error.status < 500:
            return None, error.cause
        raise
    free = (body or {}).get("nameAvailable")
    words = str((body or {}).get("message") or "the answer does not say")
    return (free, words) if isinstance(free, bool) else (None, words)


def put_endpoint(cloud: Cloud, document: Mapping[str, Json], *, what: str, patience: float, settled: Condition) -> None:
    """Create or replace an endpoint from its CLI v2 document; `patience` in seconds, `settled` once it is as said.

    azure-ai-ml changes an entity that it sends, so each attempt loads its own.
    """

    def begin() -> None:
        cloud.ml.online_endpoints.begin_create_or_update(entities.load_endpoint(document))

    run_operation(
        cloud, Operation(what, endpoint_path(cloud, str(document["name"])), succeeded(settled), patience), begin
    )


def put_deployment(
    cloud: Cloud,
    document: Mapping[str, Json],
    folder: Path,
    *,
    what: str,
    patience: float,
    settled: Condition,
    record: entities.Record,
) -> None:
    """Create or replace a deployment from its CLI v2 document; relative paths start at `folder`.

    azure-ai-ml changes an entity that it sends (a data collector loses its sampling rate and cannot be sent again), so
    each attempt loads its own.
    """

    def begin() -> None:
        cloud.ml.online_deployments.begin_create_or_update(entities.load_deployment(document, folder, record))

    above = endpoint_path(cloud, str(document["endpoint_name"]))
    operation = Operation(what, f"{above}/deployments/{document['name']}", succeeded(settled), patience, above)
    run_operation(cloud, operation, begin)


def patch(cloud: Cloud, path: str, body: Mapping[str, Json], *, what: str, patience: float) -> None:
    """Change tags or the number of instances of what is at `path` and nothing else, as ARM's PATCH does."""

    def scaled(there: Json) -> bool:  # Azure's sku says more than the number
        return bool((there.get("sku") or {}).get("capacity") == body["sku"]["capacity"])

    def tagged(there: Json | None) -> bool:  # what has failed can be taken over, too
        return there is not None and there.get("tags") == body["tags"]

    settled = succeeded(scaled) if "sku" in body else tagged
    run_operation(cloud, Operation(what, path, settled, patience), lambda: cloud.arm.patch(path, VERSION, what, body))


def delete_endpoint(cloud: Cloud, name: str, *, what: str, patience: float) -> None:
    """Delete an endpoint with whatever is behind it; an absent one is success."""
    operation = Operation(what, endpoint_path(cloud, name), _is_gone, patience)
    run_operation(cloud, operation, lambda: cloud.ml.online_endpoints.begin_delete(name=name))


def delete_deployment(cloud: Cloud, endpoint: str, name: str, *, what: str, patience: float) -> None:
    """Delete a deployment, which must have no traffic; an absent one is success."""
    above = endpoint_path(cloud, endpoint)
    operation = Operation(what, f"{above}/deployments/{name}", _is_gone, patience, above)
    run_operation(cloud, operation, lambda: cloud.ml.online_deployments.begin_delete(name=name, endpoint_name=endpoint))


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


def succeeded(settled: Condition) -> Callable[[Json | None], bool]:
    """Whether a body is there, at rest, and `settled`."""
    return lambda body: (
        body is not None and body["properties"].get("provisioningState") == "Succeeded" and settled(body)
    )


def _caseless(body: Json) -> dict[str, Json]:
    """Names of endpoints and deployments have no case, and azure-ai-ml sends them in lower case."""
    properties = body.get("properties") or {}
    maps = {
        arm: {str(name).lower(): share for name, share in properties[arm].items()}
        for arm in ("traffic", "mirrorTraffic")
        if isinstance(properties.get(arm), Mapping)
    }
    return {**body, "name": str(body["name"]).lower(), "properties": {**properties, **maps}}


def _is_gone(body: Json | None) -> bool:
    return body is None
