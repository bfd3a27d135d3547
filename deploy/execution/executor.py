"""The executor: a plan in, a report out. The only loop over steps, and the only place that retries a step.

All endpoints run side by side (`scheduler`), the steps of one in their order; a step that waits holds no thread. A step
that raises `Transient` is retried within its budget: full jitter, Azure's Retry-After respected, no wait past the
deadline. When a step fails, the remaining steps of that endpoint are not started, and its rescue runs if a step that
the rescue reverts was started; a deletion continues after a step that `fails_alone`. If the shared pool stays full, the
endpoint continues with the plan's fallback, if it has one.
"""

from __future__ import annotations

import random
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import tenacity

from deploy import redact
from deploy.clock import Clock, Task, Wait
from deploy.cloud import logs
from deploy.cloud.connect import Cloud
from deploy.cloud.lock import WORKING_ON
from deploy.domain.arm import Json
from deploy.domain.plan import Plan, Step, Verb, by_endpoint
from deploy.domain.report import Evidence, Outcome, Report, State, as_json
from deploy.errors import BUG, CONFLICTS, LOCK_LOST, POOL_FULL, CloudError, DeployError, Exit, Terminated, Transient
from deploy.execution.progress import Event, EventKind
from deploy.execution.scheduler import run_tasks
from deploy.planning import duration
from deploy.sanitize import sanitize
from deploy.steps import ALL_STEP_TYPES, StepType, endpoint_names, fails_alone, waits_for_role

Emit = Callable[[Event], None]
_FIRST_WAIT, _LONGEST_WAIT, _TICK = 5.0, 120.0, 5.0
_PLACE_POLL = 1.0
_STAGE_SECONDS, _TOLD = 30.0, 2.0
_WAITS = {Verb.PROBE: "the bake ends", Verb.SHIFT: "the bake ends"}
"""What a step of the verb waits for before its first attempt."""
_DOUBLINGS = 5
"""After so many doublings the first wait exceeds the longest."""
_CHECK_CACHE_SECONDS = 30.0
"""Seconds for which what was read of quota, limits, models and permissions is used for the checks of other steps."""


class _Cancelled(BaseException):
    """The run was interrupted: this endpoint's task ends."""


@dataclass(frozen=True)
class _Run:
    """What all endpoints of a run share."""

    cloud: Cloud
    clock: Clock
    emit: Emit
    step_types: Sequence[StepType]
    figures: duration.Figures
    """How long operations usually take."""
    jobs: threading.Semaphore | None
    """One place for each deployment that may be provisioned at once; None: as many as there are."""
    environment: str
    """Name of the environment of the plan."""
    halt: threading.Event = field(default_factory=threading.Event)
    """Set when the run is interrupted: no step starts any more."""

    def step_type(self, step: Step) -> StepType:
        return next(step_type for step_type in self.step_types if step.kind == step_type.NAME)

    def event(self, kind: EventKind, step: Step, *rest: Any) -> None:
        self.emit(Event(kind, str(step.address), step.verb, *rest))

    def watched(self, step: Step, step_type: StepType, task: Task[Evidence | None]) -> Task[Evidence | None]:
        """The task of an operation, with an event for each longer wait: its stage in Azure, if that can be read, and
        when Azure is asked again. Reading the stage counts as a write, so it is rare.
        """
        stage, words, looked = getattr(step_type, "stage", None), "", self.clock.monotonic()
        while True:
            try:
                wait = next(task)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if stage and self.clock.monotonic() - looked > _STAGE_SECONDS:
                looked, words = self.clock.monotonic(), stage(self.cloud, step)
            if wait.seconds >= _TOLD:
                until = (
                    f"{wait.reason} for {wait.seconds:.0f} s" if wait.reason else f"next look in {wait.seconds:.0f} s"
                )
                self.event(EventKind.WAITING, step, f"{words}; {until}" if words else until)
            yield wait

    def wait(self, step: Step, seconds: float, what: str) -> Task[None]:
        """Wait in short pieces, with an event after each. `what` ends then, or begins."""
        left = seconds
        while left > 0:
            piece = min(left, _TICK)
            yield Wait(piece)
            left -= piece
            if left > 0:
                self.event(EventKind.WAITING, step, f"{what} in {left:.0f} s")

    def place(self, step: Step, step_type: StepType) -> Task[AbstractContextManager[object]]:
        """A place among the deployments that may be provisioned at once, for a step that needs one; left at its end."""
        if self.jobs is None or not getattr(step_type, "PROVISIONS", False) or step.verb is Verb.DELETE:
            return nullcontext()
        is_told = False
        while not self.jobs.acquire(blocking=False):
            if not is_told:
                self.event(EventKind.WAITING, step, "for another deployment to end (--jobs)")
            is_told = True
            yield Wait(_PLACE_POLL)
        freed = ExitStack()
        freed.callback(self.jobs.release)
        return freed


