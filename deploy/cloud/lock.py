"""The locks that a run holds: renewed by a thread, and right before each write, so that a lost lock ends all writing.

Nothing in Azure ML stops a run whose lock is lost. So the HTTP session renews the locks before it sends a change, and
sends it only if they last longer than the request may take.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from functools import partial

from deploy.clock import Clock
from deploy.cloud.lock_store import SECONDS, LockStore
from deploy.cloud.transport import CHANGE_SECONDS
from deploy.domain.lock_record import LockRecord
from deploy.errors import LOCK_LOST, DeployError, Locked
from deploy.parallel import run_parallel

_RENEWAL = 20.0
"""Seconds between renewals by the thread."""

WORKING_ON: ContextVar[frozenset[str] | None] = ContextVar("working_on", default=None)
"""The names of the endpoints that a task changes, set by the executor; empty: all of the run. None outside of tasks,
where only the locks themselves are changed.
"""


@dataclass
class _Lock:
    record: LockRecord
    until: float
    """Until when it is held without a further renewal, by the clock of `Locks`."""


@dataclass
class Locks:
    """The locks of one run. `clock`: real time, as a lease lasts 60 real seconds, on the emulator too."""

    store: LockStore
    clock: Clock
    gone: set[str] = field(default_factory=set)
    """Endpoints that the run deleted."""
    stopped: dict[str, LockRecord] = field(default_factory=dict)
    """Endpoint -> the record of the run from which its lock was taken over."""
    _held: dict[str, _Lock] = field(default_factory=dict)
    _lost: dict[str, str] = field(default_factory=dict)
    """Endpoint -> why its lock is lost."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _renewer: threading.Thread | None = None

    def take(self, record: LockRecord, instead_of: Collection[str] = ()) -> bool:
        """Take the lock of `record.endpoint`; False if another run holds it. `instead_of`: the lock ids of runs from
        which it is taken over, if one of them still holds it.
        """
        name, sent = record.endpoint, self.clock.monotonic()
        taken = any(self.store.change(name, each, record.lock_id) for each in instead_of)
        if not taken and not self.store.acquire(name, record.lock_id):
            return False
        self._held[name] = lock = _Lock(record, sent + SECONDS)
        try:
            former = self.store.read(name)
            lock.record = replace(record, epoch=former.epoch + 1)
            self.stopped |= {name: former} if taken else {}
            self.store.write(lock.record)
        except BaseException:
            self._release(name, is_gone=False)
            raise
        if self._renewer is None:
            self._renewer = threading.Thread(target=copy_context().run, args=[self._renew_all], daemon=True)
            self._renewer.start()
        return True

    def check(self) -> None:
        """Renew the locks of the endpoints that the task works on. Raises Locked (AML671) if one of them is lost."""
        working_on = WORKING_ON.get()
        if working_on is None:
            return
        for name in sorted(working_on or self._held):
            if self._ended.is_set():
                raise _lost(name, "the run has ended")
            self._renew(name)
            if why := self._lost.get(name):
                raise _lost(name, why)
            if self._held[name].until - self.clock.monotonic() < CHANGE_SECONDS:
                raise _lost(name, "it could not be renewed in time")

    def release(self) -> None:
        """Release all locks, and delete those of `gone`. A lock that cannot be released ends by itself."""
        self._ended.set()
        run_parallel({name: partial(self._release, name, is_gone=name in self.gone) for name in self._held}, 8)

    def _release(self, name: str, *, is_gone: bool) -> None:
        release = self.store.remove if is_gone and name not in self._lost else self.store.release
        with suppress(DeployError):
            release(name, self._held[name].record.lock_id)

    def _renew_all(self) -> None:
        while not self._ended.wait(_RENEWAL):
            for name in list(self._held):
                self._renew(name)

    def _renew(self, name: str) -> None:
        """Renew a lock. Without an answer it lasts as long as it did before."""
        lock = self._held.get(name)
        if lock is None:
            self._lost.setdefault(name, "this run does not hold it")
            return
        sent = self.clock.monotonic()
        try:
            is_held = name not in self._lost and self.store.renew(name, lock.record.lock_id)
        except DeployError:
            return
        if is_held:
            lock.until = max(lock.until, sent + SECONDS)
        elif not self._ended.is_set():
            self._lost.setdefault(name, self._why_lost(name, lock.record.lock_id))

    def _why_lost(self, name: str, lock_id: str) -> str:
        with suppress(DeployError):
            found = self.store.read(name)
            return "it was ended with force-unlock" if found.lock_id == lock_id else found.holds
        return "another run holds it"


def _lost(name: str, why: str) -> Locked:
    cure = "Nothing more was changed. Look at it with `amldeploy status`, then run the command again"
    return Locked(f"go on with endpoint {name}", f"its lock is lost: {why}", cure, code=LOCK_LOST)
