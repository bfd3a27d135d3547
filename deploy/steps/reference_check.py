"""The check of references: environments, connections and identities of the files exist, and the identities have the
roles that a deployment needs. Changes nothing.

Only for endpoints and deployments that differ from the files. `check` needs to know whether the plan writes a
deployment, so the planner calls it last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.cloud import endpoints, references, role_assignments
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.diff.pending import pending_deployments
from deploy.domain.arm import Facts, Json, address
from deploy.domain.owners import is_unmanaged
from deploy.domain.plan import Step, Verb
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight import permissions as rights
from deploy.preflight.references import check as judge
from deploy.preflight.references import of_documents

NAME = "references"
VOLATILE_FACTS = (NAME,)


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`references/<key>`: {ask, needs, rows} of the deployments that differ from the files; none without references."""
    body = endpoints.list_endpoints(cloud).get(spec.name)
    if is_unmanaged(spec.owner, body):
        return {}
    there = endpoints.read_deployments(cloud, spec.name) if body else {}
    documents = list(pending_deployments(spec, there))
    ask = of_documents(spec.endpoint, documents)
    if not documents or not any(ask.values()):
        return {}
    needs = _needs(cloud, spec, documents) if ask["identities"] else {}
    return {address(NAME, spec.key): {"ask": ask, "needs": needs, "rows": references.read(cloud, ask)}}


def _needs(cloud: Cloud, spec: EndpointSpec, documents: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """What the identity of the endpoint needs, and what the plan assigns to it: see `preflight.references`."""
    planned = []
    for role in spec.pipeline.roles:
        scope, _ = try_read(lambda each=role: role_assignments.scope_id(cloud, each.scope, spec.name))  # type: ignore[misc]
        if scope and isinstance(role.principal, str):
            known = try_read(lambda each=role: role_assignments.role_id(cloud, each.role))[0]  # type: ignore[misc]
            planned.append([role_assignments.role_name(str(known or role.role)), scope])
    stores = cloud.workspace().get("properties") or {}
    return {
        "registry": stores.get("containerRegistry"),
        "storage": stores.get("storageAccount"),
        "writes": any(document.get("data_collector") for document in documents),
        "planned": planned,
    }


def check(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The check of an endpoint whose deployments are created or changed."""
    seen = facts.get(address(NAME, spec.key))
    writes = any(step.kind == "deployment" and step.verb in (Verb.CREATE, Verb.UPDATE) for step in steps)
    if seen is None or not writes or not seen["rows"]:
        return []
    return [
        judge(seen["rows"], seen["needs"]).step(address(NAME, spec.key), {"ask": seen["ask"], "needs": seen["needs"]})
    ]


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Without these it is unknown."""
    return "workspace", rights.READ_REFERENCES


def run(cloud: Cloud, step: Step) -> Evidence:
    """Reads them again right before the first change."""
    return judge(references.read(cloud, step.body["ask"]), step.body["needs"]).evidence(step.address, {})
