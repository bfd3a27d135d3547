"""Endpoints and deployments: read as ARM says them, written as the CLI v2 documents say them.

Each write is one PUT or DELETE made by azure-ai-ml, followed to its end. Nothing is read in order to be written back.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.cloud.connect import Cloud
from deploy.cloud.failures import asking
from deploy.errors import CloudError, Transient
from deploy.model import Json

VERSION = "2024-10-01"
CONTAINERS = ("StorageInitializer", "InferenceServer")
_SECOND = 1.0


def endpoint_path(cloud: Cloud, name: str) -> str:
    return f"{cloud.workspace_id}/onlineEndpoints/{name}"


def deployment_path(cloud: Cloud, endpoint: str, name: str) -> str:
    return f"{endpoint_path(cloud, endpoint)}/deployments/{name}"


def read_endpoint(cloud: Cloud, name: str) -> Json | None:
    """The endpoint's ARM body, or None."""
    return cloud.arm.get(endpoint_path(cloud, name), VERSION, f"read endpoint {name}")


def list_endpoints(cloud: Cloud) -> dict[str, Json]:
    """Every endpoint of the workspace: name -> ARM body. Read once in an observation, however many specs look."""
    path = f"{cloud.workspace_id}/onlineEndpoints"
    found = map(_caseless, cloud.arm.list(path, VERSION, "list the endpoints of the workspace"))
    return {body["name"]: body for body in found}


def read_deployments(cloud: Cloud, endpoint: str) -> dict[str, Json]:
    """Deployment name -> ARM body; empty when there is no such endpoint."""
    path = f"{endpoint_path(cloud, endpoint)}/deployments"
    found = map(_caseless, cloud.arm.list(path, VERSION, f"list the deployments of {endpoint}"))
    return {body["name"]: body for body in found}


def name_is_free(cloud: Cloud, name: str) -> tuple[bool | None, str]:
    """Whether no endpoint of the region has this name, and Azure's words; None where it does not say.

    The action is documented, its answer is not: read as the form that Azure's other name checks share.
    """
    path = f"{endpoint_path(cloud, name)}/checkNameAvailability"
    try:
        body = cloud.arm.get(path, VERSION, f"ask whether the name {name} is free")
    except CloudError as error:
        if error.status is not None and 400 <= error.status < 500:
            return None, error.cause
        raise
    free = (body or {}).get("nameAvailable")
    words = str((body or {}).get("message") or "the answer does not say")
    return (free, words) if isinstance(free, bool) else (None, words)


def put_endpoint(cloud: Cloud, document: Mapping[str, Json], *, what: str, patience: float) -> None:
    """Create or replace an endpoint from its CLI v2 document; `patience` in seconds."""
    with asking(what):
        from azure.ai.ml import load_online_endpoint

        entity = load_online_endpoint(_as_file(document))
    _follow(lambda: cloud.ml.online_endpoints.begin_create_or_update(entity), what, patience)


def put_deployment(cloud: Cloud, document: Mapping[str, Json], folder: Path, *, what: str, patience: float) -> None:
    """Create or replace a deployment from its CLI v2 document; relative paths start at `folder`."""
    with asking(what):
        from azure.ai.ml import load_online_deployment

        entity = load_online_deployment(_as_file(document), relative_origin=str(folder / "deployment.yml"))
    _follow(lambda: cloud.ml.online_deployments.begin_create_or_update(entity), what, patience)


def patch(cloud: Cloud, path: str, body: Mapping[str, Json], *, what: str, patience: float) -> None:
    """Change tags or the number of instances of what is at `path` and nothing else, as ARM's PATCH does."""
    _follow(lambda: cloud.arm.begin_patch(path, VERSION, what, body), what, patience)


def delete_endpoint(cloud: Cloud, name: str, *, what: str, patience: float) -> None:
    """Delete an endpoint with whatever is behind it; an absent one is success."""
    _follow(lambda: cloud.ml.online_endpoints.begin_delete(name=name), what, patience)


def delete_deployment(cloud: Cloud, endpoint: str, name: str, *, what: str, patience: float) -> None:
    """Delete a deployment, which must have no traffic; an absent one is success."""
    _follow(lambda: cloud.ml.online_deployments.begin_delete(name=name, endpoint_name=endpoint), what, patience)


def read_logs(cloud: Cloud, endpoint: str, deployment: str, container: str, lines: int) -> str:
    """The last `lines` of one of CONTAINERS."""
    body = cloud.arm.post(
        f"{deployment_path(cloud, endpoint, deployment)}/getLogs",
        VERSION,
        f"read the logs of {endpoint}/{deployment}",
        {"containerType": container, "tail": lines},
    )
    return str((body or {}).get("content") or "")


def _caseless(body: Json) -> dict[str, Json]:
    """Names of endpoints and deployments have no case, and azure-ai-ml sends them in lower case."""
    properties = body.get("properties") or {}
    maps = {
        arm: {str(name).lower(): share for name, share in properties[arm].items()}
        for arm in ("traffic", "mirrorTraffic")
        if isinstance(properties.get(arm), Mapping)
    }
    return {**body, "name": str(body["name"]).lower(), "properties": {**properties, **maps}}


def _as_file(document: Mapping[str, Json]) -> io.StringIO:
    return io.StringIO(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))


def _follow(begin: Callable[[], Any], what: str, patience: float) -> None:
    """Start an operation and wait for its end, but no longer than `patience` seconds."""
    with asking(what):
        poller = begin()
        poller.wait(timeout=max(patience, _SECOND))
        if not poller.done():
            raise Transient(
                what,
                f"the operation is still running after {patience:.0f} s",
                "Azure goes on with it: apply again to see it through, or raise retry.deadline in pipeline.yml",
                code="AML361",
            )
        result = poller.result()
    state = str(getattr(result, "provisioning_state", None) or "Succeeded").rsplit(".", 1)[-1].capitalize()
    if state in ("Failed", "Canceled"):
        raise CloudError(what, f"its provisioning state is {state}", "Read `amldeploy logs`", code="AML340")
