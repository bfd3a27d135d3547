"""Gates, pauses and the figures of a stage in text, Markdown, job summary and status."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deploy.domain.plan import Plan
from deploy.domain.report import Report
from deploy.errors import Exit
from deploy.reporter import EnvironmentStatus, job_summary, report_html, report_markdown, report_text, status_html
from deploy.reporter import status_text as text_of
from deploy.reporter.status_rows import StageRow
from deploy.reporter.wording import deployment_words, report_summary

from . import examples as g
from . import rollouts

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
STAGE = StageRow("green", "r", 10, "2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z", False, "not worse", rollouts.FIGURES)
ROW = replace(g.ROWS[0], stage=STAGE)


@pytest.mark.parametrize("page", ["text", "markdown", "job summary"])
@pytest.mark.parametrize("answer", ["continue", "go back"])
def test_each_report_has_the_sentence_of_each_gate(page, answer):
    """Also of gates that succeeded, and of one that failed as its error."""
    report = rollouts.report(answer=answer, sentence="new 21.3 % errors")
    found = {
        "text": report_text(report, width=200),
        "markdown": report_markdown(report),
        "job summary": job_summary(report, Plan("prod", ())),
    }[page]
    for sentence in (rollouts.SENTENCE, "new 21.3 % errors"):
        assert sentence in html.unescape(found)


def test_a_gate_that_was_not_reached_has_no_line_in_a_good_report():
    report = rollouts.report()
    skipped = replace(report.outcomes[0], attempts=0)
    assert rollouts.SENTENCE not in report_text(replace(report, outcomes=(skipped,)), width=200)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (("mip",), "The rollout of mip is paused: apply continues it, rollback ends it."),
        (("cxr", "mip"), "The rollouts of cxr and mip are paused: apply continues them, rollback ends them."),
        (tuple("abcdef"), "The rollouts of 6 endpoints are paused: apply continues them, rollback ends them."),
    ],
)
def test_a_paused_report_says_so_at_its_end(keys, sentence):
    """In the last line of the text, in Markdown, and on the page, whose title says it, too."""
    report = replace(rollouts.report(), paused=keys, command="apply")
    last = f"Paused: 2 steps; 45 min, 192 requests. {sentence}"
    assert report_text(report, width=200).splitlines()[-1] == last
    assert f"**{last}**" in report_markdown(report)
    assert last in report_html(report)
    assert "<h1>apply prod: paused</h1>" in report_html(report)


def test_a_pause_beside_a_failure_is_not_lost():
    """The verdict is the failure; an interrupted run is not finished."""
    sentence = "The rollout of mip is paused: apply continues it, rollback ends it."
    failed = replace(rollouts.report(answer="go back"), paused=("mip",))
    assert report_summary(failed) == f"Failed at gate/mip/x: 1 done, 1 failed; 45 min, 192 requests. {sentence}"
    stopped = replace(rollouts.report(), paused=("mip",), stopped=Exit.INTERRUPTED)
    assert report_summary(stopped).startswith("Done: 2 steps")
    assert "paused" not in report_summary(rollouts.report())
    assert report_summary(Report("dev", "f", ())) == "Done: nothing to do."


@pytest.mark.parametrize(
    ("requests", "errors", "p95", "words"),
    [
        (3610, 14, 610.4, "0.4 % errors of 3,610 requests, p95 610 ms"),
        (1, 1, None, "100.0 % errors of 1 request"),
        (10, 0, 1234.5, "0 % errors of 10 requests, p95 1,234 ms"),
        (10**8, 1, 0.0, "<0.001 % errors of 100,000,000 requests, p95 0 ms"),
        (0, 0, None, "no requests"),
    ],
)
def test_a_deployment_in_words(requests, errors, p95, words):
    figures = {"requests new": requests, "errors new": errors, "p95 new": p95}
    assert deployment_words(figures, "new") == words


def test_status_shows_both_deployments_of_a_rollout():
    """A line for each below the stage, with aligned names; as facts on the page."""
    lines = text_of([ROW], width=120).splitlines()
    at = next(n for n, each in enumerate(lines) if each.startswith("  rollout of green: 10 %"))
    assert lines[at + 1 : at + 3] == [
        "    blue   0.4 % errors of 3,249 requests, p95 610 ms",
        "    green  0.6 % errors of 361 requests",
    ]
    page = status_html([EnvironmentStatus("prod", [ROW])], NOW)
    assert "<dt>blue since the rollout began</dt><dd>0.4 % errors of 3,249 requests, p95 610 ms</dd>" in page
    assert "<dt>green since the rollout began</dt><dd>0.6 % errors of 361 requests</dd>" in page


def test_status_without_figures_has_only_the_stage():
    """Without a gate, or if the metrics could not be read."""
    row = replace(ROW, stage=replace(STAGE, answer="", figures={}))
    assert "rollout of green" in text_of([row])
    assert "errors of" not in text_of([row])
    assert "since the rollout began" not in status_html([EnvironmentStatus("prod", [row])], NOW)
