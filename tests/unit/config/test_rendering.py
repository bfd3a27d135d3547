"""Templates and values to documents: what is interpolated is data, and everything knows its place."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deploy.config import rendering
from deploy.config.rendering.unused import unused_values
from deploy.documents import yaml12
from deploy.documents.locations import FieldPath, Node, Source, TemplateFiles
from deploy.domain.spec import Environment
from deploy.errors import Place, SpecError
from tests.project import ROOT

NAME = "m/endpoint.yml.j2"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
ENVIRONMENT = Environment("local", "local", SUBSCRIPTION, "rg-local", "mlw-local", ("mip",))
FROM = Place("environments/local.yml", 7, 3)
NASTY = st.sampled_from(
    [
        *("no", "010", "1e3", "~", "null", "", " ", "true", "- a", "a: b", "# c", "x\ny: 1 # {{ z }}", "{{ 7 * 7 }}"),
        *(
            "{% raw %}",
            "{# #}",
            "'",
            '"',
            "\\",
            "\\x41",
            "|",
            ">",
            "&a",
            "*a",
            "!!int",
            "%",
            "@",
            "`",
            "[",
            "]",
            "{",
            "}",
        ),
        *(",", "---", "...", "<<", "\t", "\r\n", "\x00", "\x02", "\x03", "\x0e", "\u2028", "\ufeff", "😀", "?", ": "),
        *("${{ x }}", "${{azureml://connections/c}}", "zq0x1qz"),
    ]
)
TEXTS = st.text() | NASTY | st.lists(NASTY, max_size=4).map("".join)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
TEMPLATE = """\
first: 1
slot: {slot}
after: {{{{ endpoint }}}}
list:
  - before
  - {slot}
  - {{flow: [a, {slot}, b], more: '{slot}'}}
{{% for item in [values.v, values.v] %}}
loop{{{{ loop.index }}}}: {{{{ item }}}}
{{% endfor %}}
{{% macro show(x) %}}{{{{ x }}}}{{% endmacro %}}
macro: {{{{ show(values.v) }}}}
set: {{% set y = values.v %}}{{{{ y }}}}
last: "end"
"""
WHERE: tuple[FieldPath, ...] = (
    ("slot",), ("list", 1), ("list", 2, "flow", 1), ("list", 2, "more"), ("loop1",), ("loop2",), ("macro",), ("set",),
)  # fmt: skip


def node(value: Any) -> Node:
    """A value as if it had been read from an environment file."""
    inner: Mapping[str | int, Any] = (
        value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
    )
    return Node(value, FROM, {key: node(item) for key, item in inner.items()})


def render(text: str, values: Any = None, **others: str) -> Source:
    """The endpoint file of a template with one file; the others can be included."""
    files = {NAME: text, **{name.replace("__", "/"): other for name, other in others.items()}}
    root = values if isinstance(values, Node) else node(values or {})
    found = TemplateFiles("m", Path("/"), NAME, (), None, files.get)
    return rendering.render_endpoint(found, ENVIRONMENT, "mip", root).endpoint


def refused(text: str, values: Any = None, **others: str) -> tuple[str, str, str, str]:
    """Code, place, cause and cure of the only problem."""
    with pytest.raises(SpecError) as caught:
        render(text, values, **others)
    (found,) = caught.value.problems
    return found.code, str(found.place), found.cause, found.cure


def places_of_problems(text: str, values: Any) -> list[Place]:
    """Where rendering found fault; anything but a SpecError goes through."""
    try:
        render(text, values)
    except SpecError as error:
        return [found.place for found in error.problems]
    return []


def at(value: Any, trail: FieldPath) -> Any:
    for part in trail:
        value = value[part]
    return value


def same(one: Any, other: Any) -> bool:
    """Equal in value and, at every depth, in type."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return (
            list(one) == list(other) and all(type(k) is str for k in one) and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and (not isinstance(one, float) or math.copysign(1, one) == math.copysign(1, other))


