"""Deployments: one PUT creates or changes a deployment, one DELETE deletes it. Traffic is another step type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from deploy import diff
from deploy.clock import Task
from deploy.cloud import endpoints, environment_versions, logs, preconditions, whoami
from deploy.cloud.connect import Cloud
from deploy.diff import effects
from deploy.domain import file_list, provenance
from deploy.domain.arm import RELEASE_TAG, Address, Facts, Json, address, facts_of, is_succeeded, release_of
from deploy.domain.owners import is_unmanaged
from deploy.domain.plan import Desired, Difference, Step, Verb, World
from deploy.domain.put_merge import merged_properties, merged_tags
from deploy.domain.report import Evidence
from deploy.domain.spec import DEFAULT_RETRY, EndpointSpec
from deploy.domain.traffic_shares import served, shares
from deploy.errors import CloudError, Finding, Refused, Transient
from deploy.preflight import permissions as rights
from deploy.preflight import refusals
from deploy.reporter import format_change

NAME = "deployment"
VOLATILE_FACTS = ("asset",)
NEEDS_CORES = True
PROVISIONS = True
_UPLOADED = {"code_configuration": "codes", "environment": "environments", "model": "models"}
_COUNT = "instance_count"
_RELEASE = f"tags.{RELEASE_TAG}"
_MAX_LISTED = 3
"""Differences that a reason lists."""
_MAX_TAGS = 50
"""Tags that a resource can have in Azure."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`deployment/<key>/<name>`: each deployment's ARM body; `asset/<key>/<name>`: what `environments` reads. Empty
    for an endpoint that does not exist.
    """
    if (endpoint := endpoints.list_endpoints(cloud).get(spec.name)) is None:
        return {}
    found = endpoints.read_deployments(cloud, spec.name)
    inline = environment_versions.observe(cloud, spec, endpoint, found)
    return {address(NAME, spec.key, name): body for name, body in found.items()} | inline


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """Create, change or recreate the desired deployments; without a desired state, delete all."""
    if desired is None:
        return [_delete(where, body) for where, body in sorted(facts.items()) if where.kind == NAME]
    there = facts_of(facts, NAME, desired.spec.key)
    live = (desired.live, there[desired.live]) if desired.live in there else None
    asset = facts.get(address("asset", desired.spec.key, str(desired.live))) or {}
    steps = [
        step
        for name, document in desired.deployments.items()
        for step in _explain_new_slot(
            desired.spec, live, asset, document, _steps(desired.spec, name, document, there.get(name))
        )
    ]
    if findings := _deleted_with_traffic(desired, steps, facts):
        raise Refused(findings)
    called = served(facts, desired.spec.key) if address("endpoint", desired.spec.key) in facts else None
    return [_with_precondition(desired, step, there.get(str(step.address.name)), called) for step in steps]


def _with_precondition(
    desired: Desired, step: Step, body: Mapping[str, Json] | None, called: Mapping[str, int] | None
) -> Step:
    """The step with what it expects right before its write: the release that the deployment held when the plan was
    made, or what it leaves after an interruption, and no traffic if it had none. `called`: the traffic; None for an
    endpoint that the plan creates.
    """
    name = str(step.address.name)
    before = None if step.verb is Verb.CREATE else release_of(body)  # the step before a creation deletes what is there
    after = None if step.verb is Verb.DELETE else release_of(desired.deployments.get(name))
    expected: dict[str, Json] = {"slots": {name: list(dict.fromkeys((before, after)))}}
    if step.verb is Verb.CREATE:
        expected["owner"] = desired.spec.owner
    if called is not None and name not in called:
        expected["idle"] = name
    return replace(step, body={**step.body, "expects": expected})


def _deleted_with_traffic(desired: Desired, steps: Sequence[Step], facts: Facts) -> list[Finding]:
    """Deployments that would be deleted while they have traffic, which Azure refuses."""
    endpoint = facts.get(address("endpoint", desired.spec.key)) or {}
    called = {*shares(endpoint), *shares(endpoint, "mirrorTraffic")}
    cure = "Rename the deployment in its file and move the traffic to the new one; or first apply only a change of "
    cure += "`traffic` and `mirror_traffic` that leaves this deployment without traffic, and then this change"
    return [
        Finding(str(step.address), "AML222", f"{step.why}, and it has traffic", cure)
        for step in steps
        if step.verb is Verb.DELETE and step.body["name"] in called
    ]


def unexplained(step: Step, body: Json) -> Iterator[str]:
    """ARM paths of the deployment that are not as the step leaves them."""
    return effects.unexplained_fields(step, body, diff.DEPLOYMENT)


def explains(step: Step, found: Difference, world: World) -> bool:
    """Whether a difference is what the step writes."""
    return found.address == step.address and effects.is_written_by(
        step, found, world.get(step.address), diff.DEPLOYMENT
    )


def essence(step: Step) -> Json:
    """What makes two steps the same after an interruption."""
    rest = {name: value for name, value in step.body.items() if name != "expects"}
    return dict(step.body.get("document") or rest)


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Assets that are made of local files are uploaded and registered before the deployment that uses them."""
    if step.verb is Verb.DELETE:
        return "workspace", rights.DEPLOYMENT_DELETE
    document = step.body.get("document") or {}
    kinds = [kind for field, kind in _UPLOADED.items() if isinstance(document.get(field), Mapping)]
    uploads = [f"{rights.WORKSPACES}/{kind}/versions/write" for kind in kinds]
    uploads += [f"{rights.WORKSPACES}/datastores/listsecrets/action"] if uploads else []
    return "workspace", (*rights.DEPLOYMENT_WRITE, *uploads)