class _Retrying(tenacity.Retrying):
    """tenacity for tasks: attempts and waits are parts of the task, which continues in any thread."""

    @cached_property
    def statistics(self) -> dict[str, Any]:
        """tenacity's own are different in each thread."""
        return {}

    def __call__(self, attempt: Callable[[], Task[Evidence]]) -> Task[Evidence]:  # type: ignore[override]
        self.begin()
        state = tenacity.RetryCallState(self, fn=None, args=(), kwargs={})
        while True:
            do = self.iter(retry_state=state)
            if isinstance(do, tenacity.DoAttempt):
                try:
                    state.set_result((yield from attempt()))
                except Exception:  # noqa: BLE001 tenacity raises it again if there is no other attempt
                    state.set_exception(sys.exc_info())  # type: ignore[arg-type]
            elif isinstance(do, tenacity.DoSleep):
                state.prepare_for_next_attempt()
                yield from self.sleep(do)  # type: ignore[misc]
            else:
                return do  # type: ignore[no-any-return]


@dataclass
class _EndpointRun:
    """The steps of one endpoint, and what has become of them."""

    run: _Run
    key: str
    steps: Sequence[Step]
    rescue: Sequence[Step]
    fallback: Sequence[Step]
    """The steps instead, for a shared pool that stays full until the deadline."""
    fail_fast: bool
    """A full pool is not tried again."""
    outcomes: list[Outcome] = field(default_factory=list)
    used_fallback: bool = False
    """There is only one fallback."""
    current: tuple[Step, float, int] | None = None
    """The step that runs, when it started, and the number of outcomes before it."""

    def execute(self) -> Task[None]:
        WORKING_ON.set(frozenset(endpoint_names([*self.steps, *self.rescue, *self.fallback])))
        yield from self._execute(self.steps)

    def _execute(self, steps: Sequence[Step]) -> Task[None]:
        for number, step in enumerate(steps):
            outcome = yield from self._step(step)
            self.outcomes.append(outcome)
            if _is_lock_lost(outcome):
                self.outcomes += not_reached(steps[number + 1 :])
                return
            if outcome.state is not State.FAILED or fails_alone(step, steps[number + 1 :]):
                continue
            if (outcome.error or {}).get("code") == POOL_FULL and self._can_fall_back:
                self._switch_to_fallback(steps[number + 1 :])
                yield from self._execute(self.fallback)
                return
            self.outcomes += not_reached(steps[number + 1 :])
            if "idle" not in step.body:  # the rollout is done then: traffic stays on the new release
                yield from self._rescue(steps[: number + (not outcome.wrote_nothing)], step)
            return

    @property
    def _can_fall_back(self) -> bool:
        return bool(self.fallback) and not self.used_fallback

    def _switch_to_fallback(self, rest: Sequence[Step]) -> None:
        """The failed step and those after it are replaced by the fallback."""
        self.outcomes[-1] = replace(self.outcomes[-1], state=State.SUPERSEDED)
        self.outcomes += [Outcome(step.address, step.verb, State.SUPERSEDED) for step in rest]
        self.used_fallback = True
        self.run.emit(
            Event(EventKind.NOTE, text=f"{self.key}: the shared pool stayed full, so it goes to dedicated quota.")
        )

    def _rescue(self, written: Sequence[Step], failed: Step) -> Task[None]:
        """Run the steps of the rescue that revert one of `written`: the steps that changed something, or may have; and
        the shift if the release that `failed` had traffic before.
        """
        addresses = {step.address for step in written}
        if failed.body.get("exposed"):
            addresses |= {step.address for step in self.rescue if step.verb is Verb.SHIFT}
        for planned in self.rescue:
            if planned.address not in addresses:
                continue
            after = getattr(self.run.step_type(planned), "for_rescue", None)
            step = after(planned, written) if after else planned
            self.run.event(EventKind.RESCUING, step, step.why)
            outcome = replace((yield from self._step(step)), rescue=True)
            if outcome.state is State.FAILED and self._is_done(step):
                outcome = replace(outcome, state=State.DONE, error=None, evidence=Evidence("it had not changed"))
            done = outcome.state is State.DONE
            self.outcomes.append(replace(outcome, state=State.RESCUED) if done else outcome)
            if _is_lock_lost(outcome):
                return

    def _is_done(self, step: Step) -> bool:
        """Whether Azure is as a failed step of the rescue leaves it; False if that cannot be read."""
        is_done = getattr(self.run.step_type(step), "is_done", None)
        try:
            return bool(is_done and is_done(self.run.cloud, step))
        except DeployError:
            return False

    def interrupted(self) -> list[Outcome]:
        """The outcomes of an interrupted run. The step that ran may continue in Azure."""
        found = list(self.outcomes)
        if self.current and self.current[2] == len(found):
            step, began, _ = self.current
            spent = self.run.clock.monotonic() - began
            found.append(Outcome(step.address, step.verb, State.INTERRUPTED, 1, spent))
        ahead = (*self.steps, *self.fallback) if self.used_fallback else self.steps
        return found + not_reached(ahead[len(found) :])

    def _step(self, step: Step) -> Task[Outcome]:
        run, started = self.run, self.run.clock.monotonic()
        if run.halt.is_set():
            raise _Cancelled
        self.current = (step, started, len(self.outcomes))
        began, attempts = started, 0
        step_type = run.step_type(step)

        def attempt() -> Task[Evidence]:
            nonlocal attempts
            attempts += 1
            left = max(0.0, step.retry.deadline - (run.clock.monotonic() - began))
            return (yield from self._attempt(step_type, replace(step, retry=replace(step.retry, deadline=left))))

        def failed(words: str, error: Mapping[str, Json], found: Evidence) -> Outcome:
            seconds = run.clock.monotonic() - started
            run.event(EventKind.FAILED, step, words, attempts, seconds)
            return Outcome(step.address, step.verb, State.FAILED, attempts, seconds, error, found)

        scale = float(getattr(run.clock, "scale", 1.0))
        run.event(EventKind.STARTED, step, step.why, 0, 0.0, duration.of_step(step, run.figures), scale)
        try:
            yield from run.wait(step, step.retry.wait, _WAITS.get(step.verb, "the drain time ends"))
            with (yield from run.place(step, step_type)):
                began = run.clock.monotonic()
                evidence = yield from self._retry_policy(step, began)(attempt)
        except DeployError as error:
            more = {"traffic": step.body["traffic"]} if "traffic" in step.body else {}
            found = Evidence(data=getattr(error, "data", {}), files=getattr(error, "attached", {}))
            return failed(str(error), as_json(error) | more, found)
        except Exception as bug:  # noqa: BLE001 traffic must be moved back and the report written, whatever this is
            words = {"code": BUG, "message": f"{type(bug).__name__}: {sanitize(str(bug))}", "cure": ""}
            trace = sanitize(traceback.format_exc()).encode()
            return failed(f"a bug: {bug!r}", words, Evidence(files={"traceback.txt": trace}))
        seconds = run.clock.monotonic() - started
        run.event(EventKind.DONE, step, evidence.summary, attempts, seconds)
        return Outcome(step.address, step.verb, State.DONE, attempts, seconds, None, evidence)

    def _attempt(self, step_type: StepType, step: Step) -> Task[Evidence]:
        """One attempt. `after_role` of its error is true only if a role assignment may still take effect."""
        yield Wait(0, may_block=True)
        try:
            with self._cached_reads(step):
                result = step_type.run(self.run.cloud, step)
            if isinstance(result, Generator):
                result = yield from self.run.watched(step, step_type, result)
            return result or Evidence()
        except CloudError as error:
            if step.address.rest:
                logs.name_command(error, self.run.environment, step.endpoint, step.address.rest[0])
            if error.code in CONFLICTS and self.run.cloud.locks:
                yield Wait(0, may_block=True)
                self.run.cloud.locks.check()  # another run changed the endpoint because this one lost its lock
            if error.after_role:
                yield Wait(0, may_block=True)
                error.after_role = waits_for_role(self.run.cloud, step, error)
            raise

    def _cached_reads(self, step: Step) -> AbstractContextManager[None]:
        """Checks share what was read in the last seconds; a step that changes something reads again."""
        return self.run.cloud.arm.cached_reads(_CHECK_CACHE_SECONDS) if step.verb is Verb.CHECK else nullcontext()

    def _retry_policy(self, step: Step, began: float) -> _Retrying:
        run = self.run

        def pause(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(state.attempt_number - 1, _DOUBLINGS))
            return (getattr(error, "retry_after", None) or 0.0) + random.uniform(0, ceiling)

        def should_stop(state: tenacity.RetryCallState) -> bool:
            spent = run.clock.monotonic() - began
            error = state.outcome.exception() if state.outcome else None
            most = min(step.retry.attempts, getattr(error, "max_attempts", None) or step.retry.attempts)
            full = getattr(error, "code", "") == POOL_FULL
            most = 1 if full and self.fail_fast else most
            waits = (full and self._can_fall_back) or getattr(error, "until_deadline", False)
            return (state.attempt_number >= most and not waits) or spent + state.upcoming_sleep > step.retry.deadline

        def report_retry(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else ""
            words = f"{error} Trying again in {state.upcoming_sleep:.0f} s."
            run.event(EventKind.RETRYING, step, words, state.attempt_number)

        return _Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=pause,
            stop=should_stop,
            before_sleep=report_retry,
            sleep=lambda seconds: run.wait(step, seconds, "the next attempt begins"),  # type: ignore[arg-type]
            reraise=True,
        )


