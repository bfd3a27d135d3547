"""What is said in the same words everywhere: durations, sums, quota arithmetic, changes, leases.

Numbers in, a sentence out. Layout, colour and escaping belong to the rooms that set the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.domain.arm import Json
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.domain.traffic_shares import format_traffic
from deploy.preflight.verdict import Verdict
from deploy.redact import redact_at, redact_secrets
from deploy.text import count, noun

STATE_WORDS = {state: state.value.replace("_", " ") for state in State}
RESCUE = "Rescue"
FALLBACK = "If the shared pool stays full: on dedicated quota instead"
EXPOSURE = "More exposed: opens network access, or weakens authentication"
STAYS = "Stays in the workspace: registered assets, which cost only storage and may be in use elsewhere"
_UNKNOWN = "could not tell"
VERDICTS: dict[str, tuple[str, str]] = {
    Verdict.YES: ("✓", "ok"),
    Verdict.NO: ("✗", "refused"),
    Verdict.UNKNOWN: ("?", _UNKNOWN),
}
"""The sign and the word for what a check came to."""
SIGNS = {Verb.CREATE: "+", Verb.UPDATE: "~", Verb.DELETE: "-", Verb.PROBE: "»", Verb.SHIFT: "⇄"}
HELD_BACK = "Held back"
_MAPS = ("environment_variables.", "tags.", "properties.", "data_collector.collections.")
"""Paths that begin so are keys of a map, which have no default."""
UNCHECKED = "Not checked: whether key vault and registry can be reached (see `amldeploy doctor`)."


def duration(seconds: float) -> str:
    """`37 ms`, `0.4 s`, `41 s`, `12 min 3 s`, `71 h 5 min`."""
    if 0 < seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")


def sign(step: Step) -> tuple[str, str]:
    """A step's sign and what it means: a check's is what it came to, if it was made."""
    if step.verb is Verb.CHECK:
        return VERDICTS.get(str(step.body.get("verdict")), ("?", step.verb.value))
    return SIGNS[step.verb], step.verb.value


def exposed(plan: Plan) -> list[str]:
    """`endpoint/mip public_network_access: disabled -> enabled` of each field that becomes more exposed."""
    found = plan.exposure
    return [f"{each['address']} {each['path']}: {each['before']} -> {each['after']}" for each in found]


def staying(plan: Plan) -> list[str]:
    """`model med:3` of each asset that stays in the workspace."""
    parts = [each.split("/") for each in plan.stays]
    return [f"{ids[-4].removesuffix('s')} {ids[-3]}:{ids[-1]}" for ids in parts]


def unchecked(plan: Plan) -> str:
    """What the checks of a plan leave out; empty for a plan without any."""
    return UNCHECKED if any("verdict" in step.body for step in plan.steps) else ""


def _checks(plan: Plan) -> str:
    untold = sum(step.body.get("verdict") == Verdict.UNKNOWN for step in plan.steps)
    return count(plan.summary[Verb.CHECK], "check") + (f" ({untold} {_UNKNOWN})" if untold else "")


def plan_summary(plan: Plan) -> str:
    """One sentence: what will be different."""
    total = plan.summary
    said = {
        Verb.SHIFT: count(total[Verb.SHIFT], "traffic shift"),
        Verb.CHECK: _checks(plan),
        Verb.PROBE: count(total[Verb.PROBE], "probe"),
    }
    extras = [words for verb, words in said.items() if total[verb]]
    touched = {step.endpoint for step in plan.steps if step.changes}
    same = sum(key not in touched for key in plan.endpoints) - len(plan.held)
    back = f"{count(len(plan.held), 'endpoint')} held back" if plan.held else ""
    if not any(step.changes for step in plan.steps):
        same_as = "Azure has what the files say." if not back else f"{back}."
        return f"No changes. {same_as}" + (f" {' and '.join(extras)} to run." if extras else "")
    changes = [f"{total[Verb.CREATE]} to create", f"{total[Verb.UPDATE]} to change", f"{total[Verb.DELETE]} to delete"]
    extras += [count(same, "endpoint") + " unchanged"] if same else []
    extras += [back] if back else []
    return f"Plan: {', '.join(changes + extras)}."


def report_summary(report: Report) -> str:
    """One sentence: what became of it, how long it took, how much was asked."""
    states = {state: sum(o.state is state for o in report.outcomes) for state in State}
    counted = ", ".join(f"{n} {STATE_WORDS[state]}" for state, n in states.items() if n)
    if not counted:
        return "Done: nothing to do."
    effort = f"{duration(report.seconds)}, {count(report.requests, 'request')}"
    failed = next((o.address for o in report.outcomes if o.state is State.FAILED), "")
    if failed:
        return f"Failed at {failed}: {counted}; {effort}."
    return f"{'Done' if report.ok else 'Not finished'}: {counted}; {effort}."


@dataclass(frozen=True)
class Arithmetic:
    """A quota check in words. `enough` is None when Azure did not tell, or when it is not the family that pays."""

    who: str
    needs: str
    has: str
    enough: bool | None

    def __str__(self) -> str:
        return f"{self.who}: {self.needs}; {self.has}"


def quota(body: Mapping[str, Json]) -> Arithmetic:
    """The arithmetic of a quota check's body: instances x cores against limit - in use.

    Keys: instance_type, family, instances, held, cores_per_instance, reserve, needed, in_use, limit, left, total_left,
    capacity; null is what could not be told, a limit of -1 is no limit.
    """
    needed, left = _number(body, "needed"), _least(_number(body, "left"), _number(body, "total_left"))
    left = _least(left, _number(body, "workspace_left"))
    who = str(body.get("instance_type") or "quota")
    if body.get("capacity") == "shared":
        return Arithmetic(who, _needs(body, needed), "taken from the shared pool, not from the family's quota", None)
    has = f"{body.get('family') or 'quota'}: {_has(body)}"
    if needed is None or left is None:
        enough = True if needed is not None and _number(body, "limit") == -1 else None
        return Arithmetic(who, _needs(body, needed), has, enough)
    verdict = f"enough, {left - needed:g} to spare" if needed <= left else f"{needed - left:g} too few"
    return Arithmetic(who, _needs(body, needed), f"{has}, {verdict}", needed <= left)


def _needs(body: Mapping[str, Json], needed: float | None) -> str:
    instances, cores = _number(body, "instances"), _number(body, "cores_per_instance")
    held = _number(body, "held") or 0
    total = f"{_UNKNOWN} how many cores are needed" if needed is None else f"{needed:g} {noun(needed, 'core')}"
    if instances is None:
        return total
    more = f"{held:g} -> {instances:g} instances, {instances - held:g} more"
    grows = more if held else f"{instances:g} {noun(instances, 'instance')}"
    if needed is None or not cores:
        return f"{grows}, {total}"
    reserve = ", 20 % reserve included" if body.get("reserve") is True else ""
    return f"{grows}{reserve} = {needed / cores:g} x {cores:g} = {total}"


def _has(body: Mapping[str, Json]) -> str:
    limit, in_use, left, total = (_number(body, key) for key in ("limit", "in_use", "left", "total_left"))
    if limit == -1:
        return "no limit"
    if left is None:
        return f"{_UNKNOWN} how many are left"
    words = f"{left:g} left" if limit is None or in_use is None else f"{limit:g} − {in_use:g} in use = {left:g} left"
    words += f" ({total:g} in all families together)" if total is not None and total < left else ""
    own = _number(body, "workspace_left")
    return words + (f" ({own:g} for the workspace)" if own is not None and own < left else "")


def _least(*numbers: float | None) -> float | None:
    return min((n for n in numbers if n is not None), default=None)


def _number(body: Mapping[str, Json], key: str) -> float | None:
    value = body.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def target(plan: Plan) -> str:
    """Where a plan is made, on one line; empty when it does not say."""
    words = (
        ("workspace", "Workspace"),
        ("resource_group", "resource group"),
        ("subscription_id", "subscription"),
        ("cloud", "cloud"),
        ("region", "region"),
    )
    told = [f"{word} {plan.target[name]}" for name, word in words if plan.target.get(name)]
    return ", ".join(told)


def changes(step: Step) -> Iterator[tuple[str, str, str]]:
    """(path, before, after) of each field that an update changes, secrets hidden."""
    listed = redact_secrets(step.body.get("changes"))
    for change in listed if isinstance(listed, list) else []:
        if isinstance(change, dict):
            path = str(change.get("path", ""))
            yield path, shown(change.get("before")), _after(path, change.get("after"))


def untold(step: Step) -> list[tuple[str, str, str]]:
    """The changes that the step's reason does not say already."""
    return [(path, old, new) for path, old, new in changes(step) if f"{path} {old} -> {new}" not in step.why]


