"""The history of an endpoint's traffic, stored in tags of the endpoint. Pure.

A tag is written in the same PUT as the change that it describes. So a release is recorded as live exactly when a PUT
that gave it all traffic was accepted, and as failed when the rescue moved traffic away from it.

    amldeploy-live         green=136d9660aabb@2026-11-29T13:27:00Z blue=e5ec3d06aabb@...   newest first
    amldeploy-failed       green=136d9660aabb@2026-11-29T13:27:00Z                         the last failure
    amldeploy-rolled-back  136d9660aabb@2026-11-29T13:27:00Z jane@contoso.com              the last rollback
    amldeploy-stage        green=136d9660aabb@2026-11-29T13:27:00Z 10 2026-11-29T13:27:00Z the stage of a rollout

Azure accepts 256 characters in the value of a tag; older entries are dropped first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.domain import leases, traffic_shares
from deploy.domain.arm import Facts, address, facts_of, release_of
from deploy.domain.traffic_shares import shares

Json = Any
LIVE_TAG = "amldeploy-live"
"""Tag on an endpoint: the releases that received all traffic, newest first, each with its deployment and the time."""
FAILED_TAG = "amldeploy-failed"
"""Tag on an endpoint: the release that the last rescue moved traffic away from."""
ROLLED_BACK_TAG = "amldeploy-rolled-back"
"""Tag on an endpoint: the release that the last rollback moved traffic away from, when, and by whom."""
STAGE_TAG = "amldeploy-stage"
"""Tag on an endpoint during a rollout: the new release, since when it receives requests, and its current stage."""
TAGS = (LIVE_TAG, FAILED_TAG, ROLLED_BACK_TAG, STAGE_TAG)
_LONGEST = 256
_ENTRY = re.compile(r"(?P<slot>[^=@\s]+)=(?P<release>[^=@\s]+)@(?P<at>\S+)")
_STAGE = re.compile(_ENTRY.pattern + r" (?P<percent>\d{1,3}) (?P<since>\S+)(?P<paused> paused)?")
_ROLLED_BACK = re.compile(r"(?P<release>[^=@\s]+)@(?P<at>\S+)(?: (?P<by>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Record:
    """A release in a deployment, and since when (UTC) it received all traffic, or when it failed."""

    slot: str
    release: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.slot}={self.release}@{leases.iso_time(self.at)}"


@dataclass(frozen=True)
class RolledBack:
    """The release that a rollback moved traffic away from, when (UTC), and by whom (name or object id)."""

    release: str
    at: datetime
    by: str

    def __str__(self) -> str:
        return f"{self.release}@{leases.iso_time(self.at)} {self.by}"[:_LONGEST]


@dataclass(frozen=True)
class Stage:
    """A rollout that is not over: the new release and since when (UTC) it receives requests, the percentage of the
    traffic that it has (0 while requests are only mirrored to it), and since when. `is_paused`: the rollout waits for
    the next apply.
    """

    slot: str
    release: str
    began: datetime
    percent: int
    since: datetime
    is_paused: bool = False

    def __str__(self) -> str:
        text = f"{Record(self.slot, self.release, self.began)} {self.percent} {leases.iso_time(self.since)}"
        return f"{text} paused" if self.is_paused else text


def live(body: Mapping[str, Json]) -> tuple[Record, ...]:
    """The releases of an endpoint (its ARM body) that received all traffic, newest first."""
    return tuple(_entries(_tag(body, LIVE_TAG)))


def failed(body: Mapping[str, Json]) -> Record | None:
    """The release that the last rescue moved traffic away from."""
    return next(iter(_entries(_tag(body, FAILED_TAG))), None)


def rolled_back(body: Mapping[str, Json]) -> RolledBack | None:
    """The last rollback, until another release is live."""
    found = _ROLLED_BACK.fullmatch(_tag(body, ROLLED_BACK_TAG))
    at = leases.parse_time(found["at"]) if found else None
    return RolledBack(found["release"], at, found["by"] or "") if found and at else None


def stage(body: Mapping[str, Json]) -> Stage | None:
    """The stage of a rollout that is not over, if the traffic is as its PUT left it; else None."""
    found = _STAGE.fullmatch(_tag(body, STAGE_TAG))
    began, since = (leases.parse_time(found[name]) if found else None for name in ("at", "since"))
    if not (found and began and since):
        return None
    slot, percent = found["slot"], int(found["percent"])
    mirrors = not percent and bool(shares(body, "mirrorTraffic").get(slot))
    if shares(body).get(slot, 0) != percent or not (percent or mirrors):
        return None
    return Stage(slot, found["release"], began, percent, since, bool(found["paused"]))


def live_slot(body: Mapping[str, Json], deployments: Mapping[str, Mapping[str, Json]]) -> str | None:
    """The deployment with the live release: the last that received all traffic, if it still has some; else the one with
    most traffic. None without traffic. During a rollout the new release can have more traffic than the live one.
    """
    now, last = shares(body), next(iter(live(body)), None)
    if last and now.get(last.slot) and release_of(deployments.get(last.slot)) == last.release:
        return last.slot
    return traffic_shares.live_slot(now)


def live_in(facts: Facts, key: str) -> str | None:
    """The deployment with the live release of the endpoint with this key; see `live_slot`."""
    return live_slot(facts.get(address("endpoint", key)) or {}, facts_of(facts, "deployment", key))


def after_stage(
    body: Mapping[str, Json], slot: str, release: str, percent: int, at: datetime, *, is_paused: bool
) -> dict[str, str]:
    """The history tags of the PUT that begins a stage. The rollout began with the first stage of the same release."""
    before = stage(body)
    began = before.began if before and (before.slot, before.release) == (slot, release) else at
    kept = {name: text for name in TAGS if (text := _tag(body, name))}
    return {**kept, STAGE_TAG: str(Stage(slot, release, began, percent, at, is_paused))}


def after_live(body: Mapping[str, Json], slot: str, release: str, at: datetime) -> dict[str, str]:
    """The history tags of the PUT that gives a release all traffic. They replace those that the endpoint has."""
    lived = live(body)
    if lived and (lived[0].slot, lived[0].release) == (slot, release):
        return {name: text for name in TAGS if name != STAGE_TAG and (text := _tag(body, name))}  # it is live already
    others = [each for each in lived if (each.slot, each.release) != (slot, release)]
    tags = {LIVE_TAG: _joined([Record(slot, release, at), *others])}
    last = rolled_back(body)
    if not lived and last and last.release != release:
        tags[ROLLED_BACK_TAG] = str(last)  # a renewal carried it, with the release that traffic went back to
    return tags


def after_rescue(body: Mapping[str, Json], slot: str, release: str, at: datetime) -> dict[str, str]:
    """The history tags of the PUT that moves traffic away from a release that failed: it no longer counts as live."""
    lived = [each for each in live(body) if (each.slot, each.release) != (slot, release)]
    tags = {LIVE_TAG: _joined(lived)} if lived else {}
    if last := rolled_back(body):
        tags[ROLLED_BACK_TAG] = str(last)
    return {**tags, FAILED_TAG: str(Record(slot, release, at))}


def after_rollback(
    body: Mapping[str, Json], slot: str, release: str, left: str, at: datetime, by: str
) -> dict[str, str]:
    """The history tags of the PUT that moves all traffic back to a release, away from release `left`."""
    return {**after_live(body, slot, release, at), ROLLED_BACK_TAG: str(RolledBack(left, at, by))}


def _tag(body: Mapping[str, Json], name: str) -> str:
    tags = body.get("tags") or {}
    return next((str(value) for key, value in tags.items() if key.lower() == name), "")


def _entries(text: str) -> Iterable[Record]:
    for word in text.split():
        found = _ENTRY.fullmatch(word)
        if found and (at := leases.parse_time(found["at"])):
            yield Record(found["slot"], found["release"], at)


def _joined(records: Iterable[Record]) -> str:
    """As many as fit, newest first."""
    text = ""
    for record in records:
        longer = f"{text} {record}".strip()
        if len(longer) > _LONGEST:
            break
        text = longer
    return text
