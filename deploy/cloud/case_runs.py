"""Asks the cases of a probe of a deployment, and compares it with the live deployment if it has no traffic itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from deploy.cloud import endpoints, scoring
from deploy.cloud.connect import Cloud
from deploy.domain import history
from deploy.domain.arm import Json
from deploy.domain.report import Evidence
from deploy.domain.traffic_shares import shares
from deploy.errors import CloudError
from deploy.probes import cases, differences
from deploy.text import count, noun

_SHOWN = 5
"""Failures that a message lists; cases.json lists all."""


def answers(cloud: Cloud, endpoint: Json, deployment: str, body: Mapping[str, Json], what: str) -> list[cases.Result]:
    """The results of all cases in the body of a probe step. Raises CloudError if the endpoint does not answer."""
    return [_asked(cloud, endpoint, deployment, body, named, what) for named in body["cases"]]


def _asked(
    cloud: Cloud, endpoint: Json, deployment: str, body: Mapping[str, Json], named: cases.Case, what: str
) -> cases.Result:
    probe, folder = body["probe"], cloud.root / str(body["folder"])
    doing = f"{what}, case {cases.case_name(named)}"

    def ask(request: bytes) -> tuple[int, bytes, float]:
        answer = scoring.score_probe(cloud, endpoint, deployment, request, probe, doing)
        if answer.status != int(probe["status"]) and (refused := scoring.refusal(answer, doing)):
            raise refused
        return answer.status, answer.body, answer.seconds

    try:
        with cases.prepared(named, probe, folder) as ready:
            return cases.run(named, ready, ask)
    except cases.InvalidCase as invalid:
        raise CloudError(doing, invalid.cause, invalid.cure, code="AML148") from None


def judge(cloud: Cloud, endpoint: Json, body: Mapping[str, Json], what: str) -> Evidence:
    """Run the cases and judge them. Raises CloudError with the failures, the worst first.

    A deployment without traffic is compared with the live one, which gets the same requests. If it is slower, both are
    asked once more, because one look can be chance.
    """
    own, now = str(body["deployment"]), shares(endpoint)
    before = _live(cloud, endpoint) if not now.get(own) or body.get("compare") else None
    before = None if before == own else before
    results, live, note = _compared(cloud, endpoint, (own, before), body, what)
    if cases.slower(body["cases"], results, {each.name: each for each in live}):
        again, live_again, note = _compared(cloud, endpoint, (own, before), body, what)
        results = cases.with_times(results, again)
        live = [] if note else cases.with_times(live, live_again)
    return _judged(cloud, body, results, {each.name: each for each in live}, note, what)


def _live(cloud: Cloud, endpoint: Json) -> str | None:
    """The deployment with the live release. Only a split of traffic needs another read."""
    split = len(shares(endpoint)) > 1
    return history.live_slot(endpoint, endpoints.read_deployments(cloud, str(endpoint["name"])) if split else {})


def _compared(
    cloud: Cloud, endpoint: Json, slots: tuple[str, str | None], body: Mapping[str, Json], what: str
) -> tuple[list[cases.Result], list[cases.Result], str]:
    """The results of a deployment and of the live one, and why they are not compared; "" if they are.

    Each case is asked of both, one after the other, so that other load on the endpoint affects both times.
    """
    own, before = slots
    results: list[cases.Result] = []
    live: list[cases.Result] = []
    note = ""
    for named in body["cases"]:
        results.append(_asked(cloud, endpoint, own, body, named, what))
        if before and not note:
            try:
                live.append(_asked(cloud, endpoint, before, body, named, what))
            except CloudError as error:  # a live deployment that does not answer must not stop its replacement
                note = f"not compared with {before}: {error.cause}"
    return results, ([] if note else live), note


def _judged(
    cloud: Cloud,
    body: Mapping[str, Json],
    results: Sequence[cases.Result],
    live: Mapping[str, cases.Result],
    note: str,
    what: str,
) -> Evidence:
    named = body["cases"]
    failed = cases.failures(named, results, live, cloud.now().date())
    rows = [cases.as_json(each, live.get(each.name), failed) for each in results]
    open_failures = [each for each in failed if not each.waiver]
    data = {"cases": rows, **({"not_compared": note} if note else {})}
    files = {"cases.json": json.dumps(rows, indent=1).encode()} | _pictures(body, results, failed)
    if open_failures:
        error = _failed(what, open_failures, len(results), files)
        error.data = data
        raise error
    accepted = len({each.name for each in failed})
    words = f"{count(len(results) - accepted, 'case')} passed"
    words += f", {accepted} failed and {noun(accepted, 'is', 'are')} accepted" if accepted else ""
    words += f" ({note})" if note else ""
    return Evidence(words, data, files)


def _failed(what: str, failed: Sequence[cases.Failure], total: int, files: Mapping[str, bytes]) -> CloudError:
    names = dict.fromkeys(each.name for each in failed)
    listed = "; ".join(f"{each.name}: {each.words}" for each in failed[:_SHOWN])
    more = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    below = any(not each.is_relative for each in failed)
    cause = f"{len(names)} of {count(total, 'case')} failed: {listed}{more}"
    cure = "Look at cases.json in the report's folder"
    if not below:
        cure = "Compare both with `amldeploy probe --compare`; to accept it, raise `margin` or `max_slowdown`"
    error = CloudError(what, cause, cure, code="AML386" if below else "AML387")
    error.attached.update(files)
    return error


def _pictures(
    body: Mapping[str, Json], results: Sequence[cases.Result], failed: Sequence[cases.Failure]
) -> dict[str, bytes]:
    """A picture of the difference for each failed case. A report contains only those of synthetic inputs."""
    by_name = {cases.case_name(each): each["case"] for each in body["cases"]}
    files = {}
    for result in results:
        case = by_name[result.name]
        if not any(each.name == result.name for each in failed) or not (case["synthetic"] or body.get("pictures")):
            continue
        drawn = differences.picture(result)
        if isinstance(drawn, bytes):
            files[f"case-{result.name}.png"] = drawn
    return files
