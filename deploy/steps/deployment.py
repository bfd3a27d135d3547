"""Deployments: what is behind an endpoint. One PUT makes or changes one, one DELETE ends it. Traffic is not this
room's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from deploy import diff
from deploy.cloud import endpoints, environments, logs, preconditions, whoami
from deploy.cloud.connect import Cloud
from deploy.domain import manifest, provenance
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Facts, Json, address, facts_of
from deploy.domain.owners import is_unmanaged
from deploy.domain.plan import Step, Verb, Wanted
from deploy.domain.preserved import merged_properties, merged_tags
from deploy.domain.spec import PATIENT, EndpointSpec
from deploy.domain.traffic_shares import served, shares
from deploy.errors import CloudError, Finding, Refused, Transient
from deploy.preflight import refusals
from deploy.reporter import before_and_after

NAME = "deployment"
_COUNT = "instance_count"
_RELEASE = f"tags.{RELEASE_TAG}"
_TOLD = 3
"""Differences that a reason names one by one."""
_TAGS = 50
"""Tags that a resource can have in Azure."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`deployment/<key>/<name>`: each deployment's ARM body; `asset/<key>/<name>`: what `environments` reads. Nothing
    is asked about an endpoint that is not there.
    """
    if (endpoint := endpoints.list_endpoints(cloud).get(spec.name)) is None:
        return {}
    found = endpoints.read_deployments(cloud, spec.name)
    inline = environments.observe(cloud, spec, endpoint, found)
    return {address(NAME, spec.key, name): body for name, body in found.items()} | inline


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """Create, change or replace what is wanted; towards nothing, delete all."""
    if wanted is None:
        return [_delete(where, body) for where, body in sorted(facts.items()) if where.split("/")[0] == NAME]
    there = facts_of(facts, NAME, wanted.spec.key)
    live = (wanted.live, there[wanted.live]) if wanted.live in there else None
    asset = facts.get(address("asset", wanted.spec.key, str(wanted.live))) or {}
    steps = [
        step
        for name, document in wanted.deployments.items()
        for step in _beside(wanted.spec, live, asset, document, _steps(wanted.spec, name, document, there.get(name)))
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
    cure = "Give this deployment's file another name and move the traffic there; or first apply only a change of "
    cure += "`traffic` and `mirror_traffic` that leaves this deployment without any, and then this one"
    return [
        Finding(step.address, "AML222", f"{step.why}, and callers are on it", cure)
        for step in steps
        if step.verb is Verb.DELETE and step.body["name"] in called
    ]


def run(cloud: Cloud, step: Step) -> None:
    what, body = f"{step.verb} {step.address}", step.body
    if step.verb is Verb.DELETE:
        if "idle" in body:
            preconditions.check_idle(cloud, body, what)
        endpoints.delete_deployment(
            cloud, str(body["endpoint"]), str(body["name"]), what=what, patience=step.retry.deadline
        )
        return
    if "adopted" in body:
        refusals.changed_owner(endpoints.read_deployment(cloud, str(body["endpoint"]), str(body["name"])), step, what)
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
            record=lambda made: _records(cloud, body, made),
            settled=lambda there: not diff.changes(document, there, diff.DEPLOYMENT),
        )  # fmt: skip
    except Transient:
        raise
    except CloudError as error:
        logs.examine(cloud, error, document)
        raise


def _records(cloud: Cloud, body: Mapping[str, Json], made: Mapping[str, Json]) -> dict[str, str]:
    """The tags that a PUT writes by itself: its assets, its commit and run, its files; as many as Azure takes. A
    release that is carried to another endpoint, or restored, keeps those that it has.
    """
    tags, assets = body["document"]["tags"], diff.records(body["document"], made)
    carried = any(name in tags for name in provenance.TAGS)
    more = {} if carried else {**whoami.provenance(cloud).tags(), **body.get("files", {})}
    return {**assets, **dict(list(more.items())[: max(0, _TAGS - len(tags) - len(assets))])}


def _see_nobody(cloud: Cloud, document: Mapping[str, Json], what: str) -> None:
    """Raises when callers are on it after all: since the plan somebody sent them there, or the plan saw an old list."""
    if document["name"] in shares(endpoints.read_endpoint(cloud, str(document["endpoint_name"])) or {}):
        cause = f"the plan saw nobody on {document['name']}, and callers are on it"
        raise CloudError(what, cause, "Nothing was changed: plan again", code="AML319")


def _steps(
    spec: EndpointSpec, name: str, document: Mapping[str, Json], body: Mapping[str, Json] | None
) -> Sequence[Step]:
    where, retry = address(NAME, spec.key, name), spec.retry
    if body is None:
        return [Step(Verb.CREATE, where, body_of(spec, document), f"there is no deployment {name} yet", retry)]
    document = kept(document, body)
    found = diff.changes(document, body, diff.DEPLOYMENT)
    files = ""
    if any(change.path == _RELEASE for change in found):
        found = (*found, *diff.resets(document, body, diff.DEPLOYMENT))
        files = _files_changed(spec, document, body)
    state = body["properties"].get("provisioningState")
    if not found and (state == "Succeeded" or is_unmanaged(spec.owner, body)):
        return []
    if not all(change.in_place for change in found):
        return _remade(spec, where, document, found, files)
    count, rest = (tuple(c for c in found if (c.path == _COUNT) is first) for first in (True, False))
    if not count or state != "Succeeded":
        return [
            Step(Verb.UPDATE, where, _noted(spec, document, found), files or _paths(found) or f"it is {state}", retry)
        ]
    change = count[0]
    scaled = {"endpoint": spec.name, "name": name, "count": change.after, "changes": [asdict(change)]}
    first = Step(Verb.UPDATE, where, scaled, f"{_COUNT} {change.before} -> {change.after}", retry)
    return [
        first,
        *([Step(Verb.UPDATE, where, _noted(spec, document, rest), files or _paths(rest), retry)] if rest else []),
    ]


def _beside(
    spec: EndpointSpec,
    live: tuple[str, Mapping[str, Json]] | None,
    asset: Mapping[str, Json],
    document: Mapping[str, Json],
    steps: Sequence[Step],
) -> Sequence[Step]:
    """The same steps; what goes to another slot says what callers will find different from the slot they are on."""
    if live is None or live[0] == document["name"] or not steps or "document" not in steps[-1].body:
        return steps
    name, body = live
    *before, last = steps
    conda = asset.get("conda") or {}
    content = conda.get(document["name"], next(iter(conda.values()), None))
    found = diff.differences(last.body["document"], body, asset.get("held"), content)
    most, files = _TOLD if last.verb is Verb.CREATE else len(found), _files_changed(spec, document, body)
    words = f"{_differences(found, most, files)}, next to {name}"
    words = words if found else last.why
    words += f"; could not tell what of the environment differs: {asset['untold']}" if asset.get("untold") else ""
    if last.verb is Verb.CREATE and "changes" not in last.body:
        listed = {**last.body, "changes": [asdict(change) for change in found], "beside": name}
        return [*before, replace(last, why=words, body=listed)]
    why = words if last.body.get("changes") else f"{last.why}; {words}"
    return [*before, replace(last, why=why)]


def _files_changed(spec: EndpointSpec, document: Mapping[str, Json], body: Mapping[str, Json]) -> str:
    """The local files that differ from those of a deployment that exists, in words; empty when they are the same."""
    return manifest.in_words(manifest.read_tags(body), manifest.of_slot(spec.files, str(document["name"])))


def _differences(found: Sequence[diff.Change], most: int, files: str) -> str:
    """`instance_type A -> B, files: code/score.py changed`; the release is named by what differs in it."""
    told = [change for change in found if change.path != _RELEASE]
    if not told:
        return files or "the definition of the model or the environment"
    said = [f"{change.path} {before_and_after(change.path, change.before, change.after)}" for change in told[:most]]
    more = [f"{len(told) - most} more"] if len(told) > most else []
    return ", ".join([*said, *more, *([files] if files else [])])


def kept(document: Mapping[str, Json], body: Mapping[str, Json]) -> dict[str, Json]:
    """The document with what a PUT would otherwise take away: tags and properties of others and, of the release that
    is there already, whatever else the files leave open. Another release is what its files say.
    """
    named = document["tags"]
    if (body.get("tags") or {}).get(RELEASE_TAG) == named.get(RELEASE_TAG):
        document = diff.fill_from_existing(document, body, diff.DEPLOYMENT)
    else:
        document = diff.stop_data_collection(document, body)
    old = diff.RECORDS - named.keys()  # a release that is carried to a successor brings the records of its assets
    tags = {name: value for name, value in merged_tags(body, document["tags"]).items() if name not in old}
    properties = merged_properties(body, document.get("properties") or {})
    return {**document, "tags": tags, **({"properties": properties} if properties else {})}


def _remade(
    spec: EndpointSpec, where: str, document: Mapping[str, Json], found: Sequence[diff.Change], files: str
) -> Sequence[Step]:
    """A deployment that keeps its name and cannot become what it should be."""
    gone = {"endpoint": spec.name, "name": document["name"]}
    fixed = _paths([change for change in found if not change.in_place])
    return [
        Step(Verb.DELETE, where, gone, f"Azure cannot change {fixed} in place", spec.retry),
        Step(Verb.CREATE, where, _noted(spec, document, found), files or _paths(found), spec.retry),
    ]


def _noted(spec: EndpointSpec, document: Mapping[str, Json], found: Sequence[diff.Change]) -> dict[str, Json]:
    return {**body_of(spec, document), "changes": [asdict(change) for change in found]}


def _paths(found: Sequence[diff.Change]) -> str:
    return ", ".join(change.path for change in found)


def body_of(spec: EndpointSpec, document: Mapping[str, Json]) -> dict[str, Json]:
    """The body of a step that sends the document; `files`: the tags that list its local files."""
    files = manifest.tags_of(manifest.of_slot(spec.files, str(document["name"])))
    return {"document": dict(document), "folder": spec.folder, "files": files}


def _delete(where: str, body: Mapping[str, Json]) -> Step:
    gone = {"endpoint": str(body["id"]).split("/")[-3], "name": body["name"]}
    return Step(Verb.DELETE, where, gone, f"deployment {body['name']} is no longer wanted", PATIENT)
