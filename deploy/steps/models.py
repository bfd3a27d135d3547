"""Models: does the model that a deployment names exist, and may it be deployed so. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import quota, registry
from deploy.cloud.connect import Cloud
from deploy.errors import CloudError, NotAuthenticated
from deploy.judging import offers
from deploy.judging.claims import claims, judge
from deploy.model import EndpointSpec, Facts, Json, Step, Wanted, address, of_room
from deploy.outcome import Evidence

NAME = "model"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`model/<key>/<deployment>`: {reference, instance_type, exists, told, source, newest, published, machine, ...}.

    `exists` is null when it could not be told; `machine` is the size's row in the workspace's region.
    """
    return {
        address(NAME, spec.key, str(document["name"])): _look(
            cloud, str(document["model"]), str(document["instance_type"])
        )
        for document in spec.deployments
        if isinstance(document.get("model"), str)
    }


def _look(cloud: Cloud, reference: str, size: str) -> dict[str, Json]:
    region = quota.read_region(cloud, str(cloud.workspace()["location"]))
    row: dict[str, Json] = {
        "reference": reference,
        "instance_type": size,
        "machine": offers.row(region, size),
        "source": registry.source(reference),
        "exists": None,
        "told": "it is named in a form that cannot be asked about",
    }
    try:
        found = registry.read_model(cloud, reference)
    except (CloudError, NotAuthenticated) as error:
        return {**row, "told": error.cause}
    if found is None:
        return row
    told = {"newest": found.newest, "published": found.published, "source": found.source, "told": ""}
    return {**row, **told, **claims(found.body or {}), "exists": found.body is not None}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """A check for each deployment that is to be made with a model from a registry or workspace."""
    if wanted is None:
        return ()
    key, there = wanted.spec.key, of_room(facts, "deployment", wanted.spec.key)
    looked = {(str(r["reference"]), str(r["instance_type"])): r for r in of_room(facts, NAME, key).values()}
    steps = []
    for name, document in wanted.deployments.items():
        size, count = str(document["instance_type"]), int(document["instance_count"])
        row = looked.get((str(document.get("model")), size))
        if row is None or _has(there.get(name), str(row["reference"]), size):
            continue
        also = offers.of_facts(facts, key, size, [count])
        steps.append(_check(address(NAME, key, name), row, shared=_shared(wanted.spec), also=also))
    return steps


def run(cloud: Cloud, step: Step) -> Evidence:
    """Looks again, right before the first change."""
    size = str(step.body["instance_type"])
    row = _look(cloud, str(step.body["reference"]), size)
    judged = judge(row, size, row["machine"], shared=bool(step.body["shared"]), also="")
    return judged.evidence(step.address, {"reference": row["reference"]})


def _check(where: str, row: Json, *, shared: bool, also: str) -> Step:
    size = str(row["instance_type"])
    body = {"reference": row["reference"], "instance_type": size, "shared": shared, "newest": row.get("newest")}
    return judge(row, size, row.get("machine") or {}, shared=shared, also=also).step(where, body)


def _shared(spec: EndpointSpec) -> bool:
    return spec.pipeline.quota.capacity == "shared"


def _has(body: Json, reference: str, size: str) -> bool:
    properties = (body or {}).get("properties") or {}
    held = (str(properties.get("model") or "").lower(), str(properties.get("instanceType") or "").lower())
    return held == (reference.lower(), size.lower())
