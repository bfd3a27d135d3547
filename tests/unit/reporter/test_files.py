"""Rendered CLI v2 files: each text is parsed as that text by YAML 1.1 and 1.2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.documents import yaml12
from deploy.documents.pipeline import Pipeline
from deploy.domain.spec import EndpointSpec
from deploy.reporter import cli_files

AMBIGUOUS = (
    "0o10", "1e3", "010", "0x1f", "1_000", "12:30:45", "no", "Yes", "on", "null", "~", "", "true", ".inf", ".NaN",
    "-.5", "2026-01-01", "=", "<<", "+1", "1.", "0b1", "- a", "a: b", "#", "'", '"', " a ", "a\nb",
    "a\x85b", "\x85", "a\u2028b", "a\u2029 b", "\ufeffa", "a\tb", "\t", "a ", "a\r\nb", "a\rb", "\n", "\x7f", "\x1b",
    "\xa0", "a\n\n b \n", "x" * 130 + " y",
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(AMBIGUOUS),
    st.from_regex(r"[-+.0-9eExobINFnaft_:~]{1,8}", fullmatch=True),
    st.text(st.sampled_from("a \n\t\r\x85\u2028\u2029\ufeff\xa0:#'\"\\"), max_size=8),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
)


def written(tags: dict[str, str], *, plain: bool = False) -> str:
    document = {"name": "mip", "tags": tags}
    spec = EndpointSpec("mip", "e/mip", "templates/m", document, (), {}, Pipeline(), None)
    return cli_files(spec, Path("/"), plain=plain)["mip/endpoint.yml"]


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_text_is_text_in_each_yaml_version(tags: dict[str, str]) -> None:
    """YAML 1.2, which editors assume, and 1.1, which `az ml` reads."""
    text = written(tags)

    assert yaml12.parse(text, "x").value["tags"] == tags
    assert yaml.safe_load(text)["tags"] == tags


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_plain_files_contain_the_same_text(tags: dict[str, str]) -> None:
    """In ASCII, for a stream without other characters."""
    text = written(tags, plain=True)

    assert text.isascii()
    assert yaml12.parse(text, "x").value["tags"] == yaml.safe_load(text)["tags"] == tags


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_ambiguous_text_is_text(value: str) -> None:
    """As a key and as a value."""
    text = written({value: value})

    assert yaml12.parse(text, "x").value["tags"] == {value: value}
    assert yaml.safe_load(text)["tags"] == {value: value}


FIELDS = ("code_configuration.code", "model.path", "environment.conda_file", "environment.build.path")
"""Each field of a deployment document that can be a local path."""


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("value", "shown"),
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
def test_local_paths_become_absolute_and_others_do_not(field: str, value: str, shown: str) -> None:
    """A URI or an asset name is not a path."""
    *above, last = field.split(".")
    document: dict[str, Any] = {last: value}
    for part in reversed(above):
        document = {part: document}
    spec = EndpointSpec("mip", "e/mip", "templates/m", {"name": "mip"}, (document,), {}, Pipeline(), None)
    result = yaml.safe_load(cli_files(spec, Path("/project"))["mip/deployment.yml"])
    for part in above:
        result = result[part]

    assert result == {last: shown}
