"""Preconditions of steps, checked by a fresh read right before the write. Raises CloudError if one is not met."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Json
from deploy.domain.owners import owner_in_words
from deploy.domain.put_merge import PROTECT_TAG, is_protected
from deploy.domain.traffic_shares import shares
from deploy.errors import CloudError


def check_idle(cloud: Cloud, body: Mapping[str, Json], what: str) -> None:
    """Raises if the deployment to delete as an idle slot has changed or is no longer idle.

    Success if it does not exist. The traffic is read last, to keep the time before the deletion short.
    """
    there = endpoints.read_deployment(cloud, str(body["endpoint"]), str(body["name"]))
    if there is None:
        return
    above = endpoints.read_endpoint(cloud, str(body["endpoint"])) or {}
    if cause := _changed(body, there) or _used(str(body["name"]), above, there):
        raise CloudError(what, cause, "Run the command again; nothing was deleted", code="AML338")


def _changed(body: Mapping[str, Json], there: Mapping[str, Json]) -> str:
    tags = there.get("tags") or {}
    if tags.get(OWNER_TAG) != body["owner"]:
        return f"{body['name']} {owner_in_words(there)}, not by {body['owner']}"
    if tags.get(RELEASE_TAG) != body["release"]:
        return f"{body['name']} has release {tags.get(RELEASE_TAG)} now, not {body['release']}"
    return ""


def _used(name: str, above: Mapping[str, Json], there: Mapping[str, Json]) -> str:
    traffic, mirrored = shares(above), shares(above, "mirrorTraffic")
    if name in traffic:
        return f"{name} receives {traffic[name]} % of the traffic"
    if name in mirrored:
        return f"{name} receives {mirrored[name]} % of the traffic as a mirror"
    if sum(traffic.values()) != 100:
        return f"no other deployment receives all traffic in place of {name}"
    if is_protected(above) or is_protected(there):
        return f"it has the tag {PROTECT_TAG}"
    return ""