def stage(cloud: Cloud, step: Step) -> str:
    """How far the start of the deployment is, in Azure's words; empty if that cannot be read."""
    document = step.body.get("document")
    return logs.stage(cloud, str(document["endpoint_name"]), str(document["name"])) if document else ""


def run(cloud: Cloud, step: Step) -> Task[Evidence | None]:
    what, body = f"{step.verb} {step.address}", step.body
    if step.verb is Verb.DELETE:
        if "idle" in body:
            preconditions.check_idle(cloud, body, what)
        preconditions.check(cloud, str(body["endpoint"]), body.get("expects"), what)
        yield from endpoints.delete_deployment(
            cloud, str(body["endpoint"]), str(body["name"]), what=what, timeout_seconds=step.retry.deadline
        )
        return None
    if "adopted" in body:
        refusals.require_same_owner(
            endpoints.read_deployment(cloud, str(body["endpoint"]), str(body["name"])), step, what
        )
    endpoint = str(body["document"]["endpoint_name"] if "document" in body else body["endpoint"])
    there = endpoints.read_deployments(cloud, endpoint) if "expects" in body else {}
    if step.verb is Verb.CREATE and _exists(there, body["document"]):
        return Evidence("another run created it")
    preconditions.check(cloud, endpoint, body.get("expects"), what, deployments=there)
    if "document" not in body:
        part = {"sku": {"name": "Default", "capacity": body["count"]}} if "count" in body else {"tags": body["adopted"]}
        where = endpoints.deployment_path(cloud, str(body["endpoint"]), str(body["name"]))
        yield from endpoints.patch(cloud, where, part, what=what, timeout_seconds=step.retry.deadline)
        return None
    document, folder = body["document"], cloud.root / str(body["folder"])
    try:
        yield from endpoints.put_deployment(
            cloud, document, folder, what=what, timeout_seconds=step.retry.deadline,
            record=lambda made: _records(cloud, body, made),
            is_desired=lambda there: not diff.changes(document, there, diff.DEPLOYMENT),
        )  # fmt: skip
    except Transient:
        raise
    except CloudError as error:
        logs.examine(cloud, error, document)
        raise
    return None


def _exists(there: Mapping[str, Json], document: Mapping[str, Json]) -> bool:
    """Whether the deployment to create is among these as it would be created."""
    body = there.get(str(document["name"]))
    if body is None or release_of(body) != release_of(document) or not is_succeeded(body):
        return False
    return not diff.changes(document, body, diff.DEPLOYMENT)


def _records(cloud: Cloud, body: Mapping[str, Json], made: Mapping[str, Json]) -> dict[str, str]:
    """The tags that a PUT adds: assets, commit and run, files; as many as Azure accepts. A release that is carried to
    another endpoint, or restored, keeps the tags that it has.
    """
    tags, assets = body["document"]["tags"], diff.records(body["document"], made)
    carried = any(name in tags for name in provenance.TAGS)
    more = {} if carried else {**whoami.provenance(cloud).tags(), **body.get("files", {})}
    return {**assets, **dict(list(more.items())[: max(0, _MAX_TAGS - len(tags) - len(assets))])}


def _steps(
    spec: EndpointSpec, name: str, document: Mapping[str, Json], body: Mapping[str, Json] | None
) -> Sequence[Step]:
    where, retry = address(NAME, spec.key, name), spec.retry
    if body is None:
        return [Step(Verb.CREATE, where, body_of(spec, document), f"there is no deployment {name} yet", retry)]
    document = merged_document(document, body)
    found = diff.changes(document, body, diff.DEPLOYMENT)
    files = ""
    if any(change.path == _RELEASE for change in found):
        found = (*found, *diff.resets(document, body, diff.DEPLOYMENT))
        files = _files_changed(spec, document, body)
    state = body["properties"].get("provisioningState")
    if not found and (state == "Succeeded" or is_unmanaged(spec.owner, body)):
        return []
    if not all(change.in_place for change in found):
        return _delete_and_create(spec, where, document, found, files)
    count, rest = (tuple(c for c in found if (c.path == _COUNT) is first) for first in (True, False))
    if not count or state != "Succeeded":
        return [
            Step(
                Verb.UPDATE,
                where,
                _body_with_changes(spec, document, found),
                files or _paths(found) or f"it is {state}",
                retry,
            )
        ]
    change = count[0]
    scaled = {"endpoint": spec.name, "name": name, "count": change.after, "changes": [asdict(change)]}
    first = Step(Verb.UPDATE, where, scaled, f"{_COUNT} {change.before} -> {change.after}", retry)
    return [
        first,
        *(
            [Step(Verb.UPDATE, where, _body_with_changes(spec, document, rest), files or _paths(rest), retry)]
            if rest
            else []
        ),
    ]


