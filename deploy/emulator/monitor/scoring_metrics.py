"""The metrics of endpoints and deployments as the rules of autoscale read them: from `scoring_log`, without a delay.

Metrics have one value per minute. As recorded, an idle minute has no requests (0); here it has no latency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.emulator.monitor import scoring_log
from deploy.emulator.monitor.autoscale_body import Trigger
from deploy.emulator.monitor.scale_decision import Gap
from deploy.emulator.monitor.scoring_log import MINUTE
from deploy.emulator.world.store import World

_AGGREGATE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": scoring_log.mean, "Min": min, "Minimum": min, "Max": max, "Maximum": max, "Sum": sum, "Total": sum,
    "Count": len, "Last": lambda values: values[-1],
}  # fmt: skip


@dataclass
class ScoringMetrics:
    """The metrics in a world, as the runs since `since` (seconds since 1970) read them."""

    world: World
    since: float
    _minutes: dict[int, dict[int, list[float]]] = field(default_factory=dict)
    """By the id of a trigger, which outlives this object: minute -> milliseconds of its requests."""

    def read(self, trigger: Trigger, at: float) -> float | Gap:
        """The value of a trigger's metric for the time window before `at`."""
        name, resource = trigger.metric_name.lower(), trigger.metric_resource_uri.lower()
        if not _is_emulated(trigger):
            return Gap.NOT_EMULATED
        # A deployment has percentiles only.
        if (scoring_log.is_deployment(resource) and name == "requestlatency") or self.world.get(resource) is None:
            return Gap.UNREADABLE
        values = [value for value in self._grains(trigger, name, int(at // MINUTE)) if value is not None]
        return float(_AGGREGATE[trigger.time_aggregation](values)) if values else Gap.UNREADABLE

    def changes_until(self, trigger: Trigger) -> float:
        """The time from which on the value stays the same."""
        if not _is_emulated(trigger):
            return 0.0
        last = max(self._requests(trigger), default=0)
        return (last + 1) * MINUTE + _span(trigger)

    def _grains(self, trigger: Trigger, name: str, end: int) -> list[float | None]:
        """The value of each grain of the window before the minute `end`, oldest first."""
        size = int(trigger.time_grain // MINUTE)
        starts = range(end - size * max(1, int(trigger.time_window // trigger.time_grain)), end, size)
        requests = self._requests(trigger)
        return [_grain([requests.get(at + n, []) for n in range(size)], name, trigger.statistic) for at in starts]

    def _requests(self, trigger: Trigger) -> dict[int, list[float]]:
        """The requests that a trigger counts, by minute."""
        found = self._minutes.get(id(trigger))
        if found is None:
            found = self._minutes[id(trigger)] = {}
            for moment, target, status, milliseconds in self._rows(trigger):
                if _matches(trigger, target, status):
                    found.setdefault(int(moment // MINUTE), []).append(milliseconds)
        return found

    def _rows(self, trigger: Trigger) -> list[scoring_log.Row]:
        since = self.since - _span(trigger) - MINUTE
        return scoring_log.requests(self.world, trigger.metric_resource_uri.lower(), since)


def _is_emulated(trigger: Trigger) -> bool:
    name = trigger.metric_name.lower()
    filters = {dimension.name.lower() for dimension in trigger.dimensions or ()}
    return (
        (name == scoring_log.REQUESTS or name in scoring_log.LATENCIES)
        and scoring_log.is_resource(trigger.metric_resource_uri.lower())
        and filters <= scoring_log.DIMENSIONS.keys()
    )


def _span(trigger: Trigger) -> float:
    return max(trigger.time_window, trigger.time_grain)


def _grain(minutes: Sequence[Sequence[float]], name: str, statistic: str) -> float | None:
    """The statistic over the minutes of a grain; None without any value."""
    values = scoring_log.values(name, minutes)
    return _AGGREGATE[statistic](values) if values else None


def _matches(trigger: Trigger, target: str, status: int) -> bool:
    for dimension in trigger.dimensions or ():
        value = scoring_log.DIMENSIONS[dimension.name.lower()](target, status)
        is_named = value in {each.lower() for each in dimension.values}
        if is_named != (dimension.operator == "Equals"):
            return False
    return True
