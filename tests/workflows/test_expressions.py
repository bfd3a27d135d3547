"""Expressions of workflows evaluate as on GitHub, for any value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.expressions import Scope, Wrong

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCOPE = Scope(
    {
        "needs": {"plan": {"outputs": {"changes": "true", "scoring-uri": "https://x"}, "result": "success"}},
        "vars": {"LIST": '["dev"]'},
    },
    {"success": lambda: False, "always": lambda: True},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("needs.plan.outputs.changes == 'true'", True),
        ("needs.plan.outputs.scoring-uri", "https://x"),
        ("needs.PLAN['outputs'].Changes", "true"),
        ("needs.nobody.outputs.x", None),
        ("vars.NONE || '[]'", "[]"),
        ("contains(fromJSON(vars.LIST || '[]'), 'DEV')", True),
        ("!always() || 1 == '1' && 'yes'", "yes"),
        ("'Main' == 'main'", True),
        ("'it''s'", "it's"),
        ("format('{0} {{}} {1}', 'a', true)", "a {} true"),
        ("startsWith('refs/heads/main', 'refs/heads/')", True),
        ("null == ''", True),
        ("contains(needs.*.result, 'success')", True),
        ("contains(needs.*.result, 'failure')", False),
    ],
)
def test_values(text: str, value: Any) -> None:
    """Values are as GitHub documents them."""
    assert SCOPE.value(text) == value


def test_a_condition_without_a_status_function_means_success() -> None:
    """`success()` inside a string does not count."""
    assert not SCOPE.holds("true")
    assert not SCOPE.holds("'always()' != ''")
    assert SCOPE.holds("${{ always() }}")
    assert not SCOPE.holds(None)


@given(WORDS)
def test_text_in_a_string_is_not_evaluated(word: str) -> None:
    """Quoted, encoded, or formatted into text: expressions inside a string stay text."""
    quoted = word.replace("'", "''")
    assert SCOPE.value(f"'{quoted}'") == word
    scope = Scope({"inputs": {"x": word}}, {})
    assert scope.fill("<${{ inputs.x }}>") == f"<{word}>"
    assert scope.value("fromJSON(toJSON(inputs.x))") == word


@given(st.recursive(st.none() | st.booleans() | st.integers() | WORDS, st.lists))
def test_json_round_trip(value: Any) -> None:
    """fromJSON reverses toJSON."""
    assert json.dumps(Scope({"inputs": {"x": value}}, {}).value("fromJSON(toJSON(inputs.x))")) == json.dumps(value)


@given(st.text(max_size=20))
def test_invalid_expressions_are_refused(text: str) -> None:
    """The parser raises its own error and no other."""
    try:
        Scope({}, {}).value(text)
    except Wrong:
        return
    assert text.strip()
