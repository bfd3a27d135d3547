"""Doing: a plan in, a report out. The only loop over steps, and the only place that tries a step again.

Endpoints run side by side, the steps of one in their order. A step that meets a slow truth (`Transient`) is tried again
within its own budget: full jitter, Azure's own wish honoured, no sleep past the deadline. When a step gives up, the
rest of that endpoint is not reached and its rescue runs if what the rescue mends was touched; but a shared pool that
stays full sends it on to the plan's fallback, if it has one.
"""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import tenacity

from deploy import redact
from deploy.clock import Clock
from deploy.cloud.connect import Cloud
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Evidence, Outcome, Report, State, as_json
from deploy.errors import BUG, POOL_FULL, DeployError, Exit, Terminated, Transient, sanitize
from deploy.execution.progress import Event, Kind
from deploy.parallel import run_parallel
from deploy.steps import ALL_STEP_TYPES, StepType

Emit = Callable[[Event], None]
_FIRST_WAIT, _LONGEST_WAIT, _TICK = 5.0, 120.0, 5.0
_DOUBLINGS = 5
"""After so many the first wait is longer than the longest."""
_JUST_NOW = 30.0
"""Seconds for which what was read of quota, limits, models and permissions holds for the next endpoint's check."""


class _Cancelled(BaseException):
    """This thread is not needed any more."""


