"""Markdown: short enough for a comment, and remote text stays in its cell."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.reporter import plan_markdown, report_markdown, status_markdown
from deploy.reporter.markdown import LIMIT
from tests.addresses import addr

from . import examples as g

PAGES = st.one_of(
    g.PLANS.map(plan_markdown),
    st.builds(report_markdown, g.REPORTS, st.none() | g.PLANS),
    st.lists(g.ENDPOINT_ROWS, max_size=3).map(status_markdown),
)


@g.few
@given(PAGES)
def test_tables_stay_tables(text):
    """Each row of a table has as many cells as its head, with any text in them."""
    columns = 0
    for line in text.split("\n"):
        if line.startswith("|"):
            found = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
            columns = columns or found
            assert found == columns, line
        else:
            columns = 0


@g.few
@given(PAGES)
def test_remote_html_is_escaped_and_no_user_is_mentioned(text):
    """Outside of code, a remote tag is text and a remote @ mentions no user."""
    plain = re.sub(r"```diff\n.*?\n```|<pre>.*?</pre>", "", text, flags=re.DOTALL)
    plain = re.sub(r"(?<=[|>\n ])(`+)(?!`)[^\n]*?(?<!`)\1(?=[ ,.\n])", "", plain)
    assert set(re.findall(r"<[^>]*>", plain)) <= {"<details>", "</details>", "<summary>", "</summary>"}
    assert not re.search(r"@\w", plain)


def test_a_long_plan_is_cut_and_counts_the_rest():
    """A plan of a thousand steps fits into a comment."""
    step = Step(
        Verb.DELETE, addr("deployment/mip/blue"), {"changes": [{"path": "a" * 90, "after": "<" * 90}]}, "`|<@" * 50
    )
    for steps in ((step,) * 1_000, (step,) * 200):
        text = plan_markdown(Plan("dev", steps, steps, ({"endpoint": "x" * 999},) * 100))
        assert len(text) < LIMIT
        table = text.partition("<details>")[0]
        shown = sum(line.startswith("| `") for line in table.split("\n"))
        assert re.findall(r"\| (\d+) more \|", table) == [str(len(steps) - shown)]
    outcome = Outcome(addr("a/b"), Verb.CHECK, State.FAILED, 1, 1.0, {"code": "AML1", "message": "<" * 9_000})
    assert len(report_markdown(Report("dev", "f", (outcome,) * 1_000))) < LIMIT
    assert len(status_markdown(g.ROWS * 1_000)) < LIMIT


def test_a_plan_for_a_pull_request():
    """Heading, summary, a red box for what is deleted, the steps, and the details folded."""
    text = plan_markdown(g.PLAN)
    assert text.startswith("### Plan for `dev`\n\n**Plan: 1 to create, 1 to update, 1 to delete")
    assert "> [!CAUTION]\n> Deletes `deployment/mip/blue`." in text
    assert "| `+` create | `endpoint/mip` | there is no endpoint mip-dev yet |" in text
    assert "- instance_count: 1\n+ instance_count: 2" in text
    assert "<details><summary>If a step fails</summary>" in text
    assert "hf_new" not in text


def test_a_report_shows_its_errors():
    """Errors are above the table, with the request id."""
    text = report_markdown(g.REPORT, g.PLAN)
    assert "<pre>AML310 cannot update deployment/mi2/blue" in text
    assert "request id 3f0a5f1e</pre>" in text
    assert "| ↩️ shift | `traffic/mip` | rescued, 12 s | green 100 % -&gt; blue 100 % |" in text
    assert "| ❌ update | `deployment/mi2/blue` | failed, 12 min 13 s, 6 attempts |" in text


def test_a_status_has_a_row_for_each_slot():
    """The first row of an endpoint contains its name."""
    text = status_markdown(g.ROWS)
    assert "| `mip` | Succeeded | **blue** (live) | 90 % |" in text
    assert "|  |  | green | 10 % |" in text
    assert "| `cxr` | absent |  |  |" in text
