"""Deployments: what is behind an endpoint. One PUT makes or changes one, one DELETE ends it. Traffic is not this
room's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from deploy import diff, refusals
from deploy.callers import served, shares
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.diagnosis import diagnose
from deploy.errors import CloudError, Finding, Refused, Transient, neutral
from deploy.judging import rights
from deploy.kept import merged_properties, merged_tags
from deploy.model import (
    OWNER_TAG,
    PATIENT,
    RELEASE_TAG,
    EndpointSpec,
    Facts,
    Json,
    Step,
    Verb,
    Wanted,
    address,
    is_strange,
    of_room,
)
from deploy.reporter import changed_value

NAME = "deployment"
_COUNT = "instance_count"
_RELEASE = f"tags.{RELEASE_TAG}"
_TOLD = 3
"""Differences that a reason names one by one."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`deployment/<key>/<name>`: each deployment's ARM body. Nothing is asked about an endpoint that is not there."""
    if spec.name not in endpoints.list_endpoints(cloud):
        return {}
    found = endpoints.read_deployments(cloud, spec.name)
    return {address(NAME, spec.key, name): body for name, body in found.items()}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Create, change or replace what is wanted; towards nothing, delete all."""
    if wanted is None:
        return [_delete(where, body) for where, body in sorted(facts.items()) if where.split("/")[0] == NAME]
    there = of_room(facts, NAME, wanted.spec.key)
    live = (wanted.live, there[wanted.live]) if wanted.live in there else None
    steps = [
        step
        for name, document in wanted.deployments.items()
        for step in _beside(live, document, _steps(wanted.spec, name, document, there.get(name)))
    ]
    if findings := _serving(wanted, steps, facts):
        raise Refused(findings)
    if address("endpoint", wanted.spec.key) not in facts:
        return steps  # nobody else is there where nothing is yet
    called = served(facts, wanted.spec.key)
    return [step if step.address.split("/")[-1] in called else _unsettled(step) for step in steps]


def _unsettled(step: Step) -> Step:
    """A change of what nobody calls, or of what is not there: whether that is so is looked at again right before it."""
    claim = {Verb.UPDATE: "unserved", Verb.CREATE: "absent"}.get(step.verb)
    return replace(step, body={**step.body, claim: True}) if claim and "document" in step.body else step


def _serving(wanted: Wanted, steps: Sequence[Step], facts: Facts) -> list[Finding]:
    """Deployments that would have to go while callers are on them, which Azure refuses."""
    endpoint = facts.get(address("endpoint", wanted.spec.key)) or {}
    called = {*shares(endpoint), *shares(endpoint, "mirrorTraffic")}
    cure = "Give this deployment's file another name and move the traffic there, or leave the choice of names to us: "
    cure += "one deployment file and no traffic map"
    return [
        Finding(step.address, "AML222", f"{step.why}, and callers are on it", cure)
        for step in steps
        if step.verb is Verb.DELETE and step.body["name"] in called
    ]


def run(cloud: Cloud, step: Step) -> None:
    what, body = f"{step.verb} {step.address}", step.body
    if step.verb is Verb.DELETE:
        endpoints.delete_deployment(
            cloud, str(body["endpoint"]), str(body["name"]), what=what, patience=step.retry.deadline
        )
        return
    if "document" not in body:
        part = {"sku": {"name": "Default", "capacity": body["count"]}} if "count" in body else {"tags": body["adopted"]}
        where = endpoints.deployment_path(cloud, str(body["endpoint"]), str(body["name"]))
        endpoints.patch(cloud, where, part, what=what, patience=step.retry.deadline)
        return
    document, folder = body["document"], cloud.root / str(body["folder"])
    if body.get("absent"):
        there = endpoints.read_deployment(cloud, str(document["endpoint_name"]), str(document["name"]))
        refusals.appeared(there, document["tags"].get(OWNER_TAG), what)
    if body.get("unserved"):
        _see_nobody(cloud, document, what)
    try:
        endpoints.put_deployment(
            cloud, document, folder, what=what, patience=step.retry.deadline,
            record=lambda made: diff.records(document, made),
            settled=lambda there: not diff.changes(document, there, diff.DEPLOYMENT),
        )  # fmt: skip
    except Transient:
        raise
    except CloudError as error:
        _examine(cloud, error, document)
        raise


def _see_nobody(cloud: Cloud, document: Mapping[str, Json], what: str) -> None:
    """Raises when callers are on it after all: since the plan somebody sent them there, or the plan saw an old list."""
    if document["name"] in shares(endpoints.read_endpoint(cloud, str(document["endpoint_name"])) or {}):
        cause = f"the plan saw nobody on {document['name']}, and callers are on it"
        raise CloudError(what, cause, "Nothing was changed: plan again", code="AML319")


def _examine(cloud: Cloud, error: CloudError, document: Mapping[str, Json]) -> None:
    """Put the containers' logs and the likeliest cause beside the error, and the cure for that cause into it."""
    endpoint, name = str(document["endpoint_name"]), str(document["name"])
    logs, unread = _logs(cloud, endpoint, name)
    state = ""
    with contextlib.suppress(CloudError):
        body = endpoints.read_deployments(cloud, endpoint).get(name) or {}
        state = str((body.get("properties") or {}).get("provisioningState") or "")
    texts = {file.removesuffix(".log"): text.decode() for file, text in logs.items()}
    words = " ".join((*error.codes, error.cause))
    error.attached |= logs
    found = diagnose(
        error.code, words, texts, document=document, azure_codes=error.codes, state=state, unread=unread
    )  # fmt: skip
    error.diagnosis, error.cure = found.as_json(), found.cure or error.cure


