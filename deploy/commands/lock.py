"""The lock of a run: taken after the plan is approved, for each endpoint that it changes; then Azure is read again.

A plan is made and approved without a lock. With the locks, nothing that the plan depends on may have changed since, or
the run ends with exit code 7. Where no lock is possible, `lock` in the environment file decides.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from deploy.cloud import endpoints, lock_store, whoami
from deploy.cloud.busy_list import is_changing
from deploy.cloud.connect import Cloud
from deploy.cloud.lock import Locks
from deploy.cloud.lock_store import LockStore
from deploy.commands.project import Project
from deploy.commands.result import Approve
from deploy.domain import leases
from deploy.domain.arm import address
from deploy.domain.lock_record import LockRecord
from deploy.domain.plan import Plan
from deploy.domain.spec import Environment
from deploy.errors import CloudError, Finding, Locked, NotAuthenticated, Refused, StalePlan
from deploy.execution.executor import Emit
from deploy.execution.progress import Event, EventKind
from deploy.parallel import run_parallel
from deploy.planning import plan_check
from deploy.preflight.check_result import Verdict
from deploy.preflight.doctor import Line
from deploy.steps import endpoint_names

NOT_EXCLUSIVE = "Not exclusive"
_MEANWHILE = "Another run can change the same endpoints meanwhile; each step only checks before its change."
_GRANT = (
    "Grant one of: Storage Blob Data Contributor on the container of datastore workspaceblobstore; the right to read"
    " the key of that datastore (datastores/listSecrets/action); containers/read, write and lease/action on the storage"
    " account. Or set `lock: best_effort` in the environment file"
)
_POLL, _SETTLE_POLL = 2.0, 5.0
_READINGS = 5
_LONGEST_SETTLE = 3600.0
"""Seconds to wait for operations that another run started."""
_RECENT = 86400.0
"""Seconds for which what the plan read of quota, roles and models is used again: checks read it again later."""


@dataclass(frozen=True)
class Run:
    """The run that takes locks. `timeout`: seconds to wait for a lock; `take_over`: the lock ids of runs to stop."""

    project: Project
    cloud: Cloud
    command: str
    emit: Emit
    timeout: float = 0.0
    take_over: Sequence[str] = ()

    def note(self, text: str) -> None:
        self.emit(Event(EventKind.NOTE, text=text))


@contextmanager
def approved(
    run: Run, make: Callable[[], Plan], approve: Approve, *, ask: bool, names: Sequence[str] = ()
) -> Iterator[Plan]:
    """Plan, ask, lock, and plan again: the plan to run while the locks are held.

    To take a lock over, the locks of the endpoints `names` are taken first, as the run that holds one would change what
    is planned. Raises Locked (exit 8), StalePlan (exit 7) if something changed since the plan was approved, and Refused
    if no lock is possible but required.
    """
    environment = run.cloud.environment
    if run.take_over:
        with _held(run, names, "") as hold:
            plan = with_note(environment, make(), hold.why_not)
            approve(plan, ask)
            yield plan
        return
    plan = with_note(environment, make())
    approve(plan, ask)
    names = _names(plan)
    if environment.lock == "off" or not names:
        yield plan
        return
    with _held(run, names, plan.fingerprint) as hold:
        with run.cloud.arm.cached_reads(_RECENT):  # with the endpoints as they were read when the locks were held
            fresh = make()
        if hold.waited:  # for operations of a run that was killed, perhaps: they may have done some of the steps
            fresh = plan_check.rest_of(plan, fresh, run.command)
        else:
            plan_check.must_be_unchanged(plan, fresh, run.command)
        yield with_note(environment, fresh, hold.why_not)


def consistent(cloud: Cloud, make: Callable[[], Plan], names: Callable[[], Sequence[str]]) -> Plan:
    """A plan of `make`, and another one if it has no steps and one of the endpoints `names` changed while it was made:
    its traffic and its deployments are read one after the other. Steps check for themselves what they change.
    """
    for _ in range(_READINGS):
        plan = make()
        if plan.steps:
            return plan
        with cloud.arm.cached_reads(_RECENT):
            before = endpoints.list_endpoints(cloud)
            endpoints.forget(cloud)
            after = endpoints.list_endpoints(cloud)
        if all(before.get(name) == after.get(name) for name in names()):
            return plan
    cause = "another run changes its endpoints all the time"
    raise StalePlan(f"plan {cloud.environment.name}", cause, "Wait until that run ends, then run the command again")


@contextmanager
def exclusive(run: Run, name: str) -> Iterator[str]:
    """Hold the lock of one endpoint for a change that has no plan. Yields a note if the run may not exclude others.

    Raises Locked (exit 8), and Refused if no lock is possible but required.
    """
    mode = run.cloud.environment.lock
    if mode == "off":
        yield f"{NOT_EXCLUSIVE}: {run.cloud.environment.name} has `lock: off`. {_MEANWHILE}"
        return
    with _held(run, [name], "") as hold:
        yield f"{NOT_EXCLUSIVE}: no lock could be taken ({hold.why_not}). {_MEANWHILE}" if hold.why_not else ""


def with_note(environment: Environment, plan: Plan, why_not: str | None = None) -> Plan:
    """The plan, with a note if its run may not exclude others. `why_not`: why no lock could be taken; empty if the run
    holds its locks, None if it has not tried yet.
    """
    if environment.lock == "required" or why_not == "" or not _names(plan):
        return plan
    note = f"{NOT_EXCLUSIVE}: {environment.name} has `lock: {environment.lock}`"
    if environment.lock == "best_effort":
        note = f"{NOT_EXCLUSIVE}: no lock could be taken ({why_not})" if why_not else f"{NOT_EXCLUSIVE} without a lock"
        note += "" if why_not else f": {environment.name} has `lock: best_effort`"
    return replace(plan, notes=(*plan.notes, f"{note}. {_MEANWHILE}"))


def check(cloud: Cloud) -> Line:
    """The line of `doctor` about locks."""
    mode = cloud.environment.lock
    if mode == "off":
        return Line("lock", Verdict.YES, f"off in the environment file. {NOT_EXCLUSIVE}: {_MEANWHILE}")
    try:
        words, reasons = lock_store.first_usable(cloud, _readable, lock_store.any_error)
    except CloudError as error:
        return Line("lock", Verdict.UNKNOWN, f"cannot {error.what}: {error.cause}")
    if words:
        return Line("lock", Verdict.YES, words)
    why = f"no lock is possible: {'; '.join(reasons)}"
    if mode == "best_effort":
        return Line("lock", Verdict.UNKNOWN, f"{NOT_EXCLUSIVE}: {why}")
    finding = Finding("lock", "AML672", why, _GRANT)
    return Line("lock", Verdict.NO, why, "", (finding,))


def held_locks(cloud: Cloud) -> dict[str, LockRecord] | None:
    """Endpoint in lower case -> the record of its lock, of all held in the workspace; None if that cannot be read."""
    with suppress(CloudError, NotAuthenticated):
        return lock_store.first_usable(cloud, lambda store: store.held(), lock_store.any_error)[0]
    return None


def _readable(store: LockStore) -> str:
    """The words of a store that this caller can read."""
    store.held()
    return store.words


def stopped_runs(cloud: Cloud) -> dict[str, LockRecord]:
    """Endpoint -> the run from which this one took its lock over."""
    return cloud.locks.stopped if cloud.locks else {}


def release(cloud: Cloud, name: str, lock_id: str) -> None:
    """End the lock `lock_id` of endpoint `name`, and no other; success if the endpoint is not locked.

    Raises Locked if another run holds it, and Refused if this identity cannot use the locks.
    """

    def end(store: LockStore) -> list[LockRecord]:
        """The record of the other run that holds the lock, if one does."""
        held = {} if store.release(name, lock_id) else store.held()
        return [held[name.lower()]] if name.lower() in held else []

    found, reasons = lock_store.first_usable(cloud, end, lock_store.is_unusable)
    if found is None:
        raise _impossible(name, reasons, "unlock")
    for other in found:
        cure = f"Check that run; its lock id is {other.lock_id or 'unknown'}"
        cause = f"{other.holds}, not the run with lock id {lock_id}"
        raise Locked(f"unlock endpoint {name}", cause, cure, code="AML673")


def remove_unused(cloud: Cloud) -> None:
    """Delete the locks of endpoints that do not exist: a killed teardown leaves one. Those that are held stay."""

    def remove(store: LockStore) -> None:
        unused = store.unused()
        there = {name.lower() for name in endpoints.list_endpoints(cloud)} if unused else set()
        run_parallel({name: partial(store.remove, name) for name in set(unused) - there}, 8)

    if cloud.environment.lock != "off":
        with suppress(CloudError, NotAuthenticated):
            lock_store.first_usable(cloud, remove, lock_store.any_error)


@dataclass(frozen=True)
class _Hold:
    """The locks of a run. `why_not`: why there are none; `waited`: whether other operations were in progress."""

    why_not: str = ""
    waited: bool = False


@contextmanager
def _held(run: Run, names: Sequence[str], fingerprint: str) -> Iterator[_Hold]:
    """Hold the locks of endpoints, when no operation on them is in progress."""
    locks, why_not = _take_all(run, sorted(names), fingerprint)
    if locks is None:
        yield _Hold(why_not)
        return
    try:
        waited = _settle(run, names)
        run.cloud.locks, run.cloud.arm.transport.meter.before_change = locks, locks.check
        yield _Hold(waited=waited)
    finally:
        locks.release()


def _take_all(run: Run, names: Sequence[str], fingerprint: str) -> tuple[Locks | None, str]:
    """The locks of all endpoints, taken in this order; None with the reason if none is possible, or needed."""
    locks, reasons = _take_first(run, _record(run, names[0], fingerprint))
    if locks is None and run.cloud.environment.lock == "required":
        raise _impossible(names[0], reasons, run.command)
    if locks is None:
        return None, "; ".join(reasons)
    try:
        for name in names[1:]:
            _take(run, locks, _record(run, name, fingerprint))
    except BaseException:
        locks.release()
        raise
    return locks, ""


def _record(run: Run, name: str, fingerprint: str) -> LockRecord:
    return LockRecord(
        endpoint=name,
        command=run.command,
        holder=whoami.principal_name(run.cloud),
        host=socket.gethostname(),
        run_url=run.cloud.made_from.run_url,
        fingerprint=fingerprint[:16],
        since=leases.iso_time(run.cloud.now()),
    )


def _take_first(run: Run, record: LockRecord) -> tuple[Locks | None, list[str]]:
    """The first lock, in the first store that can be used; None with the reasons if there is none."""
    best_effort = run.cloud.environment.lock == "best_effort"
    return lock_store.first_usable(
        run.cloud,
        lambda store: _take(run, Locks(store, run.project.clock), record),
        lock_store.any_error if best_effort else lock_store.is_unusable,
    )


def _take(run: Run, locks: Locks, record: LockRecord) -> Locks:
    """Take one more lock; wait for it at most `run.timeout` seconds. Raises Locked."""
    clock, told = run.project.clock, ""
    deadline = clock.monotonic() + run.timeout
    while not locks.take(replace(record, lock_id=str(uuid.uuid4())), run.take_over):
        holder = locks.store.read(record.endpoint)
        if clock.monotonic() >= deadline:
            raise _busy(run, record.endpoint, holder)
        if holder.holds != told:
            told = holder.holds
            run.note(f"Waiting for endpoint {record.endpoint}: {told}.")
        clock.sleep(_POLL)
    return locks


def _busy(run: Run, name: str, holder: LockRecord) -> Locked:
    cure = "Wait until it ends, or use --lock-timeout 10m. If that run is dead, its lock ends within a minute"
    if holder.lock_id:
        unlock = f"amldeploy force-unlock -e {run.cloud.environment.name} {name} {holder.lock_id}"
        unlock = f"repeat this command with --force-unlock {holder.lock_id}" if run.command == "rollback" else unlock
        cure += f". To stop a run that is alive: {unlock}"
    return Locked(f"{run.command} endpoint {name}", holder.holds, cure, code="AML670")


def _impossible(name: str, reasons: Sequence[str], doing: str) -> Refused:
    cause = f"no lock is possible: {'; '.join(reasons)}"
    return Refused([Finding(str(address("endpoint", name)), "AML672", cause, _GRANT)], doing)


def _settle(run: Run, names: Sequence[str]) -> bool:
    """Wait until no operation of another run is in progress on the endpoints and their deployments; whether one was."""
    deadline, is_told = run.cloud.clock.monotonic() + _LONGEST_SETTLE, False
    while busy := _busy_resource(run.cloud, names):
        if run.cloud.clock.monotonic() > deadline:
            cause = f"an operation on {busy} has been in progress for an hour"
            raise Locked(f"{run.command} {run.cloud.environment.name}", cause, "Try again later", code="AML674")
        if not is_told:
            is_told = True
            run.note(f"Waiting for an operation on {busy} that another run started.")
        run.cloud.clock.sleep(_SETTLE_POLL)
    return is_told


def _busy_resource(cloud: Cloud, names: Sequence[str]) -> str:
    with cloud.arm.cached_reads(_RECENT):
        endpoints.forget(cloud)
        bodies = endpoints.list_endpoints(cloud)
        for name in names:
            if is_changing(bodies.get(name)):
                return f"endpoint {name}"
            there = endpoints.read_deployments(cloud, name) if name in bodies else {}
            if changing := [each for each, body in there.items() if is_changing(body)]:
                return f"deployment {changing[0]} of endpoint {name}"
    return ""


def _names(plan: Plan) -> list[str]:
    """The names of the endpoints that a plan changes, sorted."""
    named = endpoint_names(plan.all_steps)
    keys = {step.endpoint for step in plan.steps if step.changes}
    bodies = [plan.world.get(address("endpoint", key)) or {} for key in keys]
    return sorted({*named, *(str(body["name"]) for body in bodies if body.get("name"))})
