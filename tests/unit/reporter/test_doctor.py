"""A diagnosis in words and as JSON."""

from __future__ import annotations

import json

import jsonschema

from deploy import reporter
from deploy.domain.plan import Step, Verb
from deploy.errors import Exit, Finding
from deploy.preflight.check_result import CheckResult, Reason, Verdict
from deploy.preflight.doctor import Diagnosis, Line, of_plan
from tests.addresses import addr
from tests.project import ROOT

SHORT = Finding("quota/mip/x", "AML200", "24 too few (usages of eastus)", "Ask for more")
LINES = (
    Line("credential", Verdict.YES, "AzureCliCredential: object id 1"),
    Line("quota/mip/x", Verdict.NO, "24 too few", "usages of eastus", (SHORT,)),
    Line("limits/mip", Verdict.UNKNOWN, "could not tell whether the name is free"),
)


def test_text() -> None:
    """A line each, reasons and cures below a refusal, what was not looked at, and one sentence at the end."""
    text = reporter.doctor_text(Diagnosis("dev", LINES, ("the weather",)), width=120)

    assert "ok             credential: AzureCliCredential: object id 1" in text
    assert "refused        quota/mip/x\n                 AML200 24 too few (usages of eastus)\n" in text
    assert "→ Ask for more" in text
    assert "could not tell limits/mip" in text
    assert "- the weather" in text
    assert text.rstrip().splitlines()[-1].endswith("1 ok, 1 refused, 1 could not tell; an apply would be refused.")


def test_json() -> None:
    """The shape that the schema promises."""
    body = reporter.doctor_json(Diagnosis("dev", LINES, ("the weather",)))
    jsonschema.validate(body, json.loads((ROOT / "deploy" / "schemas" / "doctor.json").read_text()))

    assert body["ok"] is False
    assert [line["verdict"] for line in body["lines"]] == ["yes", "no", "unknown"]


def test_exit() -> None:
    """Only a refusal stops; what could not be told does not."""
    assert Diagnosis("dev", LINES, ()).exit is Exit.REFUSED
    assert Diagnosis("dev", LINES[::2], ()).exit is Exit.OK


def test_lines_of_a_plan() -> None:
    """Each check is a line, and each reason against the plan that no check has; changes are none."""
    bad = CheckResult("w", "s", (Reason("AML200", "few", "more"),)).step(addr("quota/mip/x"), {})
    good = CheckResult("w", "s").step(addr("model/mip/blue"), {})
    guard = Finding("environment/dev", "AML240", "too many", "fewer")
    own = Finding("quota/mip/x", "AML200", "few (s)", "more")
    lines = of_plan([bad, good, Step(Verb.CREATE, addr("endpoint/mip"), {}, "")], [own, guard])

    assert [(line.subject, line.verdict) for line in lines] == [
        ("quota/mip/x", Verdict.NO),
        ("model/mip/blue", Verdict.YES),
        ("environment/dev", Verdict.NO),
    ]
    assert lines[0].findings == (own,)
