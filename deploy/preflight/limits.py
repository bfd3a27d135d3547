"""Names and limits: whether an endpoint's name is free in its region, and how many resources Azure allows. The limit of
50 instances per deployment is checked in the files (`config.validation`).

The limits are the published defaults for a subscription in a region. Azure raises those of endpoints and deployments on
request, and no API returns the raised value: `service_limits` of the environment file states it. Without it, too low a
limit is a warning; if more exists than a limit allows, it was raised, and what is left is unknown. Resources of other
workspaces of the subscription are not visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from deploy.domain.arm import Facts, Json, address, facts_of
from deploy.domain.plan import Step, Verb
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding
from deploy.preflight.check_result import CheckResult, Reason
from deploy.preflight.headroom import Limit
from deploy.text import count

PUBLISHED = {"endpoints": 100, "deployments": 500, "deployments_per_endpoint": 20}
ROLES = 4000
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
        "granted": {key: value for key, value in asdict(spec.service_limits).items() if value is not None},
    }


def limits(desired: Mapping[str, Json], seen: Mapping[str, Json]) -> list[Limit]:
    """The limits for what is created. `seen`: {region, endpoints, assignments, ...}; null: unknown."""
    return [each for each, _, _ in _limits(desired, seen)]


def _limits(desired: Mapping[str, Json], seen: Mapping[str, Json]) -> list[tuple[Limit, str, str]]:
    """Each limit that applies, what is created, and the use of the limit afterwards, in words."""
    where, name, granted = seen.get("region"), desired["name"], desired["granted"]
    rows = (
        (desired["endpoints"], seen.get("endpoints"), "endpoints", "endpoint", f"in {where}", "AML260"),
        (desired["deployments"], desired["siblings"], "deployments_per_endpoint", "deployment", f"of {name}", "AML261"),
        (desired["roles"], seen.get("assignments"), "", "role assignment", "of the subscription", "AML264"),
    )
    found = []
    for needs, held, key, one, of, code in rows:
        if needs:
            limit = granted.get(key) or PUBLISHED.get(key, ROLES)
            left = _left(limit, held, stated=key in granted)
            each = Limit(f"{one}s {of}", needs, left, code, key if key and key not in granted else "")
            found.append((each, f"{count(needs, f'more {one}')} {of}", f"{one}s {(held or 0) + needs}/{limit}"))
    return found


def _left(limit: int, held: Json, *, stated: bool) -> int | None:
    """What is left; None if the number is unknown, or above a default limit, which was raised then."""
    if held is None or (held > limit and not stated):
        return None
    return max(0, limit - int(held))


def check(desired: Mapping[str, Json], seen: Mapping[str, Json]) -> CheckResult:
    """Whether the name is free and every limit is enough."""
    found, name, where = _limits(desired, seen), desired["name"], seen.get("region")
    reasons = [
        Reason(each.code, f"{more}, {each.left} left of the limit", _CURES[each.code])
        for each, more, _ in found
        if each.missing and not each.stated_by
    ]
    unknown = [_unknown_count(each, seen) for each, _, _ in found if each.left is None]
    unknown += [
        f"{more}, {each.left} left of the published limit: set service_limits.{each.stated_by} if Azure raised it"
        for each, more, _ in found
        if each.missing and each.stated_by
    ]
    parts = [words for each, _, words in found if each.left is not None and not (each.missing and each.stated_by)]
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


def too_many(
    steps: Sequence[Step], facts: Mapping[str, Facts], environment: Environment
) -> tuple[list[Finding], list[str]]:
    """More deployments than a subscription may have in a region, counting those behind the endpoints of the plan.

    A finding if `service_limits` states the limit, a note if only the published limit is known.
    """
    gone = {step.address for step in steps if step.verb is Verb.DELETE}
    made = [s for s in steps if s.kind == "deployment" and s.verb is Verb.CREATE and s.address not in gone]
    seen = sum(len(facts_of(there, "deployment", key)) for key, there in facts.items())
    stated = environment.service_limits.deployments
    limit = stated or PUBLISHED["deployments"]
    if not made or seen + len(made) <= limit or (seen > limit and not stated):
        return [], []
    cause = f"existing: {count(seen, 'deployment')}, planned: {len(made)} more; the limit of a region is {limit}"
    if stated:
        return [Finding(str(made[0].address), "AML262", cause, _CURES["AML261"])], []
    advice = f"If Azure raised it, set service_limits.deployments in environments/{environment.name}.yml"
    return [], [f"{cause}. {advice}; otherwise request a higher limit."]
