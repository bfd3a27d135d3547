"""Gates: during the bake of a stage, is the new release worse than the live one? Changes nothing.

Once a minute both deployments are compared over the same minutes, by Azure's metrics and by our own requests. A release
that is worse fails the step, so that the rescue moves all traffic back. The times are read from the endpoint, so a run
that continues after a pause or a kill judges everything since the rollout began.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.clock import Task, Wait
from deploy.cloud import endpoints, preconditions
from deploy.cloud.connect import Cloud
from deploy.cloud.slot_metrics import MINUTE, SlotMetrics
from deploy.documents.rollout import Gate
from deploy.domain import history
from deploy.domain.arm import Json, address, release_of
from deploy.domain.plan import Desired, Step, Verb
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec, Retry
from deploy.errors import CloudError, NotAuthenticated
from deploy.gate import Answer, Decision, Minute, Rules, decide
from deploy.preflight import permissions as rights

NAME = "gate"


def step_for(desired: Desired, percent: int, bake: float) -> Step:
    """The gate at the end of a stage of a rollout. `percent`: of the new release, 0 while requests are mirrored to it;
    `bake` in seconds.
    """
    spec, slot = desired.spec, desired.slot
    rollout, probe = spec.pipeline.rollout, spec.pipeline.probe
    assert rollout.gate is not None  # noqa: S101 only for specs with a gate
    held = {"slots": {slot: [release_of(desired.deployments.get(slot))]}}
    shared = {slot: percent, str(desired.live): 100 - percent} if percent else {str(desired.live): 100}
    body: dict[str, Json] = {
        "endpoint": spec.name,
        "deployment": slot,
        "live": desired.live,
        "percent": percent,
        "bake": bake,
        "gate": rollout.gate.model_dump(mode="json"),
        "folder": spec.folder,
        "expects": {**held, "traffic": [shared]},
        **({"probe": probe.model_dump(mode="json")} if probe and rollout.gate.rate else {}),
        **({"cases": list(spec.cases)} if probe and rollout.gate.rate and spec.cases else {}),
    }
    body["expects"] |= {
        "traffic": [{slot: percent, str(desired.live): 100 - percent} if percent else {desired.live: 100}]
    }
    share = f"{percent} %" if percent else f"{rollout.mirror_traffic} % mirrored"
    why = f"{slot} at {share}, compared with {desired.live}"
    deadline = bake + rollout.gate.hold + spec.retry.deadline
    return Step(Verb.GATE, address(NAME, spec.key, slot), body, why, Retry(1, deadline))


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Azure's metrics of the endpoint; what our own requests need is checked for the probe."""
    return "workspace", (rights.METRICS,)


def run(cloud: Cloud, step: Step) -> Task[Evidence]:
    what = f"promote {step.endpoint}/{step.address.name}"
    stage = _stage(cloud, step.body, what)
    watch = _Watch(cloud, step.body, stage, what)
    yield from watch.until_decided()
    _stage(cloud, step.body, what)
    decision = watch.decision
    return Evidence(decision.sentence, watch.data(), {"gate.json": json.dumps(watch.data(), indent=1).encode()})


def _stage(cloud: Cloud, body: Mapping[str, Json], what: str) -> history.Stage:
    """The stage of the rollout. Raises CloudError (AML319) if another run has changed it."""
    name = str(body["endpoint"])
    endpoint = endpoints.read_endpoint(cloud, name) or {}
    preconditions.check(cloud, name, body.get("expects"), what, body=endpoint)
    stage = history.stage(endpoint)
    if stage is None or (stage.slot, stage.percent) != (body["deployment"], body["percent"]):
        now = f"{stage.slot} is at {stage.percent} %" if stage else "no rollout is recorded"
        cause = f"{now}, not {body['deployment']} at {body['percent']} %"
        raise CloudError(what, cause, "Another run changed the traffic. Plan again", code="AML319")
    return stage


