"""Errors: place, code, cause, cure."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import CloudError, Finding, Place, Problem, Refused, SpecError, StalePlan
from deploy.reporter import error_json, error_text
from deploy.reporter.layout import cells

from . import examples as g

SPEC = SpecError(
    [
        Problem(Place("environments/dev.yml", 12, 5), "AML112", "unknown key 'templat'.", "Did you mean 'template'?"),
        Problem(Place("environments/dev.yml", 3, 1), "AML110", "no workspace.", "Add one"),
    ]
)
REFUSED = Refused(
    [
        Finding("quota/mip/size", "AML200", "24 cores; 0 of 12 in use, 12 too few", "Request more quota"),
        Finding("endpoint/mip", "AML230", "it was not made by amldeploy", "Choose another name"),
    ]
)
CLOUD = CloudError(
    "create deployment/mip/green", "Not enough quota", "Request more", code="AML310",
    codes=("BadRequest", "OutOfQuota"), status=400, request_id="3f0a",
)  # fmt: skip
ERRORS = [SPEC, REFUSED, CLOUD, StalePlan("apply", "moved")]


def test_problems_start_with_their_place():
    """Each problem starts a line with file:line:column; all are shown, in the order of the file, and counted."""
    assert error_text(SPEC, width=100) == (
        "environments/dev.yml:3:1: AML110 no workspace.\n"
        "    → Add one\n"
        "environments/dev.yml:12:5: AML112 unknown key 'templat'.\n"
        "    → Did you mean 'template'?\n"
        "\n"
        "2 problems found.\n"
    )


def test_every_finding_of_a_refusal_is_shown():
    """Each finding with its numbers and its cure, so that one run is enough to fix all."""
    text = error_text(REFUSED, width=100)
    assert "AML200 cannot plan quota/mip/size: 24 cores; 0 of 12 in use, 12 too few\n    → Request more quota" in text
    assert "AML230 cannot plan endpoint/mip" in text


def test_azure_codes_are_shown():
    """A cloud error shows Azure's codes from the outermost to the innermost, the status and the request id."""
    text = error_text(CLOUD, width=100)
    assert text == (
        "AML310 cannot create deployment/mip/green: Not enough quota\n"
        "    BadRequest > OutOfQuota  HTTP 400  request id 3f0a\n"
        "    → Request more\n"
    )


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_json(error):
    """Kind, code and exit code for every error, and the parts that only this kind has."""
    body = json.loads(json.dumps(error_json(error)))["error"]
    assert (body["kind"], body["code"], body["exit"]) == (type(error).__name__, error.code, error.exit)
    own = {"SpecError": "problems", "Refused": "findings", "CloudError": "azure_codes"}
    assert own.get(type(error).__name__, "kind") in body


@g.few
@given(g.SENTENCES, g.SENTENCES, g.WIDTHS)
def test_errors_fit_the_page(cause, cure, width):
    """With any text from Azure, no line is too long and no secret is shown."""
    secret = "eyJhbGciOiJSUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl"
    text = error_text(CloudError("create it", f"{cause} {secret}", cure), width=width)
    assert all(cells(line) <= width for line in text.split("\n"))
    assert secret not in text


@g.few
@given(st.lists(st.tuples(g.WORDS, g.SENTENCES), min_size=1, max_size=4), g.WIDTHS)
def test_problems_fit_the_page(parts, width):
    """Problems with any text fit the width."""
    error = SpecError([Problem(Place("environments/dev.yml", 1, 1), "AML100", cause, cure) for cure, cause in parts])
    assert all(cells(line) <= width for line in error_text(error, width=width).split("\n"))
