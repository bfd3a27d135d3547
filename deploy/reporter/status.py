"""What is there now: endpoints and their slots, for people, pull requests and machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.redact import redact_secrets
from deploy.reporter.layout import Ink, Span, Style, cells
from deploy.reporter.origin import origin_json, words
from deploy.reporter.status_rows import EndpointRow, SlotRow
from deploy.text import count

_GOOD, _BUSY = "Succeeded", ("Creating", "Updating", "Deleting", "Scaling")
_SOON = 24.0
"""Hours of a lease below which it is time to renew."""


def status_json(rows: Sequence[EndpointRow]) -> dict[str, Json]:
    """{endpoints: [...]} as `schemas/status.json` describes it."""
    return {"endpoints": [redact_secrets(_json(row)) for row in rows]}


def _json(row: EndpointRow) -> dict[str, Json]:
    slots = [{**asdict(slot), "provenance": origin_json(slot.provenance)} for slot in row.slots]
    return {**asdict(row), "slots": slots}


def status_text(
    rows: Sequence[EndpointRow],
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the word that people use
) -> str:
    """A paragraph an endpoint, a line a slot; the last line counts."""
    ink = Ink(width, colour, ascii)
    blocks = [_endpoint(ink, row) for row in rows]
    blocks.append(ink.line(status_summary(rows), Style.BOLD))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def status_summary(rows: Sequence[EndpointRow]) -> str:
    """One sentence: how many there are, how many are well, which lease ends first."""
    if not rows:
        return "No endpoints."
    told = f"{count(len(rows), 'endpoint')}, {sum(is_served(row) for row in rows)} with callers served"
    ill = [f"{row.key} is {row.state}" for row in rows if row.state not in (_GOOD, "absent")]
    ill += [f"{row.key} has missed its lease" for row in rows if row.missed]
    ill += [f"the alias of {row.key} is wrong" for row in rows if row.alias]
    told += f"; {', '.join(ill)}" if ill else ""
    lent = sorted((row.hours_left, row.key) for row in rows if row.hours_left is not None)
    return told + (f"; the next lease to end is {lent[0][1]}'s, {lease_left(lent[0][0])}." if lent else ".")


def is_served(row: EndpointRow) -> bool:
    """Whether callers are: all of the traffic goes to deployments that succeeded, whatever became of the last change
    of the endpoint.
    """
    return sum(slot.traffic for slot in row.slots if slot.state == _GOOD) == 100


def lease_left(hours: float) -> str:
    """`71 h left`, `expired`."""
    return f"in {hours:.0f} h" if hours >= 1 else f"in {hours * 60:.0f} min" if hours > 0 else "already over"


def instances(slot: SlotRow) -> str:
    """`2 x Standard_NC24ads_A100_v4`."""
    return f"{slot.instances} x {slot.instance_type}"


def state_style(state: str) -> Style:
    """Green for well, yellow for busy, red for anything else."""
    return Style.GREEN if state == _GOOD else Style.YELLOW if state in _BUSY else Style.RED


def _endpoint(ink: Ink, row: EndpointRow) -> list[str]:
    lines = ink.flow(
        [
            (row.key, Style.BOLD),
            (row.name, Style.PLAIN),
            (row.state, Style.DIM if row.state == "absent" else state_style(row.state)),
            (row.foreign, Style.YELLOW),
            (f"auth {row.auth_mode}" if row.auth_mode else "", Style.DIM),
            *_lease(row),
        ],
        indent=0,
    )
    lines += ink.flow([(f"{row.missed}; renew or apply recreates it", Style.BAD)], indent=2) if row.missed else []
    lines += ink.flow([(f"alias: {row.alias}", Style.BAD)], indent=2) if row.alias else []
    return lines + ink.line(row.scoring_uri, Style.DIM, indent=2) + _slots(ink, row.slots)


def _lease(row: EndpointRow) -> list[Span]:
    if row.hours_left is None:
        return []
    ends = leases.moment(row.lease_ends)
    when = f", {leases.both(ends)}" if ends else ""
    return [(f"lease ends {lease_left(row.hours_left)}{when}", Style.BAD if row.hours_left < _SOON else Style.YELLOW)]


def _slots(ink: Ink, slots: Sequence[SlotRow]) -> list[str]:
    """Aligned columns where they fit, else the same cells flowing; below each slot where it was deployed from."""
    table = [[(ink.clean(text), style) for text, style in _cells(slot)] for slot in slots]
    table = [[*row[:2], (row[2][0].rjust(5), row[2][1]), *row[3:]] for row in table]
    sizes = [max(cells(row[n][0]) for row in table) for n in range(6)] if table else []
    if sum(sizes) + 2 * 6 > ink.width:
        lines = [ink.flow([part for part in row if part[0]], indent=2) for row in table]
    else:
        lines = [["  " + "  ".join(_padded(ink, row, sizes)).rstrip()] for row in table]
    return [
        line for slot, own in zip(slots, lines, strict=True) for line in (*own, *_origin(ink, slot), *_idle(ink, slot))
    ]


def _origin(ink: Ink, slot: SlotRow) -> list[str]:
    return ink.flow([(part, Style.DIM) for part in (*words(slot.provenance), slot.provenance.run_url)], indent=4)


def _idle(ink: Ink, slot: SlotRow) -> list[str]:
    return ink.line(idle(slot), Style.YELLOW, indent=4, hang=6) if slot.idle_since else []


def idle(slot: SlotRow) -> str:
    """`idle for 3 h, kept until 2026-11-30 08:00 UTC`; empty for a slot that is not idle."""
    if slot.idle_hours is None:
        return ""
    hours = f"{slot.idle_hours:.0f} h" if slot.idle_hours >= 1 else f"{slot.idle_hours * 60:.0f} min"
    return f"idle for {hours}{', its release failed' if slot.failed else ''}, {_kept(slot)}"


def _kept(slot: SlotRow) -> str:
    since, ends = leases.moment(slot.idle_since), leases.moment(slot.kept_until)
    if since is None or ends is None:
        return "kept until rollout.keep_previous is changed"
    over = (ends - since).total_seconds() <= (slot.idle_hours or 0.0) * 3600
    return "no longer kept: reap deletes it" if over else f"kept until {leases.both(ends)}"


def idle_notes(environment: str, rows: Sequence[EndpointRow]) -> list[str]:
    """What a person should know after a rollout: what stays, how long, what it is good for, and how it is deleted."""
    return [_note(environment, row, slot) for row in rows for slot in row.slots if slot.idle_since]


def _note(environment: str, row: EndpointRow, slot: SlotRow) -> str:
    what, use = ("the previous release", "A rollback needs it.")
    if slot.failed:
        what, use = ("a release that failed", "Its logs are there until then.")
    ends = leases.moment(slot.kept_until)
    stays = f"stays until {leases.both(ends)}" if ends else "stays (rollout.keep_previous: forever)"
    command = f"amldeploy reap -e {environment} --yes"
    deletes = f"Afterwards it is deleted by: {command}" if ends else f"With another value it is deleted by: {command}"
    return f"{row.key}: {slot.name} ({instances(slot)}) holds {what} and {stays}. {use} {deletes}"


def _padded(ink: Ink, row: Sequence[Span], sizes: Sequence[int]) -> list[str]:
    parts = [
        ink.paint(text, style) + " " * (size - cells(text)) for (text, style), size in zip(row, sizes, strict=True)
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
