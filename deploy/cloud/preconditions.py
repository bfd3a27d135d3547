"""What a step says must be so, checked by a fresh read right before it writes. Raises when it is not so any more."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Json
from deploy.domain.owners import owner_in_words
from deploy.domain.preserved import PROTECT_TAG, is_protected
from deploy.domain.traffic_shares import shares
from deploy.errors import CloudError


def check_idle(cloud: Cloud, body: Mapping[str, Json], what: str) -> None:
    """Raises when a deployment that is to be deleted as an idle slot is not that one, or not idle, any more.

    One that is gone is no failure. The traffic is read last, so as little time as can be lies before the deletion.
    """
    there = endpoints.read_deployment(cloud, str(body["endpoint"]), str(body["name"]))
    if there is None:
        return
    above = endpoints.read_endpoint(cloud, str(body["endpoint"])) or {}
    if cause := _moved(body, there) or _used(str(body["name"]), above, there):
        raise CloudError(what, cause, "Nothing was deleted: run the command again", code="AML338")


def _moved(body: Mapping[str, Json], there: Mapping[str, Json]) -> str:
    tags = there.get("tags") or {}
    if tags.get(OWNER_TAG) != body["owner"]:
        return f"{body['name']} {owner_in_words(there)}, not by {body['owner']}"
    if tags.get(RELEASE_TAG) != body["release"]:
        return f"{body['name']} holds release {tags.get(RELEASE_TAG)} now, not {body['release']}"
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
        return f"the tag {PROTECT_TAG} is on it"
    return ""
