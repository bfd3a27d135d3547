"""Each error code that the code uses is explained, no other is, and docs/errors.md is up to date."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.error_codes import as_page, as_text, explain, explanations
from deploy.errors import (
    CloudError,
    DeployError,
    Finding,
    Place,
    Problem,
    Refused,
    SpecError,
    Transient,
    Unanswered,
    UsageError,
)
from deploy.reporter import error_json
from tests.project import ROOT

CODE = re.compile(r"\bAML\d{3}\b")
SCHEMA = json.loads((ROOT / "deploy" / "schemas" / "error.json").read_text())


def used() -> set[str]:
    """All codes in deploy/ outside the emulator, which has none."""
    files = (p for p in (ROOT / "deploy").rglob("*.py") if "emulator" not in p.parts)
    return {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}


def test_every_code_that_is_used_is_explained_and_no_other() -> None:
    """The table and the code have the same codes."""
    assert sorted(used() ^ set(explanations())) == []


def test_codes_are_sorted() -> None:
    """Users look codes up in the file."""
    assert list(explanations()) == sorted(explanations())


@pytest.mark.parametrize("code", sorted(explanations()))
def test_each_code_has_a_cause_and_a_cure(code: str) -> None:
    """The title is a name; the cause is a sentence; the text contains the code."""
    row = explain(code)
    assert row.title
    assert not row.title.endswith(".")
    assert row.cause.endswith((".", '"'))
    assert row.cure
    assert code in as_text(row)


def test_the_page_is_up_to_date() -> None:
    """docs/errors.md equals the output of scripts/errors; each code has an anchor."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert page == as_page()
    assert [code for code in explanations() if f"\n### {code}\n" not in page] == []


@pytest.mark.parametrize("typed", ["AML310", "aml310", " 310 "])
def test_a_code_is_found_in_each_spelling(typed: str) -> None:
    """Case, blanks and the prefix do not matter."""
    assert explain(typed).code == "AML310"


@given(st.text(max_size=8).filter(lambda text: not CODE.search(f"AML{text.upper()}") and not CODE.search(text.upper())))
def test_an_unknown_code_is_a_usage_error(typed: str) -> None:
    """The cure names similar codes, or the command that lists them."""
    with pytest.raises(UsageError, match=r"there is no such error code\. .+\."):
        explain(typed)


def test_a_typo_gets_similar_codes() -> None:
    """AML3100 is similar to AML310."""
    with pytest.raises(UsageError, match=r"Similar codes: .*AML310"):
        explain("AML3100")


ERRORS = (
    SpecError([Problem(Place("a.yml", 1, 2), "AML120", "x", "y")]),
    Refused([Finding("quota/a/b", "AML200", "x", "y")]),
    CloudError("do it", "x", "y", codes=("A", "B"), status=409, request_id="1"),
    Transient("do it", "x"),
    Unanswered("do it", "x", code="AML362"),
    UsageError("do it", "x", code="AML631"),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_each_error_fits_its_schema(error: DeployError) -> None:
    """`-o json` prints failures in the form of the schema, which allows no further keys."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    body = json.loads(json.dumps(error_json(error)))
    jsonschema.validate(body, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"error": {**body["error"], "surplus": 1}}, SCHEMA)
