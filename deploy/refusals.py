"""What a plan must not do: touch what is not ours, ask for more than there is or than a guard allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.errors import Finding
from deploy.model import OWNER_TAG, EndpointSpec, Environment, Facts, Json, Step, Verb, address, is_strange


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


def together(steps: Sequence[Step]) -> list[Finding]:
    """Families in which each endpoint finds cores enough, but not all of them at once."""
    families: dict[str, list[Step]] = {}
    for step in steps:
        if step.room == "quota" and step.body["needed"] is not None and step.body["capacity"] == "dedicated":
            families.setdefault(str(step.body["family"]), []).append(step)
    everything = [step for asking in families.values() for step in asking]
    groups = [(f"cores of {family}", "left", asking) for family, asking in families.items()]
    return [
        Finding(
            asking[0].address,
            "AML203",
            f"{' + '.join(str(s.body['needed']) for s in asking)} = {needed} {what}, {left} left",
            "Ask for fewer instances, apply with fewer endpoints, or request more quota",
        )
        for what, field, asking in (*groups, ("dedicated cores", "total_left", everything))
        if len(asking) > 1
        and (left := asking[0].body[field]) is not None
        and (needed := sum(s.body["needed"] for s in asking)) > left
    ]


def too_many(environment: Environment, specs: Sequence[EndpointSpec]) -> list[Finding]:
    limit = environment.guards.max_instances
    asked = sum(int(d["instance_count"]) for spec in specs for d in spec.deployments)
    if limit is None or asked <= limit:
        return []
    cause = f"the files ask for {asked} instances and guards.max_instances is {limit}"
    return [Finding(f"environment/{environment.name}", "AML240", cause, "Ask for fewer, or raise the guard")]
