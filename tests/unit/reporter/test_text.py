"""Text for a terminal: its content, and its limits for any content."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.errors import Exit
from deploy.reporter import (
    plan_markdown,
    plan_text,
    report_html,
    report_json,
    report_markdown,
    report_text,
    status_text,
)
from deploy.reporter.layout import Layout, Style, cells
from deploy.reporter.wording import UNCHECKED_NETWORK, duration, symbol
from tests.addresses import addr

from . import examples as g

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
ADDRESS = 11
"""Columns before an address. An address that is too long stays on the line of its verb."""
Page = Callable[..., str]


def _plan_page(plan: Plan) -> Page:
    return lambda **how: plan_text(plan, hint="amldeploy apply -e dev", **how)


PAGES = st.one_of(
    g.PLANS.map(_plan_page),
    st.builds(lambda report, plan: lambda **how: report_text(report, plan, **how), g.REPORTS, st.none() | g.PLANS),
    st.lists(g.ENDPOINT_ROWS, max_size=3).map(lambda rows: lambda **how: status_text(rows, **how)),
)


@g.few
@given(PAGES, g.WIDTHS, st.booleans())
def test_no_line_is_wider_than_the_page(page, width, ascii_only):
    """Each line fits, or contains a word that cannot fit; has no trailing spaces; is ASCII if requested."""
    text = page(width=width, ascii=ascii_only)
    for line in text.split("\n"):
        assert line == line.rstrip()
        assert cells(line) <= width or max(cells(word) for word in line.split()) > width - ADDRESS
    assert not ascii_only or text.isascii()


@g.few
@given(PAGES, g.WIDTHS)
def test_colour_adds_only_colour_codes(page, width):
    """A page in colour, its colour codes taken out, is the page without colour."""
    assert _ANSI.sub("", page(width=width, colour=True)) == page(width=width)


@g.few
@given(PAGES, g.WIDTHS)
def test_remote_text_cannot_control_the_terminal_or_the_runner(page, width):
    """No control character reaches the terminal and no line begins a workflow command."""
    for line in page(width=width).split("\n"):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", line)
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


@g.few
@given(g.WIDTHS, st.integers(1, 300), st.integers(0, 30))
def test_nothing_is_cut_off(width, length, words):
    """An address and a reason are printed in full at any length."""
    address, why = f"role/mip/{'x' * length}", f"{'because ' * words}{'y' * length}"
    plan = Plan("dev", (Step(Verb.CREATE, addr(address), {}, why), Step(Verb.CREATE, addr("endpoint/mip"), {}, why)))
    text = " ".join(plan_text(plan, width=width).split())
    assert str(address) in text
    assert text.count(why) == 2


def test_a_workflow_command_cannot_start_a_wrapped_line():
    """A `::command::` in the middle of a message stays harmless when the line is broken right before it."""
    for width in range(60, 120):
        lines = Layout(width).line("Azure says " + "much " * 20 + "::error::boom and ::add-mask::x", indent=4, hang=6)
        assert not any(line.lstrip().startswith("::") for line in lines)
        assert max(map(cells, lines)) <= width


def test_a_plan_ends_with_its_summary():
    """The last line counts what will be different; the next command is above it."""
    lines = plan_text(g.PLAN, width=100, hint="amldeploy apply -e dev").splitlines()
    assert lines[-1] == "Plan: 1 to create, 1 to update, 1 to delete, 1 traffic shift, 1 check."
    assert "Next: amldeploy apply -e dev" in lines
    assert "Next" not in plan_text(g.PLAN, width=100)


def test_the_legend_lists_only_used_symbols():
    """The legend of a plan without a probe has no symbol for probes."""
    legend = next(line for line in plan_text(g.PLAN, width=100).splitlines() if line.startswith("Legend:"))
    assert legend == "Legend:  ✓ ok  + create  ~ update  - delete  ⇄ shift"


def test_an_unknown_verdict_has_its_own_symbol_and_count():
    """Unknown is neither ok nor refused; what no check covers is printed below the checks."""
    verdicts = ("yes", "unknown", "no", "unknown")
    steps = [Step(Verb.CHECK, addr(f"limits/m{n}"), {"verdict": verdict}, "x") for n, verdict in enumerate(verdicts)]
    text = plan_text(Plan("dev", (*steps, g.PLAN.steps[1])), width=100)
    symbols = [line.split()[0] for line in text.splitlines() if " check  limits/" in line]

    assert symbols == ["✓", "?", "✗", "?"]
    assert "\nLegend:  ✓ ok  ✗ refused  ? unknown  + create\n" in text
    assert text.splitlines()[-1].endswith(" 4 checks (2 unknown).")
    assert f"\n{UNCHECKED_NETWORK}\n" in text
    assert "Not checked" not in plan_text(Plan("dev", g.PLAN.steps[1:]))
    assert "| `?` check | `limits/m1` |" in plan_markdown(Plan("dev", tuple(steps)))
    assert "| `✓` check | `limits/m0` |" in plan_markdown(Plan("dev", tuple(steps)))
    assert "Not checked" in plan_markdown(Plan("dev", tuple(steps)))


def test_an_empty_plan_is_one_green_sentence():
    """Nothing to do is one sentence, in bold green."""
    assert plan_text(Plan("dev", ())).endswith("\n\nNo changes. The resources match the files.\n")
    assert "\x1b[1;32mNo changes." in plan_text(Plan("dev", ()), colour=True)


def test_checks_alone_are_no_changes():
    """A plan with probes only has no changes, and counts the probes."""
    plan = Plan("dev", (Step(Verb.PROBE, addr("probe/mip/blue"), {}, "asked for"),))
    assert plan_text(plan).splitlines()[-1] == "No changes. The resources match the files. 1 probe to run."


def test_an_update_shows_its_fields_and_hides_secrets():
    """Each changed field has its line, before and after; the value of a token is not shown."""
    text = plan_text(g.PLAN, width=120)
    assert "instance_count: 1 -> 2" in text
    assert "environment_variables.HF_TOKEN: (hidden) -> (hidden)" in text
    assert "hf_" not in text


def test_a_wait_is_announced():
    """A step that bakes first prints the time."""
    assert "(starts after 5 min)" in plan_text(g.PLAN, width=120)


def test_rescue_and_leases_have_their_sections():
    """What happens if a step fails, and which endpoint ends when, is part of the plan."""
    text = plan_text(g.PLAN, width=100)
    assert "If a step fails\n  ⇄ shift  traffic/mip  green 100 % -> blue 100 %" in text
    assert "Leases\n  mip: ends 2026-11-30 09:12 UTC" in text


def test_a_report_contains_the_failure_in_full():
    """A failed step shows code, words, Azure's nested codes, status and request id; the last line sums up."""
    text = report_text(g.REPORT, g.PLAN, width=120)
    assert "✗ update deployment/mi2/blue                 failed, 12 min 13 s, 6 attempts" in text
    assert "AML310 cannot update deployment/mi2/blue: Not enough quota. Request more." in text
    assert "BadRequest > OutOfQuota  HTTP 400  request id 3f0a5f1e" in text
    assert text.splitlines()[-1] == (
        "Failed at deployment/mi2/blue: 2 done, 1 failed, 1 not reached, 1 rescued; 24 min 25 s, 214 requests."
    )