def _logs(cloud: Cloud, endpoint: str, name: str) -> tuple[dict[str, bytes], dict[str, str]]:
    """What both containers last said; and of each whose log we are not given, why not."""
    logs, unread = {}, {}
    for container in endpoints.CONTAINERS:
        try:
            text = endpoints.read_logs(cloud, endpoint, name, container, endpoints.TAIL)
            logs[f"{container}.log"] = neutral(text).encode()
        except CloudError as error:
            if error.status != 404:  # then there is no deployment, and no log either
                refused = f"may not be read: that takes {rights.LOGS}"
                unread[container] = refused if error.status == 403 else f"could not be read: {error.cause.rstrip('.')}"
    return logs, unread


def _steps(
    spec: EndpointSpec, name: str, document: Mapping[str, Json], body: Mapping[str, Json] | None
) -> Sequence[Step]:
    where, retry = address(NAME, spec.key, name), spec.retry
    if body is None:
        return [Step(Verb.CREATE, where, _body(spec, document), f"there is no deployment {name} yet", retry)]
    document = kept(document, body)
    found = diff.changes(document, body, diff.DEPLOYMENT)
    if any(change.path == _RELEASE for change in found):
        found = (*found, *diff.resets(document, body, diff.DEPLOYMENT))
    state = body["properties"].get("provisioningState")
    if not found and (state == "Succeeded" or is_strange(body)):
        return []
    if not all(change.in_place for change in found):
        return _remade(spec, where, document, found)
    count, rest = (tuple(c for c in found if (c.path == _COUNT) is first) for first in (True, False))
    if not count or state != "Succeeded":
        return [Step(Verb.UPDATE, where, _noted(spec, document, found), _paths(found) or f"it is {state}", retry)]
    change = count[0]
    scaled = {"endpoint": spec.name, "name": name, "count": change.after, "changes": [asdict(change)]}
    first = Step(Verb.UPDATE, where, scaled, f"{_COUNT} {change.before} -> {change.after}", retry)
    return [first, *([Step(Verb.UPDATE, where, _noted(spec, document, rest), _paths(rest), retry)] if rest else [])]


def _beside(
    live: tuple[str, Mapping[str, Json]] | None, document: Mapping[str, Json], steps: Sequence[Step]
) -> Sequence[Step]:
    """The same steps; what goes to another slot says what callers will find different from the slot they are on."""
    if live is None or live[0] == document["name"] or not steps or "document" not in steps[-1].body:
        return steps
    name, body = live
    found = diff.changes(document, body, diff.DEPLOYMENT)
    *before, last = steps
    words = f"{_differences(found)}, next to {name}" if found else last.why
    if last.verb is Verb.CREATE and "changes" not in last.body:
        listed = {**last.body, "changes": [asdict(change) for change in found], "beside": name}
        return [*before, replace(last, why=words, body=listed)]
    why = words if last.body.get("changes") else f"{last.why}; {words}"
    return [*before, replace(last, why=why)]


def _differences(found: Sequence[diff.Change]) -> str:
    """`instance_type A -> B`; the release is named only where nothing else differs that a file's field can say."""
    told = [change for change in found if change.path != _RELEASE]
    if not told:
        return "other files or secrets"
    said = [
        f"{change.path} {changed_value(change.path, change.before)} -> {changed_value(change.path, change.after)}"
        for change in told[:_TOLD]
    ]
    more = [f"{len(told) - _TOLD} more"] if len(told) > _TOLD else []
    return ", ".join([*said, *more])


def kept(document: Mapping[str, Json], body: Mapping[str, Json]) -> dict[str, Json]:
    """The document with what a PUT would otherwise take away: tags and properties of others and, of the release that
    is there already, whatever else the files leave open. Another release is what its files say.
    """
    named = document["tags"]
    if (body.get("tags") or {}).get(RELEASE_TAG) == named.get(RELEASE_TAG):
        document = diff.filled(document, body, diff.DEPLOYMENT)
    old = diff.RECORDS - named.keys()  # a release that is carried to a successor brings the records of its assets
    tags = {name: value for name, value in merged_tags(body, document["tags"]).items() if name not in old}
    properties = merged_properties(body, document.get("properties") or {})
    return {**document, "tags": tags, **({"properties": properties} if properties else {})}


def _remade(
    spec: EndpointSpec, where: str, document: Mapping[str, Json], found: Sequence[diff.Change]
) -> Sequence[Step]:
    """A deployment that keeps its name and cannot become what it should be."""
    gone = {"endpoint": spec.name, "name": document["name"]}
    fixed = _paths([change for change in found if not change.in_place])
    return [
        Step(Verb.DELETE, where, gone, f"Azure cannot change {fixed} in place", spec.retry),
        Step(Verb.CREATE, where, _noted(spec, document, found), _paths(found), spec.retry),
    ]


def _noted(spec: EndpointSpec, document: Mapping[str, Json], found: Sequence[diff.Change]) -> dict[str, Json]:
    return {**_body(spec, document), "changes": [asdict(change) for change in found]}


def _paths(found: Sequence[diff.Change]) -> str:
    return ", ".join(change.path for change in found)


def _body(spec: EndpointSpec, document: Mapping[str, Json]) -> dict[str, Json]:
    return {"document": dict(document), "folder": spec.folder}


def _delete(where: str, body: Mapping[str, Json]) -> Step:
    gone = {"endpoint": str(body["id"]).split("/")[-3], "name": body["name"]}
    return Step(Verb.DELETE, where, gone, f"deployment {body['name']} is no longer wanted", PATIENT)