@given(VALUES)
def test_no_value_changes_the_structure(value: Any) -> None:
    """Whatever a value is, it arrives unchanged, and nothing around it moves."""
    template = TEMPLATE.format(slot="{{ values.v }}")
    found, usual = render(template, {"v": value}).value, render(template, {"v": "x"}).value
    for trail in WHERE:
        assert same(at(found, trail), value)
        at(found, trail[:-1])[trail[-1]] = "x"
    assert same(found, usual)


@given(TEXTS, TEXTS)
def test_text_around_a_value_stays_text(one: str, other: str) -> None:
    """What is more than one expression is text, put together."""
    template = 'a: pre-{{ values.a }}/{{ values.b }}\nb: |\n  x {{ values.a }}\n  y\nc: "{{ values.b }} \\n"\nd: 1\n'
    found = render(template, {"a": one, "b": other}).value
    assert found == {"a": f"pre-{one}/{other}", "b": f"x {one}\ny\n", "c": f"{other} \n", "d": 1}


@given(TEXTS)
def test_a_key_can_be_a_value(key: str) -> None:
    """Any text in a key stays a key."""
    assume(key != "last")
    assert render("{{ values.k }}: 1\nlast: 2\n", {"k": key}).value == {key: 1, "last": 2}


@given(TEXTS)
def test_filters_and_macros_make_data(value: str) -> None:
    """What an operator or a filter makes of a text, a macro's too, is data."""
    template = (
        "{% macro m(x) %}<{{ x }}>{% endmacro %}{% macro c() %}({{ caller() }}){% endmacro %}"
        "a: {{ values.v | upper }}\nb: {{ m(values.v) | lower }}\nc: {{ m(values.v) ~ values.v }}\n"
        "d: {{ [m(values.v), values.v] | join(': ') }}\ne: {{ m(m(values.v)) }}\nf: {{ values.v | tojson }}\n"
        "g: {% call c() %}{{ values.v }}{% endcall %}\nh: {% set s %}{{ values.v }}{% endset %}{{ s }}\n"
        "i: {{ s | length }}\nj: {{ values.v.replace('a', 'b') }}\n"
    )
    found = render(template, {"v": value}).value
    assert found["a"] == value.upper()
    assert found["b"] == f"<{value}>".lower()
    assert found["c"] == f"<{value}>{value}"
    assert found["d"] == f"<{value}>: {value}"
    assert found["e"] == f"<<{value}>>"
    assert isinstance(found["f"], str)
    assert (found["g"], found["h"], found["i"]) == (f"({value})", value, len(value))
    assert found["j"] == value.replace("a", "b")
    assert list(found) == list("abcdefghij")


@given(TEXTS.filter(lambda text: not set("{}") & set(text)))
def test_a_call_block_of_no_macro_makes_data(value: str) -> None:
    """Not even the call of a text's own method writes text."""
    assert render("{% call values.v.format() %}{% endcall %}", {"v": value}).value == value


@pytest.mark.parametrize("text", ["{{ values.v }}", '"{{ values.v }}"', "'{{ values.v }}'"])
def test_a_scalar_that_is_one_expression_has_its_type(text: str) -> None:
    """Quotes around an expression are for the editor's sake."""
    assert render(f"a: {text}\n", {"v": 3}).value == {"a": 3}


def test_numbers_in_a_text_are_as_they_were_written() -> None:
    """Version 1.10 stays 1.10; what was computed is written as YAML would."""
    values = yaml12.parse("v: 1.10\nb: True\nn: 010", "environments/local.yml").root
    text = "a: v{{ values.v }}\nb: x{{ values.b }}\nc: x{{ values.n + 1 }}\nd: x{{ values.n > 1 }}\ne: x{{ values.n }}"
    assert render(text, values).value == {"a": "v1.10", "b": "xTrue", "c": "x11", "d": "xtrue", "e": "x010"}


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_only_scalars_can_be_part_of_a_text(value: Any) -> None:
    """Null, lists and mappings have no text; the place is that of the text."""
    code, place, _, _ = refused("a: b\nc: x-{{ values.v }}\n", {"v": value})
    assert (code, place) == ("AML114", f"templates/{NAME}:2:4")