def test_reasons_follow_their_steps():
    """Two steps of one address keep their own reasons: the shift that was not reached and its rescue."""
    text = report_text(g.REPORT, g.PLAN, width=160)
    assert "not reached: blue 100 % -> green 100 % (starts after 5 min)" in text


RESCUE_FAILED = Report(
    "dev",
    "f",
    (
        Outcome(addr("traffic/mip"), Verb.SHIFT, State.FAILED, 1, 1.0, {"code": "AML300", "message": "no"}),
        Outcome(
            addr("traffic/mip"),
            Verb.SHIFT,
            State.FAILED,
            1,
            1.0,
            {"code": "AML300", "message": "no again"},
            rescue=True,
        ),
    ),
)


def test_a_rescue_has_a_heading_of_its_own():
    """The failed step and the failed rescue are in different sections, in each format."""
    before, _, after = report_text(RESCUE_FAILED).partition("\nRescue\n")
    assert "no again" not in before
    assert "no again" in after
    assert "#### Rescue\n\n|" in report_markdown(RESCUE_FAILED)
    assert "Rescue: `traffic/mip`\n<pre>AML300 no again" in report_markdown(RESCUE_FAILED)
    assert "<h2>Rescue</h2>" in report_html(RESCUE_FAILED)
    assert [outcome.get("rescue") for outcome in report_json(RESCUE_FAILED)["outcomes"]] == [None, True]
    assert RESCUE_FAILED.exit is Exit.RESCUE_FAILED


