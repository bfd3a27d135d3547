"""What a plan file is held to: the very plan, or the rest of it after an interruption. Pure; decides and does nothing.

Somebody agreed to these steps in this world. If the world or the files moved, that agreement is void, and what moved is
named. One difference is allowed: that steps of this plan have been done. Then what is planned now must be exactly the
steps that are left, in their order, and whatever differs in the world must be what those steps made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from deploy import diff
from deploy.errors import StalePlan
from deploy.masks import hide
from deploy.model import Json, Plan, Step, Verb, address
from deploy.reporter import changed_value

_NAMED = 8
_TRAFFIC = ("properties.traffic", "properties.mirrorTraffic")
_RELEASE = ("tags", "properties.model", "properties.environmentId", "properties.codeConfiguration")
Moved = tuple[str, str, Json, Json]
"""An address, a path in its body, what was there, what is there now."""


def plan_rest(agreed: Plan, fresh: Plan) -> Plan:
    """What of `agreed` is to be done: all of it, or what an interruption left. Raises StalePlan naming what moved."""
    if agreed.fingerprint == fresh.fingerprint:
        return fresh
    foreign: list[str] = []
    for key in dict.fromkeys((*agreed.endpoints, *fresh.endpoints)):
        foreign += _foreign(key, agreed, fresh)
    if foreign:
        raise _stale(foreign)
    moving = {step.endpoint for step in agreed.rescue} & {s.endpoint for s in fresh.steps if s.verb is Verb.SHIFT}
    kept = [s for s in fresh.rescue if s.endpoint not in moving] + [s for s in agreed.rescue if s.endpoint in moving]
    second = [s for s in fresh.fallback if s.endpoint in {step.endpoint for step in agreed.fallback}]
    return replace(fresh, rescue=tuple(kept), fallback=tuple(second))


def done_already(agreed: Plan, rest: Plan) -> int:
    """How many of the agreed changes need not be made any more."""
    return sum(s.changes for s in agreed.steps) - sum(s.changes for s in rest.steps)


def _foreign(key: str, agreed: Plan, fresh: Plan) -> list[str]:
    """What is not of the agreed plan's doing, in words; nothing when `fresh` is the rest of it."""
    wanted, left = _changes(agreed, key), _changes(fresh, key)
    moved = list(_moved(_of(agreed.world, key), _of(fresh.world, key)))
    number = len(wanted) - len(left)
    if number < 0 or [_essence(s) for s in wanted[number:]] != [_essence(s) for s in left]:
        begun = wanted
    else:
        begun = wanted[: number + 1]
        unseen = [s for n, s in enumerate(wanted[:number]) if not _shows(s, wanted[n + 1 : number], agreed, fresh)]
        if not unseen and all(any(_explains(s, m) for s in begun) for m in moved):
            return []
    begun = [s for s in begun if s.verb is not Verb.SHIFT or _served(fresh, s) == s.body.get("after")]
    strange = [m for m in moved if not any(_explains(s, m) for s in begun)]
    return [_in_words(m) for m in strange or moved] or _other_steps(wanted, left)


def _other_steps(wanted: Sequence[Step], left: Sequence[Step]) -> list[str]:
    """The world is the same, so the files are not: which steps they change."""
    before, after = ({repr(_essence(s)): s for s in steps} for steps in (wanted, left))
    named = [before[e] for e in before.keys() - after.keys()] + [after[e] for e in after.keys() - before.keys()]
    return [f"{where}: the files say otherwise" for where in sorted({s.address for s in named})] or [
        "the order of the steps"
    ]


def _changes(plan: Plan, key: str) -> list[Step]:
    return [replace(s, body=hide(s.body)) for s in plan.steps if s.changes and s.endpoint == key]


def _of(world: Mapping[str, Json], key: str) -> dict[str, Json]:
    return {where: body for where, body in world.items() if where.split("/")[1:2] == [key]}


def _essence(step: Step) -> Json:
    """A step without what an interruption changes about it: creating is updating once it has begun."""
    if step.verb is Verb.SHIFT:
        return [step.verb, step.address, step.body.get("after"), step.body.get("before")]
    verb = "put" if step.verb in (Verb.CREATE, Verb.UPDATE) else step.verb
    document = step.body.get("document")
    if not isinstance(document, Mapping):
        return [verb, step.address, dict(step.body)]
    passing = ("traffic", "mirror_traffic", "properties") if step.room == "endpoint" else ()
    return [verb, step.address, {name: value for name, value in document.items() if name not in passing}]


def _shows(step: Step, later: Sequence[Step], agreed: Plan, fresh: Plan) -> bool:
    """Whether the world has it that this step was done; a later step at the same place speaks for it."""
    if any(other.address == step.address for other in later):
        return True
    before, now = agreed.world.get(step.address), fresh.world.get(step.address)
    if step.verb is Verb.DELETE:
        return now is None
    if step.verb is Verb.SHIFT:
        return _served(fresh, step) == step.body.get("after")
    return now is not None and now != before


def _served(plan: Plan, step: Step) -> dict[str, int]:
    """Where callers are, of the endpoint that the step is about."""
    body = plan.world.get(address("endpoint", step.endpoint)) or {}
    return {name: share for name, share in ((body.get("properties") or {}).get("traffic") or {}).items() if share}


def _explains(step: Step, moved: Moved) -> bool:
    """Whether the difference is what this step makes."""
    where, path, before, _ = moved
    if step.verb is Verb.SHIFT:
        return where == address("endpoint", step.endpoint) and path.startswith(_TRAFFIC)
    if step.room == "endpoint" and step.verb is Verb.CREATE and where.startswith(address("role", step.endpoint)):
        return before is None
    if where != step.address:
        return False
    if step.verb is not Verb.UPDATE:
        return True
    table = diff.ENDPOINT if step.room == "endpoint" else diff.DEPLOYMENT
    paths = [str(change["path"]) for change in step.body.get("changes") or ()]
    allowed = {arm for row in table for p in paths if (arm := _arm_path(row, p))}
    return path.startswith((*allowed, *(_RELEASE if step.room == "deployment" else ("tags",))))


def _arm_path(row: diff.Field, path: str) -> str | None:
    """Where ARM has what a file has at this path, when the row is the one for it."""
    head, star, tail = row.yaml.partition(".*")
    if not star:
        return row.arm if f"{path}.".startswith(f"{row.yaml}.") else None
    if not (path.startswith(f"{head}.") and path.endswith(tail)):
        return None
    return row.arm.replace("*", path[len(head) + 1 : len(path) - len(tail)], 1)


def _moved(before: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[Moved]:
    """Every field that differs; a resource that came or went is one difference."""
    for where in sorted(before.keys() | now.keys()):
        if where in before and where in now:
            yield from ((where, *each) for each in _fields(before[where], now[where], ""))
        else:
            yield where, "", before.get(where), now.get(where)


def _fields(before: Json, now: Json, path: str) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted(before.keys() | now.keys()):
            yield from _fields(before.get(name), now.get(name), f"{path}.{name}".lstrip("."))
    elif before != now:
        yield path, before, now


def _in_words(moved: Moved) -> str:
    where, path, before, now = moved
    if not path:
        return f"{where} {'is gone' if now is None else 'has appeared'}"
    return f"{where}: {path} {changed_value(path, before)} -> {changed_value(path, now)}"


def _stale(foreign: Sequence[str]) -> StalePlan:
    named = "; ".join(foreign[:_NAMED])
    more = f"; and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
    return StalePlan(
        "apply the plan file",
        f"the world or the files moved since it was made: {named}{more}",
        "Plan again, and apply that plan",
        code="AML700",
    )
