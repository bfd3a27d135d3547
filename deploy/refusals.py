"""What a plan must not do: touch what is not ours, ask for more than there is or than a guard allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.errors import Finding, Refused
from deploy.model import (
    OWNER_TAG,
    RELEASE_TAG,
    UNPROVEN,
    EndpointSpec,
    Environment,
    Facts,
    Json,
    Step,
    Verb,
    address,
    in_words,
    of_room,
)


def foreign(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> list[Finding]:
    """Whatever a step would change that does not carry our tag."""
    touched = {step.address for step in steps if step.changes}
    if address("traffic", spec.key) in touched:
        touched.add(address("endpoint", spec.key))
    if any(s.verb is Verb.DELETE and s.room == "endpoint" for s in steps):
        touched |= {a for a in facts if a.startswith(address("deployment", spec.key, ""))}
    return [
        Finding(
            where,
            "AML230",
            f"{where.split('/')[0]} {body['name']} exists and {_whose(body)}",
            "Choose another name, or delete it by hand if nobody needs it",
        )
        for where in sorted(touched)
        if where.split("/")[0] in ("endpoint", "deployment")
        and (body := facts.get(where))
        and (body.get("tags") or {}).get(OWNER_TAG) != spec.owner
    ]


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


def previous(spec: EndpointSpec, facts: Facts) -> str:
    """The slot that callers came from: healthy, proven, ours, and not the one they are to leave. Raises Refused."""
    body = facts.get(address("endpoint", spec.key)) or {}
    traffic = (body.get("properties") or {}).get("traffic") or {}
    there = of_room(facts, "deployment", spec.key)
    served = [name for name in there if traffic.get(name)]
    newest = [name for name in served if _release(there[name]).removesuffix(UNPROVEN) in spec.releases.values()]
    leaving = served if len(served) == 1 else newest
    if len(leaving) != 1:
        told = in_words(traffic)
        raise _nowhere(spec, "AML651", f"callers are on {told}, so it cannot be told which release they should leave")
    left = [name for name in there if name != leaving[0] and _is_healthy(spec, there[name])]
    if len(left) != 1:
        ill = [f"{name} is {_state(there[name])}" for name in there if name not in (*leaving, *left)]
        told = f"{len(left)} to choose from: {', '.join(left)}" if left else ", ".join(ill) or "it has no other"
        raise _nowhere(spec, "AML650", f"there is no one healthy deployment beside {leaving[0]} ({told})")
    return left[0]


def _is_healthy(spec: EndpointSpec, body: Mapping[str, Json]) -> bool:
    ours = (body.get("tags") or {}).get(OWNER_TAG) == spec.owner
    return ours and _state(body) == "Succeeded" and not _release(body).endswith(UNPROVEN)


def _state(body: Mapping[str, Json]) -> str:
    return str((body.get("properties") or {}).get("provisioningState") or "unknown")


def _release(body: Mapping[str, Json]) -> str:
    return str((body.get("tags") or {}).get(RELEASE_TAG) or "")


def _nowhere(spec: EndpointSpec, code: str, cause: str) -> Refused:
    cure = "Take the files back to the release that was right, and apply them"
    return Refused([Finding(address("traffic", spec.key), code, cause, cure)])
