"""One run of the engine, as a pure function: limits, any out, all in, cooldown, missing metrics, no flapping."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.monitor.autoscale_body import Profile, Trigger
from deploy.emulator.monitor.scale_decision import Decision, Gap, decide
from tests.unit.emulator.monitor.setting import parsed, profile, rule

COOLDOWN = 300.0


def out(threshold: float, **more: Any) -> Any:
    return rule("Increase", "GreaterThan", threshold, **more)


def inward(threshold: float, **more: Any) -> Any:
    return rule("Decrease", "LessThan", threshold, **more)


def decided(wanted: Any, count: int, *values: float | Gap, cooling: bool = False) -> Decision:
    """The decision for a profile's body; `values` are those of its rules, in their order."""
    found = parsed(wanted)
    read = dict(zip((id(each.metric_trigger) for each in found.rules), values, strict=True))
    return decide(found, count, cooling, lambda trigger: read[id(trigger)])


@pytest.mark.parametrize(("count", "end"), [(1, 2), (2, 2), (4, 4), (5, 5), (9, 5)])
@pytest.mark.parametrize("cooling", [False, True])
def test_a_count_outside_the_limits_is_moved_inside(count: int, end: int, cooling: bool) -> None:
    """Whatever the rules and the cooldown are; it begins no cooldown."""
    assert decided(profile(2, 5), count, cooling=cooling) == Decision(end)


def test_any_rule_scales_out_and_the_largest_count_wins() -> None:
    """Its cooldown applies; the maximum limits it; a rule for scaling in is not looked at."""
    rules = (out(10, value="1"), out(20, value="3", cooldown="PT9M"), inward(100))
    assert decided(profile(1, 9, None, *rules), 2, 15, 15, 15) == Decision(3, COOLDOWN)
    assert decided(profile(1, 9, None, *rules), 2, 25, 25, 25) == Decision(5, 540)
    assert decided(profile(1, 4, None, *rules), 2, 25, 25, 25) == Decision(4, 540)
    assert decided(profile(1, 2, None, *rules), 2, 25, 25, 25) == Decision(2)


def test_all_rules_are_needed_to_scale_in_and_the_smallest_step_wins() -> None:
    """Its cooldown applies; the minimum limits it."""
    rules = (inward(10, value="3"), inward(20, value="2", cooldown="PT9M"))
    assert decided(profile(1, 9, None, *rules), 8, 5, 25) == Decision(8)
    assert decided(profile(1, 9, None, *rules), 8, 5, 15) == Decision(6, 540)
    assert decided(profile(7, 9, None, *rules), 8, 5, 15) == Decision(7, 540)
    assert decided(profile(8, 9, None, *rules), 8, 5, 15) == Decision(8)


def test_the_cooldown_blocks_both_directions() -> None:
    """Until it ends."""
    wanted = profile(1, 9, None, out(50), inward(10))
    assert [decided(wanted, 5, *[value] * 2).count for value in (60, 30, 5)] == [6, 5, 4]
    assert [decided(wanted, 5, *[value] * 2, cooling=True).count for value in (60, 30, 5)] == [5, 5, 5]


def test_without_metrics_it_scales_out_to_the_default_and_never_in() -> None:
    """One unreadable metric is enough; another rule can still scale out."""
    wanted = profile(1, 9, 4, out(50), inward(10))
    assert [decided(wanted, count, Gap.UNREADABLE, 5).count for count in (2, 4, 6)] == [4, 4, 6]
    assert [decided(wanted, count, 5, Gap.UNREADABLE).count for count in (2, 4, 6)] == [4, 4, 6]
    assert decided(wanted, 6, 60, Gap.UNREADABLE).count == 7


def test_rules_on_metrics_that_are_not_emulated_never_fire() -> None:
    """Not even together with others for scaling in, and not as unreadable metrics."""
    wanted = profile(1, 9, 4, out(50), inward(10), inward(20))
    assert decided(wanted, 2, Gap.NOT_EMULATED, 5, Gap.NOT_EMULATED) == Decision(2)
    assert decided(wanted, 2, Gap.NOT_EMULATED, 5, 5) == Decision(1, COOLDOWN)


