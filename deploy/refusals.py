"""What a plan must not do: touch what is not ours, do what the caller may not, ask for more than is allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy import history, leases
from deploy.callers import served
from deploy.counting import count
from deploy.errors import CloudError, Finding
from deploy.judging import places, rights
from deploy.model import (
    OWNER_TAG,
    RELEASE_TAG,
    EndpointSpec,
    Environment,
    Facts,
    Json,
    Step,
    Verb,
    address,
    is_strange,
    live_slot,
    of_room,
)
from deploy.owners import whose


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
            f"{where.split('/')[0]} {body['name']} exists and {whose(body)}",
            f"Choose another name, or take it over first: amldeploy adopt -e {spec.owner.replace('/', ' ')}"
            if is_strange(body)
            else f"Change it there: {_file_of(body)}. Here, give another name",
        )
        for where in sorted(touched)
        if where.split("/")[0] in ("endpoint", "deployment")
        and (body := facts.get(where))
        and (body.get("tags") or {}).get(OWNER_TAG) != spec.owner
    ]


def appeared(body: Mapping[str, Json] | None, owner: Json, what: str) -> None:
    """Raises when what is about to be made is there, and was made by somebody else since the plan."""
    if body and (body.get("tags") or {}).get(OWNER_TAG) != owner:
        cause = f"since the plan was made {body['name']} came to be, and it {whose(body)}"
        raise CloudError(what, cause, "Nothing of it was changed: plan again, or choose another name", code="AML230")


def _file_of(body: Mapping[str, Json]) -> str:
    """`environments/local.yml, endpoint mip`."""
    environment, _, key = str((body.get("tags") or {}).get(OWNER_TAG)).partition("/")
    return f"environments/{environment}.yml, endpoint {key}"


def of_caller(findings: Sequence[Finding]) -> list[Finding]:
    """Those that are about who asks, and not about what is asked for."""
    return [finding for finding in findings if finding.code in ("AML250", "AML251")]


def strangers(spec: EndpointSpec, facts: Facts, changed: bool) -> list[str]:
    """What is looked at and never changed, in words, for a plan that changes nothing else."""
    body = facts.get(address("endpoint", spec.key))
    if changed or not is_strange(body):
        return []
    how = f"take it over with: amldeploy adopt -e {spec.owner.replace('/', ' ')}"
    return [f"endpoint {spec.name} was not made by amldeploy and will not be changed; {how}"]


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


def instances(spec: EndpointSpec) -> int:
    """How many the deployments of an endpoint are to have together."""
    return sum(int(document["instance_count"]) for document in spec.deployments)


def too_many(environment: Environment, specs: Sequence[EndpointSpec]) -> list[Finding]:
    limit, every = environment.guards.max_instances, {s.key: s for spec in specs for s in (*spec.beside, spec)}
    asked, chosen = (sum(map(instances, some)) for some in (every.values(), specs))
    if limit is None or asked <= limit:
        return []
    others = f", {asked - chosen} of them for endpoints beside these," if asked > chosen else ""
    cause = f"the files ask for {count(asked, 'instance')}{others} and guards.max_instances is {limit}"
    return [Finding(f"environment/{environment.name}", "AML240", cause, "Ask for fewer, or raise the guard")]


def held_back(spec: EndpointSpec, facts: Facts) -> dict[str, Json] | None:
    """What is said of an endpoint whose files still describe the release that was rolled back; None for any other."""
    body, there = facts.get(address("endpoint", spec.key)) or {}, of_room(facts, "deployment", spec.key)
    last = history.rolled_back(body)
    if last is None or last.release not in spec.releases.values() or is_strange(body):
        return None
    tags = [(there.get(name) or {}).get("tags") or {} for name in served(facts, spec.key)]
    if any(each.get(RELEASE_TAG) == last.release for each in tags):
        return None  # traffic went back to it by another way
    at = leases.written(last.at)
    return {"endpoint": spec.key, "name": spec.name, "release": last.release, "at": at, "by": last.by}


def forward(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> str:
    """What to know when callers are to leave a release for one that is there already."""
    own = [step for step in steps if step.endpoint == spec.key]
    shifts = [step.body["after"] for step in own if step.verb is Verb.SHIFT and "after" in step.body]
    here = live_slot(served(facts, spec.key))
    there = live_slot(shifts[-1]) if shifts else None
    if not here or not there or here == there or any(step.room == "deployment" for step in own):
        return ""
    return f"{spec.key}: {there} holds what the files say, and most callers are on {here}: this goes forward (again)."
