"""Runs the autoscale engine on the world's clock: once a minute, at full minutes.

There is no background work. Each request first makes up for the runs since the last one, at their own times, so that
the result does not depend on when requests arrive. A run can only differ from the one before when an input changed: a
profile begins or ends, a cooldown or an operation ends, a request enters or leaves a time window, or another deployment
was scaled. All other runs are skipped. After `LIMIT` runs for one request (four changes a week for five years), only
the last run follows. Without autoscale settings, a request costs one small query.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from deploy.emulator.monitor import profile_schedule
from deploy.emulator.monitor.autoscale_body import Profile, Setting
from deploy.emulator.monitor.scale_decision import decide
from deploy.emulator.monitor.scoring_metrics import ScoringMetrics
from deploy.emulator.online import endpoints, scaling
from deploy.emulator.wire.responses import Refusal
from deploy.emulator.world.store import Resource, World

KIND = "autoscale"
PERIOD = 60
"""Seconds between two runs. Azure's engine runs every 30 to 60 seconds."""
LIMIT = 1000
_LAST = "last run of autoscale"
"""The counter with the number of the last run: the minutes since 1970."""


def run_due(world: World) -> None:
    """Make up for the runs that are due. Must run inside a transaction, before anything else changes the world."""
    row = world.db.execute(
        f"SELECT value FROM counters WHERE name = ? AND EXISTS (SELECT 1 FROM resources WHERE kind = '{KIND}')",  # noqa: S608
        (_LAST,),
    ).fetchone()
    due = int(world.now() // PERIOD)
    if row is None or row[0] == due:
        return
    begin_now(world)
    _run(world, float(row[0] + 1) * PERIOD, float(due) * PERIOD)


def begin_now(world: World) -> None:
    """Let the next run be the one after the present minute, also when the clock was set back."""
    world.db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (_LAST, int(world.now() // PERIOD)))


def _run(world: World, first: float, end: float) -> None:
    metrics = ScoringMetrics(world, first)
    targets = list(_targets(world, metrics, first))
    at, runs = first, 0
    while targets and at <= end:
        changed = [target.run(at) for target in targets]
        runs += 1
        following = at + PERIOD if any(changed) else min(target.next_input(at) for target in targets)
        at = max(at + PERIOD, end) if runs == LIMIT else following


@dataclass
class _Target:
    """A deployment with its enabled setting. `busy_until`: until when it was not Succeeded."""

    world: World
    metrics: ScoringMetrics
    setting: Resource
    profiles: list[Profile]
    deployment: Resource
    busy_until: float

    def run(self, at: float) -> bool:
        """One run at a time; whether it changed the instance count."""
        profile = profile_schedule.active(self.profiles, at)
        if at < self.busy_until or profile is None:
            return False
        count = self.deployment.body["sku"]["capacity"]
        decision = decide(profile, count, at < self._cooling_until(at), partial(self.metrics.read, at=at))
        if decision.count == count:
            return False
        try:
            scaling.scale(self.world, self.deployment, decision.count, at)
        except Refusal:  # no quota, or more instances than a deployment can have: the next run tries again
            return False
        self.deployment = self.world.get(self.deployment.id) or self.deployment
        self.busy_until = at + self.world.timing.deployment_update
        if decision.cooldown is not None:
            self.setting.private.update(scaled=at, cooldown=decision.cooldown)
            self.world.save(self.setting)
        return True

    def next_input(self, at: float) -> float:
        """The first run after `at` for which something can have changed by itself."""
        profile = profile_schedule.active(self.profiles, at)
        moments = [profile_schedule.next_change(self.profiles, at)]
        moments += [moment for moment in (self.busy_until, self._cooling_until(at)) if moment > at]
        triggers = [rule.metric_trigger for rule in profile.rules] if profile else []
        if any(at < self.metrics.changes_until(trigger) for trigger in triggers):
            return at + PERIOD
        soonest = min(moments)
        return soonest if math.isinf(soonest) else max(at + PERIOD, math.ceil(soonest / PERIOD) * PERIOD)

    def _cooling_until(self, at: float) -> float:
        """The end of the cooldown; a cooldown that begins later is of a time before the clock was set back."""
        scaled = self.setting.private.get("scaled", -math.inf)
        return float(scaled + self.setting.private["cooldown"]) if -math.inf < scaled <= at else -math.inf


def _targets(world: World, metrics: ScoringMetrics, since: float) -> Iterator[_Target]:
    """The deployments to scale, in the order of their settings. A setting without a deployment waits for it."""
    rows = world.db.execute("SELECT id FROM resources WHERE kind = ? ORDER BY number", (KIND,)).fetchall()
    for (identifier,) in rows:
        resource = world.get(identifier)
        assert resource is not None  # noqa: S101 - found above
        setting = Setting.model_validate(resource.properties)
        deployment = world.get(setting.target_resource_uri) if setting.enabled else None
        if deployment is not None and deployment.kind == endpoints.DEPLOYMENT_KIND:
            busy = scaling.busy_until(world, deployment, since)
            yield _Target(world, metrics, resource, setting.profiles, deployment, busy)
