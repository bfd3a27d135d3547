"""The live release of an endpoint as a spec, so that a renewal creates it again under another name. Pure.

The endpoint and its deployments are taken from their ARM bodies: what the files say may be a release that was rolled
back, or an edit that was never applied. Assets that were made of local files are taken by the ids that Azure registered
them under, so nothing is uploaded. What `pipeline.yml` says (roles, probe, lease, retry, quota) is the files'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deploy import diff
from deploy.domain import history
from deploy.domain.arm import RELEASE_TAG, SLOTS, UNVERIFIED, Json
from deploy.domain.digests import digest
from deploy.domain.leases import DEADLINE, ENABLED, SUCCEEDS_TAG
from deploy.domain.preserved import is_ours
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import live_slot, shares
from deploy.errors import CloudError

Bodies = Mapping[str, Mapping[str, Json]]
"""Deployment name -> ARM body."""
_LEASE = frozenset({ENABLED.lower(), DEADLINE.lower()})


def carried(spec: EndpointSpec, body: Mapping[str, Json], deployments: Bodies) -> EndpointSpec:
    """`spec`, under its name, with the settings of endpoint `body` and its live deployments instead of the files'.

    Raises CloudError when Azure lists no deployment of a name that has traffic.
    """
    moves = spec.name != body["name"]
    traffic = _traffic(spec, body, deployments)
    documents = {name: _deployment(spec, name, deployments[name]) for name in traffic}
    releases = {name: _release(spec, document, moves=moves) for name, document in documents.items()}
    endpoint = _endpoint(spec, body, traffic)
    spec = replace(spec, endpoint=endpoint, deployments=tuple(documents.values()), releases=releases, traffic=traffic)
    return succeeding(spec, str(body["name"])) if moves else spec


def succeeding(spec: EndpointSpec, predecessor: str) -> EndpointSpec:
    """The same with the tag that says which endpoint it replaces."""
    tags = {**(spec.endpoint.get("tags") or {}), SUCCEEDS_TAG: predecessor}
    return replace(spec, endpoint={**spec.endpoint, "tags": tags})


def differs(files: EndpointSpec, live: EndpointSpec) -> str:
    """The releases that the files describe and that are not among the live ones: `1a2b3c4d, 5e6f7a8b`; or empty."""
    return ", ".join(sorted({release[:8] for release in set(files.releases.values()) - set(live.releases.values())}))


def _traffic(spec: EndpointSpec, body: Mapping[str, Json], deployments: Bodies) -> dict[str, int]:
    """Deployment -> percent. Of slots of ours the live one gets all; deployments that the user named keep their shares,
    and those that the files name and that get no requests come along.
    """
    served = shares(body)
    if missing := sorted(served.keys() - deployments.keys()):
        cause = f"{missing[0]} has traffic and is not in Azure's list of deployments"
        raise CloudError(f"renew {body['name']}", cause, "Try again", code="AML304")
    named_by_user = spec.traffic is not None or len(spec.deployments) != 1
    if not named_by_user and served.keys() <= set(SLOTS):
        return {str(live_slot(served)): 100}
    siblings = {str(document["name"]) for document in spec.deployments} if named_by_user else set()
    siblings |= shares(body, "mirrorTraffic").keys()
    healthy = {name for name in siblings & deployments.keys() if _is_healthy(deployments[name])}
    return {**dict.fromkeys(sorted(healthy), 0), **served}


def _is_healthy(body: Mapping[str, Json]) -> bool:
    return bool((body.get("properties") or {}).get("provisioningState") == "Succeeded")


def _endpoint(spec: EndpointSpec, body: Mapping[str, Json], traffic: Mapping[str, int]) -> dict[str, Json]:
    """Its document without what belongs to one endpoint alone: our own tags, and the properties of its lease. What was
    rolled back stays rolled back.
    """
    document = diff.to_document(body, diff.ENDPOINT)
    there = document.pop("tags", None) or {}
    tags = {name: value for name, value in there.items() if not is_ours(name) or name == history.ROLLED_BACK_TAG}
    held = {k: v for k, v in (document.pop("properties", None) or {}).items() if k.lower() not in _LEASE}
    mirror = {name: share for name, share in shares(body, "mirrorTraffic").items() if name in traffic}
    optional = {"tags": tags, "properties": held, "mirror_traffic": mirror}
    return {"name": spec.name, **document, **{name: value for name, value in optional.items() if value}}


def _deployment(spec: EndpointSpec, name: str, body: Mapping[str, Json]) -> dict[str, Json]:
    return {**diff.to_document(body, diff.DEPLOYMENT), "name": name, "endpoint_name": spec.name}


def _release(spec: EndpointSpec, document: Mapping[str, Json], *, moves: bool) -> str:
    """The release on its tag. One that was not proven is proven by the probe of the successor.

    One without a tag gets the digest of what it is.
    """
    held = str((document.get("tags") or {}).get(RELEASE_TAG) or digest(dict(document), 12))
    return held.removesuffix(UNVERIFIED) if moves and spec.pipeline.probe else held