def test_a_reason_is_not_repeated():
    """A change that the reason contains is not printed below it again."""
    change = {"path": "instance_count", "before": 1, "after": 2}
    text = plan_text(
        Plan("dev", (Step(Verb.UPDATE, addr("deployment/mip/blue"), {"changes": [change]}, "instance_count 1 -> 2"),))
    )
    assert text.count("1 -> 2") == 1


def test_nothing_to_do_counts_nothing():
    """No number of requests is printed: reading Azure needed some, too."""
    assert report_text(Report("dev", "f", ())).splitlines()[-1] == "Done: nothing to do."


TIMES = {
    0: "0.0 s",
    0.037: "37 ms",
    0.1: "0.1 s",
    9.94: "9.9 s",
    9.96: "10 s",
    59.4: "59 s",
    59.6: "1 min",
    733: "12 min 13 s",
    3599.9: "1 h",
    255_900: "71 h 5 min",
}


@pytest.mark.parametrize(("seconds", "text"), TIMES.items())
def test_times_are_short(seconds, text):
    """Few digits, and nothing is rounded to sixty."""
    assert duration(seconds) == text


def test_a_good_report_is_done():
    """The summary counts the steps if all are done."""
    report = Report("dev", "f", (Outcome(addr("endpoint/mip"), Verb.CREATE, State.DONE, 1, 3.04),), 4, 3.1)
    assert report_text(report).splitlines()[-1] == "Done: 1 step; 3.1 s, 4 requests."


def test_slots_are_aligned_on_a_wide_terminal_and_wrapped_on_a_narrow_one():
    """Lines are wrapped between cells."""
    wide = status_text(g.ROWS, width=100).splitlines()
    assert wide[3] == "  blue   live   90 %  Succeeded  1 x Standard_NC24ads_A100_v4  release 3f2a9c1b"
    assert wide[4] == "  green         10 %  Succeeded  2 x Standard_NC24ads_A100_v4  release 99aa9c1b"
    assert "  blue  live  90 %  Succeeded  1 x Standard_NC24ads_A100_v4\n  release 3f2a9c1b" in status_text(
        g.ROWS, width=60
    )


def test_status_counts_endpoints_with_traffic_and_names_the_next_lease():
    """The last line contains the number of endpoints that receive traffic, and the lease that expires first."""
    last = status_text(g.ROWS, width=120).splitlines()[-1]
    assert last == "2 endpoints, 1 receiving traffic; next lease: mip expires in 71 h."
    assert status_text(()) == "No endpoints.\n"


def test_an_orphan_is_no_endpoint_of_the_file():
    """It is shown with the command that deletes it, and counted apart; the end of its lease needs no renewal."""
    orphan = replace(g.ROWS[0], key="old", orphan="orphan: its entry is gone; delete it with: x")
    lines = status_text([orphan]).splitlines()
    assert "  orphan: its entry is gone; delete it with: x" in lines
    assert lines[-1] == "No endpoints; 1 orphan."
    assert "; 1 orphan; next lease: mip " in status_text([*g.ROWS, orphan], width=120).splitlines()[-1]


def test_a_failed_endpoint_can_receive_traffic():
    """Only the deployments with traffic count; the endpoint's own state is printed beside it."""
    failed = [replace(row, state="Failed", lease_ends=None, hours_left=None) for row in g.ROWS[:1]]
    assert status_text(failed).splitlines()[-1] == "1 endpoint, 1 receiving traffic; mip is Failed."


CREATED = Step(
    Verb.CREATE,
    addr("endpoint/mip"),
    {
        "document": {
            "name": "mip-dev",
            "auth_mode": "key",
            "tags": {"team": "x", "token": "hunter22-very-secret"},
        },
        "shared": True,
    },
    "there is no endpoint yet",
)


def test_created_fields_are_shown_and_those_of_azure_are_known_after_apply():
    """Fields with their values, secrets hidden; scoring URI, identity and lease are known after apply."""
    text = plan_text(Plan("dev", (CREATED,)), width=100)
    for line in ("auth_mode: key", "tags.team: x", "tags.token: (hidden)"):
        assert line in text
    for path in ("scoring_uri", "identity.principal_id", "lease end"):
        assert f"{path}: (known after apply)" in text
    assert "hunter22" not in text


