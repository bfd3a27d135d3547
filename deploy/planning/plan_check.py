"""What a plan file is held to: the very plan, or the rest of it after an interruption. Pure; decides and does nothing.

Somebody agreed to these steps in this world. If the world or the files moved, that agreement is void, and what moved is
named. One difference is allowed: that steps of this plan have been done, from the first on. Then what is planned now
must be exactly the steps that are left, with the changes that were agreed on, and the world exactly what the others
made of it. Of the first step that is left, some may have come about already: an operation that was broken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from deploy.domain.arm import Json, address
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import StalePlan
from deploy.planning import build, effects
from deploy.planning.effects import Moved
from deploy.redact import redact_secrets
from deploy.reporter import changed_value

_NAMED = 8
_SHIFTED = ("after", "before", "mirror_after", "endpoint")


def remaining_plan(agreed: Plan, fresh: Plan) -> Plan:
    """What of `agreed` is to be done: all of it, or what an interruption left. Raises StalePlan naming what moved."""
    if agreed.fingerprint == fresh.fingerprint:
        return fresh
    if other := _otherwise(agreed, fresh.target, fresh.sealed):
        raise _stale(other)
    foreign: list[str] = []
    for key in dict.fromkeys((*agreed.endpoints, *fresh.endpoints)):
        foreign += _foreign(key, agreed, fresh)
    if foreign:
        raise _stale(foreign)
    scopes_to_change = {step.endpoint for step in agreed.rescue} & {
        s.endpoint for s in fresh.steps if s.verb is Verb.SHIFT
    }
    kept = [s for s in fresh.rescue if s.endpoint not in scopes_to_change] + [
        s for s in agreed.rescue if s.endpoint in scopes_to_change
    ]
    second = [s for s in fresh.fallback if s.endpoint in {step.endpoint for step in agreed.fallback}]
    return replace(fresh, rescue=tuple(kept), fallback=tuple(second))


def must_be_for(agreed: Plan, environment: Environment, specs: Sequence[EndpointSpec]) -> None:
    """Raises StalePlan when the files name another workspace now, or when what no plan shows changed. Only files
    are read, so that no request goes to a workspace that the plan is not for.
    """
    here = {**build.target_of(environment), "region": agreed.target.get("region", "")}
    if other := _otherwise(agreed, here, build.sealed_of(environment, specs)):
        raise _stale(other)


def _otherwise(agreed: Plan, target: Mapping[str, str], sealed: Mapping[str, str]) -> list[str]:
    """What moved of where the plan is made (a region that is not known is the same); else, of what no plan shows, whose
    digests are of one workspace.
    """
    moved = [
        f"{name.removesuffix('_id').replace('_', ' ')} {before} -> {target[name]}"
        for name, before in agreed.target.items()
        if before and target.get(name) and target[name] != before
    ]
    others = [w for w in sorted({*agreed.sealed, *sealed}) if agreed.sealed.get(w) != sealed.get(w)]
    return moved or [
        f"probe files of {where.removeprefix('probe/')} changed"
        if where.startswith(address("probe", ""))
        else f"a hidden value changed: {where}"
        for where in others
    ]


def already_done(agreed: Plan, rest: Plan) -> int:
    """How many of the agreed changes need not be made any more."""
    return sum(s.changes for s in agreed.steps) - sum(s.changes for s in rest.steps)


def _foreign(key: str, agreed: Plan, fresh: Plan) -> list[str]:
    """What is not of the agreed plan's doing, in words; nothing when `fresh` is the rest of it."""
    wanted, left = _changes(agreed, key), _changes(fresh, key)
    moved = list(_moved(_of(agreed.world, key), _of(fresh.world, key)))
    begun = _begun(wanted, left)
    if begun is not None and all(_is_seen(begun, n, fresh) for n in range(len(wanted) - len(left))):
        strange = [m for m in moved if not any(effects.explains(s, m, fresh.world) for s in begun)]
        return [words for m in strange for words in _in_words(m, begun)]
    strange = [m for m in moved if not any(effects.explains(s, m, fresh.world) for s in wanted)]
    return [words for m in strange or moved for words in _in_words(m, wanted)] or _other_steps(wanted, left)


