"""Differences between two answers: each planted one is a row, and equal answers have none."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.acceptance_run.compare import MOST_ROWS, Difference, differences, table

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "Enabled", "two words", "2026-01-31T12:00:00Z"])
)
KEYS = st.sampled_from(["state", "kind", "value", "tags", "properties"])
BODIES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
WORLD = st.sampled_from(["x-ms-request-id", "location", "content-type"])
HEADERS = st.dictionaries(WORLD, st.sampled_from(["a", "https://h/x?api-version=1"]), max_size=3)


def answer(body: Any, status: int = 200, **headers: str) -> dict[str, Any]:
    return {
        "status": status,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": body,
    }


def rows(azure: dict[str, Any], emulator: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(row.where, row.azure, row.emulator) for row in differences("X_Get", azure, emulator)]


@given(BODIES, HEADERS, st.integers(200, 599))
def test_equal_answers_have_no_difference(body: Any, headers: dict[str, str], status: int) -> None:
    """Whatever they contain."""
    one = {"status": status, "headers": headers, "body": body}
    assert rows(one, copy.deepcopy(one)) == []


@given(BODIES, BODIES)
def test_both_directions_have_the_same_rows(first: Any, second: Any) -> None:
    """A difference does not depend on which side has it."""
    there, back = rows(answer(first), answer(second)), rows(answer(second), answer(first))
    assert sorted(there) == sorted((where, emulator, azure) for where, azure, emulator in back)


@given(st.dictionaries(KEYS, BODIES, min_size=1), st.data())
def test_a_missing_key_is_found(body: dict[str, Any], data: st.DataObject) -> None:
    """At the top of an object, and in all items of a list."""
    key = data.draw(st.sampled_from(sorted(body)))
    less = {name: value for name, value in body.items() if name != key}
    assert [(where, emulator) for where, _, emulator in rows(answer(body), answer(less))] == [
        (f"body.{key}", "(absent)")
    ]
    (found,) = rows(answer({"list": [less, less]}), answer({"list": [body, body]}))
    assert found[:2] == (f"body.list[].{key}", "(absent)")


@pytest.mark.parametrize(
    ("azure", "emulator", "row"),
    [
        (answer({}, 202), answer({}, 200), ("status", "202", "200")),
        (answer({"a": "Off"}), answer({"a": "On"}), ("body.a", '"Off"', '"On"')),
        (answer({"a": None}), answer({"a": "On"}), ("body.a", "null", '"On"')),
        (answer({"a": True}), answer({"a": False}), ("body.a", "true", "false")),
        (answer({"a": 1}), answer({"a": "1"}), ("body.a", "1", "text")),
        (answer({"a": []}), answer({"a": {}}), ("body.a", "list (empty)", "object (empty)")),
        (answer({"a": ""}), answer({"a": "two words"}), ("body.a", '""', "text")),
        (answer({"type": "A/b"}), answer({"type": "A/B"}), ("body.type", '"A/b"', '"A/B"')),
        (answer({"message": "No disk."}), answer({"message": "No."}), ("body.message", '"No disk."', '"No."')),
        (
            answer({"t": "2026-01-31T12:00:00Z"}), answer({"t": "2026-01-31T12:00:00.5+00:00"}),
            ("body.t", "timeZ", "time.fraction+00:00"),
        ),
        (answer(None, x_ms_a="1"), answer(None), ("header x-ms-a", "present", "(absent)")),
        (
            answer(None, content_type="application/json"), answer(None, content_type="text/plain"),
            ("header content-type", "application/json", "text/plain"),
        ),
        (
            answer(None, location="https://a/x/y?api-version=1&t=2"), answer(None, location="https://b:1/x/y?api-version=1"),
            ("header location", "/x/y?api-version&t", "/x/y?api-version"),
        ),
    ],
)  # fmt: skip
def test_a_difference_is_one_row(azure: dict[str, Any], emulator: dict[str, Any], row: tuple[str, str, str]) -> None:
    """With what both sides have."""
    assert rows(azure, emulator) == [row]


@pytest.mark.parametrize(
    ("azure", "emulator"),
    [
        ({"n": 1}, {"n": 2}),
        ({"id": "/subscriptions/a"}, {"id": "/subscriptions/b"}),
        ({"name": "recorded-1a2b3c4d"}, {"name": "mlw"}),
        ({"location": "westus3"}, {"location": "eastus"}),
        ({"g": "5ab0e1f2-77aa-4c1d-9d1e-3f00c0ffee01"}, {"g": "6ab0e1f2-77aa-4c1d-9d1e-3f00c0ffee01"}),
        ({"u": "https://a.example/x"}, {"u": "https://b.example/y"}),
        ({"value": []}, {"value": [{"a": 1}]}),
        ({"value": [{"unit": "Other"}, {"unit": "Count"}]}, {"value": [{"unit": "Count"}]}),
    ],
)
def test_what_differs_in_every_subscription_is_no_difference(azure: Any, emulator: Any) -> None:
    """Numbers, ids, names, regions, and how many items a list has."""
    assert rows(answer(azure), answer(emulator)) == []


def test_the_table_is_markdown() -> None:
    """Each difference once, in four columns, whatever it contains; a long table is cut."""
    odd = Difference("X_Get", "body.a|b", "<b>\n| x", "y")
    text = table([odd, odd], "1 request.")
    assert text.splitlines() == [
        "1 request.", "", "| operation | where | Azure | emulator |", "|---|---|---|---|",
        "| X_Get | body.a\\|b | &lt;b> \\| x | y |",
    ]  # fmt: skip
    many = table([Difference("X_Get", str(n), "a", "b") for n in range(MOST_ROWS + 7)], "")
    assert "7 more differences." in many
    assert table([], "0 requests.") == "0 requests.\n\nNo differences.\n"