@pytest.mark.parametrize(
    "reference",
    ["${{azureml://connections/x}}", "${{ secrets.X }}", "${{ a }}-${{ b }}", "${{ '{% if %}' }}", "${{ x {# y }}"],
)
def test_foreign_references_pass_untouched(reference: str) -> None:
    """`${{ ... }}` is Azure's or GitHub's, in loops and beside expressions too."""
    text = f'{{% for i in [1, 2] %}}\na{{{{ i }}}}: "{reference} {{{{ i }}}}"\n{{% endfor %}}\n'
    text += f'b: {{{{ "{reference}" }}}}\n'
    assert render(text).value == {"a1": f"{reference} 1", "a2": f"{reference} 2", "b": reference}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1 # {{ values.v }}\n", 1, 8),
        ("# {{ values.v }}\na: 1\n", 1, 3),
        ("a: &{{ values.v }} 1\n", 1, 5),
        ("a: 1\n... # {{ values.v }}\n", 2, 7),
        ("a: 1\nb: {{ values.v }} # {{ values.v }}\n", 2, 21),
        ("a: {% set s %}{{ values.v }}{% endset %}{{ s }} # {{ s }}\n", 1, 15),
    ],
)
def test_an_expression_outside_of_values_is_refused(text: str, line: int, column: int) -> None:
    """What would vanish or become structure is an error at its place."""
    assert refused(text, {"v": "x"})[:2] == ("AML114", f"templates/{NAME}:{line}:{column}")


@pytest.mark.parametrize(
    "text", ['a: "\\x{{ values.v }}"', "a: *{{ values.v }}", "a: !{{ values.v }} b", "a: |{{ values.v }}\n x"]
)
def test_an_expression_inside_of_syntax_is_refused(text: str) -> None:
    """A token is never half eaten by an escape, an alias, a tag or a header."""
    assert refused(text, {"v": "41"})[0] in ("AML103", "AML106", "AML114")


def test_equal_keys_are_refused_after_filling() -> None:
    """Two expressions cannot make one key twice."""
    assert refused("{{ values.a }}: 1\n{{ values.b }}: 2\n", {"a": "x", "b": "x"})[:2] == (
        "AML105",
        f"templates/{NAME}:2:1",
    )


def test_a_key_must_be_text() -> None:
    """A number cannot become a key unnoticed."""
    assert refused("{{ values.a }}: 1\n", {"a": 1})[0] == "AML106"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("values.instance_tpye", "values.instance_tpye is not defined. Did you mean values.instance_type?"),
        ("values.a.prot", "values.a.prot is not defined. Did you mean values.a.port?"),
        (
            "values['zzz']",
            "values.zzz is not defined. Set it in the environment, or use {{ values.zzz | default(...) }}.",
        ),
        ("enviroment.name", "enviroment is not defined. Did you mean environment?"),
        ("environment.worksapce", "environment.worksapce is not defined. Did you mean environment.workspace?"),
        ("values.a.prot.d.e", "values.a.prot is not defined. Did you mean values.a.port?"),
        (
            "[values.zzz]",
            "values.zzz is not defined. Set it in the environment, or use {{ values.zzz | default(...) }}.",
        ),
        (
            "values.pop",
            "values.pop is not defined. Set it in the environment, or use {{ values.pop | default(...) }}.",
        ),
    ],
)
def test_a_missing_value_is_named_with_its_nearest(expression: str, words: str) -> None:
    """The full path, the place, and what was probably meant."""
    code, place, cause, cure = refused(f"x: 1\ny: {{{{ {expression} }}}}\n", {"instance_type": "a", "a": {"port": 1}})
    assert (code, f"{cause} {cure}") == ("AML112", words)
    assert place.startswith(f"templates/{NAME}:2:")


