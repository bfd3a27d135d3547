"""Existing endpoints and their slots as text and JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

from deploy.domain import leases
from deploy.domain.arm import SLOTS, Json
from deploy.domain.cost import Cost
from deploy.domain.lock_record import LockRecord
from deploy.domain.spec import EndpointSpec, Environment
from deploy.redact import redact_secrets
from deploy.reporter.cost import cost_json, hourly_words, running_cost
from deploy.reporter.layout import Layout, Span, Style, cells
from deploy.reporter.origin import origin_json, origin_words
from deploy.reporter.status_rows import EndpointRow, SlotRow, StageRow
from deploy.reporter.wording import deployment_words
from deploy.text import count

_SUCCEEDED, _IN_PROGRESS = "Succeeded", ("Creating", "Updating", "Deleting", "Scaling")
SOON = 24.0
"""A lease with fewer hours left is shown in red."""


def status_json(rows: Sequence[EndpointRow]) -> dict[str, Json]:
    """{endpoints: [...], orphans: [...]} as `schemas/status.json` describes it."""
    found = [_json(row) for row in rows]
    return {
        "cost": cost_json(total_cost(rows)),
        "endpoints": [each for each in found if not each["orphan"]],
        "orphans": [each for each in found if each["orphan"]],
    }


def _json(row: EndpointRow) -> dict[str, Json]:
    slots = [{**asdict(slot), "provenance": origin_json(slot.provenance)} for slot in row.slots]
    shown: dict[str, Json] = redact_secrets({**asdict(row), "slots": slots, "cost": cost_json(row.cost)})
    return {**shown, "key": row.key}  # the name `key` alone is that of a secret, but this one is the entry's


def status_text(
    rows: Sequence[EndpointRow],
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the usual word
) -> str:
    """A paragraph for each endpoint with a line for each slot; the last line is the summary."""
    layout = Layout(width, colour, ascii)
    blocks = [_endpoint(layout, row) for row in rows]
    blocks.append(layout.line(running_cost(total_cost(rows)), Style.DIM))
    blocks.append(layout.line(status_summary(rows), Style.BOLD))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def total_cost(rows: Sequence[EndpointRow]) -> Cost | None:
    """What all rows cost, those of orphans included; None if prices were not looked up."""
    costs = [row.cost for row in rows if row.cost]
    return sum(costs[1:], costs[0]) if costs else None


def status_summary(rows: Sequence[EndpointRow]) -> str:
    """One sentence: number of endpoints, number that receive traffic, problems, the lease that expires first."""
    orphans = sum(bool(row.orphan) for row in rows)
    rows = [row for row in rows if not row.orphan]
    extra = f"; {count(orphans, 'orphan')}" if orphans else ""
    if not rows:
        return f"No endpoints{extra}."
    words = f"{count(len(rows), 'endpoint')}, {sum(receives_traffic(row) for row in rows)} receiving traffic"
    problems = [f"{row.key} is {row.state}" for row in rows if row.state not in (_SUCCEEDED, "absent")]
    problems += [f"the lease of {row.key} expired without a renewal" for row in rows if row.missed]
    problems += [f"the alias of {row.key} is wrong" for row in rows if row.alias]
    words += (f"; {', '.join(problems)}" if problems else "") + extra
    leased = sorted((row.hours_left, row.key) for row in rows if row.hours_left is not None)
    return words + (f"; next lease: {leased[0][1]} {lease_expiry(leased[0][0])}." if leased else ".")


def receives_traffic(row: EndpointRow) -> bool:
    """Whether all traffic goes to deployments in state Succeeded. The endpoint's own state may still be Failed."""
    return sum(slot.traffic for slot in row.slots if slot.state == _SUCCEEDED) == 100


def lease_expiry(hours: float) -> str:
    """`expires in 71 h`, `expires in 20 min`, `expired`."""
    return f"expires in {hours:.0f} h" if hours >= 1 else f"expires in {hours * 60:.0f} min" if hours > 0 else "expired"


def instances(slot: SlotRow) -> str:
    """`2 x Standard_NC24ads_A100_v4`."""
    return f"{slot.instances} x {slot.instance_type}"


def state_style(state: str) -> Style:
    """Green for Succeeded, yellow for a running operation, red for any other state."""
    return Style.GREEN if state == _SUCCEEDED else Style.YELLOW if state in _IN_PROGRESS else Style.RED


