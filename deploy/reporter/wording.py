"""Sentences that several outputs share: durations, sums, changes, leases. Pure.

Values in, text out. Layout, colour and escaping are added by the module of each output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from deploy.domain.arm import Json
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.domain.traffic_shares import format_traffic
from deploy.preflight.check_result import Verdict
from deploy.redact import redact_at, redact_secrets
from deploy.text import count

STATE_WORDS = {state: state.value.replace("_", " ") for state in State}
RESCUE = "Rescue"
FALLBACK = "If the shared quota pool stays full: use dedicated quota instead"
EXPOSURE = "Increased exposure: opens network access or weakens authentication"
REMAINING_ASSETS_TITLE = (
    "Not deleted: registered assets of the workspace. They cost only storage and may be in use elsewhere"
)
VERDICTS: dict[str, tuple[str, str]] = {
    Verdict.YES: ("✓", "ok"),
    Verdict.NO: ("✗", "refused"),
    Verdict.UNKNOWN: ("?", "unknown"),
}
"""Symbol and word of a check's verdict."""
SYMBOLS = {Verb.CREATE: "+", Verb.UPDATE: "~", Verb.DELETE: "-", Verb.PROBE: "»", Verb.GATE: "◇", Verb.SHIFT: "⇄"}
HELD_BACK = "Held back"
SHORT, WHOLE = 120, 100_000
"""Characters of a value that a plan shows, without and with --full."""
_MAPS = ("environment_variables.", "tags.", "properties.", "data_collector.collections.")
"""Path prefixes of maps. Their keys have no default value."""
UNCHECKED_NETWORK = "Not checked: network access to the key vault and the container registry (see `amldeploy doctor`)."

_NAMED = 5
"""Endpoints that the last line of a report names."""
_WORTH_SAYING = 30.0
"""Seconds: the duration of a shorter plan is not printed."""


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


def symbol(step: Step) -> tuple[str, str]:
    """Symbol and meaning of a step: of its verb, or of the verdict if it is a check."""
    if step.verb is Verb.CHECK:
        return VERDICTS.get(str(step.body.get("verdict")), ("?", step.verb.value))
    return SYMBOLS[step.verb], step.verb.value


def exposure_lines(plan: Plan) -> list[str]:
    """`endpoint/mip public_network_access: disabled -> enabled` for each field that increases exposure."""
    found = plan.exposure
    return [f"{each['address']} {each['path']}: {each['before']} -> {each['after']}" for each in found]


def remaining_assets(plan: Plan) -> list[str]:
    """`model med:3` for each asset that a teardown does not delete."""
    parts = [each.split("/") for each in plan.stays]
    return [f"{ids[-4].removesuffix('s')} {ids[-3]}:{ids[-1]}" for ids in parts]


def unchecked_note(plan: Plan) -> str:
    """What the checks of a plan do not cover; empty for a plan without checks."""
    return UNCHECKED_NETWORK if any("verdict" in step.body for step in plan.steps) else ""


def _checks(plan: Plan) -> str:
    unknown = sum(step.body.get("verdict") == Verdict.UNKNOWN for step in plan.steps)
    return count(plan.summary[Verb.CHECK], "check") + (f" ({unknown} unknown)" if unknown else "")


def plan_summary(plan: Plan) -> str:
    """The last line of a plan: how many changes of each kind."""
    total = plan.summary
    counts = {
        Verb.SHIFT: count(total[Verb.SHIFT], "traffic shift"),
        Verb.CHECK: _checks(plan),
        Verb.PROBE: count(total[Verb.PROBE], "probe"),
        Verb.GATE: count(total[Verb.GATE], "gate"),
    }
    extras = [words for verb, words in counts.items() if total[verb]]
    changed = {step.endpoint for step in plan.steps if step.changes}
    same = sum(key not in changed for key in plan.endpoints) - len(plan.held)
    held = f"{count(len(plan.held), 'endpoint')} held back" if plan.held else ""
    if not any(step.changes for step in plan.steps):
        orphans = f", except for {count(len(plan.orphans), 'orphan')}" if plan.orphans else ""
        reason = f"{held}." if held else f"The resources match the files{orphans}."
        return f"No changes. {reason}" + (f" {' and '.join(extras)} to run." if extras else "")
    changes = [f"{total[Verb.CREATE]} to create", f"{total[Verb.UPDATE]} to update", f"{total[Verb.DELETE]} to delete"]
    extras += [count(same, "endpoint") + " unchanged"] if same else []
    extras += [held] if held else []
    return f"Plan: {', '.join(changes + extras)}."