def _is_lock_lost(outcome: Outcome) -> bool:
    """Whether the run lost the lock, so that it must not write: no further step, and no rescue."""
    return (outcome.error or {}).get("code") == LOCK_LOST


def _is_transient(error: BaseException) -> bool:
    """Whether a retry may succeed: Azure reports so, or a role is so new that it may not be in effect yet."""
    return isinstance(error, Transient) or getattr(error, "after_role", False)


def execute(
    plan: Plan, cloud: Cloud, clock: Clock, emit: Emit, *,
    jobs: int | None = None, step_types: Sequence[StepType] = ALL_STEP_TYPES, fail_fast: Collection[str] = (),
) -> Report:  # fmt: skip
    """Run every step of `plan`, all endpoints side by side. The report has an outcome for each step; no step raises.

    At most `jobs` deployments are provisioned at once, if it is not None.
    An interrupt ends all waits at once, and the report shows which step ran. `emit` gets every event, without secrets.
    `fail_fast`: keys of endpoints for which a full shared pool is not tried again.
    """
    started, sent = clock.monotonic(), cloud.arm.requests
    secrets = redact.secret_values([step.body for step in plan.all_steps])
    places = None if jobs is None else threading.BoundedSemaphore(jobs)
    figures = {**duration.AZURE, **cloud.durations}
    run = _Run(cloud, clock, _without_secrets(emit, secrets), step_types, figures, places, plan.environment)
    for step in plan.steps:
        run.event(EventKind.PLANNED, step, step.why)
    steps, rescue, fallback = (by_endpoint(each) for each in (plan.steps, plan.rescue, plan.fallback))
    runs = {
        key: _EndpointRun(run, key, own, rescue.get(key, []), fallback.get(key, []), key in fail_fast)
        for key, own in steps.items()
    }
    stopped = None
    try:
        _run_in_order(runs, plan.pruned, clock)
        done = [each.outcomes or not_reached(each.steps) for each in runs.values()]
    except KeyboardInterrupt as stop:
        run.halt.set()
        stopped = Exit.TERMINATED if isinstance(stop, Terminated) else Exit.INTERRUPTED
        done = [each.interrupted() for each in runs.values()]
    outcomes = tuple(_redacted(outcome, secrets) for group in done for outcome in group)
    spent = clock.monotonic() - started
    return Report(plan.environment, plan.fingerprint, outcomes, cloud.arm.requests - sent, spent, stopped)


def _run_in_order(runs: Mapping[str, _EndpointRun], pruned: Collection[str], clock: Clock) -> None:
    """Run all endpoints side by side, and then the deletion of orphans, if everything before it succeeded: clients may
    use an orphan until what replaces it is live.
    """
    first, last = ([each for key, each in runs.items() if (key in pruned) is part] for part in (False, True))
    run_tasks([each.execute() for each in first], clock)
    if all(outcome.state is not State.FAILED for each in first for outcome in each.outcomes):
        run_tasks([each.execute() for each in last], clock)


def not_reached(steps: Sequence[Step]) -> list[Outcome]:
    """The outcomes of steps that were never started."""
    return [Outcome(step.address, step.verb, State.NOT_REACHED) for step in steps]


def _without_secrets(emit: Emit, secrets: Collection[str]) -> Emit:
    return lambda event: emit(replace(event, text=redact.redact_values(event.text, secrets)))


def _redacted(outcome: Outcome, secrets: Collection[str]) -> Outcome:
    seen = outcome.evidence
    evidence = Evidence(*(redact.redact_values(part, secrets) for part in (seen.summary, seen.data, seen.files)))
    return replace(outcome, error=redact.redact_values(outcome.error, secrets), evidence=evidence)
