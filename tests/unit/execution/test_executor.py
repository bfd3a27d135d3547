"""The executor does steps in order, tries slow truths again, and rescues; hours pass in a call."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Evidence, State
from deploy.domain.spec import Retry
from deploy.errors import POOL_FULL, CloudError, Exit, Terminated, Transient, Unanswered
from deploy.execution import executor
from deploy.execution.progress import Event, EventKind
from tests.addresses import addr


@dataclass
class Later:
    """A clock whose hours pass in a call."""

    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds


class StepType:
    """A step type whose steps fail as configured: each address has a list of errors to raise before it succeeds."""

    def __init__(self, name: str, troubles: dict[str, list[Exception]] | None = None) -> None:
        self.NAME, self.troubles, self.ran = name, troubles or {}, []

    def observe(self, cloud: Any, spec: Any) -> dict:
        raise NotImplementedError

    def plan(self, wanted: Any, facts: Any) -> list:
        raise NotImplementedError

    def run(self, _: Any, step: Step) -> Evidence:
        self.ran.append((str(step.address), threading.current_thread().name))
        if left := self.troubles.get(str(step.address)):
            raise left.pop(0)
        return Evidence("well")


def step(address: str, *, attempts: int = 1, deadline: float = 0, wait: float = 0) -> Step:
    return Step(Verb.UPDATE, addr(address), {}, "why", Retry(attempts, deadline, wait))


def run(
    steps: list[Step], step_type: StepType, rescue: list[Step] | None = None, clock: Later | None = None, **more: Any
):
    events: list[Event] = []
    cloud: Any = SimpleNamespace(arm=SimpleNamespace(requests=0), durations={}, locks=None)
    plan = Plan("test", tuple(steps), tuple(rescue or ()), **more)
    report = executor.execute(plan, cloud, clock or Later(), events.append, step_types=[step_type])
    return report, events


def trouble(later: bool = True, wish: float | None = None) -> CloudError:
    error = (Transient if later else CloudError)("update a/x", "busy", "Wait")
    if isinstance(error, Transient):
        error.retry_after = wish
    return error


def test_all_goes_well() -> None:
    """Every step once, in order, each with what it saw."""
    step_type = StepType("a")
    report, events = run([step("a/x/1"), step("a/x/2")], step_type)

    assert report.ok
    assert report.exit is Exit.OK
    assert [address for address, _ in step_type.ran] == ["a/x/1", "a/x/2"]
    assert [e.kind for e in events] == [EventKind.PLANNED] * 2 + [EventKind.STARTED, EventKind.DONE] * 2


def test_a_final_error_stops_its_endpoint_only() -> None:
    """Nothing after a failure is reached; the other endpoint is not disturbed."""
    step_type = StepType("a", {"a/x/1": [trouble(later=False)]})
    report, _ = run([step("a/x/1"), step("a/x/2"), step("a/y/1")], step_type)

    assert [(str(o.address), o.state.value) for o in report.outcomes] == [
        ("a/x/1", "failed"),
        ("a/x/2", "not_reached"),
        ("a/y/1", "done"),
    ]
    assert report.exit is Exit.STEP_FAILED


ORPHANS = ({"address": "endpoint/old", "name": "old", "pruned": True}, {"address": "endpoint/x", "pruned": False})


def test_orphans_are_deleted_after_everything_else() -> None:
    """Whatever the order of the steps."""
    step_type = StepType("a")
    report, _ = run([step("a/old/1"), step("a/x/1"), step("a/y/1")], step_type, orphans=ORPHANS)

    assert report.ok
    assert [address for address, _ in step_type.ran][-1] == "a/old/1"


def test_orphans_stay_when_something_failed() -> None:
    """Clients may use an orphan until what replaces it is live."""
    step_type = StepType("a", {"a/x/1": [trouble(later=False)]})
    report, _ = run([step("a/x/1"), step("a/y/1"), step("a/old/1"), step("a/old/2")], step_type, orphans=ORPHANS)

    assert [(str(o.address), o.state.value) for o in report.outcomes] == [
        ("a/x/1", "failed"),
        ("a/y/1", "done"),
        ("a/old/1", "not_reached"),
        ("a/old/2", "not_reached"),
    ]
    assert report.exit is Exit.STEP_FAILED


def test_a_rescue_runs_only_if_a_step_it_reverts_was_started() -> None:
    """Callers who were never moved need no moving back."""
    rescue = [step("a/x/traffic")]
    before = StepType("a", {"a/x/1": [trouble(later=False)]})
    report, _ = run([step("a/x/1"), step("a/x/traffic")], before, rescue)
    assert [o.state for o in report.outcomes] == [State.FAILED, State.NOT_REACHED]

    after = StepType("a", {"a/x/traffic": [trouble(later=False)]})
    report, _ = run([step("a/x/1"), step("a/x/traffic")], after, rescue)
    assert [o.state for o in report.outcomes] == [State.DONE, State.FAILED, State.RESCUED]
    assert report.exit is Exit.STEP_FAILED


@pytest.mark.parametrize(
    ("is_done", "end"),
    [(None, Exit.RESCUE_FAILED), (lambda *_: False, Exit.RESCUE_FAILED), (lambda *_: True, Exit.STEP_FAILED)],
    ids=["cannot tell", "traffic moved", "traffic did not move"],
)
def test_a_failed_rescue_is_exit_6_only_if_traffic_may_have_moved(is_done: Any, end: Exit) -> None:
    """Traffic that is where it was needs no person."""
    step_type = StepType("traffic", {"traffic/x": [trouble(later=False), trouble(later=False)]})
    if is_done:
        step_type.is_done = is_done
    report, _ = run([step("traffic/x")], step_type, [step("traffic/x")])

    assert report.exit is end
    assert report.outcomes[-1].state is (State.RESCUED if end is Exit.STEP_FAILED else State.FAILED)


def test_a_deployment_that_the_rescue_cannot_delete_is_exit_5() -> None:
    """Traffic is where it was; the deployment has none."""
    step_type = StepType("deployment", {"deployment/x/green": [trouble(later=False), trouble(later=False)]})
    report, _ = run([step("deployment/x/green")], step_type, [step("deployment/x/green")])

    assert report.exit is Exit.STEP_FAILED


def test_a_conflict_after_an_attempt_that_may_have_written_is_exit_5() -> None:
    """Only a first attempt has certainly written nothing."""
    conflict = CloudError("update a/x", "it has traffic now", "Plan again", code="AML319")
    report, _ = run([step("a/x", attempts=2, deadline=600)], StepType("a", {"a/x": [trouble(), conflict]}))

    assert report.exit is Exit.STEP_FAILED


@pytest.mark.parametrize(("before", "end"), [([], Exit.STALE), ([step("a/x/0")], Exit.STEP_FAILED)])
def test_a_conflict_before_any_change_is_exit_7(before: list[Step], end: Exit) -> None:
    """After a change it is a failed step; its rescue ran."""
    conflict = CloudError("update a/x/1", "it has traffic now", "Plan again", code="AML319")
    report, _ = run([*before, step("a/x/1"), step("a/x/2")], StepType("a", {"a/x/1": [conflict]}))

    assert report.exit is end


@given(
    failures=st.integers(0, 12),
    attempts=st.integers(1, 10),
    deadline=st.floats(0, 300),
    wish=st.none() | st.floats(0, 120),
)
def test_retry_keeps_within_its_budget(failures: int, attempts: int, deadline: float, wish: float | None) -> None:
    """Never more attempts than allowed, never a sleep past the deadline, never sooner than Azure wished."""
    clock, step_type = Later(), StepType("a", {"a/x": [trouble(wish=wish) for _ in range(failures)]})
    report, events = run([step("a/x", attempts=attempts, deadline=deadline)], step_type, clock=clock)
    retried = [e for e in events if e.kind is EventKind.RETRYING]

    assert len(step_type.ran) <= min(attempts, failures + 1)
    assert clock.passed <= deadline + 1e-6
    assert report.ok == (len(step_type.ran) == failures + 1)
    if wish:
        assert clock.passed >= wish * len(retried) - 1e-6
    assert max(clock.slept, default=0) <= 5 + 1e-6


def test_a_deadline_that_is_out_of_reach_is_not_slept_for() -> None:
    """When the wait would end after the deadline, the step gives up at once."""
    clock, step_type = Later(), StepType("a", {"a/x": [trouble(wish=90)]})
    report, _ = run([step("a/x", attempts=9, deadline=60)], step_type, clock=clock)

    assert report.exit is Exit.STEP_FAILED
    assert clock.passed == 0


def test_waits_emit_events() -> None:
    """A bake of five minutes says every few seconds that it is alive."""
    clock = Later()
    _, events = run([step("a/x", wait=300)], StepType("a"), clock=clock)

    assert clock.passed == pytest.approx(300)
    assert len([e for e in events if e.kind is EventKind.WAITING]) >= 30


def test_a_bug_is_reported_and_rescued() -> None:
    """What is not one of our errors is a bug: callers are brought back all the same, and the exit code says so."""
    step_type = StepType("a", {"a/x/traffic": [ZeroDivisionError("who divides?")]})
    report, _ = run([step("a/x/traffic")], step_type, [step("a/x/traffic")])

    assert [o.state for o in report.outcomes] == [State.FAILED, State.RESCUED]
    assert report.exit is Exit.BUG
    assert b"ZeroDivisionError" in report.outcomes[0].evidence.files["traceback.txt"]


def test_what_ends_by_itself_is_waited_for() -> None:
    """Another operation on the endpoint may take longer than any number of attempts: the deadline rules."""
    errors = [trouble() for _ in range(40)]
    for error in errors:
        error.until_deadline = True
    clock, step_type = Later(), StepType("a", {"a/x": errors})
    report, _ = run([step("a/x", attempts=2, deadline=10**6)], step_type, clock=clock)

    assert report.ok
    assert len(step_type.ran) == 41


def test_a_refusal_of_access_passes_only_after_a_fresh_role() -> None:
    """The same refusal is waited for when the plan gave a role before, and final when it did not."""

    def refusals() -> dict[str, list[Exception]]:
        error = trouble(later=False)
        error.after_role = True
        return {"a/x": [error, error]}

    fresh = Step(Verb.PROBE, addr("a/x"), {}, "why", Retry(5, 600, fresh_role=True))
    stale = Step(Verb.PROBE, addr("a/x"), {}, "why", Retry(5, 600))
    waited, refused = StepType("a", refusals()), StepType("a", refusals())

    assert run([fresh], waited)[0].ok
    assert len(waited.ran) == 3
    assert run([stale], refused)[0].exit is Exit.STEP_FAILED
    assert len(refused.ran) == 1


def test_some_troubles_are_tried_less_often() -> None:
    """A failure of Azure's own is not asked about as often as the step would allow."""
    errors = [trouble() for _ in range(9)]
    for error in errors:
        error.max_attempts = 3
    step_type = StepType("a", {"a/x": errors})
    run([step("a/x", attempts=9, deadline=10**6)], step_type)

    assert len(step_type.ran) == 3