@dataclass(frozen=True)
class _EndpointRun:
    cloud: Cloud
    clock: Clock
    emit: Emit
    step_types: Sequence[StepType]
    halt: threading.Event = field(default_factory=threading.Event)
    """Set when somebody broke it off: no step begins any more and nobody waits."""
    fail_fast: Collection[str] = ()
    """Endpoints for which a full pool is not asked again."""
    fallback: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    """Endpoint -> the steps instead, for a shared pool that stays full until the deadline."""
    used_fallback: set[str] = field(default_factory=set)
    """Endpoints that went to their fallback. They have no other, however full it is there."""
    begun: dict[str, tuple[Step, float, int]] = field(default_factory=dict)
    """The step that each endpoint is at, when it began, and how many outcomes there were before it."""

    def endpoint(self, steps: Sequence[Step], rescue: Sequence[Step], outcomes: list[Outcome]) -> None:
        """Adds what becomes of each step to `outcomes`, as it does."""
        for number, step in enumerate(steps):
            outcome = self.step(step, len(outcomes))
            outcomes.append(outcome)
            if outcome.state is State.FAILED and self.falls_back(outcome):
                self.replaced(steps[number + 1 :], outcomes)
                self.endpoint(self.fallback[step.endpoint], rescue, outcomes)
                return
            if outcome.state is State.FAILED:
                outcomes += not_reached(steps[number + 1 :])
                touched = {s.address for s in steps[: number + 1]}
                if "idle" not in step.body:  # the rollout is done then: traffic stays on the new release
                    self.rescue([s for s in rescue if s.address in touched], outcomes)
                return

    def falls_back(self, outcome: Outcome) -> bool:
        """Whether it is the pool's fault, and there is another way."""
        return (outcome.error or {}).get("code") == POOL_FULL and self.can_fall_back(outcome.address.split("/")[1])

    def can_fall_back(self, key: str) -> bool:
        """Whether an endpoint has a fallback still before it."""
        return bool(self.fallback.get(key)) and key not in self.used_fallback

    def replaced(self, rest: Sequence[Step], outcomes: list[Outcome]) -> None:
        """The last of `outcomes` is no failure any more, and `rest` is not gone."""
        last = outcomes[-1]
        outcomes[-1] = replace(last, state=State.SUPERSEDED)
        outcomes += [Outcome(step.address, step.verb, State.SUPERSEDED) for step in rest]
        key = last.address.split("/")[1]
        self.used_fallback.add(key)
        self.emit(Event(Kind.NOTE, text=f"{key}: the shared pool stayed full, so it goes to dedicated quota."))

    def rescue(self, steps: Sequence[Step], outcomes: list[Outcome]) -> None:
        for step in steps:
            self.emit(Event(Kind.RESCUING, step.address, step.verb, step.why))
            outcome = replace(self.step(step, len(outcomes)), rescue=True)
            done = outcome.state is State.DONE
            outcomes.append(replace(outcome, state=State.RESCUED) if done else outcome)

    def broken_off(self, key: str, steps: Sequence[Step], outcomes: Sequence[Outcome]) -> list[Outcome]:
        """What became of an endpoint that somebody stopped: the step that it was at goes on in Azure, or does not."""
        told, at = list(outcomes), self.begun.get(key)
        if at and at[2] == len(told):
            step, began, _ = at
            told.append(Outcome(step.address, step.verb, State.INTERRUPTED, 1, self.clock.monotonic() - began))
        ahead = (*steps, *self.fallback[key]) if key in self.used_fallback else steps
        return told + not_reached(ahead[len(told) :])

    def step(self, step: Step, before: int) -> Outcome:
        started = self.clock.monotonic()
        if self.halt.is_set():
            raise _Cancelled
        self.begun[step.endpoint] = (step, started, before)
        began, attempts = started, 0
        step_type = next(step_type for step_type in self.step_types if step.kind == step_type.NAME)

        def once() -> Evidence:
            nonlocal attempts
            attempts += 1
            left = max(0.0, step.retry.deadline - (self.clock.monotonic() - began))
            with self.look(step):
                return step_type.run(self.cloud, replace(step, retry=replace(step.retry, deadline=left))) or Evidence()

        self.emit(Event(Kind.STARTED, step.address, step.verb, step.why))
        try:
            self.wait(step, step.retry.wait)
            began = self.clock.monotonic()
            evidence = self.retrying(step, began)(once)
        except DeployError as error:
            seconds = self.clock.monotonic() - started
            self.emit(Event(Kind.FAILED, step.address, step.verb, str(error), attempts, seconds))
            seen = Evidence(files=getattr(error, "attached", {}))
            told = as_json(error) | ({"callers": step.body["callers"]} if "callers" in step.body else {})
            return Outcome(step.address, step.verb, State.FAILED, attempts, seconds, told, seen)
        except Exception as bug:  # noqa: BLE001 callers must be brought back and the report written, whatever this is
            seconds = self.clock.monotonic() - started
            self.emit(Event(Kind.FAILED, step.address, step.verb, f"a bug: {bug!r}", attempts, seconds))
            told = {"code": BUG, "message": f"{type(bug).__name__}: {sanitize(str(bug))}", "cure": ""}
            seen = Evidence(files={"traceback.txt": sanitize(traceback.format_exc()).encode()})
            return Outcome(step.address, step.verb, State.FAILED, attempts, seconds, told, seen)
        seconds = self.clock.monotonic() - started
        self.emit(Event(Kind.DONE, step.address, step.verb, evidence.summary, attempts, seconds))
        return Outcome(step.address, step.verb, State.DONE, attempts, seconds, None, evidence)

    def look(self, step: Step) -> AbstractContextManager[None]:
        """A check reads what nobody read just now; whatever changes something sees the world as it is."""
        return self.cloud.arm.cached_reads(_JUST_NOW) if step.verb is Verb.CHECK else nullcontext()

    def retrying(self, step: Step, began: float) -> tenacity.Retrying:
        def pause(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(state.attempt_number - 1, _DOUBLINGS))
            return (getattr(error, "retry_after", None) or 0.0) + random.uniform(0, ceiling)

        def enough(state: tenacity.RetryCallState) -> bool:
            spent = self.clock.monotonic() - began
            error = state.outcome.exception() if state.outcome else None
            most = min(step.retry.attempts, getattr(error, "tries", None) or step.retry.attempts)
            full = getattr(error, "code", "") == POOL_FULL
            waits = full and self.can_fall_back(step.endpoint)
            most = 1 if full and step.endpoint in self.fail_fast else most
            used_up = state.attempt_number >= most and not (waits or getattr(error, "patient", False))
            return used_up or spent + state.upcoming_sleep > step.retry.deadline

        def say(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else ""
            words = f"{error} Trying again in {state.upcoming_sleep:.0f} s."
            self.emit(Event(Kind.RETRYING, step.address, step.verb, words, state.attempt_number))

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_pass(error, step)),
            wait=pause,
            stop=enough,
            before_sleep=say,
            sleep=lambda seconds: self.wait(step, seconds),
            reraise=True,
        )

    def wait(self, step: Step, seconds: float) -> None:
        """Sleep in short pieces, so that whoever watches sees it is alive."""
        left = seconds
        while left > 0:
            piece = min(left, _TICK)
            self.clock.sleep(piece)
            if self.halt.is_set():
                raise _Cancelled
            left -= piece
            if left > 0:
                self.emit(Event(Kind.WAITING, step.address, step.verb, f"{left:.0f} s to go"))


