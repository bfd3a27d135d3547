"""The live release of an endpoint as a spec, so that a renewal can create it under another name. Pure.

The endpoint and its deployments come from their ARM bodies: the files may describe a release that was rolled back, or
an edit that was never applied. Assets made from local files are referenced by the ids under which Azure registered
them, so nothing is uploaded. The settings of `pipeline.yml` (roles, probe, lease, retry, quota) come from the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deploy import diff
from deploy.domain import history
from deploy.domain.arm import RELEASE_TAG, SLOTS, UNVERIFIED, Json, is_succeeded
from deploy.domain.digests import digest
from deploy.domain.leases import DEADLINE, ENABLED, SUCCEEDS_TAG
from deploy.domain.put_merge import is_ours
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import shares
from deploy.errors import CloudError

Bodies = Mapping[str, Mapping[str, Json]]
"""Deployment name -> ARM body."""
_LEASE = frozenset({ENABLED.lower(), DEADLINE.lower()})


def live_spec(spec: EndpointSpec, body: Mapping[str, Json], deployments: Bodies) -> EndpointSpec:
    """`spec`, under its own name, with the settings and the live deployments of endpoint `body`.

    Raises CloudError when a deployment that has traffic is missing in `deployments`.
    """
    moves = spec.name != body["name"]
    traffic = _traffic(spec, body, deployments)
    documents = {name: _deployment(spec, name, deployments[name]) for name in traffic}
    releases = {name: _release(spec, document, moves=moves) for name, document in documents.items()}
    endpoint = _endpoint(spec, body, traffic)
    spec = replace(spec, endpoint=endpoint, deployments=tuple(documents.values()), releases=releases, traffic=traffic)
    return with_predecessor_tag(spec, str(body["name"])) if moves else spec


def with_predecessor_tag(spec: EndpointSpec, predecessor: str) -> EndpointSpec:
    """The spec with the tag that names the endpoint that it replaces."""
    tags = {**(spec.endpoint.get("tags") or {}), SUCCEEDS_TAG: predecessor}
    return replace(spec, endpoint={**spec.endpoint, "tags": tags})


def undeployed_releases(files: EndpointSpec, live: EndpointSpec) -> str:
    """The releases in the files that are not live: `1a2b3c4d, 5e6f7a8b`; empty when there are none."""
    return ", ".join(sorted({release[:8] for release in set(files.releases.values()) - set(live.releases.values())}))


def _traffic(spec: EndpointSpec, body: Mapping[str, Json], deployments: Bodies) -> dict[str, int]:
    """Deployment -> percent. Of the slots blue and green only the live one is included, with 100 %. Deployments that
    the user named keep their shares; those in the files or in the mirror traffic are included with 0 % when they are
    healthy.
    """
    served = shares(body)
    if missing := sorted(served.keys() - deployments.keys()):
        cause = f"{missing[0]} has traffic and is not in Azure's list of deployments"
        raise CloudError(f"renew {body['name']}", cause, "Try again", code="AML304")
    named_by_user = spec.traffic is not None or len(spec.deployments) != 1
    if not named_by_user and served.keys() <= set(SLOTS):
        return {str(history.live_slot(body, deployments)): 100}
    siblings = {str(document["name"]) for document in spec.deployments} if named_by_user else set()
    siblings |= shares(body, "mirrorTraffic").keys()
    healthy = {name for name in siblings & deployments.keys() if is_succeeded(deployments[name])}
    return {**dict.fromkeys(sorted(healthy), 0), **served}


def _endpoint(spec: EndpointSpec, body: Mapping[str, Json], traffic: Mapping[str, int]) -> dict[str, Json]:
    """The endpoint's document without what belongs to one endpoint alone: our own tags except the record of a rollback,
    and the properties of its lease.
    """
    document = diff.to_document(body, diff.ENDPOINT)
    existing = document.pop("tags", None) or {}
    tags = {name: value for name, value in existing.items() if not is_ours(name) or name == history.ROLLED_BACK_TAG}
    properties = {k: v for k, v in (document.pop("properties", None) or {}).items() if k.lower() not in _LEASE}
    mirror = {name: share for name, share in shares(body, "mirrorTraffic").items() if name in traffic}
    optional = {"tags": tags, "properties": properties, "mirror_traffic": mirror}
    return {"name": spec.name, **document, **{name: value for name, value in optional.items() if value}}


def _deployment(spec: EndpointSpec, name: str, body: Mapping[str, Json]) -> dict[str, Json]:
    return {**diff.to_document(body, diff.DEPLOYMENT), "name": name, "endpoint_name": spec.name}


def _release(spec: EndpointSpec, document: Mapping[str, Json], *, moves: bool) -> str:
    """The release in the deployment's tag, or the digest of its document when it has no tag.

    The probe of the successor verifies a release that was not verified yet.
    """
    release = str((document.get("tags") or {}).get(RELEASE_TAG) or digest(dict(document), 12))
    return release.removesuffix(UNVERIFIED) if moves and spec.pipeline.probe else release
