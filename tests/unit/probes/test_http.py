"""The probe that fits every endpoint."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.probes import WrongAnswer, http


def test_the_body_file_is_sent_as_it_is(tmp_path):
    """What the file holds is what is sent, byte for byte."""
    (tmp_path / "ask.json").write_bytes(b'{ "a":1 }\n')
    assert http.request({"type": "http", "body": "ask.json"}, tmp_path) == b'{ "a":1 }\n'


def test_without_a_body_an_empty_object_is_sent(tmp_path):
    """A probe may name no body."""
    assert http.request({"type": "http", "body": None}, tmp_path) == b"{}"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "'ask.json' is not JSON"), (b"\xff\xfe{", "is not JSON"), (b"[" * 100_000, "is not JSON")],
)
def test_a_body_that_is_not_json_is_refused_before_sending(tmp_path, content, words):
    """A broken sample file is the file's fault, not the endpoint's."""
    (tmp_path / "ask.json").write_bytes(content)
    with pytest.raises(DeployError, match=words):
        http.request({"type": "http", "body": "ask.json"}, tmp_path)


@pytest.mark.parametrize(
    ("name", "words"), [("gone.json", "gone.json: No such file"), ("../x", "outside"), (".", "directory")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, words):
    """A missing file, a folder, and a file outside the template are each refused by name."""
    (tmp_path.parent / "x").write_bytes(b"{}")
    with pytest.raises(DeployError, match=words):
        http.request({"type": "http", "body": name}, tmp_path)


@pytest.mark.parametrize("status", [200, 404])
def test_the_expected_status_is_a_right_answer(tmp_path, status):
    """The status that is asked for is the right one, whatever it is."""
    seen = http.check({"type": "http", "status": status}, tmp_path, status, b'{"a": 1}')
    assert seen.data == {"type": "http", "status": status, "bytes": 8}
    assert seen.summary == f"HTTP {status} with an object in JSON, 8 bytes"
    assert seen.files == {"answer.json": b'{"a": 1}'}


def test_an_answer_in_plain_text_is_quoted(tmp_path):
    """A response without JSON is quoted and sanitized."""
    seen = http.check({"type": "http"}, tmp_path, 200, b"Healthy\x1b[31m")
    assert seen.summary == "HTTP 200 with 'Healthy'"
    assert not seen.files


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (503, b"", r"expected HTTP status 200, got 503 with an empty body"),
        (424, b'{"message": "boom"}', r"got 424 with '\{\"message\": \"boom\"\}'"),
        (502, b"<html><title>Bad\nGateway</title>", r"got 502 with an HTML page, 'Bad Gateway'"),
        (200, b'{"a": ', r"expected JSON, got something else"),
        (200, b"[" * 100_000, r"expected JSON, got something else: '\["),
        (500, b"Authorization: Bearer abcdefghijkl", r"Bearer \(hidden\)"),
    ],
)
def test_a_wrong_response_is_quoted(tmp_path, status, body, words):
    """Each wrong answer names what was expected and what came."""
    with pytest.raises(WrongAnswer, match=words):
        http.check({"type": "http", "status": 200}, tmp_path, status, body)


FORM = {
    "type": "object",
    "required": ["label", "scores"],
    "properties": {
        "label": {"enum": ["ill", "well"]},
        "scores": {"type": "array", "minItems": 2, "items": {"type": "number", "maximum": 1}},
    },
}


def judged(tmp_path, body, form=FORM):
    return http.check({"type": "http", "answer": form}, tmp_path, 200, body)


def test_an_answer_of_the_right_form_is_right(tmp_path):
    """What fits the schema passes, whether the schema is written in place or in a file."""
    (tmp_path / "form.json").write_text(json.dumps(FORM))
    for form in (FORM, "form.json"):
        assert judged(tmp_path, b'{"label": "ill", "scores": [0.1, 0.9]}', form).data["bytes"] == 38


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"label": "ill"}', r"at \$: required \[\"label\", \"scores\"\], got \{\"label\": \"ill\"\}"),
        (b'{"label": "dead", "scores": [0, 1]}', r'at \$\.label: enum \["ill", "well"\], got "dead"'),
        (b'{"label": "ill", "scores": [0]}', r"at \$\.scores: minItems 2, got \[0\]"),
        (b'{"label": "ill", "scores": [0, "1"]}', r'at \$\.scores\[1\]: type "number", got "1"'),
        (b'{"label": "ill", "scores": [0, 7]}', r"at \$\.scores\[1\]: maximum 1, got 7"),
        (b"[]", r'at \$: type "object", got \[\]'),
        (b"", r"expected JSON, got something else: an empty body"),
        (b"<html>", r"an HTML page"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(tmp_path, body, words):
    """One thing wrong: where it is in the answer, and what about it."""
    with pytest.raises(WrongAnswer, match=words):
        judged(tmp_path, body)


@given(
    rule=st.sampled_from(["const", "enum", "type", "maximum", "minLength", "pattern", "required", "maxItems", "not"]),
    came=st.sampled_from([True, False, None, 7, "text", ["a", "b"], {"a": 1}]),
)
def test_both_sides_of_a_comparison_are_shown(rule, came):
    """The reason contains the broken rule with its value, and the value in the answer."""
    value = {
        "const": "other", "enum": ["x"], "type": "integer", "maximum": 1, "minLength": 9, "pattern": "^z",
        "required": ["z"], "maxItems": 1, "not": {},
    }[rule]  # fmt: skip
    with contextlib.ExitStack() as stack:
        wrong = stack.enter_context(pytest.raises(WrongAnswer))
        judged(Path(), json.dumps({"v": came}).encode(), {"properties": {"v": {rule: value}}})
        assume(False)
    assert f"at $.v: {rule} {json.dumps(value)}, got {json.dumps(came)}" in wrong.value.reason


def test_what_is_shown_is_short_and_has_no_secrets(tmp_path):
    """A value under a secret-like name is hidden on both sides, and a long one is cut."""
    form = {"properties": {"token": {"const": "hunter2-expected"}, "long": {"const": 1}}}
    with pytest.raises(WrongAnswer, match=r'at \$\.token: const "\(hidden\)", got "\(hidden\)"') as secrets_in:
        judged(tmp_path, b'{"token": "hunter2-came"}', form)
    assert "hunter2" not in secrets_in.value.reason
    with pytest.raises(WrongAnswer) as long:
        judged(tmp_path, json.dumps({"long": "x" * 9000}).encode(), form)
    assert len(long.value.reason) < 400


@pytest.mark.parametrize("form", [{"type": "dance"}, {"minItems": "two"}, "gone.json", "../form.json", "text.json"])
def test_an_invalid_schema_is_refused_before_sending(tmp_path, form):
    """A wrong schema is the file's fault, not the endpoint's."""
    (tmp_path / "text.json").write_text("oops")
    with pytest.raises(DeployError, match="cannot build the probe's request"):
        http.request({"type": "http", "answer": form}, tmp_path)


def test_remote_references_of_a_schema_are_not_fetched(tmp_path):
    """A schema that points elsewhere is not followed there."""
    with pytest.raises(WrongAnswer, match="cannot be resolved"):
        judged(tmp_path, b"{}", {"$ref": "http://127.0.0.1:9/form.json"})


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["label", "scores"]), inner),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)
@example(b"NaN")
def test_any_answer_is_right_or_wrong(body):
    """Whatever comes is judged in words, never by a traceback."""
    with contextlib.suppress(WrongAnswer):
        judged(Path(), body)
