"""The successor of an endpoint in a renewal: its live release, the notes of the plan, and what refuses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.domain import history, leases
from deploy.domain.arm import OWNER_TAG, Facts, address, facts_of
from deploy.domain.plan import Step, Verb
from deploy.domain.put_merge import PROTECT_TAG
from deploy.domain.spec import DEFAULT_RETRY, EndpointSpec, Environment
from deploy.errors import Finding, Refused
from deploy.leasing import lineage, live_release
from deploy.leasing.lineage import Renewal
from deploy.parallel import run_parallel

_JOBS = 8
"""How many endpoints are read at the same time."""


def with_live_releases(cloud: Cloud, renewals: Sequence[Renewal], bodies: lineage.Bodies) -> list[Renewal]:
    """The renewals with the live release as successor; where nothing is live, with the release of the files."""
    names = [each.serving for each in renewals if each.serving]
    deployments = run_parallel({name: partial(endpoints.read_deployments, cloud, name) for name in names}, _JOBS)
    return [with_live_release(each, bodies, deployments) for each in renewals]


def with_live_release(
    renewal: Renewal, bodies: lineage.Bodies, deployments: Mapping[str, live_release.Bodies]
) -> Renewal:
    """One renewal with the live release. `deployments`: endpoint -> deployment -> ARM body."""
    new, serving = renewal.successor, renewal.serving
    if serving:
        return replace(renewal, successor=live_release.live_spec(new, bodies[serving], deployments[serving]))
    if renewal.predecessors and new.name not in bodies:
        new = live_release.with_predecessor_tag(new, renewal.predecessors[-1].name)
    return replace(renewal, successor=new)


def require_unprotected(renewal: Renewal) -> None:
    """Raises Refused when the endpoint to replace has the protect tag."""
    if renewal.protected_lease:
        name, ends = renewal.protected_lease.name, leases.local_and_utc(renewal.protected_lease.ends)
        cause = f"endpoint {name} has the tag {PROTECT_TAG}, so renew does not replace it; Azure deletes it at {ends}"
        cure = "Remove the tag from the endpoint and renew again"
        raise Refused([Finding(str(address("endpoint", renewal.successor.key)), "AML275", cause, cure)], "renew")


def notes(
    environment: Environment, renewal: Renewal, existing: Mapping[str, Facts], undeployed_release: str
) -> list[str]:
    """Notes of the plan: the release of the files, when it is another one, and settings that the successor lacks."""
    new, key = renewal.successor, renewal.successor.key
    files = f"{key}: the files describe release {undeployed_release}, which renew does not deploy. "
    if history.ROLLED_BACK_TAG in (new.endpoint.get("tags") or {}):
        files += "A rollback is recorded."
    else:
        files += f"To deploy it: amldeploy apply -e {environment.name} {key}."
    return [
        *([files] if undeployed_release else []),
        *(
            f"{key}: autoscale setting {body['name']} is deleted with {old.name}; {new.name} has none."
            for old in renewal.predecessors
            for body in facts_of(existing[old.name], "autoscale", key).values()
            if new.pipeline.scale is None or new.pipeline.scale.min is None
        ),
    ]


def without_idle_probes(new: EndpointSpec, steps: Sequence[Step]) -> list[Step]:
    """The steps without probes of deployments at 0 %: those are probed before they get traffic."""
    traffic = new.traffic or {}
    return [step for step in steps if step.kind != "probe" or traffic.get(step.address.name)]


def delete_stale(renewal: Renewal, facts: Facts) -> list[Step]:
    """The deletion of deployments that an earlier attempt left on the successor and the live release does not have:
    they use cores.
    """
    if renewal.serving == renewal.successor.name:
        return []
    new, why = renewal.successor, f"it is not of the live release of {renewal.serving}"
    stale = [
        name
        for name, body in facts_of(facts, "deployment", new.key).items()
        if name not in (new.traffic or {}) and (body.get("tags") or {}).get(OWNER_TAG) == new.owner
    ]
    targets = [(address("deployment", new.key, name), {"endpoint": new.name, "name": name}) for name in stale]
    return [Step(Verb.DELETE, where, body, why, DEFAULT_RETRY) for where, body in targets]


def require_in_place_allowed(environment: Environment, renewal: Renewal, undeployed_release: str) -> None:
    """Raises Refused when the endpoint must not be deleted before its successor exists, or could not be recreated."""
    where, findings = str(address("endpoint", renewal.successor.key)), []
    if environment.guards.protected and renewal.serving:
        cause = "the environment is protected, and --in-place deletes the endpoint before its successor exists"
        findings.append(Finding(where, "AML241", cause, "Renew without --in-place"))
    if undeployed_release:
        cause = f"the files describe release {undeployed_release}, and an interrupted renewal in place continues from"
        cause += " the files"
        findings.append(Finding(where, "AML276", cause, "Renew without --in-place, or apply the files first"))
    if findings:
        raise Refused(findings, "renew")