def _endpoint(layout: Layout, row: EndpointRow) -> list[str]:
    lines = layout.flow(
        [
            (row.key, Style.BOLD),
            (row.name, Style.PLAIN),
            (row.state, Style.DIM if row.state == "absent" else state_style(row.state)),
            (row.unmanaged, Style.YELLOW),
            (f"auth {row.auth_mode}" if row.auth_mode else "", Style.DIM),
            (hourly_words(row.cost) if row.cost else "", Style.DIM),
        ],
        indent=0,
    )
    lines += _lease(layout, row)
    lines += layout.flow([(f"{row.missed}; renew or apply recreates it", Style.BAD)], indent=2) if row.missed else []
    lines += layout.flow([(f"alias: {row.alias}", Style.BAD)], indent=2) if row.alias else []
    if row.lock:
        lines += layout.flow([(lock_words(row.lock), Style.YELLOW)], indent=2)
    if row.stage:
        words = "; ".join(stage_words(row.stage))
        lines += layout.line(words, Style.BAD if row.stage.is_worse else Style.YELLOW, indent=2, hang=4)
    lines += _stage_figures(layout, row)
    lines += layout.line(row.orphan, Style.YELLOW, indent=2, hang=4) if row.orphan else []
    return lines + layout.line(row.scoring_uri, Style.DIM, indent=2) + _slots(layout, row.slots)


def _stage_figures(layout: Layout, row: EndpointRow) -> list[str]:
    found = stage_figures(row)
    column = 6 + max((cells(layout.clean(name)) for name, _ in found), default=0)
    lead = ("    ", Style.PLAIN)
    return [line for name, words in found for line in layout.row(lead, name, words, Style.DIM, column=column)]


def stage_words(stage: StageRow) -> list[str]:
    """`rollout of green: 10 % since 2026-11-30 08:00 UTC`, what is next if it is paused, and the answer of its gate."""
    since = leases.parse_time(stage.since)
    share = f"{stage.percent} %" if stage.percent else "mirrored requests"
    words = [f"rollout of {stage.slot}: {share}" + (f" since {leases.local_and_utc(since)}" if since else "")]
    words += ["paused: apply continues it, rollback ends it"] if stage.paused else []
    return words + ([f"gate: {stage.answer}"] if stage.answer else [])


def stage_figures(row: EndpointRow) -> list[tuple[str, str]]:
    """(deployment, `0.4 % errors of 3,610 requests, p95 610 ms`) of the live and the new deployment since the rollout
    began; empty without a gate.
    """
    stage = row.stage
    if stage is None or not stage.figures:
        return []
    live = next((slot.name for slot in row.slots if slot.live), "live")
    return [(live, deployment_words(stage.figures, "live")), (stage.slot, deployment_words(stage.figures, "new"))]


def paused_notes(environment: str, rows: Sequence[EndpointRow], keys: Collection[str]) -> list[str]:
    """A note for each endpoint at whose pause the run ended."""
    return [
        f"{row.key}: paused at {row.stage.percent} % for {row.stage.slot}. To continue: amldeploy apply -e "
        f"{environment} {row.key}. To end it: amldeploy rollback -e {environment} {row.key}"
        for row in rows
        if row.stage and row.key in keys
    ]


def lock_words(lock: LockRecord) -> str:
    """`locked: apply by jo@example.com on ci-7 has held its lock since ...; lock id GUID`."""
    return f"locked: {lock.holds}" + (f"; lock id {lock.lock_id}" if lock.lock_id else "")


def _lease(layout: Layout, row: EndpointRow) -> list[str]:
    if row.hours_left is None:
        return []
    ends = leases.parse_time(row.lease_ends)
    words = f"lease {lease_expiry(row.hours_left)}" + (f", {leases.local_and_utc(ends)}" if ends else "")
    return layout.line(words, Style.BAD if row.hours_left < SOON else Style.YELLOW, indent=2)


