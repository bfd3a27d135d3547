"""Models: does the model that a deployment names exist, before cores are taken for it. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import registry
from deploy.cloud.connect import Cloud
from deploy.diff.forms import ASSET
from deploy.errors import CloudError, Finding, NotAuthenticated, Refused
from deploy.model import EndpointSpec, Facts, Json, Step, Verb, Wanted, address, of_room
from deploy.outcome import Evidence

NAME = "model"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`model/<key>/<deployment>`: {reference, exists, told}; `exists` is null when it could not be told."""
    return {
        address(NAME, spec.key, str(document["name"])): _look(cloud, str(document["model"]))
        for document in spec.deployments
        if isinstance(document.get("model"), str)
    }


def _look(cloud: Cloud, reference: str) -> dict[str, Json]:
    try:
        return {"reference": reference, "exists": registry.read_model(cloud, reference) is not None, "told": ""}
    except (CloudError, NotAuthenticated) as error:
        return {"reference": reference, "exists": None, "told": error.cause}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """A check for each deployment that is to be made with a model from a registry or workspace."""
    if wanted is None:
        return ()
    key, there = wanted.spec.key, of_room(facts, "deployment", wanted.spec.key)
    looked = {str(row["reference"]): row for row in of_room(facts, NAME, key).values()}
    steps, findings = [], []
    for name, document in wanted.deployments.items():
        row = looked.get(str(document.get("model")))
        if row is None or _has(there.get(name), str(row["reference"])):
            continue
        where = address(NAME, key, name)
        steps.append(Step(Verb.CHECK, where, {"reference": row["reference"]}, _why(row)))
        if row["exists"] is False:
            findings.append(Finding(where, "AML210", *_missing(str(row["reference"]))))
    if findings:
        raise Refused(findings)
    return steps


def run(cloud: Cloud, step: Step) -> Evidence:
    """Looks again, right before the first change."""
    reference = str(step.body["reference"])
    row = _look(cloud, reference)
    if row["exists"] is False:
        raise Refused([Finding(step.address, "AML210", *_missing(reference))])
    return Evidence(_why(row))


def _has(body: Json, reference: str) -> bool:
    return bool(body) and ASSET.same(reference, ASSET.read(body["properties"].get("model")))


def _missing(reference: str) -> tuple[str, str]:
    return f"there is no model {reference}", "Check the name, which is case-sensitive, and the version"


def _why(row: Json) -> str:
    if row["exists"] is None:
        return f"{row['reference']}: could not be told ({row['told']})"
    return str(row["reference"])
