"""The check of models: does the model of a deployment exist, and may it be deployed so. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import quota, registry
from deploy.cloud.connect import Cloud
from deploy.diff.values import ASSET
from deploy.domain import leases
from deploy.domain.arm import Address, Facts, Json, address, facts_of
from deploy.domain.plan import Desired, Step
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError, NotAuthenticated
from deploy.preflight import alternatives
from deploy.preflight import permissions as rights
from deploy.preflight.model_support import check, claims, serves

NAME = "model"
VOLATILE_FACTS = (NAME,)


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`model/<key>/<deployment>`: {reference, instance_type, exists, unread, source, newest, serves, machine, ...}.

    `exists` is null when it is unknown; `machine` is the size's row in the workspace's region.
    """
    region = quota.read_region(cloud, str(cloud.workspace()["location"]))
    facts = {}
    for document in spec.deployments:
        if isinstance(document.get("model"), str):
            size = str(document["instance_type"])
            found = alternatives.row(region, size)
            measures = {key: found[key] for key in ("cores", "gpus", "memory", "disk")}
            machine = {"instance_type": size, "machine": measures}
            row = {**_read(cloud, str(document["model"])), "serves": serves(document)}
            facts[address(NAME, spec.key, str(document["name"]))] = {**row, **machine}
    return facts


def _read(cloud: Cloud, reference: str) -> dict[str, Json]:
    row: dict[str, Json] = {
        "reference": reference,
        "source": registry.source(reference),
        "exists": None,
        "unread": "its reference has a form that cannot be looked up",
    }
    try:
        found = registry.read_model(cloud, reference)
    except (CloudError, NotAuthenticated) as error:
        return {**row, "unread": error.cause}
    if found is None:
        return row
    details = {"newest": found.newest, "published": found.published, "source": found.source, "unread": ""}
    return {**row, **details, **claims(found.body or {}), "exists": found.body is not None}


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """A check for each deployment that gets a model from a registry or workspace."""
    if desired is None:
        return ()
    key, there = desired.spec.key, facts_of(facts, "deployment", desired.spec.key)
    looked = {(str(r["reference"]), str(r["instance_type"])): r for r in facts_of(facts, NAME, key).values()}
    shared = leases.is_on_shared_quota(desired.spec.pipeline.quota.capacity, facts.get(address("endpoint", key)))
    steps = []
    for name, document in desired.deployments.items():
        size, count = str(document["instance_type"]), int(document["instance_count"])
        row = looked.get((str(document.get("model")), size))
        if row is None or _has(there.get(name), str(row["reference"]), size):
            continue
        also = alternatives.of_facts(facts, key, size, [count])
        steps.append(_check(address(NAME, key, name), row, shared=shared, also=also))
    return steps


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Without this, the model of a workspace is unknown."""
    return "workspace", rights.READ_MODELS


def run(cloud: Cloud, step: Step) -> Evidence:
    """Reads it again right before the first change."""
    body = step.body
    row = {**_read(cloud, str(body["reference"])), "serves": body.get("serves")}
    result = check(row, str(body["instance_type"]), body["machine"], shared=bool(body["shared"]), also="")
    return result.evidence(step.address, {"reference": row["reference"], "newest": row.get("newest")})


def _check(where: Address, row: Json, *, shared: bool, also: str) -> Step:
    size, machine = str(row["instance_type"]), row["machine"]
    body = {"reference": row["reference"], "newest": row.get("newest"), "shared": shared, "serves": row["serves"]}
    result = check(row, size, machine, shared=shared, also=also)
    return result.step(where, {**body, "instance_type": size, "machine": machine})


def _has(body: Json, reference: str, size: str) -> bool:
    properties = (body or {}).get("properties") or {}
    same = ASSET.same(reference, ASSET.read(properties.get("model")))
    return same and str(properties.get("instanceType") or "").lower() == size.lower()