def _explain_new_slot(
    spec: EndpointSpec,
    live: tuple[str, Mapping[str, Json]] | None,
    asset: Mapping[str, Json],
    document: Mapping[str, Json],
    steps: Sequence[Step],
) -> Sequence[Step]:
    """The steps; the one for another slot lists the differences from the live deployment."""
    if live is None or live[0] == document["name"] or not steps or "document" not in steps[-1].body:
        return steps
    name, body = live
    *before, last = steps
    conda = asset.get("conda") or {}
    content = conda.get(document["name"], next(iter(conda.values()), None))
    found = diff.differences(last.body["document"], body, asset.get("held"), content)
    most, files = _MAX_LISTED if last.verb is Verb.CREATE else len(found), _files_changed(spec, document, body)
    words = f"{_differences(found, most, files)}, next to {name}"
    words = words if found else last.why
    words += (
        f"; differences of the environment are unknown: {asset['unread_reason']}" if asset.get("unread_reason") else ""
    )
    if last.verb is Verb.CREATE and "changes" not in last.body:
        listed = {**last.body, "changes": [asdict(change) for change in found], "beside": name}
        return [*before, replace(last, why=words, body=listed)]
    why = words if last.body.get("changes") else f"{last.why}; {words}"
    own = f", in {document['name']}"
    before = [replace(step, why=step.why + own) if "count" in step.body else step for step in before]
    return [*before, replace(last, why=why, body={**last.body, "next_to": name})]


def _files_changed(spec: EndpointSpec, document: Mapping[str, Json], body: Mapping[str, Json]) -> str:
    """The local files that differ from those of a deployment that exists, in words; empty without a difference."""
    return file_list.in_words(file_list.read_tags(body), file_list.of_slot(spec.files, str(document["name"])))


def _differences(found: Sequence[diff.Change], most: int, files: str) -> str:
    """`instance_type A -> B, files: code/score.py changed`; the release is named by what differs in it."""
    shown = [change for change in found if change.path != _RELEASE]
    if not shown:
        return files or "the definition of the model or the environment"
    texts = [f"{change.path} {format_change(change.path, change.before, change.after)}" for change in shown[:most]]
    more = [f"{len(shown) - most} more"] if len(shown) > most else []
    return ", ".join([*texts, *more, *([files] if files else [])])


def merged_document(document: Mapping[str, Json], body: Mapping[str, Json]) -> dict[str, Json]:
    """The document with what a PUT would otherwise remove: unmanaged tags and properties and, if the release stays the
    same, every field that the files do not set.
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


def _delete_and_create(
    spec: EndpointSpec, where: Address, document: Mapping[str, Json], found: Sequence[diff.Change], files: str
) -> Sequence[Step]:
    """Deletion and creation of a deployment that Azure cannot change in place."""
    gone = {"endpoint": spec.name, "name": document["name"]}
    fixed = _paths([change for change in found if not change.in_place])
    return [
        Step(Verb.DELETE, where, gone, f"Azure cannot change {fixed} in place", spec.retry),
        Step(Verb.CREATE, where, _body_with_changes(spec, document, found), files or _paths(found), spec.retry),
    ]


def _body_with_changes(
    spec: EndpointSpec, document: Mapping[str, Json], found: Sequence[diff.Change]
) -> dict[str, Json]:
    return {**body_of(spec, document), "changes": [asdict(change) for change in found]}


def _paths(found: Sequence[diff.Change]) -> str:
    return ", ".join(change.path for change in found)


def body_of(spec: EndpointSpec, document: Mapping[str, Json]) -> dict[str, Json]:
    """The body of a step that sends the document; `files`: the tags that list its local files."""
    files = file_list.tags_of(file_list.of_slot(spec.files, str(document["name"])))
    return {"document": dict(document), "folder": spec.folder, "files": files}


def _delete(where: Address, body: Mapping[str, Json]) -> Step:
    gone = {"endpoint": str(body["id"]).split("/")[-3], "name": body["name"]}
    return Step(Verb.DELETE, where, gone, f"deployment {body['name']} is deleted with its endpoint", DEFAULT_RETRY)
