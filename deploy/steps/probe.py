"""Probes: a real scoring request to one deployment, before any caller is sent there. Changes nothing.

The request names its deployment in a header, so it works at 0 % of the traffic.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy import probes
from deploy.cloud import endpoints, scoring
from deploy.cloud.connect import Cloud
from deploy.domain.arm import RELEASE_TAG, UNVERIFIED, Facts, address, facts_of
from deploy.domain.plan import Step, Verb, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec, Retry
from deploy.domain.traffic_shares import served
from deploy.errors import CloudError

NAME = "probe"
UNVERIFIED_WHY = "callers are on it, and it is not proven"
_KEPT = 1_000_000
"""Bytes of a wrong answer that are kept for whoever looks into it."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:  # noqa: ARG001 every room answers the same three questions
    """Nothing: a probe leaves nothing behind that could be looked at."""
    return {}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """One probe for each deployment that is new, changed, or about to get callers it does not have."""
    if wanted is None or wanted.spec.pipeline.probe is None:
        return ()
    spec, there = wanted.spec, facts_of(facts, "deployment", wanted.spec.key)
    called = served(facts, spec.key)
    return [
        step_for(spec, name, why)
        for name, document in wanted.deployments.items()
        if RELEASE_TAG in document["tags"]  # an unmanaged deployment is not probed
        and (
            why := _why(
                document["tags"][RELEASE_TAG], there.get(name), wanted.traffic.get(name, 0), called.get(name, 0)
            )
        )
    ]


def _why(release: str, body: object, share: int, now: int) -> str:
    if not isinstance(body, dict):
        return "it is new"
    if release.endswith(UNVERIFIED):
        return UNVERIFIED_WHY
    if (body.get("tags") or {}).get(RELEASE_TAG) != release:
        return "its release changes"
    return "callers are about to reach it" if share > now else ""


def step_for(spec: EndpointSpec, deployment: str, why: str, *, wait: float = 0.0) -> Step:
    """A probe of one deployment; `wait` seconds pass before it."""
    probe = spec.pipeline.probe
    assert probe is not None  # noqa: S101 callers ask only for what the pipeline has
    body = {
        "endpoint": spec.name,
        "deployment": deployment,
        "folder": spec.folder,
        "probe": probe.model_dump(mode="json"),
        **({"callers": "are on it"} if why == UNVERIFIED_WHY else {}),
    }
    retry = Retry(probe.attempts, spec.pipeline.retry.deadline, wait)
    return Step(Verb.PROBE, address(NAME, spec.key, deployment), body, why, retry)


def run(cloud: Cloud, step: Step) -> Evidence:
    what, body = f"probe {step.address.removeprefix('probe/')}", step.body
    kind, folder = probes.find(str(body["probe"]["type"])), cloud.root / str(body["folder"])
    endpoint = endpoints.read_recent_endpoint(cloud, str(body["endpoint"]))
    if endpoint is None:
        raise CloudError(what, f"there is no endpoint {body['endpoint']}", "Apply first", code="AML375", status=404)
    answer = scoring.score(
        cloud,
        endpoint,
        str(body["deployment"]),
        kind.request(body["probe"], folder),
        timeout=float(body["probe"]["timeout"]),
        what=what,
    )
    expected = int(body["probe"]["status"])
    if answer.status != expected and (refused := scoring.refusal(answer, what)):
        raise refused
    try:
        seen = kind.check(body["probe"], folder, answer.status, answer.body)
        _in_time(body["probe"].get("max_seconds"), answer.seconds)
    except probes.WrongAnswer as wrong:
        cure = "Look at answer.txt in the report's folder, and at the logs (amldeploy logs)"
        error = CloudError(what, str(wrong), cure, code="AML376", request_id=answer.request_id)
        error.attached["answer.txt"] = answer.body[:_KEPT]
        raise error from None
    data = {**seen.data, "milliseconds": round(answer.seconds * 1000), "request_id": answer.request_id}
    return Evidence(f"{seen.summary} in {answer.seconds:.2f} s", data, seen.files)


def _in_time(most: float | None, took: float) -> None:
    """A right answer that comes too late for callers is a wrong one."""
    if most is not None and took > most:
        raise probes.WrongAnswer(f"expected an answer within {most:g} s (max_seconds), it took {took:.2f} s")
