"""Refusals: changes of unmanaged or protected resources, and releases that were rolled back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.domain import history, leases
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Facts, Json, address, facts_of
from deploy.domain.owners import adopt_command, is_unmanaged, owner_in_words, owner_tag
from deploy.domain.plan import Step, Verb
from deploy.domain.spec import EndpointSpec, Environment
from deploy.domain.traffic_shares import live_slot, served
from deploy.errors import CloudError, Finding


def unmanaged_changes(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Finding]:
    """A finding for each unmanaged resource that a step would change. A change of an entry changes its endpoint."""
    touched = {step.address for step in steps if step.changes}
    touched |= {address("endpoint", spec.key)} if touched else set()
    if any(s.verb is Verb.DELETE and s.kind == "endpoint" for s in steps):
        touched |= {a for a in facts if (a.kind, a.endpoint) == ("deployment", spec.key)}
    return [
        Finding(
            str(where),
            "AML230",
            f"{where.kind} {body['name']} exists and {owner_in_words(body)}",
            f"Choose another name, or adopt it first: {adopt_command(spec, owner_tag(body))}",
        )
        for where in sorted(touched)
        if where.kind in ("endpoint", "deployment") and (body := facts.get(where)) and is_unmanaged(spec.owner, body)
    ]


def require_not_taken(body: Mapping[str, Json] | None, owner: Json, what: str) -> None:
    """Raises CloudError if the resource was created by others after the plan was made."""
    if body and is_unmanaged(str(owner), body):
        cause = f"{body['name']} was created after the plan was made, and it {owner_in_words(body)}"
        raise CloudError(what, cause, "It was not changed. Plan again, or choose another name", code="AML230")


def require_same_owner(body: Mapping[str, Json] | None, step: Step, what: str) -> None:
    """Raises CloudError if the resource to adopt got another owner after the plan was made."""
    if body and owner_tag(body) not in (step.body["before"], step.body["adopted"][OWNER_TAG]):
        cause = f"the owner of {body['name']} changed after the plan was made: it {owner_in_words(body)}"
        raise CloudError(what, cause, "It was not changed. Plan again", code="AML230")


def of_caller(findings: Sequence[Finding]) -> list[Finding]:
    """The findings about the permissions of the caller."""
    return [finding for finding in findings if finding.code in ("AML250", "AML251")]


def of_machine(findings: Sequence[Finding]) -> list[Finding]:
    """The findings about the network of this machine."""
    return [finding for finding in findings if finding.code == "AML266"]


def unmanaged(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[str]:
    """The unmanaged resources with the names of an entry, in words, without those that these steps adopt. For an
    unmanaged endpoint, its deployments are not listed.
    """
    adopted = {step.address for step in steps if "adopted" in step.body}
    endpoint = address("endpoint", spec.key)
    behind = [address("deployment", spec.key, name) for name in sorted(facts_of(facts, "deployment", spec.key))]
    found = [
        (where, body)
        for where in (endpoint, *behind)
        if (body := facts.get(where)) and is_unmanaged(spec.owner, body) and where not in adopted
    ]
    return [
        f"{where.kind} {body['name']} {owner_in_words(body)} and will not be changed; "
        f"adopt it with: {adopt_command(spec, owner_tag(body))}"
        for where, body in (found[:1] if found and found[0][0] == endpoint else found)
    ]


def protected(environment: Environment, specs: Sequence[EndpointSpec]) -> list[Finding]:
    """Findings for endpoints that the environment file protects from deletion."""
    where, file = f"environment/{environment.name}", f"environments/{environment.name}.yml"
    cure = "Remove guards.protected from the environment file first"
    whole = [Finding(where, "AML241", "the environment is protected", cure)] if environment.guards.protected else []
    return whole + [
        Finding(
            str(address("endpoint", spec.key)),
            "AML241",
            f"endpoints.{spec.key}.protected is true in {file}",
            f"Remove it from {file} first, or name the endpoints to delete",
        )
        for spec in specs
        if spec.key in environment.protected
    ]


def held_back_entry(spec: EndpointSpec, facts: Facts) -> dict[str, Json] | None:
    """{endpoint, name, release, at, by} if the files still describe the release that was rolled back; else None."""
    body, there = facts.get(address("endpoint", spec.key)) or {}, facts_of(facts, "deployment", spec.key)
    last = history.rolled_back(body)
    sent = {release for name, release in spec.releases.items() if spec.traffic is None or spec.traffic.get(name)}
    if last is None or last.release not in sent or owner_tag(body) != spec.owner:
        return None
    tags = [(there.get(name) or {}).get("tags") or {} for name in served(facts, spec.key)]
    if any(each.get(RELEASE_TAG) == last.release for each in tags):
        return None  # it has traffic again
    at = leases.iso_time(last.at)
    return {"endpoint": spec.key, "name": spec.name, "release": last.release, "at": at, "by": last.by}


def forward_note(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> str:
    """A note if traffic moves to a release that is deployed already; else empty."""
    own = [step for step in steps if step.endpoint == spec.key]
    shifts = [step.body["after"] for step in own if step.verb is Verb.SHIFT and "after" in step.body]
    here = history.live_in(facts, spec.key)
    there = live_slot(shifts[-1]) if shifts else None
    if not here or not there or here == there or any(step.kind == "deployment" for step in own):
        return ""
    return f"{spec.key}: {there} already has the release of the files; traffic moves to it from {here}."
