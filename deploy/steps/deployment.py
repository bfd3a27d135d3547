"""Deployments: what is behind an endpoint. One PUT makes or changes one, one DELETE ends it. Traffic is not this
room's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from deploy import diff
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.diagnosis import diagnose
from deploy.errors import CloudError, Transient, neutral
from deploy.model import PATIENT, EndpointSpec, Facts, Json, Step, Verb, Wanted, address, of_room

NAME = "deployment"
_LINES = 200


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`deployment/<key>/<name>`: each deployment's ARM body."""
    found = endpoints.read_deployments(cloud, spec.name)
    return {address(NAME, spec.key, name): body for name, body in found.items()}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Create, change or replace what is wanted; towards nothing, delete all."""
    if wanted is None:
        return [_delete(where, body) for where, body in sorted(facts.items()) if where.split("/")[0] == NAME]
    there = of_room(facts, NAME, wanted.spec.key)
    return [
        step
        for name, document in wanted.deployments.items()
        for step in _steps(wanted.spec, name, document, there.get(name))
    ]


def run(cloud: Cloud, step: Step) -> None:
    what, body = f"{step.verb} {step.address}", step.body
    if step.verb is Verb.DELETE:
        endpoints.delete_deployment(
            cloud, str(body["endpoint"]), str(body["name"]), what=what, patience=step.retry.deadline
        )
        return
    document, folder = body["document"], cloud.root / str(body["folder"])
    try:
        endpoints.put_deployment(
            cloud, document, folder, what=what, patience=step.retry.deadline,
            settled=lambda there: not diff.changes(document, there, diff.DEPLOYMENT),
        )  # fmt: skip
    except Transient:
        raise
    except CloudError as error:
        _examine(cloud, error, str(document["endpoint_name"]), str(document["name"]))
        raise


def _examine(cloud: Cloud, error: CloudError, endpoint: str, name: str) -> None:
    """Put the containers' logs and the likeliest cause beside the error."""
    logs = _logs(cloud, endpoint, name)
    state = ""
    with contextlib.suppress(CloudError):
        body = endpoints.read_deployments(cloud, endpoint).get(name) or {}
        state = str((body.get("properties") or {}).get("provisioningState") or "")
    texts = {file.removesuffix(".log"): text.decode() for file, text in logs.items()}
    words = " ".join((*error.codes, error.cause))
    error.attached |= logs
    error.diagnosis = diagnose(error.code, words, texts, azure_codes=error.codes, state=state).as_json()


def _logs(cloud: Cloud, endpoint: str, name: str) -> dict[str, bytes]:
    """What both containers last said; nothing when they never came to speak."""
    logs = {}
    for container in endpoints.CONTAINERS:
        with contextlib.suppress(CloudError):
            text = endpoints.read_logs(cloud, endpoint, name, container, _LINES)
            logs[f"{container}.log"] = neutral(text).encode()
    return logs


def _steps(
    spec: EndpointSpec, name: str, document: Mapping[str, Json], body: Mapping[str, Json] | None
) -> Sequence[Step]:
    where, retry = address(NAME, spec.key, name), spec.retry
    if body is None:
        return [Step(Verb.CREATE, where, _body(spec, document), f"there is no deployment {name} yet", retry)]
    tags = body.get("tags") or {}
    document = {**document, "tags": {**tags, **document["tags"]}}
    found = diff.changes(document, body, diff.DEPLOYMENT)
    state = body["properties"].get("provisioningState")
    if not found and state == "Succeeded":
        return []
    why = ", ".join(c.path for c in found) or f"it is {state}"
    noted = {**_body(spec, document), "changes": [asdict(c) for c in found]}
    if any(c.mutability is diff.Mutability.CREATE_ONLY for c in found):
        gone = {"endpoint": spec.name, "name": name}
        return [
            Step(Verb.DELETE, where, gone, f"Azure cannot change {why} in place", retry),
            Step(Verb.CREATE, where, noted, why, retry),
        ]
    return [Step(Verb.UPDATE, where, noted, why, retry)]


def _body(spec: EndpointSpec, document: Mapping[str, Json]) -> dict[str, Json]:
    return {"document": dict(document), "folder": spec.folder}


def _delete(where: str, body: Mapping[str, Json]) -> Step:
    gone = {"endpoint": str(body["id"]).split("/")[-3], "name": body["name"]}
    return Step(Verb.DELETE, where, gone, f"deployment {body['name']} is no longer wanted", PATIENT)