@dataclass
class _Watch:
    """The loop of one gate. `minutes` and `decision` are those of the last look."""

    cloud: Cloud
    body: Mapping[str, Json]
    stage: history.Stage
    what: str
    minutes: Sequence[Minute] = ()
    decision: Decision = field(default_factory=lambda: Decision(Answer.HOLD, "not judged yet", {}))
    unread: str = ""
    """Why the last look had no metrics of Azure; empty if it had."""

    def __post_init__(self) -> None:
        from deploy.cloud.own_requests import OwnRequests  # only for a gate: it imports what compares answers

        live, new = str(self.body["live"]), str(self.body["deployment"])
        self.gate = Gate.model_validate(self.body["gate"])
        self.metrics = SlotMetrics(self.cloud, str(self.body["endpoint"]), live, new, self.stage.began.timestamp())
        endpoint = endpoints.read_recent_endpoint(self.cloud, str(self.body["endpoint"])) or {}
        self.own = OwnRequests(self.cloud, endpoint, live, new, self.body)

    @property
    def now(self) -> float:
        """Seconds since 1970, by Azure's clock."""
        return self.cloud.now().timestamp()

    def until_decided(self) -> Task[None]:
        """Look once a minute, and send our own requests in between. Raises CloudError if the release must go back."""
        over = self.stage.since.timestamp() + float(self.body["bake"])
        while True:
            yield Wait(0, may_block=True)
            self._look(is_over=self.now >= over)
            if self.decision.answer is Answer.GO_BACK:
                raise self._worse(self.decision.sentence)
            if self.decision.answer is Answer.CONTINUE:
                return
            if self.now >= over + self.gate.hold:
                self._end_of_hold()
                return
            yield from self._until_next_look()

    def _look(self, *, is_over: bool) -> None:
        if self.cloud.locks:
            self.cloud.locks.check()  # another run may have taken the rollout over
        try:
            self.metrics.read(self.now)
            self.unread = ""
        except (CloudError, NotAuthenticated) as error:
            self.unread = error.message
        self.minutes = self.metrics.minutes(self.now, self.own.minutes())
        self.decision = answer_of(self.gate, self.metrics, self.minutes, self.stage.since.timestamp(), is_over=is_over)

    def _until_next_look(self) -> Task[None]:
        """About a minute, with our own requests at their rate."""
        began, sent = self.now, 0
        most = self.gate.rate if "probe" in self.body else 0.0
        reason = self.decision.sentence
        while (left := began + MINUTE - self.now) > 0:
            following = began + sent * MINUTE / most if most else began + MINUTE
            if self.now >= following:
                self.own.send(self.now, f"call {self.body['endpoint']}")
                sent += 1
                continue
            yield Wait(min(following - self.now, left), may_block=True, reason=reason)
            reason = ""

    def _end_of_hold(self) -> None:
        """Too few requests until the end of hold: on_no_data decides."""
        if self.gate.on_no_data == "abort":
            raise self._worse(f"{self.decision.sentence}; that was not enough within bake and hold")
        words = f"{self.decision.sentence}; promoted without enough requests (on_no_data: promote)"
        self.decision = Decision(Answer.CONTINUE, words, self.decision.figures)

    def _worse(self, sentence: str) -> CloudError:
        parts = [sentence]
        parts += [f"Azure's metrics could not be read: {self.unread}"] if self.unread else []
        parts += [f"the last request that failed: {self.own.last_error}"] if self.own.last_error else []
        cure = "Read `amldeploy logs`, fix the release, and apply again"
        error = CloudError(self.what, "; ".join(parts), cure, code="AML388")
        error.data = self.data()
        error.attached["gate.json"] = json.dumps(error.data, indent=1).encode()
        return error

    def data(self) -> dict[str, Json]:
        """What the report shows: the answer, its figures, and the minutes of both deployments."""
        slots = {"live": self.body["live"], "new": self.body["deployment"]}
        stage = {"percent": self.stage.percent, "since": self.stage.since.timestamp()}
        found = {"answer": str(self.decision.answer), "sentence": self.decision.sentence, "slots": slots}
        return {
            "gate": {
                **found,
                "stage": stage,
                "figures": dict(self.decision.figures),
                "minutes": list(_rows(self.minutes)),
            }
        }


def answer_of(gate: Gate, metrics: SlotMetrics, minutes: Sequence[Minute], since: float, *, is_over: bool) -> Decision:
    """What a gate answers after these minutes. `since`: seconds since 1970, the stage began; `is_over`: its bake is."""
    errors = gate.error_rate
    rules = Rules(errors.max_ratio, errors.min_increase, gate.latency_p95.max_ratio, gate.min_requests)
    return decide(rules, minutes, stage_began=since, bake_over=is_over, before=metrics.before())


def _rows(minutes: Sequence[Minute]) -> Iterator[dict[str, Json]]:
    """{start, live: [requests, errors, P95 or None], new: ...} of each minute with requests."""
    for each in minutes:
        if each.live.requests or each.new.requests:
            live, new = (
                [s.requests, s.errors, round(s.latency.p95, 1) if s.latency else None] for s in (each.live, each.new)
            )
            yield {"start": each.start, "live": live, "new": new}
