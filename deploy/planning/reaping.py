"""Reaping: which endpoints and idle slots are deleted because they expired, which are spared, and why. Pure.

Only resources with the tag of a named environment are considered, and those that match a pattern if the caller adopts
them. The result is a plan: a dry run shows the steps of the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from deploy.cloud import autoscale_and_tags, role_assignments
from deploy.cloud.endpoints import path_in
from deploy.domain import leases
from deploy.domain.arm import Address, Json, address
from deploy.domain.owners import key_in, owner_tag
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.put_merge import PROTECT_TAG, is_protected
from deploy.domain.spec import DEFAULT_RETRY, SHORT_RETRY, Environment
from deploy.errors import Finding
from deploy.planning import expired_slots
from deploy.planning.build import target_of
from deploy.steps import export, identity_record
from deploy.steps.roles import after_others, transfer_step, unreadable
from deploy.text import count

MOST_OF_ALL = 0.3
"""The share of a workspace's endpoints that may go in one run unless it is forced."""


@dataclass(frozen=True)
class Rules:
    """The options of reap. Hours; `include`: shell patterns of names, used only with `adopt`."""

    within: float | None = None
    older_than: float | None = None
    include: tuple[str, ...] = ()
    adopt: bool = False
    most: int = 20
    force: bool = False


@dataclass(frozen=True)
class Inventory:
    """The endpoints of a workspace by name, and its role assignments (None: they cannot be read)."""

    workspace_id: str
    endpoints: Mapping[str, Mapping[str, Json]]
    assignments: Sequence[Json] | None
    autoscale: Sequence[Json]
    transfers: Mapping[str, Json] = field(default_factory=dict)
    """Assignment id -> the step body that transfers it to an entry that stays and needs it."""
    slot_data: expired_slots.SlotData = field(default_factory=expired_slots.SlotData)

    @property
    def readable_assignments(self) -> Sequence[Json]:
        """The role assignments; empty if they cannot be read."""
        return self.assignments or ()


@dataclass(frozen=True)
class Candidate:
    """An endpoint to delete. `gone`: Azure deleted it, and something of it remains. `earlier`: another endpoint has its
    name now, and stays.
    """

    name: str
    why: str
    hours_left: float | None = None
    gone: bool = False
    earlier: bool = False


@dataclass(frozen=True)
class Spared:
    """An endpoint that matches the rules and is not deleted."""

    name: str
    why: str


@dataclass(frozen=True)
class Selection:
    """The endpoints to delete, most urgent first, those that are spared, and the findings of guards."""

    candidates: tuple[Candidate, ...]
    spared: tuple[Spared, ...]
    findings: tuple[Finding, ...] = ()
    idle: tuple[expired_slots.ExpiredSlot, ...] = ()
    """Idle slots to delete: the findings are about endpoints and do not stop this."""
    kept: tuple[expired_slots.ExpiredSlot, ...] = ()

    @property
    def deleted_names(self) -> frozenset[str]:
        """The names of endpoints that do not exist afterwards."""
        return frozenset(each.name for each in self.candidates if not each.earlier)


def select(environment: Environment, inventory: Inventory, rules: Rules, now: datetime) -> Selection:
    """Which endpoints are deleted and which stay. If a guard refuses, the candidates are listed all the same."""
    chosen: list[Candidate] = []
    spared: list[Spared] = []
    for name, body in inventory.endpoints.items():
        found = _due(name, body, rules, now)
        if found is None or not (is_ours(environment, body) or _is_named(name, rules)):
            continue
        if (owner := owner_tag(body)) and not is_ours(environment, body):
            spared.append(Spared(name, f"it is managed by {owner}, and resources of other owners are not adopted"))
        elif (key := key_in(environment, owner_tag(body))) in environment.protected:
            spared.append(Spared(name, f"endpoints.{key}.protected is true in environments/{environment.name}.yml"))
        elif is_protected(body):
            spared.append(Spared(name, f"it carries the tag {PROTECT_TAG}"))
        else:
            chosen.append(found)
    chosen.sort(key=lambda each: (each.hours_left is None, each.hours_left or 0.0, each.name))
    chosen += _leftovers(environment, inventory)
    chosen += _earlier_endpoints(environment, inventory, {each.name for each in chosen})
    findings = _guard(environment, inventory, chosen, rules)
    late = [Spared(each.name, f"{each.why}, but --max is {rules.most}") for each in chosen[rules.most :]]
    going = {each.name for each in chosen[: rules.most]} if not findings else set()
    stays = {n: b for n, b in inventory.endpoints.items() if n not in going and is_ours(environment, b)}
    idle, kept = expired_slots.select(stays, inventory.slot_data, rules.most - len(going), now)
    return Selection(tuple(chosen[: rules.most]), (*spared, *late), tuple(findings), tuple(idle), tuple(kept))


