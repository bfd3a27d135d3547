"""Names and limits: whether an endpoint's name is free in its region, and how many resources Azure allows. The limit of
50 instances per deployment is checked in the files (`config.validation`).

The limits are the published defaults for a subscription in a region. Most can be raised, and no API returns the raised
value: if more exists than a limit allows, it was raised, and what is left is unknown. Resources of other workspaces of
the subscription are not visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.domain.arm import Facts, Json, address, facts_of
from deploy.domain.plan import Step, Verb
from deploy.domain.spec import EndpointSpec
from deploy.errors import Finding
from deploy.preflight.check_result import CheckResult, Reason
from deploy.preflight.headroom import Limit
from deploy.text import count

ENDPOINTS, DEPLOYMENTS, DEPLOYMENTS_PER_ENDPOINT, ROLES = 100, 500, 20, 4000
_CURES = {
    "AML260": "Delete unused endpoints, or request a higher limit",
    "AML261": "Delete unused deployments, or request a higher limit",
    "AML264": "Delete unused role assignments: this limit cannot be raised",
}


def planned_creations(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> dict[str, Json] | None:
    """What the steps of one endpoint create, and the number of its existing deployments (`siblings`); None for nothing.

    If the role assignments could not be read, all roles of the pipeline count.
    """
    made = [step for step in steps if step.verb is Verb.CREATE]
    gone = {step.address for step in steps if step.verb is Verb.DELETE}
    unread = "unread" in facts.get(address("role", spec.key), {})
    roles = len(spec.pipeline.roles) if unread else sum(step.kind == "role" for step in made)
    if not made and not roles:
        return None
    fresh = [step for step in made if step.kind == "deployment" and step.address not in gone]
    return {
        "name": spec.name,
        "endpoints": sum(step.kind == "endpoint" for step in made),
        "deployments": len(fresh),
        "siblings": len(facts_of(facts, "deployment", spec.key)),
        "roles": roles,
    }


def limits(desired: Mapping[str, Json], seen: Mapping[str, Json]) -> list[Limit]:
    """The limits for what is created. `seen`: {region, endpoints, assignments, ...}; null: unknown."""
    return [each for each, _, _ in _limits(desired, seen)]


def _limits(desired: Mapping[str, Json], seen: Mapping[str, Json]) -> list[tuple[Limit, str, str]]:
    """Each limit that applies, what is created, and the use of the limit afterwards, in words."""
    where, name = seen.get("region"), desired["name"]
    rows = (
        (desired["endpoints"], seen.get("endpoints"), ENDPOINTS, "endpoint", f"in {where}", "AML260"),
        (desired["deployments"], desired["siblings"], DEPLOYMENTS_PER_ENDPOINT, "deployment", f"of {name}", "AML261"),
        (desired["roles"], seen.get("assignments"), ROLES, "role assignment", "of the subscription", "AML264"),
    )
    return [
        (
            Limit(f"{one}s {of}", needs, _left(limit, held), code),
            f"{count(needs, f'more {one}')} {of}",
            f"{one}s {(held or 0) + needs}/{limit}",
        )
        for needs, held, limit, one, of, code in rows
        if needs
    ]


def _left(limit: int, held: Json) -> int | None:
    """What is left; None if the number is unknown, or above the default limit, which was raised then."""
    return None if held is None or held > limit else limit - int(held)


def check(desired: Mapping[str, Json], seen: Mapping[str, Json]) -> CheckResult:
    """Whether the name is free and every limit is enough."""
    found, name, where = _limits(desired, seen), desired["name"], seen.get("region")
    reasons = [
        Reason(each.code, f"{more}, {each.left} left of the published limit", _CURES[each.code])
        for each, more, _ in found
        if each.missing
    ]
    unknown = [_unknown_count(each, seen) for each, _, _ in found if each.left is None]
    parts = [words for each, _, words in found if each.left is not None]
    if desired["endpoints"] and seen.get("free") is False:
        words = f"the name {name} is not available in {where}: {seen.get('unread') or 'no reason given'}"
        reasons.append(Reason("AML265", words, "Choose another endpoint name; unique(n) in the template makes one"))
    elif desired["endpoints"] and seen.get("free"):
        parts.insert(0, f"{name} is free in {where}")
    elif desired["endpoints"]:
        unknown.insert(0, f"whether {name} is free in {where}: {str(seen.get('unread')).rstrip('. ')}")
    return CheckResult("; ".join(parts), str(seen.get("source") or ""), tuple(reasons), tuple(unknown))


def _unknown_count(each: Limit, seen: Mapping[str, Json]) -> str:
    why = seen.get("uncounted") if each.code == "AML264" else ""
    return f"how many {each.what} are left" + (f": role assignments {why}" if why else "")


def too_many(steps: Sequence[Step], facts: Mapping[str, Facts]) -> list[Finding]:
    """More deployments than a subscription may have in a region, counting those behind the endpoints of the plan."""
    gone = {step.address for step in steps if step.verb is Verb.DELETE}
    made = [s for s in steps if s.kind == "deployment" and s.verb is Verb.CREATE and s.address not in gone]
    seen = sum(len(facts_of(there, "deployment", key)) for key, there in facts.items())
    if not made or seen > DEPLOYMENTS or seen + len(made) <= DEPLOYMENTS:
        return []
    cause = f"existing: {count(seen, 'deployment')}, planned: {len(made)} more; the limit of a region is {DEPLOYMENTS}"
    return [Finding(str(made[0].address), "AML262", cause, _CURES["AML261"])]
