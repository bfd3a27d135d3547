"""The filter of a metrics request against a plain evaluation, and its errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.monitor import metric_filter

NAMES = ("deployment", "statusCode", "statusCodeClass")
VALUES = ("blue", "green", "4xx", "it's", "A and B")
CONDITION = st.tuples(st.sampled_from(("eq", "ne", "EQ")), st.sampled_from((*VALUES, "*")))
GROUPS = st.lists(st.tuples(st.sampled_from(NAMES), st.lists(CONDITION, min_size=1, max_size=3)), max_size=4)


def written(groups: list[tuple[str, list[tuple[str, str]]]]) -> str:
    def one(name: str, condition: tuple[str, str]) -> str:
        quoted = condition[1].replace("'", "''")
        return f"{name} {condition[0]} '{quoted}'"

    return " and ".join(" or ".join(one(name, each) for each in group) for name, group in groups)


@given(GROUPS, st.tuples(*(st.sampled_from(VALUES) for _ in NAMES)))
def test_a_filter_is_evaluated_as_by_hand(
    groups: list[tuple[str, list[tuple[str, str]]]], row: tuple[str, ...]
) -> None:
    """All groups, one condition of each; names and values in any case."""
    values = dict(zip(NAMES, row, strict=True))
    expected = all(
        any((value in ("*", values[name])) == (operator.lower() == "eq") for operator, value in group)
        for name, group in groups
    )
    found = metric_filter.parse(written(groups))
    assert found.matches({name.lower(): value.lower() for name, value in values.items()}) is expected
    assert found.dimensions == tuple(dict.fromkeys(name.lower() for name, _ in groups))
    assert metric_filter.parse(written(groups).upper()) == found


@pytest.mark.parametrize(
    "text",
    [
        "deployment", "deployment eq blue", "deployment sw 'b'", "deployment eq 'blue' and", "and deployment eq 'blue'",
        "deployment eq 'blue' xor deployment eq 'green'", "deployment eq 'blue'and statusCode eq '200' x",
        "deployment eq 'blue' or statusCode eq '200'", "deployment eq 'blue",
    ],
)  # fmt: skip
def test_other_texts_are_errors(text: str) -> None:
    """Also `or` between two dimensions."""
    with pytest.raises(ValueError, match=r"filter|'or'"):
        metric_filter.parse(text)
