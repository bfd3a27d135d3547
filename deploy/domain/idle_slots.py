"""The idle slot: the deployment that received the traffic before the live release, or failed after it. Pure.

Such a deployment stays for a rollback, and its instances cost money. It is idle only if everything here is
known: it and its endpoint are managed by the same entry, one other slot receives all traffic and the endpoint's history
contains since when, and the history lists the release of this deployment as live, or that a rescue or a rollback
moved traffic away from it. A deployment of an unfinished rollout has no such record and is never idle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deploy.documents.fields import FOREVER
from deploy.domain import history, leases
from deploy.domain.arm import RELEASE_TAG, SLOTS, capacity_of
from deploy.domain.owners import owner_tag
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import shares

Json = Any
_AT_REST = ("Succeeded", "Failed", "Canceled")
"""Provisioning states without a running operation."""


@dataclass(frozen=True)
class Idle:
    """A deployment without traffic, since when (UTC), and the live release. `failed`: a rescue left it.
    `rolled_back`: a rollback left it.
    """

    slot: str
    release: str
    since: datetime
    instances: int
    instance_type: str
    live: str
    failed: bool = False
    rolled_back: bool = False

    @property
    def size(self) -> str:
        """`2 x Standard_NC24ads_A100_v4`."""
        return f"{self.instances} x {self.instance_type}"

    def until(self, keep: float) -> datetime | None:
        """When `keep` seconds have passed since it became idle; None for FOREVER."""
        return None if keep == FOREVER else self.since + timedelta(seconds=keep)


def claim(endpoint: str, body: Mapping[str, Json]) -> dict[str, Json]:
    """The body of the step that deletes a deployment as an idle slot: what `claims` checks right before."""
    more = {"owner": owner_tag(body), "release": _tag(body, RELEASE_TAG)}
    return {"endpoint": endpoint, "name": str(body["name"]), "idle": True, **more}


def was_live(endpoint: Mapping[str, Json], body: Mapping[str, Json]) -> bool:
    """Whether the release of a managed deployment received all traffic before."""
    ours = owner_tag(body) == owner_tag(endpoint) != ""
    held = (str(body["name"]), _tag(body, RELEASE_TAG))
    return ours and any((each.slot, each.release) == held for each in history.live(endpoint))


def keep_of(spec: EndpointSpec) -> float:
    """Seconds for which the files keep an idle slot: forever where the user names the deployments."""
    chosen = spec.traffic is None and len(spec.deployments) == 1
    return spec.pipeline.rollout.keep_previous if chosen else FOREVER


def of(endpoint: Mapping[str, Json], deployments: Mapping[str, Mapping[str, Json]]) -> Idle | None:
    """The idle slot of an endpoint (its ARM body and those of its deployments); None where one fact is missing."""
    traffic, lived = shares(endpoint), history.live(endpoint)
    if not lived or traffic != {lived[0].slot: 100} or lived[0].slot not in SLOTS:
        return None
    live = lived[0]
    slot = next(name for name in SLOTS if name != live.slot)
    body, owner = deployments.get(slot), owner_tag(endpoint)
    if body is None or not owner or owner_tag(body) != owner or shares(endpoint, "mirrorTraffic").get(slot):
        return None
    if _tag(deployments.get(live.slot) or {}, RELEASE_TAG) != live.release or not _at_rest(body):
        return None
    return _recorded(endpoint, body, slot, live)


def _recorded(endpoint: Mapping[str, Json], body: Mapping[str, Json], slot: str, live: history.Record) -> Idle | None:
    """The slot with the time from which it is idle, if the history lists its current deployment."""
    release, made = _tag(body, RELEASE_TAG), body.get("systemData") or {}
    created, modified = (leases.parse_time(made.get(name)) for name in ("createdAt", "lastModifiedAt"))
    failed, last = history.failed(endpoint), history.rolled_back(endpoint)
    back = history.Record(slot, last.release, last.at) if last else None
    records = [*history.live(endpoint)[1:], *(each for each in (failed, back) if each)]
    known = [each for each in records if (each.slot, each.release) == (slot, release)]
    # A record from before the deployment was created is about an earlier deployment with the same name and release.
    if created is None or not any(each.at >= created.replace(microsecond=0) for each in known):
        return None
    left = max(each.at for each in known)
    is_back = back is not None and back in known and back.at == left
    has_failed = failed is not None and failed in known and failed.at == left and not is_back
    since = max(live.at, created, *([left] if has_failed or is_back else []), *([modified] if modified else []))
    count = capacity_of(body)
    size = str((body.get("properties") or {}).get("instanceType") or "")
    return Idle(slot, release, since, count, size, live.release, has_failed, is_back)


def _at_rest(body: Mapping[str, Json]) -> bool:
    return (body.get("properties") or {}).get("provisioningState") in _AT_REST


def _tag(body: Mapping[str, Json], name: str) -> str:
    return str((body.get("tags") or {}).get(name) or "")