def test_a_missing_value_in_an_included_file_is_placed_there() -> None:
    """Line and column are those of the file that was read."""
    found = refused("{% include 'm/part' %}", m__part="a: 1\nb:\n  c: {{ values.zz }}\n")
    assert found[1] == "templates/m/part:3:16"


TOO_DEEP = "This has no end: a file includes itself, a macro calls itself, or brackets are nested too deeply."


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "''['__class__']",
        "('' | attr('__class__')).x",
        "values.v.__init__.__globals__",
        "values.v.node.value",
        "values.v.label",
        "values.v | map(attribute='node') | list",
        "unique.__globals__['hashlib']",
        "environment.__class__",
        "self._TemplateReference__context",
        "lipsum.__globals__",
        "cycler.__init__.__globals__",
        "'{0.__class__.__init__}'.format(values.v)",
        "[].append(1)",
        "range(10 ** 9)",
        "'x' * 10 ** 9",
        "10 ** (10 ** 9)",
        "10 ** 5000",
        "1 / 0",
        "values.v.nothing.more",
        "unique(0)",
        "unique('a')",
        "unique",
        "namespace(a=1)",
        "{1: 2}",
    ],
)
def test_templates_cannot_access_python(expression: str) -> None:
    """Escapes, bombs and things that are no values end as a problem at their place."""
    code, place, _, _ = refused(f"a: 1\nb: {{{{ {expression} }}}}\n", {"v": "x"})
    assert code in ("AML112", "AML113", "AML114")
    assert place.startswith(f"templates/{NAME}:2:")


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% set s = range(300) | list %}{% for a in s %}{% for b in s %}{% for c in s %}" + "{% endfor %}" * 3,
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}a: {{ n.x }}",
        "{% for i in range(20000) %}- {{ 'x' * 100 }} " + "y" * 200 + "\n{% endfor %}",
        "{% include '" + NAME + "' %}",
    ],
)
def test_the_work_of_a_template_is_bounded(text: str) -> None:
    """A template cannot loop, nest or write without end."""
    assert refused(text)[0] in ("AML104", "AML113")


def test_no_expression_takes_more_than_5_seconds_or_256_mb() -> None:
    """Each hostile template is refused; their process as a whole stays small."""
    command = [sys.executable, "-m", "tests.unit.config.hostile"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=ROOT, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(lines) >= 40
    assert [line for line in lines if not line[3].startswith("AML113")] == []
    assert [line for line in lines if line[1] > 5 or line[2] > 256] == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a: {{ unique() }}", "The expression failed: unique() missing 1 required positional argument: 'count'."),
        ("a: {{ range(x=1) }}", "The expression failed: range() got an unexpected keyword argument 'x'."),
        ("a: {{ 'x' | upper(1) }}", "The expression failed: upper() takes 1 positional argument but 2 were given."),
        ("{% include '" + NAME + "' %}", TOO_DEEP),
        ("{% extends '" + NAME + "' %}", TOO_DEEP),
        ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", TOO_DEEP),
        ("a: {{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", TOO_DEEP),
    ],
)
def test_an_error_in_an_expression_uses_the_names_of_the_template(text: str, cause: str) -> None:
    """No name of an internal function, and no message about Python's stack."""
    assert refused(text)[0::2] == ("AML113", cause)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "nothing", "m/../../x"])
def test_an_include_that_is_not_there_is_named(name: str) -> None:
    """The place is that of the include."""
    found = refused(f"a: 1\n{{% include '{name}' %}}\n")
    assert found[:3] == ("AML115", found[1], f"There is no {name!r} in templates/m/ or templates/.")
    assert found[1].startswith(f"templates/{NAME}:2:")
    assert found[3] == "Use the name of a file in templates/m/, or its path in templates/."


