"""Pages in which every text is hostile, and pages with very many endpoints."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from deploy.domain.arm import address
from deploy.domain.cost import Cost
from deploy.domain.lock_record import LockRecord
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.provenance import Provenance
from deploy.domain.report import Evidence, Outcome, Report, State
from deploy.errors import CloudError
from deploy.reporter import EndpointRow, EnvironmentStatus, SlotRow, report_html, status_html
from deploy.reporter.status_rows import StageRow

from . import examples as g
from . import rollouts

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
HEBREW = "שלום עולם"
TEXT = f"{SCRIPT} \"'&{{{{ 7*7 }}}} {HEBREW} \u202eabc {'w' * 400} 漢字"
WORD = SCRIPT + "w" * 300
COST = Cost(Decimal("123456789.5"), Decimal("223456789.5"), TEXT, (TEXT,))


def report() -> tuple[Report, Plan]:
    """A failed run with hostile names, values, errors and files."""
    error = {
        "code": TEXT, "message": TEXT, "cure": TEXT, "azure_codes": [TEXT], "request_id": TEXT, "status": 400,
        "diagnosis": {"state": TEXT, "explanation": TEXT, "logs": {TEXT: [TEXT]}},
    }  # fmt: skip
    finding = {**error, "findings": [{"address": TEXT, "code": TEXT, "cause": TEXT, "cure": TEXT}]}
    quota = {"instance_type": WORD, "family": WORD, "needed": 10**12, "in_use": 10**12, "limit": None, "left": 10**12}
    where = [address("quota", WORD, WORD), address("deployment", WORD, WORD), address("probe", WORD, WORD),
             address("traffic", WORD)]  # fmt: skip
    bodies = [quota, {}, {}, {"before": {}, "after": {WORD: 100}}]
    verbs = [Verb.CHECK, Verb.CREATE, Verb.PROBE, Verb.SHIFT]
    steps = [Step(v, a, b, TEXT) for v, a, b in zip(verbs, where, bodies, strict=True)]
    evidence = Evidence(TEXT, {TEXT: TEXT, "n": [TEXT]}, {f"{WORD}.txt": TEXT.encode(), f"{WORD}.bin": b"1"})
    outcomes = [
        Outcome(where[0], Verb.CHECK, State.DONE, 1, 0.4, None, evidence),
        Outcome(where[1], Verb.CREATE, State.FAILED, 3, 1e6, error, evidence),
        Outcome(where[2], Verb.PROBE, State.FAILED, 1, 1.0, finding, evidence),
        rollouts.gate(rollouts.minutes(300), live=WORD, new=TEXT, key=WORD, sentence=TEXT, answer=TEXT),
        Outcome(where[3], Verb.SHIFT, State.RESCUED, 1, 1.0, rescue=True),
    ]
    made = Provenance("0" * 40, True, f"https://github.com/{'o' * 300}", TEXT, NOW)
    target = dict.fromkeys(("cloud", "subscription_id", "resource_group", "workspace", "region"), TEXT)
    plan = Plan(TEXT, tuple(steps), exposure=({"address": TEXT, "path": TEXT, "before": TEXT, "after": TEXT},),
                endpoints=(TEXT, WORD), facts=TEXT, target=target)  # fmt: skip
    return Report(TEXT, TEXT, tuple(outcomes), 9, 1e6, None, made, COST, TEXT, TEXT, NOW), plan


def row() -> EndpointRow:
    """An endpoint with hostile texts in each field."""
    slot = SlotRow(WORD, True, 100, WORD, WORD, 99, WORD, "2026-11-30T07:00:00Z", 1.0, None, True,
                   Provenance("0" * 40, True, f"https://github.com/{'o' * 300}", TEXT, NOW))  # fmt: skip
    lock = LockRecord(WORD, WORD, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, 1)
    stage = StageRow(WORD, WORD, 10, TEXT, TEXT, True, TEXT, rollouts.FIGURES)
    return EndpointRow(TEXT, WORD, WORD, f"https://{WORD}", TEXT, (slot, replace(slot, name=TEXT)),
                       "2026-11-30T09:12:00Z", 1.2, TEXT, TEXT, TEXT, None, lock, cost=COST, stage=stage)  # fmt: skip


def report_page() -> str:
    """The page of `report`."""
    found, plan = report()
    return report_html(found, plan, [row()])


def status_page() -> str:
    """A page with a hostile environment, and one that could not be read."""
    lost = CloudError(TEXT, TEXT, TEXT, code="AML304", codes=(TEXT,), status=500, request_id=TEXT)
    target = dict.fromkeys(("cloud", "subscription_id", "resource_group", "workspace"), TEXT)
    rows = [row(), replace(row(), orphan=TEXT)]
    return status_html([EnvironmentStatus(TEXT, rows, target), EnvironmentStatus(WORD, error=lost)], NOW)


def long_report_page(endpoints: int = 200) -> str:
    """A run of many endpoints."""
    steps = [Step(Verb.SHIFT, address("traffic", f"model-{n}"), {"after": {"blue": 100}}, "none -> blue 100 %")
             for n in range(endpoints)]  # fmt: skip
    outcomes = [Outcome(step.address, step.verb, State.DONE, 1, n + 1.0) for n, step in enumerate(steps)]
    return report_html(
        Report("prod", "f", tuple(outcomes), 9, 200.0),
        Plan("prod", tuple(steps), facts="f", endpoints=tuple(step.endpoint for step in steps)),
    )


def long_status_page(endpoints: int = 200) -> str:
    """The status of many endpoints."""
    rows = [replace(g.ROWS[0], key=f"model-{n}") for n in range(endpoints)]
    return status_html([EnvironmentStatus("prod", rows)], NOW)
