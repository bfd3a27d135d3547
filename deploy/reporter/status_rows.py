"""Existing endpoints as rows, made from facts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from deploy.documents.endpoint_and_deployment import AUTH_MODES
from deploy.domain import history, idle_slots, leases
from deploy.domain.arm import RELEASE_TAG, Facts, Json, address, capacity_of, facts_of
from deploy.domain.cost import Cost
from deploy.domain.lock_record import LockRecord
from deploy.domain.owners import owner_tag
from deploy.domain.provenance import Provenance, recorded
from deploy.domain.spec import EndpointSpec
from deploy.domain.traffic_shares import shares
from deploy.sanitize import sanitize

_AUTH = {arm.lower(): word for word, arm in AUTH_MODES.items()}


@dataclass(frozen=True)
class SlotRow:
    """One deployment of an endpoint. `traffic`: percent; `release`: the digest in its tag, or empty; `provenance`: from
    its tags.

    Only of an idle slot: `idle_since` and `kept_until` (ISO 8601; None: forever), `idle_hours`, and whether its release
    `failed` or was `rolled_back`.
    """

    name: str
    live: bool
    traffic: int
    release: str
    instance_type: str
    instances: int
    state: str
    idle_since: str | None = None
    idle_hours: float | None = None
    kept_until: str | None = None
    failed: bool = False
    rolled_back: bool = False
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True)
class StageRow:
    """The stage of a rollout that is not over: `percent` of the traffic (0: only mirrored requests) of `slot`, since
    when, and since when the rollout goes on (ISO 8601).

    `answer` and `figures`: of the gate now; empty without a gate, or if the metrics cannot be read.
    """

    slot: str
    release: str
    percent: int
    began: str
    since: str
    paused: bool
    answer: str = ""
    figures: dict[str, float | int | None] = field(default_factory=dict)
    is_worse: bool = False
    """Whether the gate answers go back."""


@dataclass(frozen=True)
class EndpointRow:
    """One endpoint. `state`: the provisioning state, or `absent`; `lease_ends` (ISO 8601), `hours_left`: None on
    dedicated quota.

    Texts, empty if there is no problem: `alias`: what is wrong with the alias; `missed`: the lease expired without a
    successor; `unmanaged`: this environment does not manage the endpoint; `orphan`: no entry of the file names it
    (`key` is then that of the entry that is no longer in the file). `gone_since`: when a missed lease expired
    (ISO 8601), None if unknown. `lock`: the run that changes the endpoint now, None if there is none or that cannot be
    read. `cost`: what its instances cost now; None if prices were not looked up. `stage`: of an unfinished rollout.
    """

    key: str
    name: str
    state: str
    scoring_uri: str = ""
    auth_mode: str = ""
    slots: tuple[SlotRow, ...] = ()
    lease_ends: str | None = None
    hours_left: float | None = None
    unmanaged: str = ""
    alias: str = ""
    missed: str = ""
    gone_since: str | None = None
    lock: LockRecord | None = None
    orphan: str = ""
    cost: Cost | None = None
    stage: StageRow | None = None

    @property
    def is_broken(self) -> bool:
        """Whether requests through the alias may fail: the alias is wrong or the lease was missed."""
        return bool(self.alias or self.missed)


def endpoint_row(spec: EndpointSpec, facts: Facts, now: datetime) -> EndpointRow:
    """The row of one endpoint, from the ARM bodies in its facts. `now` has a time zone."""
    body = facts.get(address("endpoint", spec.key))
    if body is None:
        return EndpointRow(spec.key, spec.name, "absent")
    properties = body.get("properties") or {}
    slots = facts_of(facts, "deployment", spec.key)
    lease, spare = leases.of(body), idle_slots.of(body, slots)
    mode, live = str(properties.get("authMode") or ""), history.live_slot(body, slots)
    return EndpointRow(
        spec.key,
        str(body.get("name") or spec.name),
        str(properties.get("provisioningState") or "unknown"),
        str(properties.get("scoringUri") or ""),
        _AUTH.get(mode.lower(), mode),
        tuple(_idle(spec, spare, _slot(name, slots[name], shares(body), live), now) for name in sorted(slots)),
        leases.iso_time(lease.ends) if lease else None,
        round(lease.hours_left(now), 2) if lease else None,
        _other_owner(spec, body),
        stage=_stage(body),
    )


def _stage(body: Json) -> StageRow | None:
    found = history.stage(body)
    if found is None:
        return None
    began, since = leases.iso_time(found.began), leases.iso_time(found.since)
    return StageRow(found.slot, found.release, found.percent, began, since, found.is_paused)


def _other_owner(spec: EndpointSpec, body: Json) -> str:
    """`managed by prod/mip` or `unmanaged`; empty if this environment manages the endpoint."""
    tag = owner_tag(body)
    if tag == spec.owner:
        return ""
    return f"managed by {sanitize(tag)}" if tag else "unmanaged"


def _idle(spec: EndpointSpec, spare: idle_slots.Idle | None, row: SlotRow, now: datetime) -> SlotRow:
    if spare is None or spare.slot != row.name:
        return row
    ends, hours = spare.until(idle_slots.keep_of(spec)), (now - spare.since).total_seconds() / 3600
    return replace(
        row,
        idle_since=leases.iso_time(spare.since),
        idle_hours=round(hours, 2),
        kept_until=leases.iso_time(ends) if ends else None,
        failed=spare.failed,
        rolled_back=spare.rolled_back,
    )


def _slot(name: str, body: Json, traffic: dict[str, int], live: str | None) -> SlotRow:
    properties = body.get("properties") or {}
    return SlotRow(
        name,
        name == live,
        int(traffic.get(name) or 0),
        str((body.get("tags") or {}).get(RELEASE_TAG) or ""),
        str(properties.get("instanceType") or ""),
        capacity_of(body),
        str(properties.get("provisioningState") or "unknown"),
        provenance=recorded(body),
    )
