"""Costs in each output: status, report as text, Markdown and HTML."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from deploy.domain.cost import Cost
from deploy.reporter import report_html, report_json, report_markdown, report_text, status_json, status_markdown
from deploy.reporter import status_text as status
from deploy.reporter.cost import cost_words

from . import examples as g

COST = Cost(Decimal("3.673"), Decimal("3.673"), "USD")
WORDS = "Running cost: 3.67 USD an hour, 2681.29 USD a month (730 h)."


def test_a_report_has_the_cost_in_every_format() -> None:
    """Without prices there is no line and null; the page has `unknown`."""
    report = replace(g.REPORT, cost=COST)

    assert WORDS in report_text(report, width=200)
    assert WORDS in report_markdown(report)
    assert "<dt>Running cost</dt><dd>3.67 USD an hour, 2681.29 USD a month (730 h)</dd>" in report_html(report)
    assert report_json(report)["cost"]["monthly"] == 2681.29
    for text in (report_text(g.REPORT), report_markdown(g.REPORT)):
        assert "cost" not in text.lower().replace("report.cost", "")
    assert "<dd>unknown: prices were not read</dd>" in report_html(g.REPORT)
    assert "Running cost: unknown, prices were not read." in report_markdown(g.REPORT, g.PLAN)
    assert report_json(g.REPORT)["cost"] is None


def test_status_adds_endpoints_and_orphans_up() -> None:
    """Each endpoint has its cost an hour, and one line the sum."""
    row = replace(g.ROWS[0], cost=COST)
    rows = [row, replace(row, key="old", orphan="it is an orphan"), g.ROWS[1]]

    lines = status(rows, width=200).splitlines()
    assert lines[0] == "mip  mip-dev  Succeeded  auth key  3.67 USD an hour"
    assert "Running cost: 7.35 USD an hour, 5362.58 USD a month (730 h)." in lines
    assert "Running cost: 7.35 USD an hour, 5362.58 USD a month (730 h)." in status_markdown(rows)
    found = status_json(rows)
    assert (found["cost"]["hourly"], found["orphans"][0]["cost"]["hourly"]) == (7.346, 3.673)
    assert found["endpoints"][1]["cost"] is None
    assert "cost" not in status(g.ROWS, width=200)


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Cost(), "none"),
        (Cost(Decimal("0.001"), Decimal("0.001"), "USD"), "less than 0.01 USD an hour, 0.73 USD a month (730 h)"),
        (Cost(unknown=("A", "B")), "unknown (no price of A, B)"),
        (Cost(unknown=("A",), problem="vmSizes of x does not exist"), "unknown (vmSizes of x does not exist)"),
        (
            replace(COST, most=COST.most * 2, unknown=("A",)),
            "at least 3.67 to 7.35 USD an hour, at least 2681.29 to 5362.58 USD a month (730 h) (no price of A)",
        ),
    ],
)
def test_costs_in_words(cost: Cost, words: str) -> None:
    """To the cent; a price that is unknown is not zero."""
    assert cost_words(cost) == words
