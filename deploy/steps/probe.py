"""Probes: a real scoring request to one deployment, before it gets traffic. Changes nothing.

The request names its deployment in a header, so it works at 0 % of the traffic. The cases of the probe follow, and are
compared with the live deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy import probes
from deploy.cloud import endpoints, preconditions, scoring
from deploy.cloud.connect import Cloud
from deploy.domain.arm import RELEASE_TAG, UNVERIFIED, Facts, Json, address, facts_of, release_of
from deploy.domain.plan import Desired, Step, Verb
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec, Retry
from deploy.domain.traffic_shares import served
from deploy.errors import CloudError
from deploy.preflight import permissions as rights
from deploy.probes import plausibility

NAME = "probe"
NEEDS_CORES = True
UNVERIFIED_WHY = "it has traffic and is not verified"
_KEPT = 1_000_000
"""Bytes of an error or a wrong answer that the report contains."""


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """One probe for each deployment that is new, changed, or gets more traffic."""
    if desired is None or desired.spec.pipeline.probe is None:
        return ()
    spec, there = desired.spec, facts_of(facts, "deployment", desired.spec.key)
    called = served(facts, spec.key)
    return [
        step_for(spec, name, why, release=release_of(document))
        for name, document in desired.deployments.items()
        if RELEASE_TAG in document["tags"]  # an unmanaged deployment is not probed
        and (
            why := _why(
                document["tags"][RELEASE_TAG], there.get(name), desired.traffic.get(name, 0), called.get(name, 0)
            )
        )
    ]


def _why(release: str, body: object, share: int, now: int) -> str:
    if not isinstance(body, dict):
        return "it is new"
    if release.endswith(UNVERIFIED):
        return UNVERIFIED_WHY
    if (body.get("tags") or {}).get(RELEASE_TAG) != release:
        return "new release"
    return "verified before it gets more traffic" if share > now else ""


def step_for(spec: EndpointSpec, deployment: str, why: str, *, wait: float = 0.0, release: str = "") -> Step:
    """A probe of one deployment; `wait` seconds pass before it. It must hold the release before and after, if named."""
    probe = spec.pipeline.probe
    assert probe is not None  # noqa: S101 only for specs with a probe
    body = {
        "endpoint": spec.name,
        "deployment": deployment,
        "folder": spec.folder,
        "probe": probe.model_dump(mode="json"),
        **({"cases": list(spec.cases)} if spec.cases else {}),
        **({"expects": {"slots": {deployment: [release]}}} if release else {}),
        **({"traffic": "is on it"} if why == UNVERIFIED_WHY else {}),
    }
    retry = Retry(probe.attempts, spec.pipeline.retry.deadline, wait)
    return Step(Verb.PROBE, address(NAME, spec.key, deployment), body, why, retry)


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """What scoring needs depends on the endpoint's authentication."""
    own = {"aad_token": "score/action", "aml_token": "token/action"}.get(str(spec.endpoint.get("auth_mode")))
    return "workspace", (f"{rights.ENDPOINTS}/{own}" if own else rights.KEYS,)


def run(cloud: Cloud, step: Step) -> Evidence:
    what = f"probe {'/'.join((step.endpoint, *step.address.rest))}"
    saved = f"{str(step.address).replace('/', '-')}-answer.txt in the report's folder"
    seen, _ = send(cloud, step.body, what, saved)
    if not step.body.get("cases"):
        return seen
    from deploy.cloud import case_runs  # only for a probe with cases: it imports what draws pictures

    body = endpoints.read_endpoint(cloud, str(step.body["endpoint"])) or {}
    judged = case_runs.judge(cloud, body, step.body, what)
    preconditions.check(cloud, str(step.body["endpoint"]), step.body.get("expects"), what)
    files = {**seen.files, **judged.files}
    return Evidence(f"{seen.summary}; {judged.summary}", {**seen.data, **judged.data}, files)


def send(cloud: Cloud, body: Mapping[str, Json], what: str, saved: str) -> tuple[Evidence, bytes]:
    """Send the request of a step's body. Returns what the response contains, and the response.

    `what` completes "cannot ..." in errors; `saved` is the file in which the user finds a wrong response.
    """
    kind, folder = probes.find(str(body["probe"]["type"])), cloud.root / str(body["folder"])
    endpoint = endpoints.read_recent_endpoint(cloud, str(body["endpoint"]))
    if endpoint is None:
        raise CloudError(what, f"there is no endpoint {body['endpoint']}", "Apply first", code="AML375", status=404)
    preconditions.check(cloud, str(body["endpoint"]), body.get("expects"), what)
    request = kind.request(body["probe"], folder)
    answer = scoring.score_probe(cloud, endpoint, str(body["deployment"]), request, body["probe"], what)
    seen = _checked(body["probe"], folder, answer, what, saved)
    preconditions.check(cloud, str(body["endpoint"]), body.get("expects"), what)
    data = {**seen.data, "milliseconds": round(answer.seconds * 1000), "request_id": answer.request_id}
    return Evidence(f"{seen.summary} in {answer.seconds:.2f} s", data, seen.files), answer.body


def _checked(probe: Mapping[str, Json], folder: Path, answer: scoring.Answer, what: str, saved: str) -> Evidence:
    """What a response contains. Raises CloudError if it is not the model's, or not as expected."""
    if answer.status != int(probe["status"]) and (refused := scoring.refusal(answer, what)):
        if answer.body:
            refused.attached["answer.txt"] = answer.body[:_KEPT]
        raise refused
    kind = probes.find(str(probe["type"]))
    try:
        seen = kind.check(probe, folder, answer.status, answer.body)
        plausibility.check(kind.values(probe, folder, answer.status, answer.body), probe.get("plausible"))
        _in_time(probe.get("max_seconds"), answer.seconds)
    except probes.WrongAnswer as wrong:
        cure = f"Look at {saved}, and read `amldeploy logs`"
        error = CloudError(what, str(wrong), cure, code="AML376", request_id=answer.request_id)
        error.attached["answer.txt"] = answer.body[:_KEPT]
        raise error from None
    return seen


def _in_time(most: float | None, took: float) -> None:
    """Raises WrongAnswer for an answer that took longer than max_seconds."""
    if most is not None and took > most:
        raise probes.WrongAnswer(f"expected an answer within {most:g} s (max_seconds), it took {took:.2f} s")
