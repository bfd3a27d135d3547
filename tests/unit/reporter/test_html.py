"""The HTML report: one page without other files, requests and scripts."""

from __future__ import annotations

import re
from base64 import b64encode
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Verb
from deploy.domain.report import Evidence, Outcome, Report, State
from deploy.reporter import report_html
from tests.addresses import addr

from . import examples as g

_VOID = {"meta", "img", "br", "line", "rect"}


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


@g.few
@given(g.REPORTS, st.none() | g.PLANS)
def test_any_report_is_a_closed_page(report, plan):
    """Tags are balanced, there is no script and no handler, and nothing is fetched from anywhere."""
    text = report_html(report, plan)
    page = _read(text)
    assert page.open == []
    assert "script" not in page.tags
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "href") or value.startswith("data:image/png;base64,")
    assert "url(" not in text
    assert "@import" not in text


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
    bars = re.findall(r'<rect class="(\w+)" x="([\d.]+)"', report_html(g.REPORT))
    assert [state for state, _ in bars] == ["done", "done", "failed", "not_reached", "rescued"]
    starts = [float(x) for _, x in bars]
    assert starts[0] == starts[2] < starts[1] < starts[3] == starts[4]
