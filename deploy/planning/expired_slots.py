"""Which idle slots reap deletes: those older than `rollout.keep_previous`. Pure: no clock, no network, no file.

A protected environment and the limit of 30 % are about endpoints; they do not stop the deletion of an idle slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from deploy.documents.fields import FOREVER
from deploy.domain import history, idle_slots, leases
from deploy.domain.arm import Json, address
from deploy.domain.plan import Step, Verb
from deploy.domain.put_merge import PROTECT_TAG, is_protected
from deploy.domain.spec import DEFAULT_RETRY
from deploy.steps import autoscale, export

Bodies = Mapping[str, Mapping[str, Json]]


@dataclass(frozen=True)
class ExpiredSlot:
    """An idle slot, its endpoint's name in Azure, `since` when it is idle (ISO 8601), and for how many hours.

    `release` is on its tag; `why`: why it is deleted, or why it stays although it is expired.
    """

    endpoint: str
    deployment: str
    release: str
    instance_type: str
    instances: int
    since: str
    hours: float
    why: str


@dataclass(frozen=True)
class SlotData:
    """The deployments of endpoints. `keep`: endpoint -> seconds, where its files can be read."""

    deployments: Mapping[str, Bodies] = field(default_factory=dict)
    keep: Mapping[str, float] = field(default_factory=dict)


def may_be(endpoint: Mapping[str, Json]) -> bool:
    """Whether the history has another release than the live one: otherwise there is no idle slot."""
    lived = history.live(endpoint)
    return len(lived) > 1 or bool(lived and (history.failed(endpoint) or history.rolled_back(endpoint)))


def select(
    endpoints: Bodies, slot_data: SlotData, most: int, now: datetime
) -> tuple[list[ExpiredSlot], list[ExpiredSlot]]:
    """The slots to delete, at most `most`, longest idle first; and those that expired and stay. `endpoints`: those of
    the environment that are not deleted.
    """
    due: list[ExpiredSlot] = []
    kept: list[ExpiredSlot] = []
    for name, body in endpoints.items():
        held = slot_data.deployments.get(name) or {}
        found = idle_slots.of(body, held)
        if found is None:
            continue
        keep, hours = slot_data.keep.get(name), (now - found.since).total_seconds() / 3600
        if keep is None:
            kept.append(
                _expired_slot(
                    name, found, hours, "its files cannot be read here, so rollout.keep_previous is not known"
                )
            )
        elif keep != FOREVER and hours * 3600 >= keep:
            safe = is_protected(body) or is_protected(held[found.slot])
            why = f"the tag {PROTECT_TAG} is on it" if safe else _why(found, hours, keep)
            (kept if safe else due).append(_expired_slot(name, found, hours, why))
    due.sort(key=lambda each: (-each.hours, each.endpoint))
    late = [replace(each, why=f"{each.why}, but --max is reached") for each in due[most:]]
    return due[:most], [*kept, *late]


def steps(
    due: Sequence[ExpiredSlot], slot_data: SlotData, folder: str, settings: Mapping[str, Sequence[Json]]
) -> list[Step]:
    """The export of each endpoint, then the deletion of the slot if it is still idle, and of what scales it.
    `settings`: ARM id of a deployment in lower case -> its autoscale settings.
    """
    found = []
    for each in due:
        body = slot_data.deployments[each.endpoint][each.deployment]
        where, what = address("deployment", each.endpoint, each.deployment), idle_slots.claim(each.endpoint, body)
        found += [export.step_for(each.endpoint, each.endpoint, folder)]
        found += [Step(Verb.DELETE, where, what, each.why, DEFAULT_RETRY)]
        found += [
            autoscale.delete(address(autoscale.NAME, each.endpoint, each.deployment), row, "it scales this deployment")
            for row in settings.get(str(body["id"]).lower(), ())
        ]
    return found


def _why(found: idle_slots.Idle, hours: float, keep: float) -> str:
    past = "failed" if found.failed else "rolled back" if found.rolled_back else ""
    state = f"{past} {hours:.1f} h ago" if past else f"idle for {hours:.1f} h"
    return f"{state}, kept for {keep / 3600:g} h"


def _expired_slot(endpoint: str, found: idle_slots.Idle, hours: float, why: str) -> ExpiredSlot:
    since, hours = leases.iso_time(found.since), round(hours, 2)
    return ExpiredSlot(endpoint, found.slot, found.release, found.instance_type, found.instances, since, hours, why)
