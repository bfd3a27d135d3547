"""The check of a plan file: it is applied as it is, or what is left of it after an interruption. Pure.

The steps were approved for certain facts and files. If Azure or the files changed since, the plan is stale, and the
differences are listed. One difference is allowed: the first steps of this plan have run. Then a new plan must have
exactly the other steps, with the approved changes, and the facts must be exactly what the first steps left. The first
of the other steps may have had part of its effect: an operation that was interrupted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from deploy import steps
from deploy.diff import effects
from deploy.domain.arm import Address, Json
from deploy.domain.plan import Difference, Plan, Step, Verb, World
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import StalePlan
from deploy.planning import build
from deploy.redact import redact_secrets
from deploy.reporter import format_value

_MAX_LISTED = 8


def remaining_plan(saved_plan: Plan, fresh: Plan, existing: Collection[str] = ()) -> Plan:
    """All of `saved_plan`, or what an interruption left of it. Raises StalePlan with the differences. `existing`: names
    of the endpoints that exist; one that is no longer an orphan was not deleted by an interrupted run.
    """
    if saved_plan.fingerprint == fresh.fingerprint:
        return fresh
    if other := _other_target(saved_plan, fresh.target, fresh.sealed):
        raise _stale(other)
    fresh = _until_pause(saved_plan, fresh)
    pruned = {str(each["address"]): str(each["name"]) for each in saved_plan.orphans if each["pruned"]}
    still = {str(each["address"]) for each in fresh.orphans if each["pruned"]}
    unexpected = [
        f"{where}: {name} is no longer an orphan that --prune deletes"
        for where, name in pruned.items()
        if where not in still and name in existing
    ]
    for key in dict.fromkeys((*saved_plan.endpoints, *fresh.endpoints, *sorted(saved_plan.pruned | fresh.pruned))):
        unexpected += _unexpected_in(key, saved_plan, fresh)
    if unexpected:
        raise _stale(unexpected)
    scopes_to_change = {step.endpoint for step in saved_plan.rescue} & {
        s.endpoint for s in fresh.steps if s.verb is Verb.SHIFT
    }
    kept = [s for s in fresh.rescue if s.endpoint not in scopes_to_change] + [
        s for s in saved_plan.rescue if s.endpoint in scopes_to_change
    ]
    fallback_steps = [s for s in fresh.fallback if s.endpoint in {step.endpoint for step in saved_plan.fallback}]
    return replace(fresh, rescue=tuple(kept), fallback=tuple(fallback_steps))


def _until_pause(saved_plan: Plan, fresh: Plan) -> Plan:
    """The fresh plan without what comes after a pause that the saved plan has reached: that was not approved."""
    reached = {
        step.endpoint
        for step in saved_plan.steps
        if (step.body.get("record") or {}).get("paused") and steps.is_in_effect(step, fresh.world)
    }
    kept, back = (tuple(s for s in each if s.endpoint not in reached) for each in (fresh.steps, fresh.rescue))
    return replace(fresh, steps=kept, rescue=back)


def rest_of(approved: Plan, fresh: Plan, command: str) -> Plan:
    """What is left of an approved plan, after operations that were in progress when it was made. Raises StalePlan."""
    try:
        return remaining_plan(approved, fresh)
    except StalePlan as stale:
        what = f"{command} {approved.environment}"
        raise StalePlan(what, stale.cause, "Run the command again", code=stale.code) from None


def must_be_unchanged(approved: Plan, fresh: Plan, command: str) -> None:
    """Raises StalePlan, with the differences, if the plan that was made under the lock is not the approved one."""
    if approved.fingerprint == fresh.fingerprint:
        return
    moved: list[str] = []
    for key in dict.fromkeys(step.endpoint for step in (*approved.steps, *fresh.steps)):
        differences = _moved(_of(approved.world, key), _of(fresh.world, key))
        moved += [words for each in differences for words in _in_words(each, ())]
    other = moved or [f"{key}: it needs other steps now" for key in _with_other_steps(approved, fresh)]
    raise _stale(other, f"{command} {approved.environment}", "Run the command again")


def _with_other_steps(approved: Plan, fresh: Plan) -> list[str]:
    keys = sorted({step.endpoint for step in (*approved.steps, *fresh.steps)})
    return [key for key in keys if _changes(approved, key) != _changes(fresh, key)] or [approved.environment]


def must_be_for(saved_plan: Plan, environment: Environment, specs: Sequence[EndpointSpec]) -> None:
    """Raises StalePlan if the files name another workspace, or if a hidden value changed. Only files are read, so that
    no request goes to another workspace.
    """
    here = {**build.target_of(environment), "region": saved_plan.target.get("region", "")}
    if other := _other_target(saved_plan, here, build.sealed_of(environment, specs)):
        raise _stale(other)


def _other_target(saved_plan: Plan, target: Mapping[str, str], sealed: Mapping[str, str]) -> list[str]:
    """Differences of the target (an unknown region is no difference); if there are none, of the hidden values, as their
    digests depend on the workspace.
    """
    moved = [
        f"{name.removesuffix('_id').replace('_', ' ')} {before} -> {target[name]}"
        for name, before in saved_plan.target.items()
        if before and target.get(name) and target[name] != before
    ]
    others = [w for w in sorted({*saved_plan.sealed, *sealed}) if saved_plan.sealed.get(w) != sealed.get(w)]
    return moved or [
        f"probe files of {where.removeprefix('probe/')} changed"
        if where.startswith("probe/")
        else f"a hidden value changed: {where}"
        for where in others
    ]


def already_done(saved_plan: Plan, rest: Plan) -> int:
    """How many of the approved changes have been made already."""
    return sum(s.changes for s in saved_plan.steps) - sum(s.changes for s in rest.steps)


def _unexpected_in(key: str, saved_plan: Plan, fresh: Plan) -> list[str]:
    """Differences that the approved plan did not make, in words; empty if `fresh` is the rest of it."""
    desired, left = _changes(saved_plan, key), _changes(fresh, key)
    moved = list(_moved(_of(saved_plan.world, key), _of(fresh.world, key)))
    begun = _steps_begun(desired, left)
    if begun is not None and all(_has_run(begun, n, fresh) for n in range(len(desired) - len(left))):
        unexplained = [m for m in moved if not any(steps.explains(s, m, fresh.world) for s in begun)]
        return [words for m in unexplained for words in _in_words(m, begun)]
    unexplained = [m for m in moved if not any(steps.explains(s, m, fresh.world) for s in desired)]
    return [words for m in unexplained or moved for words in _in_words(m, desired)] or _other_steps(desired, left)


def _steps_begun(desired: Sequence[Step], left: Sequence[Step]) -> Sequence[Step] | None:
    """The steps that were started, if `left` is the rest of the plan; None if it is something else."""
    done = len(desired) - len(left)
    if done < 0 or [_essence(s) for s in desired[done:]] != [_essence(s) for s in left]:
        return None
    begun = desired[: done + 1]
    for number, (saved_plan, now) in enumerate(zip(desired[done:], left, strict=True)):
        same = [s for s in begun if s.address == now.address] if number == 0 else [saved_plan]
        agreed_on = [change for step in same for change in _listed(step)]
        if not all(c in agreed_on for c in _listed(now)) or (number and len(agreed_on) != len(_listed(now))):
            return None
    return begun


def _has_run(begun: Sequence[Step], number: int, fresh: Plan) -> bool:
    """Whether the facts show that a step has run, or a later one at the same address."""
    later = any(step.address == begun[number].address for step in begun[number + 1 :])
    return later or steps.is_in_effect(begun[number], fresh.world)


def _listed(step: Step) -> list[Json]:
    return list(step.body.get("changes") or ())


def _other_steps(desired: Sequence[Step], left: Sequence[Step]) -> list[str]:
    """The facts are the same, so the files changed: the addresses of the steps that differ."""
    before, after = ({repr(_essence(s)): s for s in each} for each in (desired, left))
    named = [before[e] for e in before.keys() - after.keys()] + [after[e] for e in after.keys() - before.keys()]
    return [f"{where}: the files changed" for where in sorted({s.address for s in named})] or ["the order of the steps"]


def _changes(plan: Plan, key: str) -> list[Step]:
    return [replace(s, body=redact_secrets(s.body)) for s in plan.steps if s.changes and s.endpoint == key]


def _of(world: World, key: str) -> dict[Address, Json]:
    return {where: body for where, body in world.items() if where.endpoint == key}


def _essence(step: Step) -> Json:
    """A step without what an interruption changes: a creation becomes an update once it has started."""
    verb = "put" if step.verb in (Verb.CREATE, Verb.UPDATE) else step.verb
    return [verb, str(step.address), steps.essence(step)]


def _moved(before: World, now: World) -> Iterator[Difference]:
    """Every field that differs; a resource that appeared or disappeared is one difference."""
    for where in sorted(before.keys() | now.keys()):
        if where in before and where in now:
            yield from (Difference(where, *each) for each in _fields(before[where], now[where], ""))
        else:
            yield Difference(where, "", before.get(where), now.get(where))


def _fields(before: Json, now: Json, path: str) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted(before.keys() | now.keys()):
            yield from _fields(before.get(name), now.get(name), f"{path}.{name}".lstrip("."))
    elif before != now:
        yield path, before, now


def _in_words(moved: Difference, saved_plan: Iterable[Step]) -> Iterator[str]:
    """A difference in words; of a resource that a step created, the fields that are not as it left them."""
    where, path, before, now = moved
    made = [s for s in saved_plan if s.address == where and s.verb is Verb.CREATE and now is not None]
    if fields := [field for step in made for field in steps.unexplained(step, now)]:
        for field in fields:
            yield f"{where}: {field} is {format_value(field, effects.at(now, field))}, which this plan did not write"
    elif not path:
        yield f"{where} {'no longer exists' if now is None else 'has appeared'}"
    else:
        yield f"{where}: {path} {format_value(path, before)} -> {format_value(path, now)}"


def _stale(
    unexpected: Sequence[str], what: str = "apply the plan file", cure: str = "Plan again, and apply that plan"
) -> StalePlan:
    named = "; ".join(unexpected[:_MAX_LISTED])
    more = f"; and {len(unexpected) - _MAX_LISTED} more" if len(unexpected) > _MAX_LISTED else ""
    return StalePlan(what, f"Azure or the files changed since it was made: {named}{more}", cure, code="AML700")
