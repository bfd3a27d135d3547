"""Commit, caller, time and run in every output."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deploy.domain.plan import Plan
from deploy.domain.provenance import Provenance
from deploy.domain.report import Report
from deploy.reporter.html import report_html
from deploy.reporter.jobsummary import job_summary
from deploy.reporter.markdown import report_markdown, status_markdown
from deploy.reporter.status import status_json, status_text
from deploy.reporter.status_rows import EndpointRow, SlotRow

RUN = "https://github.com/contoso/imaging/actions/runs/77/attempts/1"
MADE = Provenance(
    "0123456789abcdef0123456789abcdef01234567",
    True,
    RUN,
    "jane@contoso.com",
    datetime(2026, 11, 29, 13, 27, tzinfo=UTC),
)
REPORT = Report("dev", "f" * 64, (), provenance=MADE)


def rows(made: Provenance) -> list[EndpointRow]:
    slot = SlotRow("blue", True, 100, "abcdef012345", "Standard_NC24ads_A100_v4", 1, "Succeeded", provenance=made)
    return [EndpointRow("mip", "mip-ab", "Succeeded", slots=(slot,))]


@pytest.mark.parametrize("width", [80, 160])
def test_status_shows_the_origin_within_the_width(width: int) -> None:
    """In full, on its own lines below the slot."""
    text = status_text(rows(MADE), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    for part in ("commit 01234567 (uncommitted changes)", "by jane@contoso.com", "13:27", RUN):
        assert part in text


def test_status_without_a_recorded_origin() -> None:
    """No empty line, and in JSON empty texts."""
    assert "commit" not in status_text(rows(Provenance()))
    (slot,) = status_json(rows(Provenance()))["endpoints"][0]["slots"]
    assert slot["provenance"] == {"commit": "", "dirty": False, "by": "", "run_url": "", "at": None}
    (slot,) = status_json(rows(MADE))["endpoints"][0]["slots"]
    assert slot["provenance"]["at"] == "2026-11-29T13:27:00Z"


def test_reports_link_the_run() -> None:
    """The page, the comment and the job's summary."""
    page = report_html(REPORT)
    assert f'<a href="{RUN}">{RUN}</a>' in page
    assert "<dt>Commit</dt><dd>01234567 (uncommitted changes)</dd>" in page
    assert "<dt>By</dt><dd>jane@contoso.com on ci-7</dd>" in report_html(replace(REPORT, host="ci-7"))
    for text in (report_markdown(REPORT), job_summary(REPORT, Plan("dev", ()))):
        assert "commit 01234567 (uncommitted changes)" in text
        assert RUN in text
    assert "<dt>By" not in report_html(replace(REPORT, provenance=None))


def test_a_hostile_name_stays_text() -> None:
    """It cannot start a tag, a cell or a mention."""
    made = replace(MADE, by="<img src=x> | @team [x](y)")
    assert "<img" not in report_html(replace(REPORT, provenance=made))
    text = status_markdown(rows(made))
    assert "<img" not in text
    assert "@team" not in text
    assert "[x](y)" not in text
