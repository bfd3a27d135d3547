"""The CLI v2 files that are rendered: every text is read as that text, whichever YAML reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.documents import Pipeline, yaml12
from deploy.domain.spec import EndpointSpec
from deploy.reporter import cli_files

AMBIGUOUS = (
    "0o10", "1e3", "010", "0x1f", "1_000", "12:30:45", "no", "Yes", "on", "null", "~", "", "true", ".inf", ".NaN",
    "-.5", "2026-01-01", "=", "<<", "+1", "1.", "0b1", "- a", "a: b", "#", "'", '"', " a ", "a\nb",
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(AMBIGUOUS),
    st.from_regex(r"[-+.0-9eExobINFnaft_:~]{1,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Co", "Cn"]), max_size=30),
)


def written(tags: dict[str, str], *, plain: bool = False) -> str:
    document = {"name": "mip", "tags": tags}
    spec = EndpointSpec("mip", "e/mip", "templates/m", document, (), {}, Pipeline(), None)
    return cli_files(spec, Path("/"), plain=plain)["mip/endpoint.yml"]


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_text_is_text_for_every_yaml(tags: dict[str, str]) -> None:
    """For YAML 1.2, which editors assume, and for 1.1, which `az ml` reads."""
    text = written(tags)

    assert yaml12.parse(text, "x").value["tags"] == tags
    assert yaml.safe_load(text)["tags"] == tags


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_plain_text_is_the_same_text(tags: dict[str, str]) -> None:
    """In ASCII alone, for a stream that has no other letters."""
    text = written(tags, plain=True)

    assert text.isascii()
    assert yaml12.parse(text, "x").value["tags"] == yaml.safe_load(text)["tags"] == tags


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_what_looks_like_something_else_is_text(value: str) -> None:
    """The known ones, each as a key and as a value."""
    text = written({value: value})

    assert yaml12.parse(text, "x").value["tags"] == {value: value}
    assert yaml.safe_load(text)["tags"] == {value: value}


FIELDS = ("code_configuration.code", "model.path", "environment.conda_file", "environment.build.path")
"""Every field of a deployment document that can name files of the user's."""


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("code", "/project/templates/m/code"),
        ("../shared", "/project/templates/m/../shared"),
        ("/models/m", "/models/m"),
        ("azureml:m:1", "azureml:m:1"),
        ("azureml://registries/r/models/m/versions/1", "azureml://registries/r/models/m/versions/1"),
        ("https://acct.blob.core.windows.net/c/m", "https://acct.blob.core.windows.net/c/m"),
        ("wasbs://c@acct.blob.core.windows.net/m", "wasbs://c@acct.blob.core.windows.net/m"),
        ("git+ssh://host/r.git#main", "git+ssh://host/r.git#main"),
    ],
)
def test_what_is_elsewhere_stays_where_it_is(field: str, said: str, shown: str) -> None:
    """Paths become absolute; an address of whatever kind is no path."""
    *above, last = field.split(".")
    document: dict[str, Any] = {last: said}
    for part in reversed(above):
        document = {part: document}
    spec = EndpointSpec("mip", "e/mip", "templates/m", {"name": "mip"}, (document,), {}, Pipeline(), None)
    held = yaml.safe_load(cli_files(spec, Path("/project"))["mip/deployment.yml"])
    for part in above:
        held = held[part]

    assert held == {last: shown}
