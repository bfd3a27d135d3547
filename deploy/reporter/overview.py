"""What a run did, for the top of a report: where, when, by whom, and the traffic of each endpoint. Pure.

The traffic after a run is what Azure answered then (`rows`); without an answer it follows from the steps that ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.domain import leases
from deploy.domain.arm import Json, address, facts_of
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.domain.traffic_shares import format_traffic, served, shares
from deploy.reporter.cost import cost_words
from deploy.reporter.origin import commit_words
from deploy.reporter.status_rows import EndpointRow
from deploy.reporter.wording import duration, steps_of

_ABSENT = "no endpoint"
_UNCERTAIN = "unknown: see amldeploy status"


@dataclass(frozen=True)
class EndpointTraffic:
    """An endpoint before and after a run, in words. `name`: its name in Azure; `uri`: the scoring URI. Both are empty
    if they were not read.
    """

    key: str
    name: str
    before: str
    after: str
    uri: str

    @property
    def title(self) -> str:
        """`mip (mip-papdf)`."""
        return f"{self.key} ({self.name})" if self.name and self.name != self.key else self.key


def report_title(report: Report) -> str:
    """`apply local: done`."""
    return f"{report.command or 'Report for'} {report.environment}: {report.state}"


def report_facts(report: Report, plan: Plan | None = None) -> list[tuple[str, str]]:
    """(label, value) of where, when, by whom, which commit and what it costs now. Unknown values are left out, except
    for the cost.
    """
    found = place_rows(plan.target if plan else {})
    found.append(("Started", _when(report)))
    made = report.provenance
    by = made.by if made else ""
    found.append(
        ("By", f"{by} on {report.host}") if by and report.host else ("By", by) if by else ("Host", report.host)
    )
    found.append(("Commit", commit_words(made) if made else ""))
    found.append(("Running cost", cost_words(report.cost) if report.cost else "unknown: prices were not read"))
    found.append(("Fingerprint", report.fingerprint[:12]))
    return [(label, value) for label, value in found if value]


def place_rows(target: Mapping[str, str]) -> list[tuple[str, str]]:
    """(label, value) of workspace, resource group, subscription and region, from `Plan.target`."""
    labels = (("Workspace", "workspace"), ("Resource group", "resource_group"), ("Subscription", "subscription_id"))
    found = [(label, target.get(name, "")) for label, name in (*labels, ("Region", "region"), ("Cloud", "cloud"))]
    return [(label, value) for label, value in found if value]


def endpoint_traffic(report: Report, plan: Plan | None, rows: Sequence[EndpointRow] = ()) -> list[EndpointTraffic]:
    """The traffic of each endpoint of which the plan contains the facts, or that was read after the run (`rows`)."""
    if plan is None:
        return []
    ran: dict[str, list[tuple[Outcome, Step]]] = {}
    for outcome, step in zip(report.outcomes, steps_of(report, plan), strict=True):
        if step:
            ran.setdefault(outcome.address.endpoint, []).append((outcome, step))
    known = {row.key: row for row in rows if not row.orphan}
    keys = [key for key in dict.fromkeys([*plan.endpoints, *ran]) if key in known or _has_facts(plan, key)]
    return [_endpoint(plan, key, ran.get(key, []), known.get(key)) for key in keys]


def _has_facts(plan: Plan, key: str) -> bool:
    """Whether the plan contains what existed of the endpoint; probe, renew and reap have plans without facts."""
    return bool(plan.facts) and key in plan.endpoints


def _endpoint(plan: Plan, key: str, ran: Sequence[tuple[Outcome, Step]], row: EndpointRow | None) -> EndpointTraffic:
    after = _after_steps(plan, key, ran)
    if row is not None:
        after = _ABSENT if row.state == "absent" else format_traffic({slot.name: slot.traffic for slot in row.slots})
    name = row.name if row else str((plan.world.get(address("endpoint", key)) or {}).get("name") or "")
    return EndpointTraffic(key, name, _before(plan, key), after, row.scoring_uri if row else "")


def _before(plan: Plan, key: str) -> str:
    """The traffic in the facts of the plan; with names if the entry has several endpoints, as while a lease is
    renewed.
    """
    bodies = facts_of(plan.world, "endpoint", key)
    if not _has_facts(plan, key):
        return "not read"
    if not any(bodies):
        return format_traffic(shares(bodies[""])) if bodies else _ABSENT
    names = {rest or str(body.get("name") or key): body for rest, body in bodies.items()}
    return "; ".join(f"{name}: {format_traffic(shares(body))}" for name, body in sorted(names.items()))


def _after_steps(plan: Plan, key: str, ran: Sequence[tuple[Outcome, Step]]) -> str:
    """The traffic that the steps leave. A step that may have had its effect leaves it unknown, until a later shift."""
    exists = address("endpoint", key) in plan.world
    now: Mapping[str, int] = served(plan.world, key)
    is_certain = True
    for outcome, step in ran:
        if step.kind not in ("endpoint", "traffic") or not outcome.attempts:
            continue
        if outcome.state not in (State.DONE, State.RESCUED):
            is_certain = is_certain and step.verb is Verb.UPDATE  # an update of the endpoint does not move traffic
        elif step.kind == "traffic":
            now, is_certain = _shares(step), not outcome.evidence.summary  # with one, it left the traffic as it was
        elif step.verb is not Verb.UPDATE:
            exists, is_certain = step.verb is Verb.CREATE, True
    if not is_certain:
        return _UNCERTAIN
    return format_traffic(now) if exists else _ABSENT


def _shares(step: Step) -> Mapping[str, int]:
    after: Json = step.body.get("after")
    return after if isinstance(after, Mapping) else {}


def _when(report: Report) -> str:
    took = f"took {duration(report.seconds)}" if report.seconds else ""
    return ", ".join(filter(None, (leases.local_and_utc(report.started) if report.started else "", took)))