def test_retries_of_http_are_not_multiplied() -> None:
    """An answer that never came is not asked for again by the step."""
    step_type = StepType("a", {"a/x": [Unanswered("update a/x", "nobody there", code="AML360")]})
    report, _ = run([step("a/x", attempts=9, deadline=10**6)], step_type)

    assert len(step_type.ran) == 1
    assert report.outcomes[0].error["code"] == "AML360"


def test_an_attempt_gets_what_is_left_of_the_deadline() -> None:
    """The budget is the step's, not each attempt's."""
    left: list[float] = []

    class Watching(StepType):
        def run(self, cloud: Any, step: Step) -> Evidence:
            left.append(step.retry.deadline)
            return super().run(cloud, step)

    step_type = Watching("a", {"a/x": [trouble(wish=40), trouble(wish=40)]})
    run([step("a/x", attempts=3, deadline=300)], step_type)

    assert left[0] == 300
    assert left[1] <= 260
    assert left[2] <= 220


@given(length=st.integers(1, 6), at=st.integers(0, 5), stop=st.sampled_from([KeyboardInterrupt, Terminated]))
def test_an_interrupt_reports_the_running_step(length: int, at: int, stop: type[BaseException]) -> None:
    """What was done is done, the step it was at is interrupted, the rest is not reached, and nothing else begins."""
    at = min(at, length - 1)
    troubles: dict[str, Any] = {f"a/x/{at}": [stop()]}
    step_type = StepType("a", troubles)
    report, _ = run([step(f"a/x/{n}") for n in range(length)], step_type, [step("a/x/0")])

    states = [o.state for o in report.outcomes]
    assert states == [State.DONE] * at + [State.INTERRUPTED] + [State.NOT_REACHED] * (length - at - 1)
    assert report.exit is report.stopped is (Exit.TERMINATED if stop is Terminated else Exit.INTERRUPTED)
    assert not report.ok
    assert len(step_type.ran) == at + 1


