"""Rollouts with a gate: what the gate answers now, for `status`, and the notice about a release that went back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from deploy import reporter
from deploy.cloud.connect import Cloud
from deploy.cloud.slot_metrics import SlotMetrics
from deploy.domain import leases
from deploy.domain.plan import Verb
from deploy.domain.report import Report, State
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError
from deploy.gate import Answer
from deploy.leasing.notices import Message
from deploy.steps.gate import answer_of


def judged(cloud: Cloud, spec: EndpointSpec, row: reporter.EndpointRow) -> reporter.EndpointRow:
    """The row with the answer of the gate, if a rollout with a gate is not over and its metrics can be read. Reads
    Azure's metrics only, and sends no requests of our own.
    """
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
        is_over = now >= since.timestamp() + (rollout.bake if bake is None else bake)
        found = answer_of(rollout.gate, metrics, metrics.minutes(now, {}), since.timestamp(), is_over=is_over)
        worse = found.answer is Answer.GO_BACK
        stage = replace(stage, answer=found.sentence, figures=dict(found.figures), is_worse=worse)
    return replace(row, stage=stage)


def went_back(environment: str, specs: Sequence[EndpointSpec], report: Report) -> list[Message]:
    """A notice for each endpoint whose gate moved all traffic back."""
    failed = {
        outcome.address.endpoint: str((outcome.error or {}).get("message"))
        for outcome in report.outcomes
        if outcome.verb is Verb.GATE and outcome.state is State.FAILED
    }
    names = {spec.key: spec.name for spec in specs}
    moved = {outcome.address.endpoint for outcome in report.outcomes if outcome.state is State.RESCUED}
    found = []
    for key, cause in failed.items():
        now = "All traffic is back on the live release" if key in moved else "Traffic was not moved back"
        problem = f"{cause}. {now}. Look at it with: amldeploy status -e {environment} {key}"
        found.append(Message(environment, names.get(key, key), None, 0, problem, "a new release went back"))
    return found
