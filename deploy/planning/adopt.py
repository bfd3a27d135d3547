"""Adoption: a plan that puts our tags on unmanaged resources, or replaces the tags of another owner. Pure.

Nothing else is changed. The tag of another owner is replaced only if the user named that owner, because another
repository, or another entry, may still manage the resource; or if it is an entry that this environment file no longer
has, as after its key was renamed. The owner in the descriptions of role assignments is replaced, too.

A deployment that is exactly as in the files also gets the release tag of the files, so that the next plan is empty.
Other deployments, and those made of local files (which Azure does not store), do not: the next plan changes them. The
one that receives all traffic gets a release of its own, and the endpoint's history lists it as live, so that a rollback
can return to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from deploy import diff
from deploy.cloud import role_assignments
from deploy.cloud.endpoints import path_in
from deploy.domain import history
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Address, Facts, Json, address, facts_of, release_of
from deploy.domain.digests import digest
from deploy.domain.owners import adopt_command, former_key, owner_tag
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.put_merge import merged_tags
from deploy.domain.spec import SHORT_RETRY, EndpointSpec, Environment
from deploy.domain.traffic_shares import served
from deploy.errors import Finding, Refused
from deploy.planning.build import build_plan
from deploy.planning.slots import choose_slot

Marks = Sequence[tuple[Json, role_assignments.Mark]]
"""Role assignments with our mark, each with its mark."""


def plan_adoption(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    facts: Mapping[str, Facts],
    rows: Sequence[Json] | None,
    owners: Collection[str] = (),
) -> Plan:
    """Tags for every endpoint of `specs`, for its deployments, and the marks of its role assignments.

    `facts`: endpoint name -> its facts; an entry on shared quota may have several. `rows`: the role assignments,
    None when they cannot be read. `owners`: those whose tags are replaced. Raises Refused for an endpoint that does not
    exist, and for the tag or mark of any other owner.
    """
    marks = [(row, mark) for row in rows or () if (mark := role_assignments.marked(row))]
    mine = {spec.name: _marks_of(environment, spec, marks) for spec in specs}
    findings = [f for spec in specs for f in _findings(environment, spec, facts[spec.name], mine[spec.name], owners)]
    if findings:
        raise Refused(findings)
    steps = [step for spec in specs for step in _steps(spec, facts[spec.name], mine[spec.name])]
    notes = () if rows is not None or not steps else (_UNREAD,)
    first = {spec.key: spec for spec in reversed(specs)}
    return build_plan(
        environment, list(first.values()), steps, (), {key: facts[s.name] for key, s in first.items()}, notes=notes
    )


_UNREAD = (
    "Role assignments cannot be read: their descriptions are not changed. "
    "Run import --adopt again with Reader on the resource group."
)


def _marks_of(environment: Environment, spec: EndpointSpec, marks: Marks) -> Marks:
    """The role assignments that describe this endpoint."""
    where = path_in(environment.workspace_id, spec.name).lower()
    return [(row, mark) for row, mark in marks if mark.endpoint == where]


def _findings(
    environment: Environment, spec: EndpointSpec, facts: Facts, marks: Marks, owners: Collection[str]
) -> list[Finding]:
    where = address("endpoint", spec.key)
    if where not in facts:
        cure = "Check the name, or create it: amldeploy apply"
        return [Finding(str(where), "AML223", f"there is no endpoint {spec.name} to adopt", cure)]
    found = [(a, owner_tag(body)) for a, body in [(where, facts[where]), *_deployments(spec, facts)]]
    found += [(address("role", spec.key, str(row["name"])), mark.owner) for row, mark in marks]
    found = [(a, owner) for a, owner in found if former_key(environment, owner) is None]
    others = [(a, owner) for a, owner in found if owner and owner != spec.owner]
    command = adopt_command(spec, *dict.fromkeys(owner for _, owner in others))
    cure = f"If that entry no longer manages it, adopt it with: {command}"
    return [Finding(str(a), "AML224", f"it is managed by {owner}", cure) for a, owner in others if owner not in owners]


def _steps(spec: EndpointSpec, facts: Facts, marks: Marks) -> Iterator[Step]:
    where, desired = address("endpoint", spec.key), choose_slot(spec, facts).deployments
    place = where if spec.name == spec.first_name else address("endpoint", spec.key, spec.name)
    whole = next((name for name, share in served(facts, spec.key).items() if share == 100), None)
    recorded = [(each.slot, each.release) for each in history.live(facts[where])]
    releases = {}
    for _, body in _deployments(spec, facts):
        name, own = str(body["name"]), _own_release(body)
        release = release_of(body) or (_release(spec, desired[name], body) if name in desired else "")
        is_live = (name, own) in recorded or (not recorded and name == whole)
        releases[name] = release or (own if is_live else "")
    record = {"slot": whole, "release": releases[whole]} if whole in releases and not recorded else None
    yield from _tagged(spec, place, {OWNER_TAG: spec.owner}, facts[where], record)
    for behind, body in _deployments(spec, facts):
        release = "" if owner_tag(body) else releases[str(body["name"])]
        yield from _tagged(spec, behind, {OWNER_TAG: spec.owner, **({RELEASE_TAG: release} if release else {})}, body)
    for row, mark in marks:
        if mark.owner != spec.owner:
            noted = {"id": row["id"], "endpoint": spec.name, "owner": spec.owner, "adopted": mark.owner}
            why = f"description only: {mark.owner} -> {spec.owner}"
            yield Step(Verb.UPDATE, address("role", spec.key, str(row["name"])), noted, why, SHORT_RETRY)


def _tagged(
    spec: EndpointSpec,
    where: Address,
    tags: Mapping[str, str],
    body: Mapping[str, Json],
    record: Mapping[str, str] | None = None,
) -> Iterator[Step]:
    """One step, unless the resource has our tag. `record`: the deployment and release that the history then lists."""
    before = owner_tag(body)
    if before != spec.owner:
        noted = {"endpoint": spec.name, "name": body["name"], "adopted": merged_tags(body, tags), "before": before}
        if record:
            noted["record"] = record
        names = [*tags, *([history.LIVE_TAG] if record else [])]
        why = f"tags only: {', '.join(names)}" + (f" {before} -> {spec.owner}" if before else "")
        yield Step(Verb.UPDATE, where, noted, why, spec.retry)


def _own_release(body: Mapping[str, Json]) -> str:
    """The release of a deployment that is not made of these files."""
    properties = {name: value for name, value in body["properties"].items() if name != "provisioningState"}
    return digest(properties, 12)


def _release(spec: EndpointSpec, document: Mapping[str, Json], body: Mapping[str, Json]) -> str:
    code = (document.get("code_configuration") or {}).get("code")
    references = [r for r in (document.get("model"), document.get("environment"), code) if r]
    tellable = all(isinstance(r, str) and r.startswith("azureml:") for r in references)
    return "" if not tellable or diff.changes(document, body, diff.DEPLOYMENT) else spec.releases.get(body["name"], "")


def _deployments(spec: EndpointSpec, facts: Facts) -> list[tuple[Address, Mapping[str, Json]]]:
    there = facts_of(facts, "deployment", spec.key)
    return [(address("deployment", spec.key, name), body) for name, body in sorted(there.items())]
