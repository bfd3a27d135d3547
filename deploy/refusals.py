"""What a plan must not do: touch what is not ours, do what the caller may not, ask for more than is allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.callers import served
from deploy.errors import CloudError, Finding, Refused
from deploy.judging import places, rights
from deploy.model import (
    OWNER_TAG,
    RELEASE_TAG,
    UNPROVEN,
    EndpointSpec,
    Facts,
    Json,
    Step,
    Verb,
    address,
    in_words,
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


def previous(spec: EndpointSpec, facts: Facts) -> str:
    """The slot that callers came from: healthy, proven, ours, and not the one they are to leave. Raises Refused."""
    traffic, there = served(facts, spec.key), of_room(facts, "deployment", spec.key)
    here = [name for name in there if traffic.get(name)]
    newest = [name for name in here if _release(there[name]).removesuffix(UNPROVEN) in spec.releases.values()]
    leaving = here if len(here) == 1 else newest
    if len(leaving) != 1:
        told = in_words(traffic)
        raise _nowhere(spec, "AML651", f"callers are on {told}, so it cannot be told which release they should leave")
    left = [name for name in there if name != leaving[0] and _is_healthy(spec, there[name])]
    if len(left) != 1:
        ill = [f"{name} is {_state(there[name])}" for name in there if name not in (*leaving, *left)]
        raise _nowhere(spec, "AML650", _why_not(leaving[0], left, ill))
    return left[0]


def _why_not(leaving: str, healthy: Sequence[str], ill: Sequence[str]) -> str:
    if healthy:
        return f"beside {leaving} there are {len(healthy)} to choose from: {', '.join(healthy)}"
    if ill:
        return f"no deployment beside {leaving} is healthy: {', '.join(ill)}"
    return f"{leaving} is the only deployment, so there is no previous release"


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


def forward(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> str:
    """What to know when callers are to leave a release for one that is there already."""
    own = [step for step in steps if step.endpoint == spec.key]
    shifts = [step.body["after"] for step in own if step.verb is Verb.SHIFT and "after" in step.body]
    here = live_slot(served(facts, spec.key))
    there = live_slot(shifts[-1]) if shifts else None
    if not here or not there or here == there or any(step.room == "deployment" for step in own):
        return ""
    return f"{spec.key}: {there} holds what the files say, and most callers are on {here}: this goes forward (again)."
