"""What the gate of a rollout that is not over answers now, for `status`. Reads Azure's metrics, sends no requests."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from deploy import reporter
from deploy.cloud.connect import Cloud
from deploy.cloud.slot_metrics import SlotMetrics
from deploy.domain import leases
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError
from deploy.gate import Answer, decide
from deploy.steps.gate import rules_of


def judged(cloud: Cloud, spec: EndpointSpec, row: reporter.EndpointRow) -> reporter.EndpointRow:
    """The row with the answer of the gate, if a rollout with a gate is not over and its metrics can be read."""
    stage, rollout = row.stage, spec.pipeline.rollout
    live = next((slot.name for slot in row.slots if slot.live), "")
    if stage is None or rollout.gate is None or stage.slot == live:
        return row
    began, since = (leases.parse_time(text) for text in (stage.began, stage.since))
    if began is None or since is None:
        return row
    now = cloud.now().timestamp()
    metrics = SlotMetrics(cloud, row.name, live, stage.slot, began.timestamp())
    with suppress(CloudError):
        metrics.read(now)
        bake = next((each.bake for each in rollout.steps if each.traffic == stage.percent), None)
        found = decide(
            rules_of(rollout.gate),
            metrics.minutes(now, {}),
            stage_began=since.timestamp(),
            bake_over=now >= since.timestamp() + (rollout.bake if bake is None else bake),
            before=metrics.before(),
        )
        worse = found.answer is Answer.GO_BACK
        stage = replace(stage, answer=found.sentence, figures=dict(found.figures), is_worse=worse)
    return replace(row, stage=stage)