@given(length=st.integers(1, 4))
def test_an_interrupt_during_a_rescue(length: int) -> None:
    """The failure stays a failure; the rescue that it was at is interrupted."""
    troubles: dict[str, Any] = {"a/x/0": [trouble(later=False), KeyboardInterrupt()]}
    report, _ = run([step(f"a/x/{n}") for n in range(length)], StepType("a", troubles), [step("a/x/0"), step("a/x/1")])

    states = [o.state for o in report.outcomes]
    assert states == [State.FAILED, *[State.NOT_REACHED] * (length - 1), State.INTERRUPTED]
    assert report.exit is Exit.INTERRUPTED


def test_an_interrupt_ends_every_wait() -> None:
    """A step that waits for its time to come ends with the others, and begins nothing."""

    class Stopped(Later):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            raise KeyboardInterrupt

    step_type, clock = StepType("a"), Stopped()
    report, _ = run([step("a/x/1", wait=300.0), step("a/x/2")], step_type, clock=clock)
    assert [o.state for o in report.outcomes] == [State.INTERRUPTED, State.NOT_REACHED]
    assert clock.slept == [5.0]
    assert step_type.ran == []


def full(wish: float = 60.0) -> Transient:
    error = Transient("create a/x", "Simultaneous count exceeded", "Wait", code=POOL_FULL)
    error.retry_after = wish
    return error