@pytest.mark.parametrize("name", ["part", "m/part"])
def test_a_file_of_the_own_folder_needs_no_folder(name: str) -> None:
    """A template is one folder; what others share is named from templates/ on."""
    assert render(f"{{% include '{name}' %}}", m__part="a: 1", part="a: 2").value == {"a": 1}
    assert render("{% include 'all/part' %}", m__part="a: 1", all__part="a: 3").value == {"a": 3}
    assert render("{% include 'all/part' %}", all__part="{% include 'more' %}", all__more="a: 4").value == {"a": 4}
    assert render(
        "{% extends 'base' %}{% block b %}b: 1{% endblock %}", m__base="{% block b %}{% endblock %}"
    ).value == {"b": 1}


def test_values_in_included_files_count_as_used() -> None:
    """What is included is read to see which values are used."""
    files = {NAME: "{% include 'part' %}", "m/part": "a: {{ values.b }}"}
    found = TemplateFiles("m", Path("/"), NAME, (), None, files.get)
    values = node({"b": 1})
    assert rendering.render_endpoint(found, ENVIRONMENT, "mip", values, {"b": FROM}).endpoint.value == {"a": 1}


@pytest.mark.parametrize("after", ["", "\nb: 2\n"])
def test_undefined_values_of_an_included_file_are_reported_there(after: str) -> None:
    """An unclosed flow started in the file to fix."""
    found = refused("{% include 'part' %}" + after, m__part="x: 0\na: [1, 2\n")
    assert (found[0], found[1].split(":")[0]) == ("AML103", "templates/m/part")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n{% if %}\n", 2),
        ("a: {{ b", 1),
        ("{% endfor %}", 1),
        ("a: {{ x | nofilter }}", 1),
        ("\n{% filter upper %}x{% endfilter %}", 2),
    ],
)
def test_a_jinja_error_is_placed(text: str, line: int) -> None:
    """What jinja2 cannot read is shown at its line."""
    code, place, _, _ = refused(text)
    assert code == "AML111"
    assert place.startswith(f"templates/{NAME}:{line}:")


def test_a_yaml_error_is_placed_in_the_template() -> None:
    """After loops and includes too, the place is where a person wrote the text."""
    text = "{% for i in [1, 2] %}\na{{ i }}: [{{ i }}, x\n{% endfor %}\nb: 1\n"
    code, place, _, _ = refused(text)
    assert (code, place) == ("AML103", f"templates/{NAME}:2:9")


def test_places_through_loops_includes_and_inheritance() -> None:
    """Every value knows the template that wrote it and the environment that it came from."""
    values = yaml12.parse("n: 5\ntags:\n  team: imaging\n  cost: 12\nflag: true\n", "environments/local.yml").root
    base = "top: 1\n{% block body %}{% endblock %}\nname:   {{ endpoint }}\n"
    child = (
        "{% extends 'm/base' %}\n{% block body %}\n{% include 'm/part' %}\n"
        "n: {{ values.n }}\nflag:  {{ values.flag }}\ncomputed: {{ values.n + 1 }}\n{% endblock %}"
    )
    part = "tags:\n{% for key, value in values.tags.items() %}\n  {{ key }}:  {{ value }}\n{% endfor %}\n"
    source = render(child, values, m__base=base, m__part=part)
    places = {
        ("top",): "templates/m/base:1:6",
        ("tags", "team"): "environments/local.yml:3:9",
        ("tags", "cost"): "environments/local.yml:4:9",
        ("n",): "environments/local.yml:1:4",
        ("flag",): "environments/local.yml:5:7",
        ("computed",): f"templates/{NAME}:6:11",
        ("name",): "templates/m/base:3:9",
    }
    assert {trail: str(source.place(trail)) for trail in places} == places
    assert str(source.template_place(("tags", "cost"))) == "templates/m/part:3:15"
    assert str(source.key(("tags", "cost"))) == "templates/m/part:3:3"
    assert source.template_place(("computed",)) is None


