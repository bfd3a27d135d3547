"""Reads the environment versions of live deployments, for releases with an inline environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.cloud.operations import VERSION
from deploy.documents.inline import is_inline, parsed
from deploy.domain.arm import RELEASE_TAG, Address, Json, address
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import shares


def observe(
    cloud: Cloud, spec: EndpointSpec, endpoint: Mapping[str, Json], bodies: Mapping[str, Mapping[str, Json]]
) -> dict[Address, Json]:
    """`asset/<key>/<deployment>`: {held, unread_reason, conda} of each deployment with traffic whose release is not in
    the files; empty if the files define no environment inline.

    `held`: properties of its environment version; `unread_reason`: why they are unknown; `conda`: deployment name ->
    content of its conda_file.
    """
    files = [document for document in spec.deployments if is_inline(document)]
    folder = cloud.root / spec.folder
    found: dict[Address, Json] = {}
    for name in shares(endpoint) if files else ():
        body = bodies.get(name) or {}
        if (body.get("tags") or {}).get(RELEASE_TAG) not in spec.releases.values():
            where = str((body.get("properties") or {}).get("environmentId") or "")
            conda = {str(document["name"]): _conda(document["environment"], folder) for document in files}
            found[address("asset", spec.key, name)] = {**_read(cloud, where), "conda": conda}
    return found


def _read(cloud: Cloud, where: str) -> dict[str, Json]:
    if not where.startswith("/subscriptions/"):  # in a registry, or none: the reference is enough
        return {"held": None, "unread_reason": ""}
    body, unread_reason = try_read(lambda: cloud.arm.get(where, VERSION, f"read {where}", response_schemas.Schema))
    return {
        "held": (body or {}).get("properties"),
        "unread_reason": "" if body else unread_reason or "it does not exist",
    }


def _conda(environment: Mapping[str, Json], folder: Path) -> Json:
    conda = environment.get("conda_file")
    if not isinstance(conda, str):
        return parsed(conda)
    try:
        return parsed((folder / conda).read_bytes())
    except OSError:
        return None