def _may_pass(error: BaseException, step: Step) -> bool:
    """Whether Azure may agree later: it says so itself, or a role is so new that it may not be in effect yet."""
    fresh = step.retry.fresh_role and getattr(error, "after_role", False)
    return isinstance(error, Transient) or fresh


def execute(
    plan: Plan, cloud: Cloud, clock: Clock, emit: Emit, *,
    jobs: int = 8, step_types: Sequence[StepType] = ALL_STEP_TYPES, fail_fast: Collection[str] = (),
) -> Report:  # fmt: skip
    """Do every step of `plan`, `jobs` endpoints at a time. Never raises for a step's sake: the report says what
    became of each. An interrupt ends the waiting at once; then it says where it was. `hasty`: see _Doer.
    """
    started, sent = clock.monotonic(), cloud.arm.requests
    secrets = redact.secret_values([step.body for step in plan.all_steps])
    emit = _discreet(emit, secrets)
    for step in plan.steps:
        emit(Event(Kind.PLANNED, step.address, step.verb, step.why))
    steps = _by_endpoint(plan.steps)
    doer = _EndpointRun(cloud, clock, emit, step_types, fail_fast=fail_fast, fallback=_by_endpoint(plan.fallback))
    done: dict[str, list[Outcome]] = {key: [] for key in steps}
    stopped = None

    def one(key: str) -> None:
        doer.endpoint(steps[key], [s for s in plan.rescue if s.endpoint == key], done[key])

    try:
        run_parallel({key: partial(one, key) for key in steps}, jobs)
    except KeyboardInterrupt as stop:
        doer.halt.set()
        stopped = Exit.TERMINATED if isinstance(stop, Terminated) else Exit.INTERRUPTED
        done = {key: doer.broken_off(key, steps[key], outcomes) for key, outcomes in done.items()}
    outcomes = tuple(_without(outcome, secrets) for group in done.values() for outcome in group)
    spent = clock.monotonic() - started
    return Report(plan.environment, plan.fingerprint, outcomes, cloud.arm.requests - sent, spent, stopped)


def _by_endpoint(steps: Sequence[Step]) -> dict[str, list[Step]]:
    return {key: [s for s in steps if s.endpoint == key] for key in dict.fromkeys(s.endpoint for s in steps)}


def not_reached(steps: Sequence[Step]) -> list[Outcome]:
    """What is said of steps that nobody came to."""
    return [Outcome(step.address, step.verb, State.NOT_REACHED) for step in steps]


def _discreet(emit: Emit, secrets: Collection[str]) -> Emit:
    """Whoever listens hears no secret of the plan's, whoever said it."""
    return lambda event: emit(replace(event, text=redact.redact_values(event.text, secrets)))


def _without(outcome: Outcome, secrets: Collection[str]) -> Outcome:
    seen = outcome.evidence
    evidence = Evidence(*(redact.redact_values(part, secrets) for part in (seen.summary, seen.data, seen.files)))
    return replace(outcome, error=redact.redact_values(outcome.error, secrets), evidence=evidence)