def test_unchanged_fields_and_endpoints_are_counted():
    """An update counts its unchanged fields, and the summary the unchanged endpoints."""
    body = {
        "document": {"name": "blue", "instance_count": 2, "tags": {"a": "1", "b": "2"}},
        "changes": [{"path": "instance_count", "before": 1, "after": 2}],
    }
    plan = Plan(
        "dev", (Step(Verb.UPDATE, addr("deployment/mip/blue"), body, "instance_count"),), endpoints=("mip", "cxr")
    )
    text = plan_text(plan)
    assert "instance_count: 1 -> 2" in text
    assert "(2 unchanged fields hidden)" in text
    assert text.endswith("1 endpoint unchanged.\n")


def test_a_full_plan_hides_nothing_but_secrets():
    """Whole values, unchanged fields, every field of every resource, also of the fallback."""
    long, other = "x" * 300, "y" * 300
    body = {
        "document": {"name": "blue", "model": long, "tags": {"a": other, "token": "hunter22-very-secret"}},
        "changes": [{"path": "model", "before": "z" * 300, "after": long}],
    }
    update = Step(Verb.UPDATE, addr("deployment/mip/blue"), body, f"model {'z' * 119}… -> {'x' * 119}…")
    many = tuple(Step(Verb.CREATE, addr(f"endpoint/m{n}"), CREATED.body, "new") for n in range(14))
    text = plan_text(Plan("dev", (update, *many), fallback=many[:1]), width=120, full=True)
    assert f"model: {'z' * 300} -> {long}" in " ".join(text.split())
    assert f"tags.a: {other} (unchanged)" in " ".join(text.split())
    assert text.count("auth_mode: key") == 15
    assert "hidden)" not in text.replace("token: (hidden)", "")
    assert "hunter22" not in text


def test_a_long_plan_shows_only_the_first_fields():
    """Twelve resources in full; of the rest only the number of fields."""
    steps = tuple(Step(Verb.CREATE, addr(f"endpoint/m{n}"), CREATED.body, "new") for n in range(14))
    text = plan_text(Plan("dev", steps), width=120)
    assert text.count("auth_mode: key") == 12
    assert text.count("(6 fields: see --full)") == 2


@g.few
@given(g.PLANS, g.WIDTHS, st.booleans())
def test_the_legend_lists_each_used_symbol_and_no_other(plan, width, ascii_only):
    """Each symbol of a step is in the legend, and the reverse."""
    text = plan_text(plan, width=width, ascii=ascii_only)
    used = {symbol(step) for step in plan.all_steps}
    legend = text.rpartition("\nLegend:")[2].partition("\n\n")[0] if "\nLegend:" in text else ""
    layout = Layout(width, ascii=ascii_only)
    assert set(legend.split()) == {word for mark, meaning in used for word in (layout.clean(mark), *meaning.split())}


@g.few
@given(g.WIDTHS, st.integers(1, 300), st.integers(0, 9), st.integers(0, 30))
def test_only_the_long_word_moves(width, length, before, after):
    """A word that does not fit at its column is further left, on its own line; all others stay."""
    text = f"{'because ' * before}{'y' * length}{' therefore' * after}"
    for n, line in enumerate(Layout(width).line(text, indent=11, hang=13)):
        at = 13 if n else 11
        assert line.startswith(" " * at + line.lstrip()[:1]) or line.split() == ["y" * length]
        assert cells(line) <= width or line == "y" * length


@g.few
@given(g.WIDTHS, st.integers(1, 300))
def test_a_long_word_beside_a_name_moves_alone(width, length):
    """In a title, and in a column beside one."""
    long = "y" * length
    siblings = Layout(width).row(("AML250 ", Style.BAD), "cannot plan it", f"one {long} two", column=30)
    assert [line.split(" one")[0].strip() for line in siblings[:1]] == ["AML250 cannot plan it"]
    title = Layout(width).row(
        ("AML250 ", Style.BAD), f"cannot plan it: {long} is not there, and so on and on", "", column=0
    )
    assert all(line.startswith(" " * 9 + line.lstrip()[:1]) for line in title[1:] if "y" not in line)
    assert all(cells(line) <= width for line in (*siblings, *title) if line.lstrip() != long)