def test_a_list_of_values_keeps_the_place_of_each() -> None:
    """A mapping or list that takes a slot is placed in the environment, all the way down."""
    values = yaml12.parse("m: {a: [x, {b: y}]}", "environments/local.yml").root
    source = render("q: {{ values.m }}\nr: {{ {'k': values.m.a[0], 'z': 1} }}\n", values)
    assert str(source.place(("q", "a", 1, "b"))) == "environments/local.yml:1:16"
    assert str(source.place(("r", "k"))) == "environments/local.yml:1:9"
    assert str(source.place(("r", "z"))) == f"templates/{NAME}:2:4"


def test_defaults_work_as_usual() -> None:
    """A value that is not there can have a default, at every depth of type."""
    text = "a: {{ values.a | default(3) }}\nb: {{ values.b | default('x') }}\n"
    text += "c: {% if values.c is defined %}1{% else %}2{% endif %}\n"
    assert render(text, {"b": "y"}).value == {"a": 3, "b": "y", "c": 2}


def test_a_key_called_like_a_method_is_a_key() -> None:
    """`values.items` is what the user wrote."""
    assert render("a: {{ values.items }}\nb: {{ values.x.keys() | list }}", {"items": 1, "x": {"k": 1}}).value == {
        "a": 1,
        "b": ["k"],
    }


def test_globals() -> None:
    """environment, endpoint, values and unique are there, in imported macros too."""
    text = "{% import 'm/lib' as lib %}a: {{ environment.name }}\nb: {{ endpoint }}\n"
    text += "c: {{ unique(5) }}\nd: {{ lib.full() }}\n"
    found = render(text, {"x": 9}, m__lib="{% macro full() %}{{ endpoint }}-{{ unique(5) }}{% endmacro %}").value
    assert (found["a"], found["b"], found["d"]) == ("local", "mip", f"mip-{found['c']}")
    assert len(found["c"]) == 5
    assert found["c"].isalpha()


def test_unique_belongs_to_subscription_workspace_and_project() -> None:
    """Stable, and different for other inputs."""
    elsewhere = Environment("dev", "local", SUBSCRIPTION, "rg", "mlw-other", ())
    again = Environment("other", "AzureCloud", SUBSCRIPTION, "rg-2", "MLW-local", ())
    assert rendering.unique_letters(ENVIRONMENT, 5) == "papdf"
    assert rendering.unique_letters(again, 5) == "papdf"
    assert rendering.unique_letters(elsewhere, 5) != "papdf"
    one, other = (replace(ENVIRONMENT, project=project) for project in ("radiology", "pathology"))
    assert len({rendering.unique_letters(each, 5) for each in (ENVIRONMENT, one, other)}) == 3


def test_a_file_without_j2_is_not_rendered() -> None:
    """Plain CLI v2 files come unchanged; expressions in them are text."""
    files = TemplateFiles("m", Path("/"), "m/endpoint.yml", (), None, {"m/endpoint.yml": "a: '{{ x }}'"}.get)
    assert rendering.render_endpoint(files, ENVIRONMENT, "mip", node({})).endpoint.value == {"a": "{{ x }}"}


def test_every_file_is_rendered_before_giving_up() -> None:
    """Problems of all files are reported at once."""
    texts = {"m/e.j2": "a: {{ values.a }}", "m/d.j2": "a: [", "m/p.j2": "{% if %}"}
    files = TemplateFiles("m", Path("/"), "m/e.j2", ("m/d.j2",), "m/p.j2", texts.get)
    with pytest.raises(SpecError) as caught:
        rendering.render_endpoint(files, ENVIRONMENT, "mip", node({}))
    assert [found.code for found in caught.value.problems] == ["AML103", "AML112", "AML111"]


