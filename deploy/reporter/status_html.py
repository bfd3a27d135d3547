"""The status of several environments as one HTML page (templates/status.html.j2). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploy.domain import leases
from deploy.errors import DeployError
from deploy.redact import redact_secrets
from deploy.reporter.cost import cost_words, hourly_words
from deploy.reporter.html import error_parts, render
from deploy.reporter.origin import origin_words
from deploy.reporter.overview import place_rows
from deploy.reporter.problems import error_json
from deploy.reporter.status import (
    SOON,
    idle,
    instances,
    lease_expiry,
    lock_words,
    receives_traffic,
    stage_figures,
    stage_words,
    state_style,
    status_summary,
    total_cost,
)
from deploy.reporter.status_rows import EndpointRow, SlotRow
from deploy.text import count

_CSS = {"GREEN": "done", "YELLOW": "warning", "RED": "failed"}


@dataclass(frozen=True)
class EnvironmentStatus:
    """What exists in one environment, or the error that prevented reading it. `target`: cloud, subscription_id,
    resource_group, workspace; empty if the files could not be read.
    """

    name: str
    rows: Sequence[EndpointRow] = ()
    target: Mapping[str, str] = field(default_factory=dict)
    error: DeployError | None = None


def status_html(found: Sequence[EnvironmentStatus], now: datetime) -> str:
    """The page: a table of the environments, then the endpoints of each. ASCII, so that any stdout can print it."""
    failed = [each.name for each in found if each.error]
    page = render(
        "status.html.j2",
        title=f"Status of {', '.join(each.name for each in found)}",
        ok=not failed,
        summary=f"Read {leases.local_and_utc(now)}.",
        unread=f"Not read: {', '.join(failed)}." if failed else "",
        overview=[_overview(each) for each in found],
        environments=[_environment(each) for each in found],
    )
    return page.encode("ascii", "xmlcharrefreplace").decode()


def _overview(each: EnvironmentStatus) -> tuple[str, ...]:
    """Environment, endpoints, receiving traffic, next lease, running cost."""
    if each.error:
        return (each.name, f"not read: {each.error.code}", "", "", "")
    own = [row for row in each.rows if not row.orphan]
    orphans = len(each.rows) - len(own)
    ends = sorted((row.hours_left, row.key) for row in own if row.hours_left is not None)
    return (
        each.name,
        count(len(own), "endpoint") + (f", {count(orphans, 'orphan')}" if orphans else ""),
        f"{sum(receives_traffic(row) for row in own)} of {len(own)}",
        f"{ends[0][1]} {lease_expiry(ends[0][0])}" if ends else "none",
        _cost(each.rows),
    )


def _cost(rows: Sequence[EndpointRow]) -> str:
    """The cost of all endpoints. Prices are read only if there are instances."""
    cost = total_cost(rows)
    if cost is None:
        return "unknown" if any(row.slots for row in rows) else "none"
    return cost_words(cost)


def _environment(each: EnvironmentStatus) -> dict[str, Any]:
    return {
        "name": each.name,
        "places": place_rows(each.target),
        "summary": "" if each.error else status_summary(each.rows),
        "error": error_parts(error_json(each.error)["error"]) if each.error else None,
        "endpoints": [_endpoint(row) for row in each.rows],
    }


def _endpoint(row: EndpointRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "state": row.state,
        "css": "" if row.state == "absent" else _CSS.get(state_style(row.state).name, ""),
        "facts": _facts(row),
        "warnings": [
            text
            for text in (
                row.unmanaged,
                f"{row.missed}; renew or apply recreates it" if row.missed else "",
                f"alias: {row.alias}" if row.alias else "",
                lock_words(row.lock) if row.lock else "",
                "; ".join(stage_words(row.stage)) if row.stage else "",
                row.orphan,
            )
            if text
        ],
        "slots": [_slot(slot) for slot in row.slots],
        "urgent": row.hours_left is not None and row.hours_left < SOON,
    }


def _facts(row: EndpointRow) -> list[tuple[str, str]]:
    ends = leases.parse_time(row.lease_ends)
    lease = "" if row.hours_left is None else lease_expiry(row.hours_left)
    lease += f", {leases.local_and_utc(ends)}" if lease and ends else ""
    facts = [
        ("Name", row.name),
        ("Scoring URI", redact_secrets(row.scoring_uri)),
        ("Authentication", row.auth_mode),
        ("Lease", lease),
        ("Cost", (hourly_words(row.cost) or cost_words(row.cost)) if row.cost else ""),
    ]
    facts += [(f"{name} since the rollout began", words) for name, words in stage_figures(row)]
    return [(label, value) for label, value in facts if value]


def _slot(slot: SlotRow) -> tuple[str, ...]:
    """Slot, traffic, state, instances, release with its origin."""
    origin = (*origin_words(slot.provenance), slot.provenance.run_url, idle(slot))
    return (
        slot.name + (" (live)" if slot.live else ""),
        f"{slot.traffic} %",
        slot.state,
        instances(slot),
        "; ".join([slot.release[:8] or "no release tag", *filter(None, origin)]),
    )
