"""The command reap: delete endpoints with an ending lease and idle slots, and send the notices that are due."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial

from deploy.cloud import autoscale_and_tags, endpoints, role_assignments
from deploy.cloud.connect import Cloud
from deploy.commands import lease_state, lock
from deploy.commands.notify import Sent, Show, Warn, notify
from deploy.commands.project import Project, export_folder, valid_specs
from deploy.commands.result import Approve, Result, run_plan
from deploy.config import reader, validation
from deploy.domain import idle_slots, leases
from deploy.domain.arm import OWNER_TAG, Json, address
from deploy.domain.plan import Desired, Plan, Step
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Exit, Locked, Refused, StalePlan
from deploy.execution.executor import Emit
from deploy.planning import expired_slots, reaping
from deploy.planning.reaping import Inventory, Rules, Selection
from deploy.steps import alias, roles

Entries = Callable[[], Mapping[str, EndpointSpec]]
"""Key -> spec of every valid entry of the environment file; the templates are rendered at the first call."""


@dataclass(frozen=True)
class ReapResult:
    """What reap selected in one environment, and the result of the deletion: None in a dry run and when refused."""

    environment: str
    judged: Selection
    plan: Plan
    result: Result | None
    notices: Sent = field(default_factory=Sent)

    @property
    def refused(self) -> Refused | None:
        """The findings of the guards as an error."""
        return Refused(self.judged.findings, "reap") if self.judged.findings else None

    @property
    def ok(self) -> bool:
        """Whether everything that was due is deleted, and every notice is sent."""
        return self.exit is Exit.OK

    @property
    def exit(self) -> Exit:
        """A dry run fails only when a guard refuses. Guards do not stop idle slots, so a failure there comes first."""
        refused = Exit.REFUSED if self.judged.findings else Exit.OK
        if self.result is None:
            return refused
        reasons = [*(each.why for each in self.judged.spared), *(each.why for each in self.judged.kept)]
        over_limit = any("--max" in why for why in reasons)
        report = self.result.report
        if refused:
            return report.exit or refused
        failed = over_limit or self.notices.failed or not report.ok
        return Exit.STEP_FAILED if report.exit is Exit.OK and failed else report.exit


def reap(
    project: Project,
    name: str,
    rules: Rules,
    *,
    yes: bool,
    approve: Approve,
    emit: Emit,
    show: Show,
    warn: Warn | None = None,
    lock_timeout: float = 0.0,
) -> ReapResult:
    """Select what is due in a workspace. With `yes`: export it, delete it and send the notices that are due.

    Notices are sent even when a guard refuses the deletion, or another run holds the lock of an endpoint.
    """
    file = validation.validate_environment(reader.read_environment(project.root, name))
    environment = file.environment
    entries = cache(partial(valid_specs, project, file))
    with project.connect(environment) as cloud:
        now, folder = cache(cloud.now), cache(lambda: str(export_folder(project, cloud)))
        found = _select(cloud, environment, entries, rules, now, folder)
        if not yes:
            return ReapResult(name, found.judged, found.plan, None)
        if found.judged.findings and not found.allowed.steps:
            sent = notify(cloud, file, found.inventory.endpoints, show, warn)
            return ReapResult(name, found.judged, found.plan, None, sent)
        first = [found]

        def make() -> Plan:
            return (first.pop() if first else _select(cloud, environment, entries, rules, now, folder)).allowed

        run = lock.Run(project, cloud, "reap", emit, lock_timeout)
        try:
            with lock.approved(run, make, approve, ask=False) as plan:
                result = run_plan(project, cloud, plan, "reap", emit)
        except (Locked, StalePlan):
            notify(cloud, file, found.inventory.endpoints, show, warn)
            raise
        if result.report.stopped:
            return ReapResult(name, found.judged, found.plan, result)
        deleted = frozenset[str]() if found.judged.findings else found.judged.deleted_names
        remaining = _remaining(found.inventory, deleted)
        return ReapResult(name, found.judged, found.plan, result, notify(cloud, file, remaining, show, warn))


@dataclass(frozen=True)
class _Selected:
    """What reap found. `allowed`: the part of `plan` that the guards allow."""

    inventory: Inventory
    judged: Selection
    plan: Plan
    allowed: Plan


def _select(
    cloud: Cloud,
    environment: Environment,
    entries: Entries,
    rules: Rules,
    now: Callable[[], datetime],
    folder: Callable[[], str],
) -> _Selected:
    inventory = _inventory(cloud, environment, entries)
    judged = reaping.select(environment, inventory, rules, now())
    if judged.candidates or judged.idle:
        inventory = replace(inventory, autoscale=autoscale_and_tags.autoscale_settings(cloud) or ())
    if judged.candidates:
        inventory = replace(inventory, transfers=_transfers(cloud, entries, inventory, judged.deleted_names))
    plan = reaping.plan(environment, inventory, judged, folder())
    moves = _alias_moves(cloud, entries, inventory, judged.deleted_names)
    deletions = _alias_steps(cloud, entries, inventory, _still_leased(judged, rules) - moves.keys())
    plan = _with_aliases(plan, deletions, moves)
    allowed = reaping.plan_idle(environment, inventory, judged, folder()) if judged.findings else plan
    return _Selected(inventory, judged, plan, allowed)


def _remaining(inventory: Inventory, deleted: Collection[str]) -> dict[str, Mapping[str, Json]]:
    return {name: body for name, body in inventory.endpoints.items() if name not in deleted}


def _inventory(cloud: Cloud, environment: Environment, entries: Entries) -> Inventory:
    """The endpoints and role assignments (one list each), and the deployments of each endpoint with an idle slot.

    Autoscale settings are read later, only when an endpoint or an idle slot is to be deleted.
    """
    bodies = endpoints.list_endpoints(cloud)
    deployments = _deployments(cloud, environment, entries, bodies)
    return Inventory(cloud.workspace_id, bodies, role_assignments.assignments(cloud), (), slot_data=deployments)


def _deployments(
    cloud: Cloud, environment: Environment, entries: Entries, bodies: Mapping[str, Json]
) -> expired_slots.SlotData:
    """The deployments of endpoints that may have an idle slot, and how long the files keep such a slot; unknown for
    an endpoint that is not in the files.
    """
    some = {n: b for n, b in bodies.items() if reaping.is_ours(environment, b) and expired_slots.may_be(b)}
    by_owner = {spec.owner: spec for spec in entries().values()} if some else {}
    specs = {name: by_owner.get(str(body["tags"][OWNER_TAG])) for name, body in some.items()}
    keep = {n: idle_slots.keep_of(spec) for n, spec in specs.items() if spec and leases.is_in_chain(spec.first_name, n)}
    return expired_slots.SlotData({name: endpoints.read_deployments(cloud, name) for name in some}, keep)


def _transfers(cloud: Cloud, entries: Entries, inventory: Inventory, deleted: Collection[str]) -> Mapping[str, Json]:
    """The remaining entries that need a role assignment of a deleted endpoint."""
    rows = [row for row in inventory.readable_assignments if (mark := role_assignments.marked(row)) and not mark.own]
    remaining = _remaining(inventory, deleted)
    return roles.transfers_of(cloud, list(entries().values()) if rows else [], rows, remaining)


def _still_leased(judged: Selection, rules: Rules) -> set[str]:
    """Endpoints that are deleted although their lease does not end: the next renewal must not create them again."""
    within = rules.within or 0.0
    return {
        each.name
        for each in judged.candidates
        if not each.gone and (each.hours_left is None or each.hours_left > within)
    }


def _alias_moves(
    cloud: Cloud, entries: Entries, inventory: Inventory, deleted: Collection[str]
) -> dict[str, Sequence[Step]]:
    """Endpoint that is deleted, or was -> the move of the alias that names it to the one of its entry with traffic.

    An interrupted renewal leaves such an alias. Without the move clients would look up a deleted endpoint.
    """
    remaining = _remaining(inventory, deleted)
    owners = {(body.get("tags") or {}).get(OWNER_TAG) for body in remaining.values()}
    every = entries().values() if deleted else ()
    specs = [spec for spec in every if spec.owner in owners and leases.chain(spec.first_name, deleted)]
    found: dict[str, Sequence[Step]] = {}
    for state in lease_state.read_lease_states(cloud, specs, remaining).values():
        former = str((state.facts.get(address("alias", state.spec.key)) or {}).get("endpoint") or "")
        if former in deleted and state.alias_problem:
            moves = alias.plan(Desired(state.spec, {}, ({},)), state.facts)
            found[former] = [replace(step, address=address("alias", former)) for step in moves]
    return found


def _alias_steps(
    cloud: Cloud, entries: Entries, inventory: Inventory, names: Collection[str]
) -> Mapping[str, Sequence[Step]]:
    """Endpoint -> the deletion of the alias that names it. Otherwise `renew` would find a missed lease."""
    found: dict[str, list[Step]] = {}
    for spec in entries().values() if names else ():
        for name in leases.chain(spec.first_name, names):
            if (inventory.endpoints[name].get("tags") or {}).get(OWNER_TAG) != spec.owner:
                continue
            facts = alias.observe(cloud, spec.with_name(name))
            target = facts.get(address("alias", spec.key)) or {}
            if target.get("endpoint") == name:
                found[name] = [
                    replace(step, address=address("alias", name)) for step in alias.delete_steps(spec, facts)
                ]
    return found


def _with_aliases(plan: Plan, deletions: Mapping[str, Sequence[Step]], moves: Mapping[str, Sequence[Step]]) -> Plan:
    """The plan with the deletion of each alias after the export of its endpoint, and each move before all steps."""
    steps: list[Step] = []
    started: set[str] = set()
    for step in plan.steps:
        steps += moves.get(step.endpoint, ()) if step.endpoint not in started else ()
        started.add(step.endpoint)
        steps += [step, *(deletions.get(step.endpoint, ()) if step.kind == "export" else ())]
    return replace(plan, steps=tuple(steps))
