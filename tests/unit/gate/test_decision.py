"""The answers of the gate, and their sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.gate import Answer, Decision, Latency, Minute, Rules, Sample, decide

FAST = Latency(200, 400, 500, 700)
SLOW = Latency(600, 1200, 1500, 2100)
GOOD = Minute(0, Sample(300, 1, FAST), Sample(40, 0, FAST), (0, 6), (0, 6))
FAILING = replace(GOOD, new=Sample(40, 8, FAST))
RULES = Rules()


def _minutes(*minutes: Minute) -> list[Minute]:
    """These minutes, one after the other."""
    return [replace(minute, start=60.0 * number) for number, minute in enumerate(minutes)]


def _decide(*minutes: Minute, rules: Rules = RULES, stage_began: float = 0.0, bake_over: bool = True) -> Decision:
    return decide(rules, _minutes(*minutes), stage_began=stage_began, bake_over=bake_over, before=[GOOD.live] * 5)


def test_no_difference_continues() -> None:
    """When the bake is over."""
    decision = _decide(*[GOOD] * 15)

    assert decision.answer is Answer.CONTINUE
    assert decision.sentence == (
        "new 0 % errors of 600 requests, live 0.3 % of 4,500; p95 500 ms against 500 ms: "
        "no evidence that it is worse, so continue"
    )


def test_more_errors_go_back() -> None:
    """After three minutes with 20 % errors."""
    decision = _decide(*[FAILING] * 3)

    assert decision.answer is Answer.GO_BACK
    assert decision.sentence == (
        "new 20.0 % errors of 120 requests, live 0.3 % of 900: worse than 2 x and 0.5 % more, so go back"
    )
    assert decision.figures["evidence errors"] >= decision.figures["threshold errors"]  # type: ignore[operator]
    assert decision.figures["errors new"] == 24


def test_a_slower_deployment_goes_back() -> None:
    """Three times the latency, and no more errors."""
    decision = _decide(*[replace(GOOD, new=Sample(40, 0, SLOW))] * 3)

    assert decision.answer is Answer.GO_BACK
    assert decision.sentence == "p95 1,500 ms against 500 ms: worse than 1.5 x, so go back"


def test_wrong_answers_go_back() -> None:
    """Half of the test cases are wrong, and nothing else is worse."""
    decision = _decide(*[replace(GOOD, cases_new=(3, 6))] * 10)

    assert decision.answer is Answer.GO_BACK
    assert decision.sentence == ("new 30 of 60 test cases wrong, live 0 of 60: worse than 5 % more, so go back")


def test_one_bad_minute_holds() -> None:
    """Nothing is decided by one minute."""
    assert _decide(FAILING, bake_over=False).answer is Answer.HOLD


@pytest.mark.parametrize(
    ("minutes", "bake_over", "sentence"),
    [
        (2, False, "bake is not over; new 0 % errors of 80 requests, live 0.3 % of 600"),
        (1, True, "40 of 50 requests in this stage; new 0 % errors of 40 requests, live 0.3 % of 300"),
        (0, False, "bake is not over and 0 of 50 requests in this stage; new no requests, live no requests"),
    ],
)
def test_it_holds_until_time_and_requests_are_enough(minutes: int, bake_over: bool, sentence: str) -> None:
    """The sentence names what is missing."""
    decision = _decide(*[GOOD] * minutes, bake_over=bake_over)

    assert (decision.answer, decision.sentence) == (Answer.HOLD, sentence)


def test_only_requests_of_this_stage_count_for_its_end() -> None:
    """The evidence is of all stages."""
    assert _decide(*[GOOD] * 15, stage_began=14 * 60.0).answer is Answer.HOLD
    assert _decide(*[FAILING] * 15, stage_began=14 * 60.0).answer is Answer.GO_BACK


def test_going_back_is_final() -> None:
    """Good minutes after the evidence do not change the answer."""
    assert _decide(*[FAILING] * 3, *[GOOD] * 60).answer is Answer.GO_BACK


def test_errors_of_both_are_no_evidence() -> None:
    """All requests fail in both, and both are five times slower: the cause is not the new deployment."""
    slow = Latency(1000, 2000, 2500, 3500)
    burst = replace(GOOD, live=Sample(300, 300, slow), new=Sample(40, 40, slow))
    decision = _decide(*[GOOD] * 5, *[burst] * 5, *[GOOD] * 5)

    assert decision.answer is Answer.CONTINUE
    assert decision.figures["evidence errors"] == pytest.approx(1, abs=0.5)
    assert decision.figures["evidence latency"] == pytest.approx(1, abs=0.5)


SAMPLES = st.builds(Sample, st.integers(0, 400), st.integers(0, 400), st.sampled_from([None, FAST, SLOW]))
CASES = st.integers(0, 6).flatmap(lambda sent: st.tuples(st.integers(0, sent), st.just(sent)))
MINUTES = st.lists(st.builds(Minute, st.just(0.0), SAMPLES, SAMPLES, CASES, CASES), max_size=20)


@given(MINUTES)
@settings(max_examples=40, deadline=None)
def test_minutes_without_requests_change_nothing(minutes: list[Minute]) -> None:
    """They may be among the minutes, or missing: the answer and its figures are the same."""
    empty = Minute(0.0, Sample(), Sample())
    with_gaps = [each for minute in minutes for each in (minute, empty)]
    arguments = {"stage_began": 0.0, "bake_over": True}

    assert decide(RULES, with_gaps, **arguments) == decide(RULES, minutes, **arguments)  # type: ignore[arg-type]


@given(MINUTES, st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_it_goes_back_at_every_later_look(minutes: list[Minute], looked: int) -> None:
    """If a look at the first minutes goes back, so does each later look. The same arguments give the same answer."""
    early = decide(RULES, minutes[:looked], stage_began=0.0, bake_over=True)
    late = decide(RULES, minutes, stage_began=0.0, bake_over=True)

    assert late == decide(RULES, minutes, stage_began=0.0, bake_over=True)
    assert early.answer is not Answer.GO_BACK or late.answer is Answer.GO_BACK
