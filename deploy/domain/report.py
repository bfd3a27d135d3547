"""What became of a plan: an outcome for each step, with what it saw. Frozen data and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.domain.arm import Address, Json
from deploy.domain.plan import Verb
from deploy.domain.provenance import Provenance
from deploy.errors import BUG, CloudError, DeployError, Exit, Refused


class State(StrEnum):
    """What became of a step."""

    DONE = "done"
    FAILED = "failed"
    NOT_REACHED = "not_reached"
    RESCUED = "rescued"
    INTERRUPTED = "interrupted"
    SUPERSEDED = "superseded"
    """It failed for want of a place in the shared pool, or comes after such a step; the fallback was begun instead."""


@dataclass(frozen=True)
class Evidence:
    """What a step saw: a sentence, data for JSON, and files (name -> bytes) worth keeping."""

    summary: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one step. `error` is {code, message, ...} or None."""

    address: Address
    verb: Verb
    state: State
    attempts: int = 0
    seconds: float = 0.0
    error: Mapping[str, Json] | None = None
    evidence: Evidence = Evidence()
    rescue: bool = False
    """Whether it is of the rescue, and not of the plan's own steps."""


@dataclass(frozen=True)
class Report:
    """What became of a plan."""

    environment: str
    fingerprint: str
    outcomes: tuple[Outcome, ...]
    requests: int = 0
    seconds: float = 0.0
    stopped: Exit | None = None
    """How somebody broke it off, INTERRUPTED or TERMINATED; None when it came to its own end."""
    provenance: Provenance | None = None
    """The commit of the files, the caller and the run; None when nothing was to change."""

    @property
    def ok(self) -> bool:
        return all(o.state in (State.DONE, State.SUPERSEDED) for o in self.outcomes)

    @property
    def exit(self) -> Exit:
        """A rescue may fail too, and some failures nothing can rescue. What was refused before any change is no failed
        step.
        """
        if self.stopped:
            return self.stopped
        failed = [outcome for outcome in self.outcomes if outcome.state is State.FAILED]
        if any(outcome.error and outcome.error["code"] == BUG for outcome in self.outcomes):
            return Exit.BUG
        exposed = any(outcome.error and "callers" in outcome.error for outcome in self.outcomes)
        if exposed or any(outcome.rescue for outcome in failed):
            return Exit.RESCUE_FAILED
        refused = all("findings" in (outcome.error or {}) for outcome in failed)
        if failed and refused and all(outcome.verb in (Verb.CHECK, Verb.PROBE) for outcome in self.outcomes):
            return Exit.REFUSED
        return Exit.STEP_FAILED if failed else Exit.OK


def as_json(error: DeployError) -> dict[str, Json]:
    """An error as the report keeps it."""
    told: dict[str, Json] = {"code": error.code, "message": error.message, "cure": error.cure}
    if isinstance(error, CloudError):
        told |= {"azure_codes": list(error.codes), "status": error.status, "request_id": error.request_id}
        told |= {"diagnosis": dict(error.diagnosis)} if error.diagnosis else {}
    if isinstance(error, Refused):
        told["findings"] = [vars(f) for f in error.findings]
    return told
