"""JSON: it matches the schemas, plan files are read back unchanged, and no secret is printed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deploy
from deploy.domain.plan import Plan, Step, Verb, digest_world
from deploy.errors import SpecError
from deploy.reporter import plan_dump, plan_json, plan_load, report_json, status_json
from tests.addresses import addr

from . import examples as g


def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((Path(deploy.__file__).parent / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


PLAN, REPORT, STATUS = _validator("plan"), _validator("report"), _validator("status")


@g.few
@given(g.PLANS)
def test_any_plan_fits_its_schema(plan):
    """What `plan -o json` prints matches its schema."""
    PLAN.validate(json.loads(json.dumps(plan_json(plan))))


@g.few
@given(g.REPORTS)
def test_any_report_fits_its_schema(report):
    """What `apply -o json` prints matches its schema."""
    REPORT.validate(json.loads(json.dumps(report_json(report))))


@g.few
@given(st.lists(g.ENDPOINT_ROWS, max_size=3))
def test_any_status_fits_its_schema(rows):
    """What `status -o json` prints matches its schema."""
    STATUS.validate(json.loads(json.dumps(status_json(rows))))


def test_orphans_have_a_list_of_their_own():
    """A consumer of `endpoints` sees only those of the environment file."""
    row = replace(g.ROWS[0], key="old", orphan="orphan: its entry is gone; delete it with: x")
    body = status_json([*g.ROWS, row])
    STATUS.validate(json.loads(json.dumps(body)))

    assert [each["key"] for each in body["endpoints"]] == [each.key for each in g.ROWS]
    assert [(each["key"], each["orphan"]) for each in body["orphans"]] == [("old", row.orphan)]


def test_a_plan_with_orphans_fits_its_schema():
    orphan = {"name": "a-b", "entry": "a", "address": "endpoint/a-b", "command": "x", "why_kept": "", "pruned": True}
    body = plan_json(replace(g.PLAN, orphans=(orphan,)))
    PLAN.validate(json.loads(json.dumps(body)))

    assert body["orphans"] == [orphan]


@pytest.mark.parametrize(("schema", "body"), [(PLAN, plan_json(g.PLAN)), (REPORT, report_json(g.REPORT))])
def test_the_schemas_are_strict(schema, body):
    """A missing or unknown key is invalid."""
    schema.validate(body)
    for wrong in ({**body, "surplus": 1}, {key: value for key, value in body.items() if key != "environment"}):
        with pytest.raises(jsonschema.ValidationError):
            schema.validate(wrong)


@g.few
@given(g.PLANS)
def test_a_plan_file_is_read_back_unchanged(plan):
    """Writing and reading a plan file changes nothing."""
    assert plan_load(plan_dump(plan)) == plan


@g.few
@given(g.PLANS)
def test_printed_json_without_secrets_is_a_plan_file_too(plan):
    """If nothing was hidden, the printed JSON can be read back."""
    printed = json.dumps(plan_json(plan))
    if "(hidden)" not in printed:
        assert plan_load(printed) == plan


def test_a_plan_file_contains_no_secret():
    """Neither the printed JSON nor the plan file contains a secret; the fingerprint stays the same."""
    body = {"document": {"environment_variables": {"API_KEY": "hunter22", "WORKERS": "2"}}}
    plan = Plan("dev", (Step(Verb.CREATE, addr("deployment/mip/blue"), body, "new"),))
    for text in (json.dumps(plan_json(plan)), plan_dump(plan)):
        assert "hunter22" not in text
        assert '"WORKERS": "2"' in text
        assert plan_load(text).fingerprint == plan.fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n  oops", r"out/p\.json:2:3: AML190 is not JSON"),
        ("[" * 100_000, "AML190 is not JSON"),
        ("[]", "AML190 is not a plan: it is not a JSON object"),
        ("{}", "AML190 is not a plan: 'environment' is missing"),
        (json.dumps(plan_json(g.PLAN) | {"steps": [{"verb": "dance"}]}), r"AML190 is not a plan: steps\.0\.verb"),
        (plan_dump(g.PLAN).replace("mip-dev", "mip-prod"), "AML191"),
    ],
)
def test_a_wrong_plan_file_is_a_problem_with_a_place(text, message):
    """A file that is not a plan, and an edited plan, is a problem of that file."""
    with pytest.raises(SpecError, match=message):
        plan_load(text, "out/p.json")


def test_evidence_names_its_files():
    """A report's JSON has the names of the files, never their bytes; without evidence the key is absent."""
    outcomes = report_json(g.REPORT)["outcomes"]
    assert outcomes[1]["evidence"] == {"summary": "a result", "data": {"n": 1}, "files": ["seen.png"]}
    assert "evidence" not in outcomes[0]


def _paths(value, path=()):
    """The path of each value in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _paths(value[key], (*path, key))


FOREIGN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})


@g.few
@given(st.data())
def test_an_edited_plan_file_is_a_problem_without_a_traceback(data):
    """One value replaced or removed anywhere: a problem of the file, or the same changes."""
    body = json.loads(plan_dump(g.PLAN))
    where = data.draw(st.sampled_from([path for path in _paths(body) if path]))
    holder = body
    for key in where[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        del holder[where[-1]]
    else:
        holder[where[-1]] = data.draw(FOREIGN)
    with contextlib.suppress(SpecError):
        assert plan_load(json.dumps(body)).fingerprint == g.PLAN.fingerprint


@g.few
@given(st.integers(0, 3000), st.binary(max_size=3))
def test_a_damaged_plan_file_is_a_problem_without_a_traceback(at, noise):
    """Truncated or overwritten at any byte."""
    content = plan_dump(g.PLAN).encode()
    damaged = (content[:at] + noise + content[at + len(noise) + 1 :]).decode(errors="replace")
    with contextlib.suppress(SpecError):
        assert plan_load(damaged).fingerprint == g.PLAN.fingerprint


def test_the_world_of_a_plan_file_cannot_be_edited():
    """A stale plan is detected by comparison with these facts, so a change of them is refused."""
    world = {addr("endpoint/mip"): {"tags": {"a": "1"}}}
    plan = replace(g.PLAN, world=world, facts=digest_world(world))
    assert plan_load(plan_dump(plan)).world == world
    with pytest.raises(SpecError, match="AML191"):
        plan_load(plan_dump(plan).replace('"a": "1"', '"a": "2"'))


def test_equal_plans_have_equal_plan_files():
    """Keys are sorted, so the bytes are equal."""
    text = plan_dump(g.PLAN)
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