def fall(steps: list[Step], step_type: StepType, fallback: list[Step], rescue: list[Step] | None = None):
    clock, events = Later(), []
    cloud: Any = SimpleNamespace(arm=SimpleNamespace(requests=0), durations={}, locks=None)
    plan = Plan("test", tuple(steps), tuple(rescue or ()), fallback=tuple(fallback))
    return executor.execute(plan, cloud, clock, events.append, step_types=[step_type]), clock, events


@given(times=st.integers(0, 40), attempts=st.integers(1, 5))
def test_a_full_pool_is_asked_until_the_deadline(times: int, attempts: int) -> None:
    """With a fallback only the deadline ends the asking; a pool that frees before it lends, and nothing falls back."""
    step_type = StepType("a", {"a/x/1": [full() for _ in range(times)]})
    report, clock, _ = fall([step("a/x/1", attempts=attempts, deadline=600)], step_type, [step("a/x/9")])
    tried = [where for where, _ in step_type.ran if where == "a/x/1"]
    used_fallback = ("a/x/9" in [where for where, _ in step_type.ran]) == (len(tried) <= times)

    assert used_fallback
    assert report.exit is Exit.OK
    assert clock.passed <= 600
    assert len(tried) == times + 1 or clock.passed > 600 - 120
    assert report.outcomes[0].state is (State.DONE if len(tried) == times + 1 else State.SUPERSEDED)