def plan_duration(plan: Plan) -> str:
    """How long the plan usually takes, in words; empty for less than half a minute, or without changes."""
    longest = max(plan.duration, key=lambda key: plan.duration[key], default="")
    if not longest or plan.duration[longest] < _WORTH_SAYING or not any(step.changes for step in plan.steps):
        return ""
    beside = len(plan.duration) - 1
    waits = sum(s.retry.wait + float(s.body.get("bake") or 0.0) for s in plan.steps if s.endpoint == longest)
    words = [f"about {duration(plan.duration[longest])}"]
    words += [f"{duration(waits)} of it waits between steps"] if waits else []
    words += [f"{longest} takes longest, {count(beside, 'other endpoint')} beside it"] if beside else []
    return f"Usual duration: {', '.join(words)}."


def report_summary(report: Report) -> str:
    """The last line of a report: number of steps in each state, duration, requests, and which rollouts are paused."""
    return " ".join(filter(None, (_result(report), _paused(report.paused))))


def _paused(keys: Sequence[str]) -> str:
    """`The rollout of mip is paused: apply continues it, rollback ends it.`; empty if none is."""
    if len(keys) > 1:
        names = f"{', '.join(keys[:-1])} and {keys[-1]}" if len(keys) <= _NAMED else count(len(keys), "endpoint")
        return f"The rollouts of {names} are paused: apply continues them, rollback ends them."
    return f"The rollout of {keys[0]} is paused: apply continues it, rollback ends it." if keys else ""


def _result(report: Report) -> str:
    states = {state: sum(o.state is state for o in report.outcomes) for state in State}
    counted = ", ".join(f"{n} {STATE_WORDS[state]}" for state, n in states.items() if n)
    if not counted:
        return "Done: nothing to do."
    effort = f"{duration(report.seconds)}, {count(report.requests, 'request')}"
    failed = next((o.address for o in report.outcomes if o.state is State.FAILED), "")
    if failed:
        return f"Failed at {failed}: {counted}; {effort}."
    if report.ok and states[State.DONE] == len(report.outcomes):
        counted = count(states[State.DONE], "step")
    verdict = "Not finished" if not report.ok else "Paused" if report.state == "paused" else "Done"
    return f"{verdict}: {counted}; {effort}."


def rollout_share(percent: int) -> str:
    """`10 %` of the traffic; `mirrored` for 0, a stage whose requests are only mirrored."""
    return f"{percent} %" if percent else "mirrored"


def deployment_words(figures: Mapping[str, float | int | None], which: str) -> str:
    """`0.4 % errors of 3,610 requests, p95 610 ms` of a deployment in a gate's figures. `which`: `live` or `new`."""
    requests, errors, p95 = (figures.get(f"{name} {which}") for name in ("requests", "errors", "p95"))
    if not requests:
        return "no requests"
    share = 100 * (errors or 0) / requests
    rate = f"{share:.1f}" if share >= 1 else "<0.001" if 0 < share < 0.001 else f"{share:.1g}"
    return f"{rate} % errors of {count(int(requests), 'request')}" + ("" if p95 is None else f", p95 {p95:,.0f} ms")


def target(plan: Plan) -> str:
    """`Workspace mlw, resource group rg, subscription ..., cloud local, region eastus`; empty if unknown."""
    labels = (
        ("workspace", "Workspace"),
        ("resource_group", "resource group"),
        ("subscription_id", "subscription"),
        ("cloud", "cloud"),
        ("region", "region"),
    )
    return ", ".join(f"{label} {plan.target[name]}" for name, label in labels if plan.target.get(name))


def changes(step: Step, limit: int = SHORT) -> Iterator[tuple[str, str, str]]:
    """(path, before, after) of each field that an update changes, secrets hidden, values cut at `limit` characters."""
    listed = redact_secrets(step.body.get("changes"))
    for change in listed if isinstance(listed, list) else []:
        if isinstance(change, dict):
            path = str(change.get("path", ""))
            yield path, one_line(change.get("before"), limit), _after(path, change.get("after"), limit)


def undescribed_changes(step: Step, *, full: bool = False) -> list[tuple[str, str, str]]:
    """The changes that the step's reason does not contain; `full`: all changes, with whole values.

    The old values of a step next to the live deployment name their deployment: its reason has those of the other one.
    """
    found = changes(step, WHOLE if full else SHORT)
    shown = [(path, old, new) for path, old, new in found if full or f"{path} {old} -> {new}" not in step.why]
    slot = old_values_of(step)
    return [(path, f"{old} ({slot})" if slot else old, new) for path, old, new in shown]


