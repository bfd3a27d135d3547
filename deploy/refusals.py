"""What a plan must not do: touch what is not ours, do what the caller may not, ask for more than is allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.errors import Finding
from deploy.judging import places, rights
from deploy.model import OWNER_TAG, EndpointSpec, Environment, Facts, Json, Step, Verb, address, is_strange, of_room


def foreign(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Finding]:
    """Whatever a step would change that does not carry our tag."""
    touched = {step.address for step in steps if step.changes}
    if address("traffic", spec.key) in touched:
        touched.add(address("endpoint", spec.key))
    if any(a.startswith((address("deployment", spec.key, ""), address("role", spec.key, ""))) for a in touched):
        touched.add(address("endpoint", spec.key))
    if any(s.verb is Verb.DELETE and s.room == "endpoint" for s in steps):
        touched |= {a for a in facts if a.startswith(address("deployment", spec.key, ""))}
    return [
        Finding(
            where,
            "AML230",
            f"{where.split('/')[0]} {body['name']} exists and {_whose(body)}",
            f"Choose another name, or take it over first: amldeploy adopt -e {spec.owner.replace('/', ' ')}"
            if is_strange(body)
            else "Choose another name, or delete it by hand if nobody needs it",
        )
        for where in sorted(touched)
        if where.split("/")[0] in ("endpoint", "deployment")
        and (body := facts.get(where))
        and (body.get("tags") or {}).get(OWNER_TAG) != spec.owner
    ]


def strangers(spec: EndpointSpec, facts: Facts, changed: bool) -> list[str]:
    """What is looked at and never changed, in words, for a plan that changes nothing else."""
    body = facts.get(address("endpoint", spec.key))
    if changed or not is_strange(body):
        return []
    how = f"take it over with: amldeploy adopt -e {spec.owner.replace('/', ' ')}"
    return [f"endpoint {spec.name} was not made by amldeploy and will not be changed; {how}"]


def _whose(body: Mapping[str, Json]) -> str:
    owner = (body.get("tags") or {}).get(OWNER_TAG)
    return f"belongs to {owner}" if owner else "was not made by amldeploy"


def asked_of_all(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    """The checks that follow from the steps of every room: is there a place for what is made, may the caller do it."""
    return [*_place(spec, steps, facts), *_permission(spec, steps, facts)]


def _place(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    where = address("place", spec.key)
    wanted, seen = places.asked(spec, steps, facts), facts.get(where)
    if wanted is None or seen is None:
        return []
    body = {"asked": wanted, "gates": [gate.body() for gate in places.gates(wanted, seen)]}
    return [places.judge(wanted, seen).step(where, body)]


def _permission(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Step]:
    needs = rights.needs(spec, steps)
    answers = {str(answer["word"]): answer for answer in of_room(facts, "permission", spec.key).values()}
    if not any(needs.values()) or not answers:
        return []
    body = {"endpoint": spec.name, "needs": needs, "scopes": {word: a["scope"] for word, a in answers.items()}}
    return [rights.judge(needs, answers).step(address("permission", spec.key), body)]


def too_many(environment: Environment, specs: Sequence[EndpointSpec]) -> list[Finding]:
    limit = environment.guards.max_instances
    asked = sum(int(d["instance_count"]) for spec in specs for d in spec.deployments)
    if limit is None or asked <= limit:
        return []
    cause = f"the files ask for {asked} instances and guards.max_instances is {limit}"
    return [Finding(f"environment/{environment.name}", "AML240", cause, "Ask for fewer, or raise the guard")]