def plan(environment: Environment, inventory: Inventory, selection: Selection, folder: str) -> Plan:
    """The steps: the export, then autoscale settings, role assignments, and the endpoint with its deployments.

    Role assignments with our mark are removed last: if an earlier step fails, the mark still shows what remains. An
    endpoint that stays and has no record of its identity, as an apply was interrupted, gets one.
    """
    steps = [step for each in selection.candidates for step in _steps(environment, inventory, each, folder)]
    going = selection.deleted_names
    held = autoscale_and_tags.by_principal(inventory.readable_assignments)
    for name, body in inventory.endpoints.items():
        if name not in going and is_ours(environment, body) and leases.of(body) is not None:
            steps += _identity_record(name, body, held.get(role_assignments.system_identity(body) or "", ()))
    steps += _idle_steps(inventory, selection, folder)
    names = tuple(each.name for each in selection.candidates)
    return Plan(environment.name, tuple(steps), endpoints=names, target=target_of(environment))


def plan_idle(environment: Environment, inventory: Inventory, selection: Selection, folder: str) -> Plan:
    """The deletions of idle slots, which guards about endpoints do not stop."""
    steps = tuple(_idle_steps(inventory, selection, folder))
    return Plan(environment.name, steps, target=target_of(environment))


def _idle_steps(inventory: Inventory, selection: Selection, folder: str) -> list[Step]:
    settings = autoscale_and_tags.by_target(inventory.autoscale)
    return expired_slots.steps(selection.idle, inventory.slot_data, folder, settings)


def _identity_record(name: str, body: Mapping[str, Json], held: Sequence[Json]) -> list[Step]:
    if not autoscale_and_tags.unmarked_assignments(body, held):
        return []
    return [identity_record.step_for(name, name, owner_tag(body), DEFAULT_RETRY)]


def _due(name: str, body: Mapping[str, Json], rules: Rules, now: datetime) -> Candidate | None:
    lease = leases.of(body)
    left = lease.hours_left(now) if lease else None
    if left is not None and left <= 0:
        return Candidate(name, f"its lease expired {-left:.1f} h ago", left)
    if left is not None and rules.within is not None and left <= rules.within:
        return Candidate(name, f"its lease expires in {left:.1f} h", left)
    born = leases.parse_time((body.get("systemData") or {}).get("createdAt"))
    if rules.older_than is not None and born is not None:
        age = max((now - born).total_seconds() / 3600, 0.0)  # `now` has whole seconds, `createdAt` fractions
        if age >= rules.older_than:
            return Candidate(name, f"it is {age:.0f} h old", left)
    return None


def is_ours(environment: Environment, body: Mapping[str, Json]) -> bool:
    """Whether an endpoint has the tag of this environment of this project."""
    return key_in(environment, owner_tag(body)) is not None


def _is_named(name: str, rules: Rules) -> bool:
    """Whether it matches a pattern of names to adopt."""
    return rules.adopt and any(fnmatchcase(name, pattern) for pattern in rules.include)


def _leftovers(environment: Environment, inventory: Inventory) -> list[Candidate]:
    """Endpoints that no longer exist and are still described by a role assignment of ours."""
    prefix = path_in(inventory.workspace_id, "").lower()
    known = {name.lower() for name in inventory.endpoints}
    gone: dict[str, int] = {}
    for row in inventory.readable_assignments:
        mark = role_assignments.marked(row)
        if mark and mark.endpoint.startswith(prefix) and key_in(environment, mark.owner):
            name = mark.endpoint.removeprefix(prefix)
            if name not in known:
                gone[name] = gone.get(name, 0) + 1
    return [Candidate(name, "Azure deleted it; what remains of it is deleted", gone=True) for name in sorted(gone)]


