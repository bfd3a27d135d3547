"""YAML 1.2 core, with places and bounds."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.documents import yaml12
from deploy.documents.locations import FieldPath, Source
from deploy.errors import SpecError

FILE = "environments/dev.yml"
TEXTS = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF))
"""JSON escapes what lies beyond in halves, which YAML does not know."""
KEYS = TEXTS.filter(lambda text: len(text) < 100)
"""YAML ends a plain key at 1024 characters, escapes counted."""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


def code_of(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        yaml12.parse(text, FILE)
    return caught.value.problems[0].code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", True),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("False", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("010", 10),
        ("+5", 5),
        ("0o10", 8),
        ("-0o10", "-0o10"),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-31", "2026-01-31"),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("'no'", "no"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("!!int '7'", 7),
        ("!!float 1", 1.0),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    """What editors assume is what is read."""
    found = yaml12.parse(text, FILE).value
    assert (type(found), found) == (type(value), value)


def test_not_a_number_is_one() -> None:
    """`.nan` is a float."""
    assert math.isnan(yaml12.parse(".NaN", FILE).value)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "AML105", 3, 1),
        ("a: {b: 1, 'b': 2}", "AML105", 1, 11),
        ("1: a", "AML106", 1, 1),
        ("true: a", "AML106", 1, 1),
        ("[a]: b", "AML106", 1, 1),
        ("a: &x [b]\nc:\n  <<: *x\n", "AML106", 3, 3),
        ("c:\n  <<: 3\n", "AML106", 2, 3),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n", "AML105", 4, 3),
        ("a: !secret b", "AML106", 1, 4),
        ("a: !!int b", "AML106", 1, 4),
        ("a: !!python/object:os.system b", "AML106", 1, 4),
        ("a: !!map [b]", "AML106", 1, 4),
        ("a: 1\n---\nb: 2\n", "AML103", 2, 1),
        ("a: *nothing", "AML103", 1, 4),
        ("a: &x [*x]", "AML103", 1, 8),
        ("a: [1, 2", "AML103", 1, 9),
        ("a: 'b", "AML103", 1, 6),
        ("a:\n\t- b", "AML103", 2, 1),
        ("a: \x07", "AML102", 1, 4),
        ("a: b\u2028c", "AML102", 1, 5),
        (f"a: {'9' * 5000}", "AML104", 1, 4),
        ("[" * 65 + "]" * 65, "AML104", 1, 65),
        ("a: &a [" + "[" * 40 + "]" * 40 + "]\nb: " + "[" * 40 + "*a" + "]" * 40, "AML104", 2, 44),
    ],
)
def test_refusals_have_a_location(text: str, code: str, line: int, column: int) -> None:
    """Each refusal has its code and the place of its cause."""
    with pytest.raises(SpecError) as caught:
        yaml12.parse(text, FILE)
    (found,) = caught.value.problems
    assert (found.code, found.place.line, found.place.column) == (code, line, column)


def test_a_quoted_merge_sign_is_a_key() -> None:
    """Only the plain `<<` of YAML 1.1 merges."""
    assert yaml12.parse("'<<': 1", FILE).value == {"<<": 1}


MAPPINGS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), max_size=3)


@given(st.lists(MAPPINGS, min_size=1, max_size=3), MAPPINGS, st.booleans())
def test_a_merge_key_is_read_as_by_pyyaml(merged: list[dict[str, int]], own: dict[str, int], first: bool) -> None:
    """Own keys first, then those of earlier mappings, wherever the merge key is."""
    lines = [f"x{number}: &m{number} {json.dumps(each)}" for number, each in enumerate(merged)]
    names = ", ".join(f"*m{number}" for number in range(len(merged)))
    parts = [f"  <<: [{names}]" if len(merged) > 1 else f"  <<: {names}", *(f"  {k}: {v}" for k, v in own.items())]
    text = "\n".join([*lines, "y:", *(parts if first else reversed(parts))])
    assert yaml12.parse(text, FILE).value == yaml.safe_load(text)


def test_merged_values_have_the_location_of_their_anchor() -> None:
    """A problem is at the text to change."""
    source = yaml12.parse("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", FILE)
    assert (source.place(("c", "b")).line, source.key(("c", "b")).line, source.place(("c", "d")).line) == (1, 1, 4)


def test_merged_values_count() -> None:
    """Merged aliases are expanded, so their number is limited, too."""
    lines = ["a: &a {" + ", ".join(f"k{number}: 1" for number in range(1000)) + "}"]
    lines += ["b: &b [" + ", ".join(["{<<: *a}"] * 40) + "]", "c: [" + ", ".join(["*b"] * 30) + "]"]
    with pytest.raises(SpecError) as caught:
        yaml12.parse("\n".join(lines), FILE)
    assert caught.value.problems[0].code == "AML104"


def test_an_alias_bomb_is_refused() -> None:
    """A small file cannot expand to a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert code_of("\n".join(lines)) == "AML104"