def old_values_of(step: Step) -> str:
    """The deployment that has the old values of a step's changes, if its reason is about differences from another."""
    return str(step.body.get("beside") or (step.address.name if "next_to" in step.body else ""))


def format_change(path: str, before: Json, after: Json) -> str:
    """`1 -> 2` of the field at a dotted path; `1 -> (default)` or `1 -> (removed)` if the files do not set it."""
    return f"{format_value(path, before)} -> {_after(path, redact_at(path, after))}"


def format_value(path: str, value: Json) -> str:
    """The value at a dotted path on one line, hidden if its name or its form is that of a secret."""
    return one_line(redact_at(path, value))


def _after(path: str, value: Json, limit: int = SHORT) -> str:
    if value is not None:
        return one_line(value, limit)
    return "(removed)" if path.startswith(_MAPS) else "(default)"


def one_line(value: Json, limit: int = SHORT) -> str:
    """A JSON value on one line, cut at `limit` characters; `(none)` for null."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def reason(step: Step) -> str:
    """The reason for a step; empty if the changed fields are the whole reason."""
    words = "" if step.why == ", ".join(path for path, _, _ in changes(step)) else step.why
    words += _cases(step)
    return words + (f" (starts after {duration(step.retry.wait)})" if step.retry.wait else "")


def _cases(step: Step) -> str:
    """`, 3 cases`, and the failures of them that are accepted."""
    found = step.body.get("cases") or () if step.kind == "probe" else ()
    accepted = [f"{each['name']} until {each['case']['accept']['until']}" for each in found if each["case"]["accept"]]
    words = f", {count(len(found), 'case')}" if found else ""
    return words + (f" (failure accepted: {', '.join(accepted)})" if accepted else "")


def outcome_text(outcome: Outcome) -> str:
    """`done, 41 s`, `failed, 12 min 3 s, 6 attempts`, `not reached`."""
    words = [STATE_WORDS[outcome.state]]
    words += [duration(outcome.seconds)] if outcome.attempts else []
    words += [count(outcome.attempts, "attempt")] if outcome.attempts > 1 else []
    return ", ".join(words)


def reasons(report: Report, plan: Plan | None) -> list[str]:
    """The reason of each outcome's step, from the plan that was applied; empty without a plan."""
    return [reason(step) or step.why if step else "" for step in steps_of(report, plan)]


def steps_of(report: Report, plan: Plan | None) -> list[Step | None]:
    """The step of each outcome, from the plan that was applied; None if it has no such step."""
    used_fallback = {o.address.endpoint for o in report.outcomes if o.state is State.SUPERSEDED}
    fallback = [step for step in plan.fallback if step.endpoint in used_fallback] if plan else []
    left: dict[tuple[object, Verb], list[Step]] = {}
    for step in [*plan.steps, *fallback, *plan.rescue] if plan else []:
        left.setdefault((step.address, step.verb), []).append(step)
    found = []
    for outcome in report.outcomes:
        same = left.get((outcome.address, outcome.verb))
        found.append(same.pop(0) if same else None)
    return found


def interruption_notes(verb: str, plan: Plan, traffic: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """After an interrupted run: the current traffic of each endpoint, and the command that rolls back."""
    for key, shares in traffic.items():
        yield f"Traffic now: {key}: {format_traffic(shares) if any(shares.values()) else 'none'}."
    arguments = " ".join(["-e", plan.environment, *(plan.endpoints or traffic)])
    if verb == "apply" and any(any(shares.values()) for shares in traffic.values()):
        yield f"To roll back: amldeploy rollback {arguments}"


def held_back_text(entry: Mapping[str, Json]) -> str:
    """`mip: release 136d9660aabb was rolled back by jane@contoso.com at ...; ...` of an endpoint that is held back."""
    by = f" by {entry['by']}" if entry.get("by") else ""
    words = f"{entry['endpoint']}: release {entry['release']} was rolled back{by} at {entry['at']}"
    return f"{words}. Change the files, or use --allow-rolled-back to deploy it again."


def lease(entry: Mapping[str, Json]) -> str:
    """`mip: ends 2026-11-30 09:12 UTC`: an endpoint on shared quota and what the plan contains about its lease."""
    known = {key: value for key, value in redact_secrets(entry).items() if value is not None}
    name = known.pop("endpoint", None) or known.pop("address", None)
    words = ", ".join(f"{key.replace('_', ' ')} {one_line(value)}" for key, value in known.items())
    return ": ".join(part for part in (one_line(name) if name else "", words) if part)
