"""The report of a run: an outcome for each step, with its evidence. Frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from deploy.domain.arm import Address, Json
from deploy.domain.cost import Cost
from deploy.domain.plan import READS, Verb
from deploy.domain.provenance import Provenance
from deploy.errors import BUG, CONFLICTS, LOCK_LOST, CloudError, DeployError, Exit, Refused


class State(StrEnum):
    """The state of a step after a run."""

    DONE = "done"
    FAILED = "failed"
    NOT_REACHED = "not_reached"
    RESCUED = "rescued"
    INTERRUPTED = "interrupted"
    SUPERSEDED = "superseded"
    """The shared pool was full, or the step comes after such a step; the fallback ran instead."""


@dataclass(frozen=True)
class Evidence:
    """What a step read: a sentence, data for JSON, and files (name -> bytes) for the report."""

    summary: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one step. `error` is {code, message, ...} or None."""

    address: Address
    verb: Verb
    state: State
    attempts: int = 0
    seconds: float = 0.0
    error: Mapping[str, Json] | None = None
    evidence: Evidence = Evidence()
    rescue: bool = False
    """Whether it is a step of the rescue."""

    @property
    def wrote_nothing(self) -> bool:
        """Whether its only attempt ended before the write, because something had changed since the plan was made."""
        is_conflict = self.state is State.FAILED and (self.error or {}).get("code") in CONFLICTS
        return is_conflict and self.attempts == 1


@dataclass(frozen=True)
class Report:
    """The outcomes of a plan."""

    environment: str
    fingerprint: str
    outcomes: tuple[Outcome, ...]
    requests: int = 0
    seconds: float = 0.0
    stopped: Exit | None = None
    """INTERRUPTED or TERMINATED if the run was interrupted, else None."""
    provenance: Provenance | None = None
    """The commit of the files, the caller and the run; None without changes."""
    cost: Cost | None = None
    """What runs after the run, by its steps; None if the plan has no prices."""
    command: str = ""
    host: str = ""
    started: datetime | None = None
    """When the first step started, with its zone."""
    paused: tuple[str, ...] = ()
    """The keys of the endpoints with a rollout that pauses: the next apply continues it."""

    @property
    def ok(self) -> bool:
        return all(o.state in (State.DONE, State.SUPERSEDED) for o in self.outcomes)

    @property
    def state(self) -> str:
        """`interrupted`, `failed`, `paused`, or `done`."""
        if self.stopped:
            return "interrupted"
        return "failed" if not self.ok else "paused" if self.paused else "done"

    @property
    def exit(self) -> Exit:
        """The exit code. LOCKED if the run lost a lock; RESCUE_FAILED only if traffic may be on a release that failed,
        or was not probed; STALE for a conflict with another run before any change. A step that was refused before any
        change is not a failed step.
        """
        if self.stopped:
            return self.stopped
        failed = [outcome for outcome in self.outcomes if outcome.state is State.FAILED]
        if any(outcome.error and outcome.error["code"] == BUG for outcome in self.outcomes):
            return Exit.BUG
        if any(outcome.error and outcome.error["code"] == LOCK_LOST for outcome in self.outcomes):
            return Exit.LOCKED
        exposed = any(outcome.error and "traffic" in outcome.error for outcome in self.outcomes)
        if exposed or any(outcome.rescue and outcome.address.kind == "traffic" for outcome in failed):
            return Exit.RESCUE_FAILED
        if failed and not self._has_changed and all(each.wrote_nothing for each in failed):
            return Exit.STALE
        refused = all("findings" in (outcome.error or {}) for outcome in failed)
        if failed and refused and all(outcome.verb in READS for outcome in self.outcomes):
            return Exit.REFUSED
        return Exit.STEP_FAILED if failed else Exit.OK

    @property
    def _has_changed(self) -> bool:
        """Whether a step changed something, or may have."""
        started = (each for each in self.outcomes if each.state is not State.NOT_REACHED)
        return any(each.verb not in READS and not each.wrote_nothing for each in started)


def as_json(error: DeployError) -> dict[str, Json]:
    """An error as JSON, for the report."""
    body: dict[str, Json] = {"code": error.code, "message": error.message, "cure": error.cure}
    if isinstance(error, CloudError):
        body |= {"azure_codes": list(error.codes), "status": error.status, "request_id": error.request_id}
        body |= {"diagnosis": dict(error.diagnosis)} if error.diagnosis else {}
    if isinstance(error, Refused):
        body["findings"] = [vars(f) for f in error.findings]
    return body