WHOLE = (
    "{% macro m(x) %}{{ x }}{% endmacro %}\nname: {{ endpoint }}-{{ unique(3) }}\n{% for k, v in values.t.items() %}\n"
    "{{ k }}: {{ v | upper }}\n{% endfor %}\na: ${{ x }} # c\n"
    "b: {% if values.f %}[1, {{ values.n }}]{% else %}x{% endif %}\n"
    "{% call m('q') %}{% endcall %}c: |\n  {{ m(values.n) }}\n"
)


@given(st.integers(), st.integers(1, 6))
def test_a_damaged_template_is_refused_or_rendered(seed: int, times: int) -> None:
    """Whatever happens to a template's text, nothing but a SpecError comes of it."""
    chance, text = random.Random(seed), WHOLE
    for _ in range(times):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 1, 2, 8)))
        text = (
            text[:start]
            + chance.choice(("", "{{", "}}", "{%", "%}", "\n", ":", " ", "#", "'", '"', "-", "[", "&a ", "x"))
            + text[end:]
        )
    assert all(
        place.file == f"templates/{NAME}" for place in places_of_problems(text, {"t": {"x": "y"}, "f": True, "n": 1})
    )


@given(st.text(alphabet="{}%#-+ \n\"'$|.:abvalues[]()01"))
def test_any_template_is_refused_or_rendered(text: str) -> None:
    """No text gets anything but a document or a SpecError out of the renderer."""
    assert all(place.file == f"templates/{NAME}" for place in places_of_problems(text, {"a": 1}))


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("name: {{ values.name }}\n", ["AML116 No file of template t uses values.nmae. Did you mean name?"]),
        ("name: {{ values['name'] }}\n", ["AML116 No file of template t uses values.nmae. Did you mean name?"]),
        ("{% if values.on %}name: {{ values.name }}{% endif %}\n", ["AML116 No file of template t uses values.nmae."]),
        ("name: {{ values.name | default(values.nmae) }}\n", []),
        ("name: {{ values | length }}\n", []),
        ("name: {{ values[endpoint] | default('x') }}\n", []),
        ("{% include 'more.yml.j2' %}", []),
        ("{% include values.file %}", []),
    ],
)
def test_an_unused_value_is_a_problem(template: str, told: list[str]) -> None:
    """A misspelt value of an endpoint is found, unless a template may use any value."""
    texts = {"t/endpoint.yml.j2": template, "more.yml.j2": "name: {{ values.nmae }}\n"}
    files = TemplateFiles("t", Path("/t"), "t/endpoint.yml.j2", (), None, texts.get)
    found = [f"{p.code} {p.cause} {p.cure}" for p in unused_values(files, {"nmae": Place("e.yml", 7, 3)})]

    assert len(found) == len(told)
    assert all(text.startswith(start) for text, start in zip(found, told, strict=True))


@given(st.lists(st.sampled_from(["one", "two", "three", "there"]), min_size=1, max_size=6))
def test_one_missing_value_hides_no_other(names: list[str]) -> None:
    """Each undefined value is reported at its own location; defined ones are not."""
    text = "".join(f"k{number}: {{{{ values.{name} }}}}\n" for number, name in enumerate(names))
    wrong = [number for number, name in enumerate(names) if name != "there"]

    assert [place.line for place in places_of_problems(text, {"there": 1})] == [number + 1 for number in wrong]


def test_what_stops_a_rendering_hides_nothing_above_it() -> None:
    """An undefined value in a condition ends the rendering; those before it are still reported."""
    text = "a: {{ values.one }}\nb: {{ values.two }}, {{ enviroment }}\n{% if values.three %}c: 1\n{% endif %}\n"
    with pytest.raises(SpecError) as error:
        render(text, {})

    assert [(p.place.line, p.cause.split()[0]) for p in error.value.problems] == [
        (1, "values.one"),
        (2, "values.two"),
        (2, "enviroment"),
        (3, "values.three"),
    ]
