"""What one run of the autoscale engine does to an instance count. Pure.

As documented: a count outside the limits of the profile is moved inside. It scales out when any rule fires, to the
largest count; in when all rules for it fire, by the smallest step, and only to a count at which no rule would scale
out again (flapping). The cooldown of the rule that scaled last blocks both directions. With a metric that cannot be
read, it scales out to the default count, and never in.

Not documented, so the plainest is done: a count that is moved inside the limits, or to the default, begins no cooldown
and waits for none; a percentage is rounded down to at least one instance.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from deploy.emulator.monitor.autoscale_body import Profile, Rule, Trigger


class Gap(Enum):
    """Why a metric has no value."""

    UNREADABLE = "unreadable"
    """Azure would not read one either."""
    NOT_EMULATED = "not emulated"
    """Azure would read one. Its rule never fires."""


Read = Callable[[Trigger], "float | Gap"]
_COMPARE = {
    "Equals": operator.eq, "NotEquals": operator.ne, "GreaterThan": operator.gt, "GreaterThanOrEqual": operator.ge,
    "LessThan": operator.lt, "LessThanOrEqual": operator.le,
}  # fmt: skip


@dataclass(frozen=True)
class Decision:
    """The new count, and the cooldown in seconds that begins now; None when no rule scales."""

    count: int
    cooldown: float | None = None


def decide(profile: Profile, count: int, is_cooling: bool, read: Read) -> Decision:
    """The decision of a run. `is_cooling`: whether the cooldown of the last rule that scaled still runs."""
    limits = profile.capacity
    inside = min(max(count, limits.minimum), limits.maximum)
    if inside != count:
        return Decision(inside)
    readings = [(rule, read(rule.metric_trigger)) for rule in profile.rules]
    out = [(rule, value) for rule, value in readings if rule.scale_action.direction == "Increase"]
    inward = [(rule, value) for rule, value in readings if rule.scale_action.direction == "Decrease"]
    if fired := [rule for rule, value in out if _fires(rule, value, count, count)]:
        best = max(fired, key=lambda rule: _goal(rule, count))
        goal = min(_goal(best, count), limits.maximum)
        return Decision(count) if is_cooling or goal == count else Decision(goal, best.scale_action.cooldown)
    if any(value is Gap.UNREADABLE for _, value in (*out, *inward)):
        return Decision(max(count, limits.default))
    if is_cooling or not inward or not all(_fires(rule, value, count, count) for rule, value in inward):
        return Decision(count)
    best = max((rule for rule, _ in inward), key=lambda rule: _goal(rule, count))
    for goal in range(max(_goal(best, count), limits.minimum), count):
        if not any(_fires(rule, value, count, goal) for rule, value in out):
            return Decision(goal, best.scale_action.cooldown)
    return Decision(count)


def _fires(rule: Rule, value: float | Gap, count: int, goal: int) -> bool:
    """Whether a rule fires at `goal` instances, estimated from the value that was read with `count` instances."""
    if isinstance(value, Gap):
        return False
    trigger, instances = rule.metric_trigger, max(goal, 1)
    estimate = value if goal == count else value * count / instances
    if trigger.divide_per_instance:
        estimate = value / instances
    return bool(_COMPARE[trigger.operator](estimate, trigger.threshold))


def _goal(rule: Rule, count: int) -> int:
    """The count that a rule leads to, before the limits; never on the other side of the present one."""
    action = rule.scale_action
    sign = 1 if action.direction == "Increase" else -1
    step = {
        "ChangeCount": action.value,
        "PercentChangeCount": max(1, count * action.value // 100),
        "ExactCount": max(0, sign * (action.value - count)),
        "ServiceAllowedNextValue": 1,
    }[action.type]
    return max(0, count + sign * step)
