"""Preconditions of steps, checked by a fresh read right before the write. Raises CloudError if one is not met."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Json, release_of
from deploy.domain.owners import is_unmanaged, owner_in_words
from deploy.domain.put_merge import PROTECT_TAG, is_protected
from deploy.domain.traffic_shares import format_traffic, shares
from deploy.errors import CloudError


def check(
    cloud: Cloud,
    endpoint: str,
    expected: Mapping[str, Json] | None,
    what: str,
    *,
    deployments: Mapping[str, Json] | None = None,
    body: Mapping[str, Json] | None = None,
) -> None:
    """Raises CloudError (AML319) if an endpoint is not as a step expects it, because another run changed it since.

    `expected`: `slots`: deployment -> the releases that it may hold, null for none; `owner`: theirs, if they exist;
    `idle`: a deployment that must have no traffic; `traffic`: the traffic maps that the endpoint may have. Azure ML has
    no etags on these resources, so this is a read right before the write. `deployments` of the endpoint and its `body`:
    if they were just read.
    """
    if not expected:
        return
    there = deployments
    if there is None:
        there = endpoints.read_deployments(cloud, endpoint) if expected.get("slots") else {}
    for name in expected.get("slots") or ():
        if "owner" in expected and name in there and is_unmanaged(str(expected["owner"]), there[name]):
            cause = f"{name} was created after the plan was made, and it {owner_in_words(there[name])}"
            raise CloudError(what, cause, "It was not changed. Plan again, or choose another name", code="AML230")
    cause = _slot_conflict(there, expected.get("slots") or {})
    if not cause and ("idle" in expected or "traffic" in expected):
        body = endpoints.read_endpoint(cloud, endpoint) if body is None else body
        cause = _traffic_conflict(shares(body or {}), expected)
    if cause:
        raise CloudError(what, cause, "Another run changed it. Nothing was changed here; plan again", code="AML319")


def _slot_conflict(there: Mapping[str, Json], slots: Mapping[str, Json]) -> str:
    for name, releases in slots.items():
        held = release_of(there[name]) if name in there else None
        if held not in releases:
            planned = " or ".join(str(each) for each in releases if each) or "to be missing"
            now = "is missing" if held is None else f"holds release {held}" if held else "has no release tag"
            return f"{name} {now} now; when the plan was made, it was expected to hold {planned}"
    return ""


def _traffic_conflict(now: Mapping[str, int], expected: Mapping[str, Json]) -> str:
    name = expected.get("idle")
    if name in now:
        return f"{name} had no traffic when the plan was made, and has traffic now"
    if "traffic" in expected and now not in expected["traffic"]:
        return f"the traffic is {format_traffic(now)} now, not {format_traffic(expected['traffic'][0])} as planned"
    return ""


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