def _begun(wanted: Sequence[Step], left: Sequence[Step]) -> Sequence[Step] | None:
    """The steps of a plan that were begun, when what is `left` is the rest of it; None when it is something else."""
    done = len(wanted) - len(left)
    if done < 0 or [_essence(s) for s in wanted[done:]] != [_essence(s) for s in left]:
        return None
    begun = wanted[: done + 1]
    for number, (agreed, now) in enumerate(zip(wanted[done:], left, strict=True)):
        same = [s for s in begun if s.address == now.address] if number == 0 else [agreed]
        agreed_on = [change for step in same for change in _listed(step)]
        if not all(c in agreed_on for c in _listed(now)) or (number and len(agreed_on) != len(_listed(now))):
            return None
    return begun


def _is_seen(begun: Sequence[Step], number: int, fresh: Plan) -> bool:
    """Whether the world has it that a step was done; a later one at the same place speaks for it."""
    later = any(step.address == begun[number].address for step in begun[number + 1 :])
    return later or effects.is_in_effect(begun[number], fresh.world)


def _listed(step: Step) -> list[Json]:
    return list(step.body.get("changes") or ())


def _other_steps(wanted: Sequence[Step], left: Sequence[Step]) -> list[str]:
    """The world is the same, so the files are not: which steps they change."""
    before, after = ({repr(_essence(s)): s for s in steps} for steps in (wanted, left))
    named = [before[e] for e in before.keys() - after.keys()] + [after[e] for e in after.keys() - before.keys()]
    return [f"{where}: the files say otherwise" for where in sorted({s.address for s in named})] or [
        "the order of the steps"
    ]


def _changes(plan: Plan, key: str) -> list[Step]:
    return [replace(s, body=redact_secrets(s.body)) for s in plan.steps if s.changes and s.endpoint == key]


def _of(world: Mapping[str, Json], key: str) -> dict[str, Json]:
    return {where: body for where, body in world.items() if where.split("/")[1:2] == [key]}


def _essence(step: Step) -> Json:
    """A step without what an interruption changes about it: creating is updating once it has begun."""
    if step.verb is Verb.SHIFT:
        return [step.verb, step.address, *(step.body.get(key) for key in _SHIFTED)]
    verb = "put" if step.verb in (Verb.CREATE, Verb.UPDATE) else step.verb
    document = step.body.get("document")
    if not isinstance(document, Mapping):
        return [verb, step.address, dict(step.body)]
    passing = ("traffic", "mirror_traffic", "properties") if step.kind == "endpoint" else ()
    return [verb, step.address, {name: value for name, value in document.items() if name not in passing}]


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


def _in_words(moved: Moved, steps: Iterable[Step]) -> Iterator[str]:
    """What moved, with before and after; of a resource that a step made, what is not as it made it."""
    where, path, before, now = moved
    made = [s for s in steps if s.address == where and s.verb is Verb.CREATE and now is not None]
    if fields := [field for step in made for field in effects.unexplained_fields(step, now)]:
        for field in fields:
            yield f"{where}: {field} is {changed_value(field, effects.at(now, field))}, which is not of this plan"
    elif not path:
        yield f"{where} {'is gone' if now is None else 'has appeared'}"
    else:
        yield f"{where}: {path} {changed_value(path, before)} -> {changed_value(path, now)}"


def _stale(foreign: Sequence[str]) -> StalePlan:
    named = "; ".join(foreign[:_NAMED])
    more = f"; and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
    return StalePlan(
        "apply the plan file",
        f"the world or the files moved since it was made: {named}{more}",
        "Plan again, and apply that plan",
        code="AML700",
    )
