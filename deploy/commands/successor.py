"""What a renewal gives the successor of an endpoint, what is said about it, and what forbids it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.domain import history, leases
from deploy.domain.arm import OWNER_TAG, Facts, address, facts_of
from deploy.domain.plan import Step, Verb
from deploy.domain.preserved import PROTECT_TAG
from deploy.domain.spec import PATIENT, EndpointSpec, Environment
from deploy.errors import Finding, Refused
from deploy.leasing import lineage, live_release
from deploy.leasing.lineage import Lineage
from deploy.parallel import run_parallel

_LANES = 8
"""How many endpoints are read at the same time."""


def live(cloud: Cloud, lineages: Sequence[Lineage], bodies: lineage.Bodies) -> list[Lineage]:
    """The same, each with the live release instead of what the files say; where nothing is live, with the files'."""
    names = [each.served for each in lineages if each.served]
    behind = run_parallel({name: partial(endpoints.read_deployments, cloud, name) for name in names}, _LANES)
    return [carrying_live(each, bodies, behind) for each in lineages]


def carrying_live(each: Lineage, bodies: lineage.Bodies, behind: Mapping[str, live_release.Bodies]) -> Lineage:
    if each.served:
        return replace(each, new=live_release.carried(each.new, bodies[each.served], behind[each.served]))
    begins = each.olds and each.new.name not in bodies
    return replace(each, new=live_release.succeeding(each.new, each.olds[-1].name)) if begins else each


def must_be_free(each: Lineage) -> None:
    if each.protected:
        name, ends = each.protected.name, leases.both(each.protected.ends)
        cause = f"endpoint {name} carries the tag {PROTECT_TAG}, so renew leaves it; Azure deletes it at {ends}"
        cure = "Take the tag off the endpoint and renew again"
        raise Refused([Finding(str(address("endpoint", each.new.key)), "AML275", cause, cure)], "renew")


def notes(environment: Environment, each: Lineage, seen: Mapping[str, Facts], other: str) -> list[str]:
    """What a person should know before agreeing: that the files say something else, and what is not carried."""
    key = each.new.key
    apply = f"amldeploy apply -e {environment.name} {key}"
    files = f"{key}: the files describe release {other}, which renew does not deploy. To deploy it: {apply}."
    if history.ROLLED_BACK_TAG in (each.new.endpoint.get("tags") or {}):
        files = f"{key}: the files describe release {other}, which renew does not deploy. A rollback is recorded."
    return [
        *([files] if other else []),
        *(
            f"{key}: autoscale setting {name} is deleted with {old.name}; {each.new.name} has none."
            for old in each.olds
            for name in facts_of(seen[old.name], "autoscale", key)
        ),
    ]


def probed(new: EndpointSpec, steps: Sequence[Step]) -> list[Step]:
    """Without the probes of deployments that get no requests: theirs is made when they are about to get some."""
    served = new.traffic or {}
    return [step for step in steps if step.verb is not Verb.PROBE or served.get(step.address.name)]


def cleared(each: Lineage, facts: Facts) -> list[Step]:
    """Deployments of an earlier try at the successor that the live release has none of any more: they hold cores."""
    if each.served == each.new.name:
        return []
    new, why = each.new, f"it is not of the release that {each.served} serves"
    gone = [
        name
        for name, body in facts_of(facts, "deployment", new.key).items()
        if name not in (new.traffic or {}) and (body.get("tags") or {}).get(OWNER_TAG) == new.owner
    ]
    wheres = [(address("deployment", new.key, name), {"endpoint": new.name, "name": name}) for name in gone]
    return [Step(Verb.DELETE, where, body, why, PATIENT) for where, body in wheres]


def must_have_files(environment: Environment, each: Lineage, other: str) -> None:
    """Raises Refused where what is deleted first could not be made again, or must not be deleted first."""
    where, findings = str(address("endpoint", each.new.key)), []
    if environment.guards.protected and each.served:
        cause = "the environment is protected, and --in-place deletes before there is a successor"
        findings.append(Finding(where, "AML241", cause, "Renew without --in-place"))
    if other:
        cause = f"the files describe release {other}, and a renewal in place that is cut off is made from the files"
        findings.append(Finding(where, "AML276", cause, "Renew without --in-place, or apply the files first"))
    if findings:
        raise Refused(findings, "renew")
