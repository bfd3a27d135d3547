"""Input of a GitHub Actions runner: remote text cannot forge a command or end an output."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State
from deploy.errors import CloudError, Finding, Place, Problem, Refused, SpecError
from deploy.reporter import (
    annotation_commands,
    error_annotations,
    mask_commands,
    notice_annotations,
    outputs,
    plan_secrets,
    report_annotations,
)
from deploy.reporter.workflow_commands import MOST, Annotation, Level
from tests.addresses import addr

from . import examples as g

TEXTS = st.text(max_size=60) | st.sampled_from(["::error::x", "a\n::warning::b", "%0A%", "a,b:c", "\r\n", "\u2028"])
PLACES = st.none() | st.builds(Place, TEXTS, st.integers(1, 999), st.integers(1, 200))
ANNOTATIONS = st.builds(Annotation, st.sampled_from(Level), TEXTS, TEXTS, PLACES)
COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def runner(line: str) -> tuple[str, dict[str, str], str]:
    """A line as the runner parses it: level, properties, text."""
    found = COMMAND.fullmatch(line)
    assert found, line
    properties = dict(pair.split("=", 1) for pair in found[2].split(","))
    return found[1], {name: _plain(value) for name, value in properties.items()}, _plain(found[3])


def _plain(text: str) -> str:
    for code, char in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, char)
    return text


@g.few
@given(st.lists(ANNOTATIONS, max_size=30), st.sampled_from(["", "infra/"]))
def test_one_line_each_worst_first_ten_at_most(found: list[Annotation], prefix: str) -> None:
    """With any text, the runner parses exactly these commands; those left out are counted."""
    lines = annotation_commands(found, prefix).split("\n")[:-1]
    told = [runner(line) for line in lines]
    assert len(told) == min(len(found), MOST)
    kinds = [Level[kind.upper()] for kind, *_ in told]
    assert kinds == sorted(kinds)
    if len(found) > MOST:
        assert told[-1][2] == f"{len(found) - MOST + 1} more: see the job summary"
        assert kinds[0] == min(one.level for one in found)
    for (_, properties, _), one in zip(told, sorted(found, key=lambda one: one.level)[: MOST - 1], strict=False):
        assert properties.get("file") == (prefix + one.place.file if one.place else None)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), TEXTS.filter(lambda t: "\r" not in t)))
def test_outputs_are_parsed_unchanged(values: dict[str, str]) -> None:
    """Several lines, lines that look like outputs, and empty values."""
    written = outputs(values, "end_5f")
    read: dict[str, str] = {}
    lines = iter(written.split("\n"))
    for line in lines:
        if line:
            name, _, delimiter = line.partition("<<")
            value: list[str] = []
            for part in lines:
                if part == delimiter:
                    break
                value.append(part)
            read[name] = "\n".join(value)
    assert read == values


def test_a_value_that_holds_the_delimiter_is_refused() -> None:
    """The delimiter is random, so a value with it is an attack."""
    with pytest.raises(ValueError, match="delimiter"):
        outputs({"a": "x\nend_5f\nb<<end_5f"}, "end_5f")


def test_problems_are_annotations_of_their_lines() -> None:
    """File, line and column as written; cause and cure as text."""
    error = SpecError(
        [Problem(Place("templates/a/deployment.yml.j2", 7, 3), "AML120", "It is wrong.", "Fix it, so: x")]
    )
    assert annotation_commands(error_annotations(error, {}), "deploy/") == (
        "::error file=deploy/templates/a/deployment.yml.j2,line=7,col=3,title=AML120::It is wrong. Fix it, so: x\n"
    )


def test_findings_are_annotations_of_the_line_of_their_endpoint() -> None:
    """Or of the run if the line is unknown."""
    error = Refused(
        [Finding("quota/mip/size", "AML200", "24 too few", "Ask"), Finding("model/x", "AML244", "no", "yes")]
    )
    found = error_annotations(error, {"mip": Place("environments/dev.yml", 9, 3)})
    assert [one.place for one in found] == [Place("environments/dev.yml", 9, 3), None]
    assert runner(annotation_commands(found).splitlines()[0])[1]["title"] == "AML200 quota/mip/size"
    assert annotation_commands(error_annotations(CloudError("do it", "no"), {})).startswith(
        "::error title=AML300::cannot do it: no."
    )


def test_failures_that_affect_traffic_are_first() -> None:
    """Then other failures, then warnings."""
    error = {"code": "AML310", "message": "cannot"}
    outcomes = (
        Outcome(addr("endpoint/a"), Verb.CREATE, State.INTERRUPTED, 1, 1.0),
        Outcome(addr("endpoint/b"), Verb.CREATE, State.FAILED, 1, 1.0, error),
        Outcome(addr("traffic/c"), Verb.SHIFT, State.FAILED, 1, 1.0, {**error, "traffic": "on green"}),
        Outcome(addr("traffic/d"), Verb.SHIFT, State.DONE, 1, 1.0),
    )
    lines = annotation_commands(
        [*notice_annotations([("Note", "it ends")]), *report_annotations(Report("dev", "f", outcomes), {})]
    ).splitlines()
    assert [runner(line)[:2] for line in lines] == [
        ("error", {"title": "AML310 traffic/c"}),
        ("error", {"title": "AML310 endpoint/b"}),
        ("warning", {"title": "Note"}),
        ("warning", {"title": "endpoint/a"}),
    ]


def test_secrets_are_masked_line_by_line() -> None:
    """Each line of a secret has its own mask; other values have none."""
    document = {"environment_variables": {"API_KEY": "first-line\nsecond%line", "MODE": "not-a-secret"}}
    plan = Plan("dev", (Step(Verb.CREATE, addr("deployment/a/blue"), {"document": document}, "new"),))
    assert mask_commands(plan_secrets(plan)) == "::add-mask::first-line\n::add-mask::second%25line\n"


@g.few
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=12), g.REPORTS)
def test_remote_text_adds_no_command(notices: list[tuple[str, str]], report: Report) -> None:
    """With any notices and report, each line is a command of amldeploy."""
    for line in annotation_commands([*notice_annotations(notices), *report_annotations(report, {})]).split("\n")[:-1]:
        runner(line)