def _earlier_endpoints(environment: Environment, inventory: Inventory, going: Collection[str]) -> list[Candidate]:
    """Endpoints that exist, while a role assignment still describes an earlier one of the same name."""
    why = "an earlier endpoint of this name was deleted; what remains of it is deleted"
    return [
        Candidate(name, why, gone=True, earlier=True)
        for name, body in inventory.endpoints.items()
        if name not in going and is_ours(environment, body) and _former(environment, inventory, name)
    ]


def _former(environment: Environment, inventory: Inventory, name: str) -> set[str]:
    return autoscale_and_tags.former_principals(inventory.endpoints[name], _marks(environment, inventory, name))


def _marks(environment: Environment, inventory: Inventory, name: str) -> list[tuple[Json, role_assignments.Mark]]:
    """The role assignments that our description assigns to this endpoint."""
    where = path_in(inventory.workspace_id, name).lower()
    marks = [
        (row, mark)
        for row in inventory.readable_assignments
        if (mark := role_assignments.marked(row)) and mark.endpoint == where
    ]
    return [(row, mark) for row, mark in marks if key_in(environment, mark.owner)]


def _guard(
    environment: Environment, inventory: Inventory, chosen: Sequence[Candidate], rules: Rules
) -> Iterator[Finding]:
    """Findings of guards. Endpoints that Azure has deleted already do not count."""
    where = f"environment/{environment.name}"
    going = sum(not each.gone for each in chosen)
    if environment.guards.protected and chosen:
        cure = "Remove guards.protected from the environment file first"
        yield Finding(where, "AML241", "the environment is protected", cure)
    if inventory.assignments is None:
        yield from (unreadable(address("role", each.name)) for each in chosen)
    if going > MOST_OF_ALL * len(inventory.endpoints) and not rules.force:
        all_endpoints = count(len(inventory.endpoints), "endpoint")
        cause = f"{going} of {all_endpoints} would be deleted, more than {MOST_OF_ALL:.0%} of all"
        yield Finding(where, "AML270", cause, "If this is intended, use --force")


def _steps(environment: Environment, inventory: Inventory, each: Candidate, folder: str) -> list[Step]:
    steps = [] if each.gone else [export.step_for(each.name, each.name, folder)]
    steps += [
        Step(
            Verb.DELETE,
            address("autoscale", each.name, str(row["name"])),
            {"id": row["id"]},
            each.why,
            DEFAULT_RETRY,
        )
        for row in autoscale_and_tags.settings_of_endpoint(
            () if each.earlier else inventory.autoscale, path_in(inventory.workspace_id, each.name)
        )
    ]
    rows = _roles(environment, inventory, each)
    removals = [_remove_or_transfer(address("role", each.name, str(r["name"])), r, inventory, each.why) for r in rows]
    steps += after_others(removals, {str(row["id"]) for row in rows if role_assignments.marked(row)})
    if not each.gone:
        steps.append(Step(Verb.DELETE, address("endpoint", each.name), {"name": each.name}, each.why, DEFAULT_RETRY))
    return steps


def _remove_or_transfer(where: Address, row: Json, inventory: Inventory, why: str) -> Step:
    if transfer := inventory.transfers.get(str(row["id"])):
        return transfer_step(where, transfer)
    return Step(Verb.DELETE, where, {"id": row["id"]}, why, SHORT_RETRY)


def _roles(environment: Environment, inventory: Inventory, each: Candidate) -> list[Json]:
    """The role assignments that describe this endpoint, and all of its identity, which is deleted with it."""
    if each.earlier:
        former = _former(environment, inventory, each.name)
        return sorted(
            (r for r in inventory.readable_assignments if role_assignments.holder(r) in former),
            key=lambda r: bool(role_assignments.marked(r)),
        )
    marks = _marks(environment, inventory, each.name)
    mine, own = [row for row, _ in marks], {role_assignments.holder(row) for row, mark in marks if mark.own}
    if principal := role_assignments.system_identity(inventory.endpoints.get(each.name)):
        own.add(principal)
    taken = {str(row["id"]) for row in mine}
    return [
        r for r in inventory.readable_assignments if role_assignments.holder(r) in own and str(r["id"]) not in taken
    ] + mine
