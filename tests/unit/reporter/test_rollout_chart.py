"""The charts of a rollout: valid, bounded and escaped for any minutes."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.report import Report
from deploy.reporter import report_html
from deploy.reporter.rollout_chart import POINTS, RolloutChart, rollout_charts

from . import examples as g
from . import hostile, rollouts
from .test_html import check_page

_NUMBER = re.compile(r"-?[\d.]+(?:e[+-]?\d+)?|nan|inf")


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 our own text


def places(svg: str) -> list[tuple[float, float]]:
    """All points of a chart: of texts, dots and lines, the ends of `H` and `V` included."""
    found = []
    for part in parsed(svg).iter():
        if "x" in part.attrib:
            found.append((float(part.attrib["x"]), float(part.attrib["y"])))
        if "cx" in part.attrib:
            found.append((float(part.attrib["cx"]), float(part.attrib["cy"])))
        x = y = 0.0
        for command, numbers in re.findall(r"([A-Z])([^A-Z]*)", part.attrib.get("d", "")):
            values = [float(each) for each in _NUMBER.findall(numbers)]
            x = values[0] if command in "MLH" else x
            y = values[-1] if command in "MLV" else y
            found.append((x, y))
    return found


def line(svg: str, which: str) -> list[list[tuple[float, float]]]:
    """The parts of the line of a deployment, without the sample of the legend."""
    paths = [each.attrib["d"] for each in parsed(svg).iter("path") if each.attrib["class"] == which]
    parts = [re.findall(r"([\d.]+) ([\d.]+)", path) for path in paths if "H" not in path]
    return [[(float(x), float(y)) for x, y in part] for part in parts]


def minute(n: int, live: list[float | None], new: list[float | None]) -> dict[str, Any]:
    return {"start": rollouts.BEGAN + 60.0 * n, "live": live, "new": new}


def judged(minutes: list[dict[str, Any]], **more: Any) -> Report:
    """A run with one gate."""
    return Report("dev", "f", (rollouts.gate(minutes, **more),))


def only(report: Report) -> RolloutChart:
    (found,) = rollout_charts(report.outcomes)
    return found


@g.few
@given(rollouts.MINUTES, rollouts.STAGES, g.WORDS, g.WORDS)
def test_any_minutes_are_valid_charts(minutes, stages, live, new):
    """XML whose coordinates are finite and inside the viewBox; the page stays closed."""
    outcomes = tuple(rollouts.gate(minutes, percent=p, since=at, live=live, new=new) for p, at in stages)
    (found,) = rollout_charts(outcomes)
    assert len(found.charts) == (2 if minutes else 0)
    for svg in found.charts:
        size = [float(each) for each in parsed(svg).attrib["viewBox"].split()]
        for x, y in places(svg):
            assert math.isfinite(x)
            assert math.isfinite(y)
            assert 0 <= x <= size[2]
            assert 0 <= y <= size[3]
    check_page(report_html(Report("dev", "f", outcomes)))


@g.few
@given(st.integers(1, 20_000))
def test_a_line_has_a_limited_number_of_points(number):
    """Minutes of a long rollout are joined; their requests are not lost, so a constant rate stays constant."""
    minutes = [minute(n, [50, 1, 100.0], [10, 0, 200.0]) for n in range(number)]
    errors, latency = only(judged(minutes)).charts
    for svg, which, share in ((errors, "live", 2 / 2), (latency, "new", 200 / 200)):
        points = [point for part in line(svg, which) for point in part]
        assert len(points) <= POINTS
        assert number == 1 or len(points) >= min(number, POINTS) // 2
        assert number == 1 or points[-1][0] - points[0][0] >= 306 * (1 - 2 / min(number, POINTS // 2))
        assert {y for _, y in points} <= {round(184 - 118 * share, 1)}


def test_the_height_of_a_point_is_its_value():
    """1 of 20 requests failed is half of an axis to 10 %; a counter that is ahead never shows more than 100 %."""
    minutes = [minute(n, [20, 1, 100.0], [20, new, 50.0]) for n, new in enumerate((2, 0))]
    errors, latency = only(judged(minutes)).charts
    assert line(errors, "live") == [[(120.5, 125.0), (273.5, 125.0)]]
    assert line(errors, "new") == [[(120.5, 66.0), (273.5, 184.0)]]
    assert line(latency, "new") == [[(120.5, 125.0), (273.5, 125.0)]]
    ahead = [{**minutes[0], "new": [20, 40, 50.0]}]
    assert "green (new) at most 100." in only(judged(ahead)).charts[0]


def test_the_minutes_of_all_gates_are_joined():
    """The last gate has all, but those of Azure's metrics only if it could read them."""
    live, new = [20, 1, 100.0], [20, 0, 50.0]
    all_read = (rollouts.gate([minute(0, live, new)]), rollouts.gate([minute(n, live, new) for n in range(3)]))
    not_read = (rollouts.gate([minute(n, live, new) for n in range(2)]), rollouts.gate([minute(2, live, new)]))
    for gates in (all_read, not_read):
        assert [len(part) for part in line(only(Report("dev", "f", gates)).charts[0], "live")] == [3]


