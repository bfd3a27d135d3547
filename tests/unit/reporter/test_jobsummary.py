"""The job summary: within GitHub's limits for any report, and a timeline that mermaid can parse."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.arm import address
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Evidence, Outcome, Report, State
from deploy.reporter import (
    SUMMARY_LIMIT,
    annotation_commands,
    fit_summary,
    job_summary,
    plan_markdown,
    report_annotations,
    report_markdown,
)
from deploy.reporter.jobsummary import timeline
from tests.addresses import addr

from . import examples as g
from . import hostile

COMMENT, STEPS = 65_536, 8
BAR = re.compile(r"  [A-Za-z0-9 ._/-]{1,60} :((done|active|crit), )*2000-01-\d\d \d\d:\d\d:\d\d\.\d{3}, [1-9]\d*ms")


def many(endpoints: int) -> tuple[Plan, Report]:
    """A plan with eight long steps for each endpoint, and a report with a failure in each."""
    text = "ü<|@`\U0001f600 " * 40
    body = {"changes": [{"path": f"environment_variables.{n}", "before": text, "after": text} for n in range(9)]}
    error = {"code": "AML310", "message": text * 9, "request_id": "0" * 36}
    steps, outcomes = [], []
    for endpoint in range(endpoints):
        for n in range(STEPS):
            address = addr(f"deployment/endpoint-number-{endpoint}/slot-{n}")
            steps.append(Step(Verb.DELETE if n % 2 else Verb.UPDATE, address, body, text))
            state = State.FAILED if n == STEPS // 2 else State.DONE
            evidence = Evidence(text, {}, {f"masks-{n}.png": b"", f"look-{n}.png": b""})
            failure = error if state is State.FAILED else None
            outcomes.append(Outcome(address, Verb.UPDATE, state, 3, 900.0 * n, failure, evidence))
    plan = Plan("production", tuple(steps), tuple(steps), (), tuple(f"e{n}" for n in range(endpoints)))
    return plan, Report("production", plan.fingerprint, tuple(outcomes), 99_999, 1e6)


def test_a_hundred_endpoints_fit() -> None:
    """A comment of less than 65,536 characters, a summary of less than 1 MiB, ten annotations."""
    plan, report = many(100)
    comment, summary = plan_markdown(plan), job_summary(report, plan, "https://github.com/o/r/actions/runs/1")
    assert len(comment) < COMMENT - 100
    assert len(summary.encode()) < SUMMARY_LIMIT
    assert len(timeline(report.outcomes)) < 50_000
    assert len(annotation_commands(report_annotations(report, {})).splitlines()) == 10
    assert "more steps" in summary
    assert "1,600 pictures in [the run's artifacts](https://github.com/o/r/actions/runs/1#artifacts)" in summary


@g.few
@given(g.REPORTS, g.PLANS)
def test_any_timeline_is_valid_mermaid(report: Report, plan: Plan) -> None:
    """Each line of the chart has mermaid's syntax, with any names; the fence is closed."""
    lines = timeline(report.outcomes).splitlines()
    assert not lines or (lines[0], lines[-1]) == ("```mermaid", "```")
    for line in lines[4:-1]:
        assert BAR.fullmatch(line) or re.fullmatch(r"  section [A-Za-z0-9 ._/-]{1,60}", line), line
    assert job_summary(report, plan).startswith("### Report for ")


def test_a_timeline() -> None:
    """Endpoints are sections; a step starts at the end of the previous one; a step not reached has no bar."""
    assert timeline(g.REPORT.outcomes).splitlines()[4:-1] == [
        "  section mip",
        "  check quota/standard_nc24ads_a100_v4 :done, 2000-01-01 00:00:00.000, 400ms",
        "  create endpoint :done, 2000-01-01 00:00:00.400, 41200ms",
        "  shift traffic :active, 2000-01-01 00:00:41.600, 12000ms",
        "  section mi2",
        "  update deployment/blue :crit, 2000-01-01 00:00:00.000, 733000ms",
    ]
    assert timeline(()) == ""


@pytest.mark.parametrize(
    "name", ["a,b:c;d", '"q" #1', "x\ny", "%% {{a}}", "<script>", "\u202eשלום", ":done, 1d", "`" * 3]
)
def test_names_cannot_break_a_timeline(name: str) -> None:
    """Characters that are syntax in mermaid, or in the fence around it, are left out of names."""
    outcome = Outcome(address("deployment", name, name), Verb.CREATE, State.DONE, 1, 1.0)
    *_, section, bar, fence = timeline((outcome,)).splitlines()
    assert re.fullmatch(r"  section [A-Za-z0-9 ._/-]{1,60}", section)
    assert BAR.fullmatch(bar)
    assert fence == "```"


def test_a_summary_has_the_traffic_and_where_to_send_requests() -> None:
    """Of each endpoint; hostile names cannot start a cell or a tag, and 200 endpoints are cut with their number."""
    plan = replace(g.PLAN, world={addr("endpoint/mip"): {"name": "mip-dev", "properties": {"traffic": {"blue": 100}}}})
    row = f"| mip (mip-dev) | blue 100 % | blue 90 %, green 10 % | `{g.ROWS[0].scoring_uri}` |"
    assert row in job_summary(g.REPORT, plan, rows=g.ROWS).splitlines()
    report, plan = hostile.report()
    text = job_summary(report, plan, rows=[hostile.row()])
    assert "<script>" not in re.sub(r"(`+).*?\1", "", text)
    keys = tuple(f"model-{n}" for n in range(200))
    rows = [replace(g.ROWS[0], key=key) for key in keys]
    text = report_markdown(Report("dev", "f", ()), Plan("dev", (), facts="f", endpoints=keys), rows)
    (more,) = re.findall(r"\| \| (\d+) more \| \| \|", text)
    assert text.count("\n| model-") + int(more) == 200


@given(st.text(max_size=300), st.integers(-5, 400))
def test_text_over_the_limit_is_replaced_by_a_note(text: str, limit: int) -> None:
    """At most `limit` bytes; the whole text or none of it."""
    found = fit_summary(text, limit)
    assert len(found.encode("utf-8", "replace")) <= max(limit, 0)
    assert found == text or text not in found or not text
    if len(text.encode("utf-8", "replace")) <= limit:
        assert found == text