def format_change(path: str, before: Json, after: Json) -> str:
    """`1 -> 2` for what stands at a dotted path; `1 -> (default)` or `1 -> (removed)` for what the files leave out."""
    return f"{format_value(path, before)} -> {_after(path, redact_at(path, after))}"


def format_value(path: str, value: Json) -> str:
    """A value at a dotted path on one line, hidden if its name or its looks say that it is a secret."""
    return shown(redact_at(path, value))


def _after(path: str, value: Json) -> str:
    if value is not None:
        return shown(value)
    return "(removed)" if path.startswith(_MAPS) else "(default)"


def shown(value: Json, limit: int = 120) -> str:
    """A value on one line, cut where it is long; `(none)` for nothing."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def reason(step: Step) -> str:
    """Why there is this step: its own words, or its sums; empty when the fields it changes say it already."""
    if step.kind == "quota" and step.verb is Verb.CHECK and "needed" in step.body and "unknown" not in step.body:
        sums = quota(step.body)
        said = f"{sums.needs}; {sums.has}" if sums.who.lower() in step.address.lower() else str(sums)
        return f"{said} ({step.body['source']})" if step.body.get("source") else said
    words = "" if step.why == ", ".join(path for path, _, _ in changes(step)) else step.why
    return words + (f" (waits {duration(step.retry.wait)} first)" if step.retry.wait else "")


def became(outcome: Outcome) -> str:
    """`done, 41 s`, `failed, 12 min 3 s, 6 attempts`, `not reached`."""
    words = [STATE_WORDS[outcome.state]]
    words += [duration(outcome.seconds)] if outcome.attempts else []
    words += [count(outcome.attempts, "attempt")] if outcome.attempts > 1 else []
    return ", ".join(words)


def reasons(report: Report, plan: Plan | None) -> list[str]:
    """Why there was a step, for each outcome, from the plan that the report is about."""
    used_fallback = {o.address.split("/")[1] for o in report.outcomes if o.state is State.SUPERSEDED}
    second = [step for step in plan.fallback if step.endpoint in used_fallback] if plan else []
    left = [*plan.steps, *second, *plan.rescue] if plan else []
    found = []
    for outcome in report.outcomes:
        step = next((s for s in left if (s.address, s.verb) == (outcome.address, outcome.verb)), None)
        found.append(reason(step) or step.why if step else "")
        if step:
            left.remove(step)
    return found


def interruption_notes(verb: str, plan: Plan, traffic: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """After an interrupted run: where the traffic of each endpoint is, and how to go back."""
    for key, shares in traffic.items():
        yield f"Traffic now: {key}: {format_traffic(shares) if any(shares.values()) else 'none'}."
    typed = " ".join(["-e", plan.environment, *(plan.endpoints or traffic)])
    if verb == "apply" and any(any(shares.values()) for shares in traffic.values()):
        yield f"To go back: amldeploy rollback {typed}"


def held_back(entry: Mapping[str, Json]) -> str:
    """An endpoint that is held back: `mip: release 136d9660aabb was rolled back by jane@contoso.com at ...; ...`."""
    by = f" by {entry['by']}" if entry.get("by") else ""
    words = f"{entry['endpoint']}: release {entry['release']} was rolled back{by} at {entry['at']}"
    return f"{words}. Change the files, or use --allow-rolled-back to deploy it again."


def lease(entry: Mapping[str, Json]) -> str:
    """Until when an endpoint on shared quota lives, from whatever the plan knows about it."""
    known = {key: value for key, value in redact_secrets(entry).items() if value is not None}
    who = known.pop("endpoint", None) or known.pop("address", None)
    words = ", ".join(f"{key.replace('_', ' ')} {shown(value)}" for key, value in known.items())
    return ": ".join(part for part in (shown(who) if who else "", words) if part)