def test_the_latency_of_joined_minutes_is_their_weighted_mean():
    """Minutes whose latency is not known do not count."""
    pairs = ([10, 0, 40.0], [30, 0, 60.0]), ([10, 0, 50.0], [90, 0, None])
    samples = [pairs[0][n % 2] if n < POINTS else pairs[1][n % 2] for n in range(2 * POINTS)]
    (_, latency) = only(judged([minute(n, live, [0, 0, None]) for n, live in enumerate(samples)])).charts
    (points,) = line(latency, "live")
    heights = [y for _, y in points]
    assert heights == [round(184 - 118 * 55 / 100, 1)] * (POINTS // 2) + [184 - 118 / 2] * (POINTS // 2)


def test_a_long_time_without_requests_is_a_gap():
    """A line is not drawn across it, and a minute on its own is a dot."""
    seen = [0, 1, 2, 20, 40, 41]
    minutes = [minute(n, [9, 0, 9.0], [0, 0, None]) for n in seen]
    errors, latency = only(judged(minutes)).charts
    assert [len(part) for part in line(errors, "live")] == [3, 2]
    assert errors.count("<circle") == 1
    assert line(errors, "new") == line(latency, "new") == []
    assert "green (new) unknown." in errors


def test_each_stage_has_a_mark_and_an_answer():
    """Where it began; mirrored requests are a stage, too. The lines differ without colour."""
    gates = [(0, 0), (10, 600), (50, 1200)]
    seen = rollouts.minutes(30)
    outcomes = tuple(rollouts.gate(seen, percent=p, since=rollouts.BEGAN + at) for p, at in gates)
    found = only(Report("dev", "f", outcomes))
    assert [each[:3] for each in found.gates] == [
        ("mirrored", "2026-11-30 08:00 UTC", "continue"),
        ("10 %", "2026-11-30 08:10 UTC", "continue"),
        ("50 %", "2026-11-30 08:20 UTC", "continue"),
    ]
    for svg in found.charts:
        marks = re.findall(r'class="mark" d="M([\d.]+) ', svg)
        assert marks == ["44.0", "146.0", "248.0"]
        assert [label in svg for label in (">mirrored<", ">10 %<", ">50 %<", ">blue (live)<", ">green (new)<")] == [
            True
        ] * 5
        dashed = {each.attrib["class"] for each in parsed(svg).iter() if "stroke-dasharray" in each.attrib}
        assert dashed == {"new"}


@pytest.mark.parametrize("answer", ["continue", "go back"])
def test_the_page_draws_a_rollout(answer):
    """Once for all gates of an endpoint, with its figures and each answer as text; also if the gate failed."""
    page = report_html(rollouts.report(answer=answer))
    check_page(page)
    assert len(re.findall(r'<svg class="chart" [^>]* role="img">\s*<title>', page)) == page.count("</svg>") == 2
    assert "0.4 % errors of 3,249 requests, p95 610 ms" in page
    assert "0.6 % errors of 361 requests</dd>" in page
    assert f'<td data-label="Answer">{answer}</td>' in page
    assert page.count(f'<td data-label="Reason">{rollouts.SENTENCE}</td>') == 2
    assert "<svg" not in report_html(g.REPORT, g.PLAN)


def test_stage_labels_do_not_overlap():
    """Each stage has its vertical line; a label without room is left out, as the table below has it."""
    begins, seen = [0, 1, 2, 3, 100], rollouts.minutes(200)
    stages = [(n + 1, rollouts.BEGAN + 60 * at) for n, at in enumerate(begins)]
    gates = tuple(rollouts.gate(seen, percent=percent, since=since) for percent, since in stages)
    found = only(Report("dev", "f", gates))
    assert found.charts[0].count('class="mark"') == len(found.gates) == len(begins)
    assert re.findall(r">(\d) %<", found.charts[0]) == ["1", "2", "5"]


def test_two_endpoints_have_charts_of_their_own():
    """A gate that was not reached, or judged nothing, has none."""
    seen = rollouts.minutes(10)
    outcomes = (
        rollouts.gate(seen),
        rollouts.gate(seen, key="cxr"),
        replace(rollouts.gate(seen, key="a"), evidence=g.Evidence()),
    )
    assert [each.address for each in rollout_charts(outcomes)] == ["gate/mip/x", "gate/cxr/x"]
    (found,) = rollout_charts([rollouts.gate([])])
    assert (found.charts, found.caption) == ([], "No requests were seen.")


def test_characters_that_xml_does_not_allow_are_replaced():
    """And terminal colours are removed."""
    (svg, _) = only(judged(rollouts.minutes(5), live="a\ufffe\udc80\x00b", new="\x1b[31mred")).charts
    assert ">a��␀b (live)<" in svg
    assert ">red (new)<" in svg
    parsed(svg)


def test_names_are_escaped_and_secrets_hidden():
    """In the charts and around them."""
    secret = "ghp_" + "a1B2" * 9
    for name in (hostile.TEXT, secret, f"{hostile.SCRIPT}{secret}"):
        report = judged(rollouts.minutes(5), live=name, new=name, sentence=name)
        page = report_html(report)
        check_page(page)
        assert "<script>" not in page
        assert secret[:12] not in page
        for svg in only(report).charts:
            assert {each.tag for each in parsed(svg).iter()} == {"svg", "title", "text", "path"}
            assert secret[:12] not in svg
