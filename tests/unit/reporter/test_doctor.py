"""The result of `doctor` as text and JSON."""

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
    Line("limits/mip", Verdict.UNKNOWN, "unknown whether the name is free"),
)


def test_text() -> None:
    """A line for each check, reasons and cures below a refusal, what is not checked, and a summary."""
    text = reporter.doctor_text(Diagnosis("dev", LINES, ("the weather",)), width=120)

    assert "ok       credential: AzureCliCredential: object id 1" in text
    assert "refused  quota/mip/x\n           AML200 24 too few (usages of eastus)\n" in text
    assert "→ Ask for more" in text
    assert "unknown  limits/mip" in text
    assert "- the weather" in text
    assert text.rstrip().splitlines()[-1].endswith("3 checks: 1 ok, 1 refused, 1 unknown; apply would be refused.")


def test_json() -> None:
    """The document matches its schema."""
    body = reporter.doctor_json(Diagnosis("dev", LINES, ("the weather",)))
    jsonschema.validate(body, json.loads((ROOT / "deploy" / "schemas" / "doctor.json").read_text()))

    assert body["ok"] is False
    assert [line["verdict"] for line in body["lines"]] == ["yes", "no", "unknown"]


def test_orphans_are_notes() -> None:
    """They do not refuse an apply, and JSON lists them."""
    orphan = {"name": "a-b", "entry": "a", "address": "endpoint/a-b", "command": "x", "why_kept": "", "pruned": False}
    found = Diagnosis("dev", LINES[::2], ("the weather",), (orphan,), ("1 orphan: a-b. Delete it with: x",))
    body = reporter.doctor_json(found)
    jsonschema.validate(body, json.loads((ROOT / "deploy" / "schemas" / "doctor.json").read_text()))

    assert (body["ok"], body["orphans"]) == (True, [orphan])
    assert "\nNote: 1 orphan: a-b. Delete it with: x\n" in reporter.doctor_text(found)


def test_exit() -> None:
    """A refusal changes the exit code; an unknown verdict does not."""
    assert Diagnosis("dev", LINES, ()).exit is Exit.REFUSED
    assert Diagnosis("dev", LINES[::2], ()).exit is Exit.OK


def test_lines_of_a_plan() -> None:
    """Each check is a line, and each finding without a check; changes are not."""
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
