"""Expressions of workflows: what they are worth is GitHub's, whatever is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.expressions import Scope, Wrong

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCOPE = Scope(
    {"needs": {"plan": {"outputs": {"changes": "true", "scoring-uri": "https://x"}}}, "vars": {"LIST": '["dev"]'}},
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
    ],
)
def test_values(text: str, value: Any) -> None:
    """As GitHub documents them."""
    assert SCOPE.value(text) == value


def test_a_condition_asks_for_success_unless_it_asks_otherwise() -> None:
    """`success()` is in a string only: it does not count."""
    assert not SCOPE.holds("true")
    assert not SCOPE.holds("'always()' != ''")
    assert SCOPE.holds("${{ always() }}")
    assert not SCOPE.holds(None)


@given(WORDS)
def test_a_string_stays_what_it_is(word: str) -> None:
    """Quoted, encoded, or filled into text: nothing in it is evaluated."""
    quoted = word.replace("'", "''")
    assert SCOPE.value(f"'{quoted}'") == word
    scope = Scope({"inputs": {"x": word}}, {})
    assert scope.fill("<${{ inputs.x }}>") == f"<{word}>"
    assert scope.value("fromJSON(toJSON(inputs.x))") == word


@given(st.recursive(st.none() | st.booleans() | st.integers() | WORDS, st.lists))
def test_json_goes_round(value: Any) -> None:
    """fromJSON undoes toJSON."""
    assert json.dumps(Scope({"inputs": {"x": value}}, {}).value("fromJSON(toJSON(inputs.x))")) == json.dumps(value)


@given(st.text(max_size=20))
def test_what_is_no_expression_is_refused(text: str) -> None:
    """With our own error, never another."""
    try:
        Scope({}, {}).value(text)
    except Wrong:
        return
    assert text.strip()
