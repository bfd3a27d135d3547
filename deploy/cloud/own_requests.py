"""Our own requests to both deployments of a rollout: the cases of its probe in turn, or else the probe's request.

So an endpoint that clients hardly call can be judged, too, and answers can be compared: Azure's metrics only count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from deploy import probes
from deploy.cloud import case_runs, scoring
from deploy.cloud.connect import Cloud
from deploy.cloud.slot_metrics import minute_start
from deploy.domain.arm import Json
from deploy.errors import CloudError
from deploy.gate import Latency, Minute, Sample
from deploy.probes import cases, plausibility


class Asked(NamedTuple):
    """One request. `seconds` until its answer; None without one. `is_wrong`: None if there was nothing to judge."""

    failed: bool
    seconds: float | None = None
    is_wrong: bool | None = None


@dataclass
class OwnRequests:
    """What our requests brought, by minute and deployment."""

    cloud: Cloud
    endpoint: Json
    live: str
    new: str
    body: Mapping[str, Json]
    """Of a gate's step: {probe, cases, folder}."""
    _turn: int = 0
    _found: dict[int, list[tuple[Asked, Asked]]] = field(default_factory=dict)
    last_error: str = ""
    """Why the last request without an answer had none; empty if all had one."""

    def send(self, now: float, what: str) -> None:
        """The next request of the row, to the live deployment and to the new one."""
        named = self.body.get("cases") or ()
        number, self._turn = self._turn, self._turn + 1
        if named:
            pair = self._case(named[number % len(named)], what)
        else:
            live, new = (self._probe(slot, what) for slot in (self.live, self.new))
            pair = live, new
        self._found.setdefault(minute_start(now), []).append(pair)

    def minutes(self) -> dict[int, Minute]:
        """Start of a minute -> what our requests in it brought."""
        return {start: _minute(start, pairs) for start, pairs in self._found.items()}

    def _case(self, named: cases.Case, what: str) -> tuple[Asked, Asked]:
        (live, old), (new, mine) = (self._answered(named, slot, what) for slot in (self.live, self.new))
        before = {old.name: replace(old, seconds=(math.inf, math.inf))} if old else {}  # the latency has its own test
        today = self.cloud.now().date()
        live = live._replace(is_wrong=_is_wrong(named, old, {}, today)) if old else live
        return live, new._replace(is_wrong=_is_wrong(named, mine, before, today)) if mine else new

    def _answered(self, named: cases.Case, slot: str, what: str) -> tuple[Asked, cases.Result | None]:
        try:
            (result,) = case_runs.answers(self.cloud, self.endpoint, slot, {**self.body, "cases": [named]}, what)
        except CloudError as error:
            self.last_error = str(error)
            return Asked(failed=True), None
        return Asked(failed=False, seconds=result.seconds[1]), result

    def _probe(self, slot: str, what: str) -> Asked:
        probe, folder = self.body["probe"], self.cloud.root / str(self.body["folder"])
        kind = probes.find(str(probe["type"]))
        try:
            request = kind.request(probe, folder)
            answer = scoring.score_probe(self.cloud, self.endpoint, slot, request, probe, what)
        except CloudError as error:
            self.last_error = str(error)
            return Asked(failed=True)
        if answer.status != int(probe["status"]) and scoring.refusal(answer, what):
            return Asked(failed=True, seconds=answer.seconds)
        try:
            kind.check(probe, folder, answer.status, answer.body)
            plausibility.check(kind.values(probe, folder, answer.status, answer.body), probe.get("plausible"))
        except probes.WrongAnswer:
            return Asked(failed=False, seconds=answer.seconds, is_wrong=True)
        return Asked(failed=False, seconds=answer.seconds, is_wrong=False)


def _is_wrong(named: cases.Case, result: cases.Result, live: Mapping[str, cases.Result], today: Json) -> bool:
    return any(not each.waiver for each in cases.failures([named], [result], live, today))


def _minute(start: int, pairs: list[tuple[Asked, Asked]]) -> Minute:
    live, new = ([pair[number] for pair in pairs] for number in (0, 1))
    return Minute(start, _sample(live), _sample(new), _wrong(live), _wrong(new))


def _sample(asked: list[Asked]) -> Sample:
    times = sorted(each.seconds * 1000 for each in asked if each.seconds is not None)
    found = Latency(*(times[max(0, math.ceil(p * len(times)) - 1)] for p in (0.5, 0.9, 0.95, 0.99))) if times else None
    return Sample(len(asked), sum(each.failed for each in asked), found)


def _wrong(asked: list[Asked]) -> tuple[int, int]:
    judged = [each.is_wrong for each in asked if each.is_wrong is not None]
    return sum(judged), len(judged)