def test_it_does_not_scale_in_to_scale_out_again() -> None:
    """A documented example: 30 instances at 65 %, scale-out above 70 %, scale-in by 10: 28 is the least without
    flapping; and 56 % on 2 instances is not scaled in where scale-out is above 50 %.
    """
    wanted = profile(1, 50, None, out(70), inward(1000, value="10"))
    assert decided(wanted, 30, 65, 5) == Decision(28, COOLDOWN)
    assert decided(profile(1, 9, None, out(50), inward(30)), 2, 28, 28) == Decision(2)
    assert decided(profile(1, 9, None, out(50), inward(30)), 2, 24, 24) == Decision(1, COOLDOWN)


def test_a_metric_divided_by_instances() -> None:
    """600 requests are 200 for each of 3 instances, and would be 300 for each of 2."""
    wanted = profile(1, 9, None, out(250, dividePerInstance=True), inward(210, dividePerInstance=True))
    assert decided(wanted, 3, 900, 900).count == 4
    assert decided(wanted, 3, 600, 600).count == 3
    assert decided(wanted, 3, 450, 450).count == 2


@pytest.mark.parametrize(
    ("kind", "value", "up", "down"),
    [
        ("ChangeCount", "3", 13, 7), ("PercentChangeCount", "25", 12, 8), ("PercentChangeCount", "1", 11, 9),
        ("ExactCount", "12", 12, 10), ("ExactCount", "4", 10, 4), ("ServiceAllowedNextValue", "5", 11, 9),
    ],
)  # fmt: skip
def test_kinds_of_steps(kind: str, value: str, up: int, down: int) -> None:
    """From ten instances; an exact count on the other side changes nothing."""
    assert decided(profile(0, 50, None, out(5, type=kind, value=value)), 10, 6).count == up
    assert decided(profile(0, 50, None, inward(5, type=kind, value=value)), 10, 4).count == down


@pytest.mark.parametrize(
    ("operator", "fires"),
    [
        ("Equals", "5"), ("NotEquals", "46"), ("GreaterThan", "6"), ("GreaterThanOrEqual", "56"), ("LessThan", "4"),
        ("LessThanOrEqual", "45"),
    ],
)  # fmt: skip
def test_operators(operator: str, fires: str) -> None:
    """Compared with 5."""
    wanted = profile(1, 9, None, rule("Increase", operator, 5))
    assert "".join(str(value) for value in (4, 5, 6) if decided(wanted, 1, value).count == 2) == fires


COUNTS = st.integers(0, 60)
READINGS = st.floats(0, 1000) | st.sampled_from(list(Gap))
ACTIONS = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["Increase", "Decrease", "None"]),
        "type": st.sampled_from(["ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue"]),
        "value": st.integers(1, 60).map(str),
        "dividePerInstance": st.booleans(),
    }
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    least, default, most = sorted(draw(st.tuples(COUNTS, COUNTS, COUNTS)))
    operators = st.sampled_from(["Equals", "NotEquals", "GreaterThan", "LessThanOrEqual"])
    rules = [
        rule(operator=draw(operators), threshold=draw(st.integers(0, 1000)), **draw(ACTIONS))
        for _ in range(draw(st.integers(0, 3)))
    ]
    return parsed(profile(least, most, default, *rules))


@given(profiles(), COUNTS, st.booleans(), st.lists(READINGS, min_size=3, max_size=3))
def test_every_decision_is_safe(wanted: Profile, count: int, cooling: bool, values: list[float | Gap]) -> None:
    """The count is within the limits; in a cooldown no rule scales; with an unreadable metric nothing scales in; and
    a count after scaling in does not scale out.
    """
    read = {id(each.metric_trigger): value for each, value in zip(wanted.rules, values, strict=False)}
    decision = decide(wanted, count, cooling, lambda trigger: read[id(trigger)])
    limits = wanted.capacity
    assert limits.minimum <= decision.count <= limits.maximum
    if not limits.minimum <= count <= limits.maximum:
        assert decision.cooldown is None
        return
    assert (decision.cooldown is None) or (decision.count != count and not cooling)
    assert decision.count >= count or decision.cooldown is not None
    used = [each for each in wanted.rules if each.scale_action.direction != "None"]
    if any(read[id(each.metric_trigger)] is Gap.UNREADABLE for each in used):
        assert decision.count >= min(count, limits.default)
        assert decision.count >= count
    if decision.count < count:

        def estimate(trigger: Trigger) -> float | Gap:
            value = read[id(trigger)]
            if isinstance(value, Gap) or trigger.divide_per_instance:
                return value
            return value * count / max(decision.count, 1)

        assert decide(wanted, decision.count, False, estimate).count <= decision.count