def test_an_alias_repeats_its_value() -> None:
    """Aliases within bounds work as usual."""
    assert yaml12.parse("a: &x [1, {b: c}]\nd: *x", FILE).value["d"] == [1, {"b": "c"}]


def test_every_value_knows_its_place() -> None:
    """Line and column count from 1, in characters; a key has a place of its own."""
    source = yaml12.parse("a:\n  é😀: [x, 'y']\n  c: |\n    text\n", FILE)
    assert str(source.place(("a", "é😀", 1))) == f"{FILE}:2:11"
    assert str(source.key(("a", "c"))) == f"{FILE}:3:3"
    assert str(source.place(("a", "c"))) == f"{FILE}:3:6"


def test_what_is_absent_is_placed_at_what_surrounds_it() -> None:
    """A missing key is missed in its mapping."""
    source = yaml12.parse("a:\n  b: {c: 1}\n", FILE)
    assert str(source.place(("a", "b", "nothing", 3))) == f"{FILE}:2:6"


def test_numbers_remember_how_they_were_written() -> None:
    """010 and 1.10 are text again when text is wanted."""
    source = yaml12.parse("a: 010\nb: 1.10\nc: True\nd: x", FILE)
    assert [source.text((key,)) for key in "abcd"] == ["010", "1.10", "True", "x"]


@given(VALUES)
def test_json_is_yaml(value: object) -> None:
    """Any JSON document is read as the same value."""
    assert yaml12.parse(json.dumps(value), FILE).value == value


@given(VALUES)
def test_what_pyyaml_writes_is_read_with_every_place_inside_the_file(value: object) -> None:
    """A place names a line that exists and a column on it."""
    text = yaml.safe_dump(value, allow_unicode=False, default_style='"')
    source = yaml12.parse(text, FILE)
    lines = text.split("\n")
    for trail in trails(source.value):
        place = source.place(trail)
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1


@given(st.text() | st.text(alphabet="ab:-?#&*!|>'\"{}[], \n\t%@~0.x"))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text gets anything but a value or a SpecError out of the parser."""
    with contextlib.suppress(SpecError):
        assert yaml12.parse(text, FILE).file == FILE


def test_places_point_at_scalars() -> None:
    """The text at a plain scalar's place is the scalar."""
    text = "a: one\nb:\n- two\n- {c: three, d: [four]}\n"
    source, lines = yaml12.parse(text, FILE), text.split("\n")
    for trail in trails(source.value):
        node = source.find(trail)
        assert node is not None
        if isinstance(node.value, str):
            assert lines[node.place.line - 1][node.place.column - 1 :].startswith(node.value)


def trails(value: object, so_far: FieldPath = ()) -> list[FieldPath]:
    """Every way through a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(way for key, item in inner for way in trails(item, (*so_far, key)))]


def test_an_empty_document_is_null() -> None:
    """A file of comments holds nothing."""
    assert yaml12.parse("# nothing\n", FILE) == Source(FILE, yaml12.parse("", FILE).root)
