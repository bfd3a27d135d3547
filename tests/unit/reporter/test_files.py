"""The CLI v2 files that are rendered: every text is read as that text, whichever YAML reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy import yaml12
from deploy.documents import Pipeline
from deploy.model import EndpointSpec
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


def written(tags: dict[str, str]) -> str:
    document = {"name": "mip", "tags": tags}
    spec = EndpointSpec("mip", "e/mip", "templates/m", document, (), {}, Pipeline(), None)
    return cli_files(spec, Path("/"))["mip/endpoint.yml"]


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_text_is_text_for_every_yaml(tags: dict[str, str]) -> None:
    """For YAML 1.2, which editors assume, and for 1.1, which `az ml` reads."""
    text = written(tags)

    assert yaml12.parse(text, "x").value["tags"] == tags
    assert yaml.safe_load(text)["tags"] == tags


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_what_looks_like_something_else_is_text(value: str) -> None:
    """The known ones, each as a key and as a value."""
    text = written({value: value})

    assert yaml12.parse(text, "x").value["tags"] == {value: value}
    assert yaml.safe_load(text)["tags"] == {value: value}
