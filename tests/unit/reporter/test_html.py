"""The HTML report: one page without other files, requests and scripts."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.lock_record import LockRecord
from deploy.domain.plan import Verb
from deploy.domain.report import Evidence, Outcome, Report, State
from deploy.errors import CloudError, Exit, Place, Problem, SpecError
from deploy.reporter import EnvironmentStatus, report_html, status_html
from tests.addresses import addr

from . import examples as g
from . import hostile

_VOID = {"meta", "img", "br"}
NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)


class _Reader(HTMLParser):
    """Collects tags and attributes, and checks that each tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader


def check_page(text: str) -> None:
    """Tags are balanced, there is no script and no handler, and nothing is fetched from anywhere."""
    page = _read(text)
    assert page.open == []
    assert "script" not in page.tags
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name != "src" or value.startswith("data:image/png;base64,")
        assert name != "href" or value.startswith("https://")
    assert "url(" not in text
    assert "@import" not in text


@g.few
@given(g.REPORTS, st.none() | g.PLANS, st.lists(g.ENDPOINT_ROWS, max_size=2))
def test_any_report_is_a_closed_page(report, plan, rows):
    check_page(report_html(report, plan, rows))


@g.few
@given(st.lists(g.ENDPOINT_ROWS, max_size=3), g.WORDS)
def test_any_status_is_a_closed_page(rows, name):
    """The text is ASCII, so that it can be printed in every locale."""
    text = status_html([EnvironmentStatus(name, rows, {"workspace": name}), EnvironmentStatus(name)], NOW)
    check_page(text)
    assert text.isascii()


@pytest.mark.parametrize("page", [hostile.report_page, hostile.status_page])
def test_hostile_texts_stay_text(page):
    """In every field. Controls of the writing direction are removed; right-to-left letters stay."""
    text = page()
    check_page(text)
    assert "<script>" not in text
    assert html.unescape(text).count(hostile.SCRIPT) > 8
    assert hostile.HEBREW in html.unescape(text)
    assert "\u202e" not in html.unescape(text)


def test_an_error_has_cause_and_cure():
    """Apart from each other; of a refusal for each finding, of invalid files with the place."""
    failed = {"code": "AML310", "message": "cannot create x: No quota. Ask for more.", "cure": "Ask for more"}
    refused = {"code": "AML200", "message": "m", "findings": [
        {"address": "quota/mip", "code": "AML210", "cause": "too few cores", "cure": "Use less"}]}  # fmt: skip
    outcomes = [Outcome(addr(f"probe/a/{n}"), Verb.PROBE, State.FAILED, 1, 1, each) for n, each in
                enumerate((failed, refused))]  # fmt: skip
    text = report_html(Report("dev", "f", tuple(outcomes)))
    assert '<p>cannot create x: No quota.</p><p class="cure">→ Ask for more</p>' in text
    assert '<code>quota/mip</code>: too few cores</p><p class="cure">→ Use less</p>' in text
    problem = SpecError([Problem(Place("environments/dev.yml", 4, 10), "AML117", "not replaced", "Write it")])
    page = html.unescape(status_html([EnvironmentStatus("dev", error=problem)], NOW))
    assert '<code>environments/dev.yml:4:10</code>: not replaced</p><p class="cure">→ Write it</p>' in page


def test_the_status_of_several_environments():
    """One that cannot be read has its error; the others have their endpoints, locks, leases and orphans."""
    lock = LockRecord("mip-dev", "id-1", "apply", "jo@contoso.com", "ci-7", since="2026-11-30T07:00:00Z")
    mip = replace(g.ROWS[0], lock=lock)
    rows = [mip, replace(g.ROWS[1], key="old", orphan="no entry names old-dev")]
    lost = CloudError("read the workspace", "access denied", "Assign Reader", code="AML340", status=403)
    text = status_html([EnvironmentStatus("dev", rows), EnvironmentStatus("prod", error=lost)], NOW)
    for part in (
        "Status of dev, prod", "Not read: prod.", "cannot read the workspace: access denied.", "Assign Reader",
        "locked: apply by jo@contoso.com on ci-7 has held its lock since 2026-11-30T07:00:00Z; lock id id-1",
        "expires in 71 h, 2026-11-30 09:12 UTC", "no entry names old-dev", "1 endpoint, 1 orphan", mip.scoring_uri,
        '<td data-label="Traffic">90 %</td>', "3f2a9c1b",
    ):  # fmt: skip
        assert part in html.unescape(text), part
    assert "Not read" not in status_html([EnvironmentStatus("dev", rows)], NOW)


def test_pictures_are_inside():
    """A PNG of a probe is part of the page; a file with that extension and other content is not."""
    text = report_html(g.REPORT)
    assert f'src="data:image/png;base64,{b64encode(g.PNG).decode()}"' in text
    fake = Outcome(
        addr("probe/a/b"), Verb.PROBE, State.DONE, 1, 1, None, Evidence("", {}, {"x.png": b"<svg onload=a()>"})
    )
    assert "<img" not in report_html(Report("dev", "f", (fake,)))


def test_errors_and_logs_can_be_read():
    """The page contains the full error, with its log open and escaped."""
    text = report_html(g.REPORT, g.PLAN)
    assert "Not enough quota. Request more." in text
    assert "BadRequest &gt; OutOfQuota" in text
    assert "<details open><summary>a.log</summary><pre>boom</pre></details>" in text


def test_secrets_in_evidence_files_are_hidden():
    """A JSON file of a probe is shown without its secrets."""
    files = {"answer.json": b'{"hf_token": "abc123", "n": 1}'}
    seen = Outcome(addr("probe/a/b"), Verb.PROBE, State.DONE, 1, 1, None, Evidence("", {}, files))
    text = report_html(Report("dev", "f", (seen,)))
    assert "abc123" not in text
    assert "answer.json" in text


def test_the_timeline_has_a_bar_for_each_step():
    """The steps of an endpoint follow one another; each endpoint starts at zero."""
    bars = re.findall(r'<i class="(\w+)" style="margin-left:([\d.]+)%;width:([\d.]+)%">', report_html(g.REPORT))
    assert [state for state, _, _ in bars] == ["done", "done", "failed", "not_reached", "rescued"]
    starts = [float(left) for _, left, _ in bars]
    assert starts == [0, 0.05, 0, 5.68, 5.68]
    assert max(float(left) + float(width) for _, left, width in bars) == pytest.approx(100)


def test_the_top_of_a_report():
    """What, where, when, by whom; then the quota. A plan adds the region."""
    report = replace(g.REPORT, command="apply", host="ci-7", started=NOW)
    text = report_html(report, g.PLAN)
    for part in (
        "<h1>apply dev: failed</h1>", "<dd>mlw-local</dd>", "<dd>rg-local</dd>", "<dd>eastus</dd>",
        f"<dd>{g.TARGET['subscription_id']}</dd>", "took 24 min 25 s", "<dt>Host</dt><dd>ci-7</dd>",
        '<td data-label="Need">24 cores</td>', '<td data-label="Limit">48 cores</td>',
    ):  # fmt: skip
        assert part in text, part
    assert "interrupted</h1>" in report_html(replace(report, stopped=Exit.INTERRUPTED))