def test_what_the_fallback_replaces_is_no_failure() -> None:
    """The error is kept, the rest was not gone, the fallback was, and it is told; another endpoint is not disturbed."""
    step_type = StepType("a", {"a/x/1": [full()]})
    steps = [step("a/x/0"), step("a/x/1"), step("a/x/2"), step("a/y/1")]
    report, _, events = fall(steps, step_type, [step("a/x/8"), step("a/x/9")], [step("a/x/1")])

    assert [(str(o.address), o.state.value) for o in report.outcomes] == [
        ("a/x/0", "done"), ("a/x/1", "superseded"), ("a/x/2", "superseded"), ("a/x/8", "done"), ("a/x/9", "done"),
        ("a/y/1", "done"),
    ]  # fmt: skip
    assert report.outcomes[1].error["code"] == POOL_FULL
    assert report.ok
    assert report.exit is Exit.OK
    assert [e.text for e in events if e.kind is EventKind.NOTE] == [
        "x: the shared pool stayed full, so it goes to dedicated quota."
    ]


def test_only_the_pool_leads_to_the_fallback() -> None:
    """Another failure is one as ever, and so is a full pool where the plan has no fallback for that endpoint."""
    for error, fallback in ((trouble(later=False), [step("a/x/9")]), (full(), [step("a/y/9")]), (full(), [])):
        step_type = StepType("a", {"a/x/1": [error]})
        report, _, _ = fall([step("a/x/1"), step("a/x/2")], step_type, fallback)
        assert [o.state for o in report.outcomes] == [State.FAILED, State.NOT_REACHED]
        assert report.exit is Exit.STEP_FAILED


def test_a_fallback_that_fails_is_a_failed_step() -> None:
    """Both causes are told, the rescue mends what was touched, and the exit code is that of a failed step."""
    step_type = StepType("a", {"a/x/1": [full()], "a/x/8": [trouble(later=False)]})
    fallback = [step("a/x/8"), step("a/x/9")]
    report, _, _ = fall([step("a/x/1"), step("a/x/2")], step_type, fallback, [step("a/x/7"), step("a/x/8")])

    assert [(str(o.address), o.state.value) for o in report.outcomes] == [
        ("a/x/1", "superseded"), ("a/x/2", "superseded"), ("a/x/8", "failed"), ("a/x/9", "not_reached"),
        ("a/x/8", "rescued"),
    ]  # fmt: skip
    assert [o.error["code"] for o in report.outcomes if o.error] == [POOL_FULL, "AML300"]
    assert report.exit is Exit.STEP_FAILED


@given(failures=st.integers(1, 20), attempts=st.integers(1, 4))
def test_a_fallback_has_no_fallback(failures: int, attempts: int) -> None:
    """Dedicated quota may be full, too: that is tried as its step says and ends as a failure; nothing is made anew."""
    step_type = StepType("a", {"a/x/1": [full()], "a/x/9": [full() for _ in range(failures)]})
    fallback = [step("a/x/8"), step("a/x/9", attempts=attempts, deadline=1e6)]
    report, _, _ = fall([step("a/x/1")], step_type, fallback)
    ends = State.DONE if failures < attempts else State.FAILED

    assert [o.state for o in report.outcomes] == [State.SUPERSEDED, State.DONE, ends]
    assert len(step_type.ran) == 2 + min(failures + 1, attempts)


def test_a_day_of_waiting_is_waited() -> None:
    """However often it was tried before, the next wait is no longer than the longest."""
    step_type = StepType("a", {"a/x/1": [full(0.0) for _ in range(1500)]})
    report, clock, _ = fall([step("a/x/1", deadline=1e6)], step_type, [step("a/x/9")])

    assert report.outcomes[0].state is State.DONE
    assert max(clock.slept) <= 5.0 + 1e-6


@given(at=st.integers(0, 2))
def test_an_interrupt_during_the_fallback(at: int) -> None:
    """What it was at is interrupted, and what was left of the fallback is not reached."""
    troubles: dict[str, Any] = {"a/x/0": [full()], f"a/x/{7 + at}": [KeyboardInterrupt()]}
    fallback = [step(f"a/x/{n}") for n in (7, 8, 9)]
    report, _, _ = fall([step("a/x/0"), step("a/x/1")], StepType("a", troubles), fallback)

    after = [State.DONE] * at + [State.INTERRUPTED] + [State.NOT_REACHED] * (2 - at)
    assert [o.state for o in report.outcomes] == [State.SUPERSEDED, State.SUPERSEDED, *after]
    assert report.exit is Exit.INTERRUPTED