def _slots(layout: Layout, slots: Sequence[SlotRow]) -> list[str]:
    """Aligned columns if they fit, else wrapped cells; below each slot its commit, user, time and run."""
    table = [[(layout.clean(text), style) for text, style in _cells(slot)] for slot in slots]
    table = [[*row[:2], (row[2][0].rjust(5), row[2][1]), *row[3:]] for row in table]
    sizes = [max(cells(row[n][0]) for row in table) for n in range(6)] if table else []
    if sum(sizes) + 2 * 6 > layout.width:
        lines = [layout.flow([part for part in row if part[0]], indent=2) for row in table]
    else:
        lines = [["  " + "  ".join(_padded(layout, row, sizes)).rstrip()] for row in table]
    return [
        line
        for slot, own in zip(slots, lines, strict=True)
        for line in (*own, *_origin(layout, slot), *_idle(layout, slot))
    ]


def _origin(layout: Layout, slot: SlotRow) -> list[str]:
    return layout.flow(
        [(part, Style.DIM) for part in (*origin_words(slot.provenance), slot.provenance.run_url)], indent=4
    )


def _idle(layout: Layout, slot: SlotRow) -> list[str]:
    return layout.line(idle(slot), Style.YELLOW, indent=4, hang=6) if slot.idle_since else []


def idle(slot: SlotRow) -> str:
    """`idle for 3 h, kept until 2026-11-30 08:00 UTC`; empty if the slot is not idle."""
    if slot.idle_hours is None:
        return ""
    hours = f"{slot.idle_hours:.0f} h" if slot.idle_hours >= 1 else f"{slot.idle_hours * 60:.0f} min"
    past = ", its release failed" if slot.failed else ", its release was rolled back" if slot.rolled_back else ""
    return f"idle for {hours}{past}, {_retention(slot)}"


def _retention(slot: SlotRow) -> str:
    since, ends = leases.parse_time(slot.idle_since), leases.parse_time(slot.kept_until)
    if since is None or ends is None:
        return "kept until rollout.keep_previous is changed"
    over = (ends - since).total_seconds() <= (slot.idle_hours or 0.0) * 3600
    return "past rollout.keep_previous: reap deletes it" if over else f"kept until {leases.local_and_utc(ends)}"


def idle_notes(environment: str, rows: Sequence[EndpointRow]) -> list[str]:
    """A note for each idle slot after a rollout: what it contains, until when it is kept, how it is deleted."""
    return [_note(environment, row, slot) for row in rows for slot in row.slots if slot.idle_since]


def adopted_notes(environment: Environment, specs: Sequence[EndpointSpec], rows: Sequence[EndpointRow]) -> list[str]:
    """A note for each adopted deployment that is neither blue nor green and has no traffic: nothing deletes it."""
    chosen = {spec.key for spec in specs if spec.traffic is None and len(spec.deployments) == 1}
    where = f"-g {environment.resource_group} -w {environment.workspace}"
    return [
        f"{row.key}: {slot.name} ({instances(slot)}) contains the release from before the adoption, for a rollback. "
        f"It is never deleted by itself. To delete it: az ml online-deployment delete -e {row.name} -n {slot.name} "
        f"{where}"
        for row in rows
        for slot in row.slots
        if row.key in chosen and slot.release and not slot.traffic and slot.name not in SLOTS
    ]


def _note(environment: str, row: EndpointRow, slot: SlotRow) -> str:
    release = "the previous release, for a rollback"
    if slot.failed or slot.rolled_back:
        release = f"a release that {'failed' if slot.failed else 'was rolled back'}, for its logs"
    ends = leases.parse_time(slot.kept_until)
    kept = (
        f"until {leases.local_and_utc(ends)}; then"
        if ends
        else "forever (rollout.keep_previous); after you change that,"
    )
    words = f"{row.key}: {slot.name} ({instances(slot)}) contains {release}. It is kept {kept}"
    return f"{words} this command deletes it: amldeploy lease reap -e {environment} --yes"


def _padded(layout: Layout, row: Sequence[Span], sizes: Sequence[int]) -> list[str]:
    parts = [
        layout.paint(text, style) + " " * (size - cells(text)) for (text, style), size in zip(row, sizes, strict=True)
    ]
    return [*parts[:-1], parts[-1].rstrip()]


def _cells(slot: SlotRow) -> list[Span]:
    return [
        (slot.name, Style.BOLD if slot.live else Style.PLAIN),
        ("live" if slot.live else "", Style.GREEN),
        (f"{slot.traffic} %", Style.PLAIN if slot.traffic else Style.DIM),
        (slot.state, state_style(slot.state)),
        (instances(slot), Style.PLAIN),
        (f"release {slot.release[:8]}" if slot.release else "no release tag", Style.DIM),
    ]
