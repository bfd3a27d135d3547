"""The check of policies: would an assigned Azure policy refuse what is created or changed. Changes nothing.

`check` needs the steps of all step types, so the planner calls it last. Policies are only asked about if the files
differ from what exists, and only the first resource of those with the same content. Where no policy is assigned, there
is no check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy import diff
from deploy.cloud import endpoints, policies
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.diff.pending import pending_deployments
from deploy.domain.arm import SLOTS, Facts, Json, address, facts_of
from deploy.domain.owners import is_unmanaged
from deploy.domain.plan import Step, Verb
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight.check_result import CheckResult
from deploy.preflight.permissions import ENDPOINTS, READ_POLICIES
from deploy.preflight.policies import check as judge

NAME = "policy"
VOLATILE_FACTS = (NAME,)
_ENDPOINT = "endpoint"
_DEFAULTS: Mapping[str, Mapping[str, Json]] = {
    _ENDPOINT: {"auth_mode": "key", "identity": {"type": "system_assigned"}},
    "deployment": {},
}
"""What azure-ai-ml sends for fields that a document does not set."""


_ASSIGNMENTS, _, _RESTRICTIONS = READ_POLICIES


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`policy/<key>/endpoint`, `policy/<key>/deployment/<name in its file>`: {ask, assigned, denials, unread} of what
    differs from the files. `ask` is what `cloud.policies` is asked.
    """
    return {
        address(NAME, spec.key, *rest): {"ask": ask, **_read(cloud, ask)} for rest, ask in _asks(cloud, spec).items()
    }


def _asks(cloud: Cloud, spec: EndpointSpec) -> dict[tuple[str, ...], dict[str, Json]]:
    body = endpoints.list_endpoints(cloud).get(spec.name) or {}
    if is_unmanaged(spec.owner, body):
        return {}
    found: dict[tuple[str, ...], dict[str, Json]] = {}
    document = spec.document_for_put(body)
    if not body or diff.changes(document, body, diff.ENDPOINT):
        whole = diff.fill_from_existing(document, body, diff.ENDPOINT) if body else document
        names = sorted({spec.name, *(other.name for other in spec.siblings)})
        found[(_ENDPOINT,)] = _ask(cloud, _ENDPOINT, whole, cloud.workspace_id, names)
    there = endpoints.read_deployments(cloud, spec.name) if body else {}
    for each in pending_deployments(spec, there):
        names = sorted({str(each["name"]), *(SLOTS if len(spec.deployments) == 1 else ())})
        scope = endpoints.endpoint_path(cloud, spec.name)
        found[("deployment", str(each["name"]))] = _ask(cloud, "deployment", each, scope, names)
    return found


def _ask(cloud: Cloud, kind: str, document: Mapping[str, Json], scope: str, names: Sequence[str]) -> dict[str, Json]:
    table = diff.ENDPOINT if kind == _ENDPOINT else diff.DEPLOYMENT
    content, left_out = diff.to_body({**_DEFAULTS[kind], **document}, table)
    content["location"] = cloud.workspace()["location"]
    if kind == "deployment":
        content.setdefault("properties", {})["endpointComputeType"] = "Managed"
    kind = ENDPOINTS if kind == _ENDPOINT else f"{ENDPOINTS}/deployments"
    return {"type": kind, "scope": scope, "content": content, "names": list(names), "left_out": left_out}


def _read(cloud: Cloud, ask: Mapping[str, Json]) -> dict[str, Json]:
    assigned, why = try_read(lambda: policies.read_assigned(cloud))
    if not assigned:
        unread = f"policy assignments {why} (needs {_ASSIGNMENTS})" if why else ""
        return {"assigned": [], "denials": None, "unread": unread}
    if all(each["mode"] for each in assigned):
        return {"assigned": assigned, "denials": None, "unread": ""}
    denials, why = try_read(lambda: policies.read_denials(cloud, ask, assigned))
    unread = f"checkPolicyRestrictions {why} (needs {_RESTRICTIONS})" if why else ""
    return {"assigned": assigned, "denials": denials, "unread": unread}


def check(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The check of what the steps of an endpoint create or change; none where no policy is assigned."""
    seen = facts_of(facts, NAME, spec.key)
    asked = []
    for step in steps:
        if step.kind in (_ENDPOINT, "deployment") and step.verb in (Verb.CREATE, Verb.UPDATE):
            document = step.body.get("document") or {}
            row = seen.get(_ENDPOINT) if step.kind == _ENDPOINT else _of_deployment(spec, step, seen)
            if document and row and (row["assigned"] or row["unread"]):
                what = spec.name if step.kind == _ENDPOINT else f"{spec.name}/{document['name']}"
                asked.append({**row, "what": f"{step.kind} {what}", "name": str(document["name"])})
    if not asked:
        return []
    asks = [{"what": row["what"], "name": row["name"], **row["ask"]} for row in asked]
    return [_check(asked).step(address(NAME, spec.key), {"asks": asks})]


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Without these it is unknown."""
    return "workspace", READ_POLICIES


def run(cloud: Cloud, step: Step) -> Evidence:
    """Asks again right before the first change."""
    rows = [{"what": ask["what"], "name": ask["name"], "ask": ask, **_read(cloud, ask)} for ask in step.body["asks"]]
    return _check(rows).evidence(step.address, {})


def _check(rows: Sequence[Mapping[str, Json]]) -> CheckResult:
    return judge([{**row, "left_out": row["ask"]["left_out"]} for row in rows])


def _of_deployment(spec: EndpointSpec, step: Step, seen: Mapping[str, Mapping[str, Json]]) -> Mapping[str, Json] | None:
    """The fact about the deployment of a step: slots have the content of the only file."""
    name = spec.deployments[0]["name"] if len(spec.deployments) == 1 else step.address.name
    return seen.get(f"deployment/{name}")
