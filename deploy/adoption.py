"""Taking over what somebody else made: a plan that puts our tags on it and changes nothing else. Pure.

A deployment that is exactly what the files say gets the tag of their release, too, so that the next plan is empty. One
that is not, or that is made of local files (of which Azure keeps no trace), gets none: the next plan brings it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy import diff
from deploy.errors import Finding, Refused
from deploy.kept import merged_tags
from deploy.model import (
    OWNER_TAG,
    RELEASE_TAG,
    EndpointSpec,
    Environment,
    Facts,
    Json,
    Plan,
    Step,
    Verb,
    address,
    of_room,
)
from deploy.sealing import seal
from deploy.slots import choose


def plan_adoption(environment: Environment, specs: Sequence[EndpointSpec], facts: Mapping[str, Facts]) -> Plan:
    """Tags for every endpoint of `specs` that is there and nobody's, and for what is behind it.

    Raises Refused for one that is absent, or that is another owner's.
    """
    findings = [found for spec in specs for found in _findings(spec, facts[spec.key])]
    if findings:
        raise Refused(findings)
    steps = tuple(step for spec in specs for step in _steps(spec, facts[spec.key]))
    return seal(environment, specs, steps, (), facts)


def _findings(spec: EndpointSpec, facts: Facts) -> list[Finding]:
    where = address("endpoint", spec.key)
    if where not in facts:
        cure = "Check the name, or make it: amldeploy apply"
        return [Finding(where, "AML223", f"there is no endpoint {spec.name} to take over", cure)]
    return [
        Finding(a, "AML224", f"it belongs to {owner}", "Take its tag off by hand if that is nobody any more")
        for a, body in [(where, facts[where]), *_deployments(spec, facts)]
        if (owner := (body.get("tags") or {}).get(OWNER_TAG, spec.owner)) != spec.owner
    ]


def _steps(spec: EndpointSpec, facts: Facts) -> list[Step]:
    where, wanted = address("endpoint", spec.key), choose(spec, facts).deployments
    steps = [_step(spec, where, {OWNER_TAG: spec.owner}, facts[where])]
    for place, body in _deployments(spec, facts):
        document = wanted.get(body["name"])
        release = _release(spec, document, body) if document else None
        tags = {OWNER_TAG: spec.owner, **({RELEASE_TAG: release} if release else {})}
        steps.append(_step(spec, place, tags, body))
    return [step for step in steps if step.body["adopted"]]


def _step(spec: EndpointSpec, where: str, tags: Mapping[str, str], body: Mapping[str, Json]) -> Step:
    held = body.get("tags") or {}
    missing = {} if OWNER_TAG in held else dict(tags)
    sent = merged_tags(body, missing) if missing else {}
    noted = {"endpoint": spec.name, "name": body["name"], "adopted": sent}
    return Step(Verb.UPDATE, where, noted, f"tags only: {', '.join(missing)}", spec.retry)


def _release(spec: EndpointSpec, document: Mapping[str, Json], body: Mapping[str, Json]) -> str | None:
    code = (document.get("code_configuration") or {}).get("code")
    references = [r for r in (document.get("model"), document.get("environment"), code) if r]
    tellable = all(isinstance(r, str) and r.startswith("azureml:") for r in references)
    return spec.releases.get(body["name"]) if tellable and not diff.changes(document, body, diff.DEPLOYMENT) else None


def _deployments(spec: EndpointSpec, facts: Facts) -> list[tuple[str, Mapping[str, Json]]]:
    there = of_room(facts, "deployment", spec.key)
    return [(address("deployment", spec.key, name), body) for name, body in sorted(there.items())]
